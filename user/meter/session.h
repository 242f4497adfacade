/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The WebSockets of one connection to an AI host. Each of their turns is given as an exchange of its own, as if
 * it had come by HTTP: what asked for it is the request, the server's events that belong to it are an answer
 * of HTTP_CONTENT_MESSAGES. Bytes that belong to no turn (speech going in, a session's settings) are read,
 * and cost nothing by themselves.
 *
 * Feeding and pulling alternate: sessions_feed() takes a piece of the connection, then sessions_next() is called
 * until it returns false. The piece must stay valid until then.
 */
#ifndef METER_SESSION_H
#define METER_SESSION_H

#include "http/http.h"

struct sessions; /* NULL: a connection that has had none */

/*
 * True if the piece is of a WebSocket to an AI host; else it is not looked at. `host` is the connection's, where
 * the request names none.
 */
bool sessions_feed(struct sessions **sessions, const struct http_piece *piece, const char *host);
/* The next piece of a turn; its exchange is that of no request, and of no other turn. */
bool sessions_next(struct sessions *sessions, struct http_piece *ret);
struct sessions *sessions_free(struct sessions *sessions);

/* Bytes, by enum http_side, of WebSockets whose messages nobody here knows: read by nobody. */
void sessions_unread(const struct sessions *sessions, uint64_t ret[2]);

#endif
