/* SPDX-License-Identifier: Apache-2.0 */
/* Who may see what. For serve.c alone. */
#ifndef WEB_ACCESS_H
#define WEB_ACCESS_H

#include "web/serve.h"

enum serve_need {
	SERVE_OPEN, /* says nothing of who spends: probes of an orchestrator carry no token */
	SERVE_METRICS,
	SERVE_DATA,
};

enum serve_verdict {
	SERVE_OK,
	SERVE_NO_TOKEN, /* none was given, or another one */
	SERVE_BAD_HOST,
	SERVE_FORBIDDEN, /* there is no token that would do */
};

/* By the request's headers of these names; NULL: it has none. */
enum serve_verdict serve_judge(const struct serve_config *config, enum serve_need need,
			       const char *host, const char *authorization);
/* True for a Host that no DNS rebinding can bring about: an address, or localhost. */
bool serve_is_own_name(const char *host);
/* At the start: 0, or -errno and a sentence. */
int serve_check_token(const struct serve_config *config, char **ret_error);

#endif
