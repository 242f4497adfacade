/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/fingerprint_start.h"

#include <errno.h>
#include <string.h>

#include "base/fingerprint.h"
#include "base/log.h"
#include "daemon/daemon.h"

void fingerprint_start(const struct daemon *daemon)
{
	const char *file = daemon->config.fingerprint_key;
	int err;

	if (!file)
		return;
	err = fingerprint_use(daemon->options.state, *file ? file : NULL);
	if (err)
		log_error("%s: api-key-fingerprint: %s: %s; API keys have no fingerprints until that is right and "
			  "aigress is restarted",
			  daemon->options.config, *file ? file : daemon->options.state,
			  err == -EKEYREJECTED ? "the key has fewer than 32 characters" :
						 strerror(-err));
}
