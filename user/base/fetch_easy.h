/* SPDX-License-Identifier: Apache-2.0 */
/* A request as a handle of curl's: what fetch.c carries out. For no other module. */
#ifndef BASE_FETCH_EASY_H
#define BASE_FETCH_EASY_H

#include <curl/curl.h>

#include "base/fetch.h"

/*
 * Everything of the request but its callbacks; the headers, which may be secret, must live as long as
 * the handle. is_raw: it only connects. 0; -EINVAL: a URL or header that curl or HTTP does not take;
 * -ENOMEM; or what reading a secret's file gave.
 */
int fetch_easy_new(CURL **ret, struct curl_slist **ret_headers, const struct fetch_request *request,
		   bool is_raw);
/* Overwrites them and frees them; NULL is nothing. */
void fetch_easy_wipe(struct curl_slist *headers);

#endif
