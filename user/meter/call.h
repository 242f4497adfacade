/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One API call in progress: takes the pieces of its exchange, gives a charge. Bodies are scanned
 * as they pass and never held; of a request it keeps the model's name, whether it streams and the
 * counts that the estimator needs, of an answer the usage.
 */
#ifndef METER_CALL_H
#define METER_CALL_H

#include "http/http.h"
#include "provider/api.h"
#include "usage/charge.h"
#include "price/price.h"

struct call;
struct calibration; /* what measured calls taught the estimator; see estimate.h */

/*
 * A call that begins with this request head at time_ns (monotonic). `host` is the connection's
 * SNI, used if the head names none. NULL: not an AI request (no such provider, GET of a model
 * list, ...) or no memory; the exchange is then of no interest.
 */
struct call *call_new(const struct http_head *request, const char *host, uint64_t time_ns);
struct call *call_free(struct call *call);
/* The cgroup that calls (0 at first): its own measured calls alone correct its estimates. */
void call_set_tenant(struct call *call, uint64_t cgroup);
/* The program that calls, as user_agent_product() gives it ("" at first); what in it looks like a key becomes "*". */
void call_set_client(struct call *call, const char *client);

/* The next piece of either side. */
void call_feed(struct call *call, const struct http_piece *piece, uint64_t time_ns);
/* True once both messages have ended, or the terminator of its stream was seen. */
bool call_is_done(const struct call *call);

/*
 * What the call cost. Before call_is_done() this is what is known so far: usage already received, and an
 * estimate of the rest. After call_end() nothing more will come (the connection has ended).
 */
void call_end(struct call *call, uint64_t time_ns);
/* After call_end(): its answer, or the wait for one, was cut short, so more of it may have come. */
bool call_is_cut(const struct call *call);
/* So many more bytes of its answer came to this host and were not read; they are billed as well. */
void call_add_unread(struct call *call, uint64_t bytes);
void call_charge(const struct call *call, const struct prices *prices,
		 const struct calibration *calibration, struct charge *ret);

/*
 * Hands a measured call to the calibration: what its usage said, and what the estimator would have, by
 * the text of its request and by sizes. Once, when the call is done; nothing happens for a call without
 * usage or whose request was not seen whole.
 */
void call_teach(const struct call *call, struct calibration *calibration);

#endif
