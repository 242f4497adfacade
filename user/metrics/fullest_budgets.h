/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The budget counters that are nearest to their limits, copied: what a scrape or a page can show of
 * what may be a million counters.
 */
#ifndef METRICS_FULLEST_BUDGETS_H
#define METRICS_FULLEST_BUDGETS_H

#include "budget/policy.h"
#include "budget/trend.h"

struct fullest_budget {
	char *budget, *key;
	const char *window;  /* "hour", ..., "month", "rolling", "spike" */
	const char *reached; /* the highest step's action; "": none */
	bool in_money;
	int64_t spent_nanos, limit_nanos; /* in force; 0: none, as of a spike */
	uint64_t spent_tokens, limit_tokens;
	int64_t window_end_us;
	double used;        /* of the limit */
	struct trend trend; /* how fast it fills */
};

struct fullest_budgets {
	struct fullest_budget *rows; /* the fullest first */
	size_t n;
	size_t n_more;        /* counters that are not among them */
	int64_t more_nanos;   /* what was spent in those, in budgets of money */
	uint64_t more_tokens; /* and of tokens */
};

/* The `max` fullest; without trends (NULL) nobody knows how fast they fill. 0 or -ENOMEM. */
int fullest_budgets_take(struct fullest_budgets *ret, struct policy *policy, struct trends *trends,
			 size_t max, int64_t now_us);
void fullest_budgets_done(struct fullest_budgets *fullest_budgets);

#endif
