/* SPDX-License-Identifier: Apache-2.0 */
/* What counter.c, counters.c and spike.c share; for no other module. */
#ifndef GUARD_COUNTER_IN_H
#define GUARD_COUNTER_IN_H

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "guard/counter.h"

struct sum {
	uint64_t nanos, tokens;
	uint64_t calls;
	uint64_t measured;	/* in the unit of the limit */
};

struct counter {
	UT_hash_handle hh;
	struct sum sum;
	uint32_t epoch;		/* of the window that the sum belongs to */
	uint32_t reached, before, ahead_of; /* steps: by what was spent, before, with what is ahead */
	enum override_kind order;
	uint64_t raised;	/* OVERRIDE_RAISE: the limit */
	int64_t order_until_us;
	uint64_t flight, ahead;	/* of calls in flight, in the unit of the limit */
	uint32_t n_flights;
	uint32_t n_calls, n_members;	/* ever; the latest are kept */
	/* rolling: slots[newest % POLICY_SLOTS + shift] is the present one */
	int64_t newest;
	int64_t first;		/* the slot in which it was made: its past begins there */
	uint32_t at;
	struct sum *slots;
	int64_t calls[POLICY_CALLS];
	uint64_t members[POLICY_MEMBERS];
	char key[];
};

struct counters {
	const struct policy_budget *budget;
	struct zone *zone;
	uint64_t *limits;	/* one a step, in the unit of the limit */
	size_t *bytes, max_bytes;
	bool is_open;
	uint32_t epoch;
	int64_t start_us, end_us;	/* calendar */
	int64_t slot_us, slot;		/* rolling: a slot's width, the present one */
	int64_t now_us;
	int64_t swept;			/* the epoch or slot of the last sweep */
	struct counter *counters, *other;
};

static inline bool is_rolling(const struct counters *counters)
{
	return counters->budget->window == POLICY_ROLLING;
}

static inline void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum) || *sum > INT64_MAX)
		*sum = INT64_MAX;
}

static inline void take_away(uint64_t *sum, uint64_t less)
{
	*sum -= less < *sum ? less : *sum;
}

static inline uint64_t in_unit(const struct counters *counters, const struct sum *sum)
{
	return policy_in_money(counters->budget) ? sum->nanos : sum->tokens;
}

/* counter.c: drops the slots that have left the window since the counter was last looked at. */
void counter_slide(const struct counters *counters, struct counter *counter);
/* counters.c; NULL is nothing. */
void counter_free(struct counters *counters, struct counter *counter);

/*
 * spike.c. ret_recent is what the latest slots hold, ret_line what they would have to hold. False:
 * there is too little past to compare with.
 */
bool spike_find(const struct counters *counters, const struct counter *counter,
		uint64_t *ret_recent, uint64_t *ret_line);
/* The evidence of a spike is what the latest slots hold; it ends when they have passed. */
void spike_tell(const struct counters *counters, const struct counter *counter,
		struct policy_verdict *ret);

#endif
