/* SPDX-License-Identifier: Apache-2.0 */
/* Fills struct http_head from header fields, the same for HTTP/1 and HTTP/2. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/http.h"

/* The longest field name of interest, and the longest value that is looked at, with a NUL. */
#define HEAD_NAME_LEN  48
#define HEAD_VALUE_LEN HTTP_HOST_LEN

/* The longest API key: OpenAI's have 164 characters. */
#define HEAD_KEY_MAX 240

enum head_field {
	HEAD_OTHER,
	HEAD_HOST, /* Host and :authority */
	HEAD_CONTENT_TYPE,
	HEAD_CONTENT_ENCODING,
	HEAD_TRANSFER_ENCODING,
	HEAD_CONTENT_LENGTH,
	HEAD_MODEL,
	HEAD_ANTHROPIC_VERSION,
	HEAD_COST,
	HEAD_CACHE_KEY,
	HEAD_CACHE_STATUS,
	HEAD_ORGANISATION,
	HEAD_PROJECT,
	HEAD_CLIENT,
	HEAD_API_KEY, /* only where fingerprints are taken: base/fingerprint.h */
	HEAD_ID,
	HEAD_UPSTREAM_ID, /* LiteLLM sends its provider's fields on, with llm_provider- before their names */
	HEAD_TIER,
	HEAD_GRPC_ENCODING,
	HEAD_GRPC_STATUS,
	HEAD_UPGRADE, /* Upgrade and :protocol */
	HEAD_WEBSOCKET_EXTENSIONS,
	HEAD_TOKENS, /* + enum http_tokens */
};

/* The name in any case. */
enum head_field head_field(const char *name, size_t len);
/* Takes a field's value; of one that comes in fragments only its first HEAD_VALUE_LEN bytes are looked at. */
void head_set(struct http_head *head, enum head_field field, const char *value, size_t len);
/*
 * Sets path, without query, and the model that the query names, from a request target. An absolute one, and that of CONNECT
 * (head->is_upgrade), sets the host, too, over a Host field: RFC 9112 3.2.2.
 */
void head_set_target(struct http_head *head, const char *target, size_t len);
/* A name of letters, digits and -_.: that fits whole; else `to` stays as it is. */
void head_set_word(char *to, size_t room, const char *from, size_t len);
void head_set_method(struct http_head *head, const char *method, size_t len);

/* As much of a request line as servers take (nginx, large_client_header_buffers): a path may be written in long ways. */
#define HEAD_TARGET_LEN 8192

/* Puts names and values together that come in fragments. */
struct head_reader {
	uint8_t n_name;
	uint16_t n_value, n_target;
	char name[HEAD_NAME_LEN];
	char value[HEAD_VALUE_LEN];
	char target[HEAD_TARGET_LEN]; /* cut if longer */
};
void head_read_start(struct head_reader *reader);
void head_read_target(struct head_reader *reader, const char *at, size_t len);
void head_read_name(struct head_reader *reader, const char *at, size_t len);
void head_read_value(struct head_reader *reader, const char *at, size_t len);
/* The field is complete: into the head, if one is given. */
void head_read_end(struct head_reader *reader, struct http_head *head);

#endif
