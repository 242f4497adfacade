/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How fast counters fill: their sums are looked at from time to time, so that a charge costs nothing more. Times are
 * the wall clock's, microseconds since the epoch.
 */
#ifndef BUDGET_TREND_H
#define BUDGET_TREND_H

#include <stdint.h>

#include "budget/policy.h"

struct trends;

#define TREND_SPAN_US  600000000LL /* what a rate is of */
#define TREND_LEAST_US 30000000LL  /* no rate of less */
#define TREND_COUNTERS 4096        /* of 0.5 kB; with more all begin anew */

/* NULL: no memory. */
struct trends *trends_new(void);
struct trends *trends_free(struct trends *trends);

struct trend {
	bool is_known;
	int64_t per_hour; /* in the unit of the budget's limit */
	int64_t reached_us; /* when its limit is reached at this rate; 0: not before its window ends, or it is */
};
/* A counter as it is now. */
void trends_see(struct trends *trends, const struct policy_counter *counter, int64_t now_us,
		struct trend *ret);

#endif
