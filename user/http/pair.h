/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which answer belongs to which request of an HTTP/1 connection: in order, RFC 9112 9.3.2, as long
 * as nothing was lost. After a gap the next answer belongs to the latest request, as clients that
 * pipeline are rarer than gaps.
 */
#ifndef HTTP_PAIR_H
#define HTTP_PAIR_H

#include <stdbool.h>
#include <stdint.h>

/* What the framing of an answer depends on: the request's method. */
enum pair_method { PAIR_OTHER, PAIR_HEAD, PAIR_CONNECT };

/* All zero is a connection without a request. */
struct pair {
	uint64_t requests, answers; /* numbers of the latest */
	/* of the last 64 requests; deeper pipelines than that are not seen */
	uint64_t heads, connects;
};

/* The number of a request that begins. */
uint64_t pair_request(struct pair *pair, enum pair_method method);
/* The number of an answer that begins; a request that was not seen is counted and is PAIR_OTHER. */
uint64_t pair_answer(struct pair *pair, bool after_gap, enum pair_method *ret);

#endif
