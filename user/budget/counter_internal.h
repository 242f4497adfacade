/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counter itself, for the files that compute it, and what policy.c does a thousand times a charge; for
 * no other room.
 */
#ifndef BUDGET_COUNTER_INTERNAL_H
#define BUDGET_COUNTER_INTERNAL_H

#include <stddef.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "budget/counter.h"

struct sum {
	uint64_t nanos, tokens;
	uint64_t calls;
	uint64_t measured; /* in the unit of the limit */
};

/*
 * With a thousand budgets the counters of one charge lie all over the heap, and cost what their
 * cache lines cost. What most charges look at and write comes first, in one line.
 */
#define COUNTER_ALIGN 64
struct counter {
	struct sum sum;
	uint32_t epoch; /* of the window that the sum belongs to */
	uint8_t reached, before,
		reserved_of; /* numbers of steps: reached by spend, the same before, with reservations */
	bool is_plain : 1;          /* no order, nothing in flight, not shared */
	bool is_near_limit : 1;     /* its allowance is due */
	bool in_tokens : 1;         /* its limit is */
	uint8_t estimates : 2;      /* enum policy_estimates */
	uint8_t n_calls, n_members; /* counted on, see counter_rise(); the latest are kept */
	uint8_t n_silent_below;     /* how many of the latest calls of subject `known` came here */
	uint32_t known;
	uint32_t turn; /* policy->common.turns when it was last brought up to date for policy_charge() */
	uint8_t unproven,
		unproven_before; /* number of the first step that lacks evidence; 0: none */
	uint64_t silent_below;   /* below this sum there is no verdict, while it is plain */

	struct sum *slots;           /* rolling; slots[at] is the present one */
	int64_t calls[POLICY_CALLS]; /* before those of `known` */
	uint64_t member;             /* the one that was last charged */

	enum override_kind order;
	bool is_changed; /* of a shared budget, since policy_changed() */
	LIST_ENTRY(counter) changed;
	struct policy_remote remote;
	uint32_t n_flights;
	uint64_t landed; /* calls that were in flight, ever */
	uint64_t raised; /* OVERRIDE_RAISE: the limit */
	int64_t override_until_us;
	uint64_t gone, calls_gone; /* with windows and slots that ended, in the unit of the limit */
	uint64_t flight, reserved; /* of calls in flight, in the unit of the limit */
	uint64_t per_kib;          /* of answers that flow; 0: not known */
	int64_t newest;            /* the present slot's number */
	int64_t first;             /* the slot in which it was made: its past begins there */
	uint32_t at;
	UT_hash_handle hh;
	uint64_t members[POLICY_MEMBERS];
	char key[];
} __attribute__((aligned(COUNTER_ALIGN)));
_Static_assert(offsetof(struct counter, slots) <= 64, "a charge looks at one line");

struct counters {
	const struct policy_budget *budget;
	struct zone *zone;
	bool is_in_money, is_spike, is_shared; /* the budget's, at hand */
	bool needs_evidence;                   /* it has steps that estimates do not prove */
	uint32_t n_steps, allowance; /* the step that the allowance is for; n_steps: none */
	size_t *bytes, max_bytes;
	struct counters_common *common;
	bool is_open;
	uint32_t epoch;
	int64_t same_from_us,
		same_until_us;    /* in between, a charge changes neither window nor slot */
	int64_t start_us, end_us; /* calendar */
	int64_t slot_us, slot;    /* rolling: a slot's width, the present one */
	int64_t now_us;
	int64_t swept; /* the epoch or slot of the last sweep */
	struct counter *counters, *other;
	LIST_HEAD(, counter) changed;
	bool has_new;
	uint64_t limits[]; /* one a step, in the unit of the limit */
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
	return counters->is_in_money ? sum->nanos : sum->tokens;
}

/* When a slot of a rolling window begins, by the wall clock as it is set now. */
static inline int64_t slot_starts(const struct counters *counters, int64_t slot)
{
	return slot * counters->slot_us + counters->common->moved_us;
}

/* Opens a new window if the time says so. */
void counters_turn(struct counters *counters, int64_t now_us);
static inline void counters_roll(struct counters *counters, int64_t now_us)
{
	counters->now_us = now_us;
	if (now_us < counters->same_from_us || now_us >= counters->same_until_us)
		counters_turn(counters, now_us);
}

/* One more in a ring of n: the next place is `at % n`, and min(at, n) of them are filled. */
static inline void counter_rise(uint8_t *at, uint8_t n)
{
	if (++*at == 2 * n)
		*at = n;
}

static inline void counter_call(struct counter *counter, int64_t id)
{
	counter->calls[counter->n_calls % POLICY_CALLS] = id;
	counter_rise(&counter->n_calls, POLICY_CALLS);
}

/* Prefetches a counter; NULL does nothing. */
static inline void counter_fetch(const struct counter *counter)
{
	if (counter)
		__builtin_prefetch(counter, 1);
}

/* Has it a verdict? */
static inline bool counter_fills_verdict(const struct counter *counter)
{
	return counter->reserved_of || counter->is_near_limit || counter->order == OVERRIDE_HOLD;
}

/* A shared budget's counter has a new sum. */
static inline void counter_change(struct counters *counters, struct counter *counter)
{
	if (!counters->is_shared || counter->is_changed)
		return;
	LIST_INSERT_HEAD(&counters->changed, counter, changed);
	counter->is_changed = true;
}

/* limits.c. `permille` thousandths of a limit, rounded up; without a limit: INT64_MAX. */
uint64_t limits_part(uint64_t limit, uint32_t permille);
/* A budget's limit in its unit; 0: none, as of a spike. */
uint64_t limits_own(const struct policy_budget *budget);
/* Where a step of a counter lies in the unit of the limit: of its budget's, or of the one that was ordered. */
uint64_t counter_limit(const struct counters *counters, const struct counter *counter,
		       uint32_t step);
/* The limit in force, in the unit of the budget; the other is 0. */
void counter_read_limit(const struct counters *counters, const struct counter *counter,
			int64_t *ret_nanos, uint64_t *ret_tokens);
/* What other nodes are taken to have spent, in the unit of the limit. */
uint64_t counter_remote(const struct counters *counters, const struct counter *counter);
/* The step that a budget's allowances are for; n_steps: none. */
uint32_t counter_allowance_step(const struct policy_budget *budget);

/* window.c. Drops the slots that have left the window since the counter was last looked at. */
void counter_slide(const struct counters *counters, struct counter *counter);
/* Brings a counter to the present window. False: it was there, and its steps are as they were. */
bool counter_catch_up(const struct counters *counters, struct counter *counter);

/* threshold.c. The mean of its calls, in the unit of the limit; 0: not known. */
uint64_t counter_mean(const struct counters *counters, const struct counter *counter);
/* Is its allowance due, with so much spent and reserved? */
bool counter_is_near_limit(const struct counters *counters, const struct counter *counter,
			   uint64_t all);
/* Below this sum a plain counter has no verdict, however few calls it is reached with. */
uint64_t counter_silent_below(const struct counters *counters, const struct counter *counter);

/* evidence.c. Does a step freeze, stop or kill, and asks for more than estimates? */
bool evidence_is_needed(const struct policy_step *step);
/* Is a step's line reached by what was measured, if it asks for that? */
bool counter_is_proven(const struct counters *counters, const struct counter *counter,
		       uint32_t step);
/* The number (from 1) of the first step that was reached and is not proven; 0: there is none. */
uint8_t counter_unproven(const struct counters *counters, const struct counter *counter);

/* counter.c. Counts the steps again when what is in flight, ordered or remote has changed. */
void counter_recompute(const struct counters *counters, struct counter *counter);

/*
 * spike.c. ret_recent is what the latest slots hold, ret_line what they would have to hold. False:
 * there is too little past to compare with.
 */
bool spike_find(const struct counters *counters, const struct counter *counter,
		uint64_t *ret_recent, uint64_t *ret_line);
/* What of the latest slots was measured. */
uint64_t spike_measured(const struct counter *counter);
/* The evidence of a spike is what the latest slots hold; it ends when they have passed. */
void spike_fill_verdict(const struct counters *counters, const struct counter *counter,
			struct policy_verdict *ret);

#endif
