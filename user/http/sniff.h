/* SPDX-License-Identifier: Apache-2.0 */
/* Which protocol bytes belong to, and whether they begin a message. */
#ifndef HTTP_SNIFF_H
#define HTTP_SNIFF_H

#include "http/http.h"

/* Enough for sniff_start() to decide: a method and its space, or the head of an HTTP/2 frame. */
#define SNIFF_START_MAX 24

enum sniff {
	SNIFF_MORE, /* more bytes are needed */
	SNIFF_HTTP1,
	SNIFF_HTTP2,
	SNIFF_SERVER, /* the wrong end: this side's bytes are the other side's */
	SNIFF_OTHER,  /* not HTTP, or HTTP/2 whose header compression was not followed */
};

/* How many line ends precede a request, which a server passes over: RFC 9112 2.2. None precede an answer. */
size_t sniff_blank(enum http_side side, const uint8_t *bytes, size_t len);
/* From the first bytes (at least one) of a side of a connection. */
enum sniff sniff_start(enum http_side side, const uint8_t *bytes, size_t len);
/* From a piece somewhere in it; HTTP/1 and HTTP/2 only if one begins just here. */
enum sniff sniff_middle(enum http_side side, const uint8_t *bytes, size_t len);

/* "METHOD target..." with, if the line ends in these bytes, its version; "HTTP/1.x ". */
bool sniff_is_request(const uint8_t *bytes, size_t len);
bool sniff_is_response(const uint8_t *bytes, size_t len);
/*
 * A whole chunk, RFC 9112 7.1, without extension: its line end must be where its size says, as a
 * size line alone is too easily found in a body.
 */
bool sniff_is_chunk(const uint8_t *bytes, size_t len);

#endif
