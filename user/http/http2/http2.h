/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 of one connection, both directions, by watching its frames; nghttp2 undoes the header
 * compression and nothing else, as a session of it would want to answer.
 *
 * After a gap a side goes on at the next bytes that look like frames of a live stream. Header
 * compression survives a gap that held no header block. That one did shows: a request's stream
 * number jumps, an answer's data comes without its head, or decompression fails. Then the
 * connection is given up, as every later head could be wrong.
 */
#ifndef HTTP_HTTP2_HTTP2_H
#define HTTP_HTTP2_HTTP2_H

#include "http/http.h"

struct http2;

/* From the connection preface on. NULL: no memory. */
struct http2 *http2_new(void);
struct http2 *http2_free(struct http2 *http2);

/* As those of http1.h. */
void http2_feed(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t len);
void http2_gap(struct http2 *http2, enum http_side side, uint64_t n);
void http2_end(struct http2 *http2);
bool http2_next(struct http2 *http2, struct http_piece *ret);

/* Given up: once pulled, no more pieces will come. */
bool http2_is_lost(const struct http2 *http2);
uint64_t http2_resyncs(const struct http2 *http2);
/* As http1_unread(). */
uint64_t http2_unread(const struct http2 *http2, enum http_side side);
uint64_t http2_bad_encodings(const struct http2 *http2);

#endif
