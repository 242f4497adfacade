/* SPDX-License-Identifier: Apache-2.0 */
/* The sums of one budget, by key, in its present window. For the files of this room alone. */
#ifndef BUDGET_COUNTER_H
#define BUDGET_COUNTER_H

#include "budget/override.h"
#include "budget/policy.h"

#define COUNTER_KEY_LEN (2 * WHO_NAME_LEN + WHO_PATH_LEN)

struct counter;
struct counters; /* all of one budget */

/* What the counters of all budgets have in common. */
struct counters_common {
	uint32_t turns; /* counts what counters_turn() has done */
	/* By how much the wall clock was set since the first charge: rolling windows go by a time without that. */
	int64_t moved_us;
};

/*
 * The budget, the sum of bytes (of all budgets' counters) and what is common stay the caller's. NULL: no memory.
 * is_enforced: its counters have allowances.
 */
struct counters *counters_new(const struct policy_budget *budget, bool is_enforced, size_t *bytes,
			      size_t max_bytes, struct counters_common *common);
struct counters *counters_free(struct counters *counters);
uint64_t counters_count(const struct counters *counters);

/* What is added: already clamped, in both units. */
struct counter_charge {
	uint64_t nanos, tokens;
	uint64_t measured_nanos,
		measured_tokens; /* of these: tokens that were read, at a price of their own, and not unconfirmed */
	int64_t call_id;
	uint32_t count; /* of how many calls */
};

/*
 * The counter of a key; with `make`, a new one if there is room, else the one named "other". NULL:
 * there is none, or no memory. ret_swept is set when counters were dropped to make room: pointers
 * to this budget's counters are void then.
 */
struct counter *counters_get(struct counters *counters, const char *key, bool make, bool *ret_swept);
/* The window has been rolled (counters_roll()) before each of these. */
void counter_add(struct counters *counters, struct counter *counter,
		 const struct counter_charge *charge, uint64_t cgroup);
void counter_sync(struct counters *counters, struct counter *counter);

/*
 * Reserves for a call in flight: so_far is what it has cost (in the unit of the limit), *ret_reserved what is
 * missing to the mean of the counter's calls. Returns so_far. counter_release() takes both back; is_over: the call
 * has ended, as opposed to being reserved again.
 */
uint64_t counter_reserve(struct counters *counters, struct counter *counter, uint64_t so_far,
			 uint64_t *ret_reserved);
void counter_release(struct counters *counters, struct counter *counter, uint64_t so_far,
		     uint64_t reserved, bool is_over);
/* Applies the last of the orders that fit it; none: the rules apply. */
void counter_override(struct counters *counters, struct counter *counter,
		      const struct override *overrides, size_t n);
/* All but the epoch. */
void counter_usage_snapshot(const struct counters *counters, const struct counter *counter,
			    struct policy_usage_snapshot *ret);
/* What a KiB of an answer has just cost, in the unit of the limit. Kept while an allowance is due. */
void counter_flow(struct counter *counter, uint64_t per_kib);
/* The verdict that follows `last`; VERDICT_NONE begins and ends. */
struct verdict_at counter_next_verdict(const struct counters *counters,
				       const struct counter *counter, struct verdict_at last);
/* Fills all of a verdict that the counter knows; `at` is not VERDICT_NONE, the rest of *ret is zero. */
void counter_fill_verdict(const struct counters *counters, const struct counter *counter,
			  struct verdict_at at, struct policy_verdict *ret);
/* Every counter that holds something in the present window. */
void counters_walk(struct counters *counters,
		   void (*fn)(void *arg, const struct policy_counter *counter), void *arg);

/* A cgroup that is gated with the counter, although it has not been charged yet. */
void counter_join(struct counter *counter, uint64_t cgroup);
/* Each counter, in some order; NULL begins, and ends. No counter is made or dropped meanwhile. */
struct counter *counters_next(struct counters *counters, struct counter *counter);

/* The window around a time, as a fresh start would choose it. */
void counters_window(const struct counters *counters, int64_t now_us, int64_t *ret_start_us,
		     int64_t *ret_end_us);

#endif
