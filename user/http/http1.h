/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.x of one connection, both directions, by llhttp. llhttp reads the heads and the chunks
 * and pauses at each thing of interest, so pieces are pulled in order; bodies of known length, or
 * that end with the connection, are counted here, which makes a gap in them a subtraction.
 */
#ifndef HTTP_HTTP1_H
#define HTTP_HTTP1_H

#include "http/http.h"

/* Of one head; servers accept 8 to 64 KiB. Nothing of it is kept but struct http_head's strings. */
#define HTTP1_HEAD_MAX (256u << 10)

struct http1;

/*
 * from_start: the first bytes begin a message; else both sides wait for a plausible start of one
 * at the beginning of a fed piece. NULL: no memory.
 */
struct http1 *http1_new(bool from_start);
struct http1 *http1_free(struct http1 *http1);

/* Takes what follows; must be pulled by http1_next() until false before the next feed. */
void http1_feed(struct http1 *http1, enum http_side side, const uint8_t *bytes, size_t len);
/* The next n bytes of a side were not captured; pull, too. */
void http1_gap(struct http1 *http1, enum http_side side, uint64_t n);
/* Both sides ended; pull, too. */
void http1_end(struct http1 *http1);
bool http1_next(struct http1 *http1, struct http_piece *ret);

/* After a 101 to what is no WebSocket, or a CONNECT that was accepted: no more pieces will come. */
bool http1_is_tunnel(const struct http1 *http1);
uint64_t http1_resyncs(const struct http1 *http1);
/* Bytes of a side, fed or missing, that belong to no message: conn.h has their use. */
uint64_t http1_unread(const struct http1 *http1, enum http_side side);
uint64_t http1_bad_encodings(const struct http1 *http1);

#endif
