/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that know struct policy share; for no other module. */
#ifndef BUDGET_POLICY_INTERNAL_H
#define BUDGET_POLICY_INTERNAL_H

#include "budget/counter_internal.h"
#include "budget/override.h"
#include "budget/policy.h"

/* A budget that a subject falls under. */
struct membership {
	struct counters *counters;
	struct counter *counter; /* NULL: nothing was charged yet */
};

/* What a call had cost when `bytes` of its answer had come. */
struct mark {
	uint64_t bytes, nanos, tokens;
};

/* A call in flight, and what it has reserved of each of its counters. */
struct flight {
	UT_hash_handle hh;
	uint64_t id;
	struct mark mark;
	size_t n;
	struct reservation {
		struct counters *counters;
		struct counter *counter;
		uint64_t so_far, reserved; /* in the unit of the counter's limit */
	} reservations[];
};

/* What is known about a subject, keyed by all the texts that a match can use. */
struct subject_entry {
	UT_hash_handle hh;
	char *packed;
	bool is_protected;
	/* Between these none of its budgets' windows or slots is another, while policy->common.turns is `turns`. */
	int64_t same_from_us, same_until_us;
	uint32_t turns;
	/*
	 * Its last calls, in a ring, kept here for all counters that nothing else is charged to meanwhile
	 * (counter->known is `id`); and the cgroup that they were made in.
	 */
	uint32_t id, n_calls;
	int64_t calls[POLICY_CALLS];
	uint64_t member;
	size_t n_memberships;
	struct membership memberships[];
};

struct policy {
	struct policy_rules own; /* a copy; budgets and matches stay the caller's */
	const struct policy_rules *rules;
	struct counters **counters; /* one a budget */
	bool is_per_process;
	uint64_t epoch; /* sequence number of this policy, unique per process */
	struct subject_entry *cache;
	struct subject_entry *by_id[POLICY_CACHE]; /* id % POLICY_CACHE */
	uint32_t ids;
	bool is_stale; /* counters went: the cache points nowhere */
	struct membership *scratch;
	struct counters_common common;
	size_t bytes; /* of all counters */
	struct flight *flights;
	struct override *overrides;
	size_t n_overrides;
	bool has_hold; /* among the orders */
	uint64_t shared, dropped, unreserved;
	/* the last subject, and the indices of its memberships that have a verdict */
	struct subject_entry *present;
	uint32_t *telling;
	size_t n_telling;
	uint64_t judged; /* how many subjects there were before, to know an old iterator by */
};

/* Copies the calls that are kept with a counter's subject to the counter. */
void policy_calls(const struct policy *policy, struct counter *counter);

/*
 * The entry of a subject, which becomes the present one. ret (may be NULL) will walk the verdicts that
 * policy_fill_verdict() lists from now on. NULL: no memory.
 */
struct subject_entry *policy_recall(struct policy *policy, const struct policy_subject *subject,
				    struct verdict_iter *ret);
/* A number of its own, for a cache that holds no more than POLICY_CACHE. */
void policy_number(struct policy *policy, struct subject_entry *entry);
/* Forgets all subjects; their entries are made again when they are needed. */
void policy_forget(struct policy *policy);
/* Lists a membership of the present subject if its counter has a verdict. */
static inline void policy_fill_verdict(struct policy *policy, size_t membership,
				       const struct counter *counter)
{
	if (counter_fills_verdict(counter))
		policy->telling[policy->n_telling++] = (uint32_t)membership;
}
/* The counter of a membership; with `make`, there is one, if there is memory. */
struct counter *policy_counter_of(struct policy *policy, struct membership *membership,
				  const struct policy_subject *subject, bool make);
/*
 * What a charge adds to counters, by what they count of estimates; clamped as the ledger does, so that a replay gives
 * the same sums.
 */
void policy_read(const struct charge *charge, int64_t call_id,
		 struct counter_charge ret[POLICY_ESTIMATES]);

#endif
