/* SPDX-License-Identifier: Apache-2.0 */
/* Fills struct http_head from header fields, the same for HTTP/1 and HTTP/2. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/http.h"

/* The longest field name of interest, and the longest value that is looked at, with a NUL. */
#define HEAD_NAME_LEN 32
#define HEAD_VALUE_LEN HTTP_HOST_LEN

enum head_field {
	HEAD_OTHER,
	HEAD_HOST,	/* Host and :authority */
	HEAD_CONTENT_TYPE,
	HEAD_CONTENT_ENCODING,
	HEAD_ANTHROPIC_VERSION,
	HEAD_COST,
};

/* The name in any case. */
enum head_field head_field(const char *name, size_t len);
/* Takes a field's value; only its first HEAD_VALUE_LEN - 1 bytes are looked at. */
void head_set(struct http_head *head, enum head_field field, const char *value, size_t len);
/* Sets path, without query, from a request target; an absolute one sets host, too, and wins. */
void head_set_target(struct http_head *head, const char *target, size_t len);
void head_set_method(struct http_head *head, const char *method, size_t len);

#endif
