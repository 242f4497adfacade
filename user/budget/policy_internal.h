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

/* What a call had cost when so many bytes of its answer had come. */
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

/* What was found out about a subject, keyed by all the texts that a match can look at. */
struct known {
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
	struct known *cache;
	struct known *by_id[POLICY_CACHE]; /* id % POLICY_CACHE */
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
	/* the subject that was looked at last, and those of its memberships that have a verdict */
	struct known *present;
	uint32_t *telling;
	size_t n_telling;
	uint64_t judged; /* how often a subject was looked at */
};

/* The calls that a counter has only been told of by way of its subject are written down with it. */
void policy_calls(const struct policy *policy, struct counter *counter);

/*
 * What is known of a subject, which is looked at from now on. ret (may be NULL) is to walk the verdicts that
 * policy_fill_verdict() lists. NULL: no memory.
 */
struct known *policy_recall(struct policy *policy, const struct policy_subject *subject,
			    struct verdict_iter *ret);
/* A number of its own, for a cache that holds no more than POLICY_CACHE. */
void policy_number(struct policy *policy, struct known *known);
/* All that is known of subjects, which is found out again. */
void policy_forget(struct policy *policy);
/* A membership whose counter has just been looked at: listed, if there is a verdict. */
static inline void policy_fill_verdict(struct policy *policy, size_t membership,
				       const struct counter *counter)
{
	if (counter_fills_verdict(counter))
		policy->telling[policy->n_telling++] = (uint32_t)membership;
}
/* The counter of a membership; with `make`, there is one, if there is memory. */
struct counter *policy_counter_of(struct policy *policy, struct membership *membership,
				  const struct policy_subject *subject, bool make);
/* What a charge adds to counters, clamped as the ledger does, so that a replay gives the same sums. */
void policy_read(const struct charge *charge, int64_t call_id, struct counter_charge *ret);

#endif
