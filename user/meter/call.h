/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One API call in progress: takes the pieces of its exchange, gives a reading. Bodies are scanned
 * as they pass and never held; of a request it keeps the model's name, whether it streams and the
 * counts that the estimator needs, of an answer the usage.
 */
#ifndef METER_CALL_H
#define METER_CALL_H

#include "http/http.h"
#include "provider/api.h"
#include "meter/reading.h"

struct call;

/*
 * A call that begins with this request head at time_ns (monotonic). `host` is the connection's
 * SNI, used if the head names none. NULL: not an AI request (no such provider, GET of a model
 * list, ...) or no memory; the exchange is then of no interest.
 */
struct call *call_new(const struct http_head *request, const char *host, uint64_t time_ns);
struct call *call_free(struct call *call);
/* The next piece of either side. */
void call_feed(struct call *call, const struct http_piece *piece, uint64_t time_ns);
/* True once both messages have ended, or the terminator of its stream was seen. */
bool call_is_done(const struct call *call);

/* Nothing more will come: the connection has ended. */
void call_end(struct call *call, uint64_t time_ns);
/* What was read of it so far; valid until the call is touched again. */
const struct reading *call_read(struct call *call);

#endif
