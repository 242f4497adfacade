/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a handle of curl's: what fetch.c carries out. For no other module. */
#ifndef BASE_FETCH_EASY_H
#define BASE_FETCH_EASY_H

#include <curl/curl.h>

#include "base/fetch.h"

struct fetch_easy {
	CURL *curl;
	struct curl_slist *headers; /* that may be secret, overwritten before they are freed */
	struct curl_slist *to;      /* of a mail, and its text */
	curl_mime *text;
};

/*
 * Everything of the request but its callbacks. is_raw: it only connects. 0; -EINVAL: a URL or header that curl or HTTP
 * does not take; -ENOMEM; or what reading a secret's file gave. ret is to be given to fetch_easy_done() in any case.
 */
int fetch_easy_init(struct fetch_easy *ret, const struct fetch_request *request, bool is_raw);
void fetch_easy_done(struct fetch_easy *easy);

#endif
