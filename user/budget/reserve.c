/* SPDX-License-Identifier: Apache-2.0 */
/* What stands beside the sums: calls in flight, and what operators ordered. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "budget/policy_internal.h"

/* ---- calls in flight ---- */

#define FLOW_BYTES 512 /* of an answer, between two looks at what it costs: two or three events */

static void land(struct policy *policy, uint64_t id, bool is_over)
{
	struct flight *flight;

	HASH_FIND(hh, policy->flights, &id, sizeof(id), flight);
	if (!flight)
		return;
	HASH_DEL(policy->flights, flight);
	for (size_t i = 0; i < flight->n; i++)
		counter_land(flight->holds[i].counters, flight->holds[i].counter,
			     flight->holds[i].so_far, flight->holds[i].reserved, is_over);
	free(flight);
}

void policy_release(struct policy *policy, uint64_t id)
{
	land(policy, id, true);
}

/* Where a call stood: what its answer costs as it flows is told by two such marks. */
static struct mark mark_of(const struct policy *policy, uint64_t id)
{
	const struct flight *flight;

	HASH_FIND(hh, policy->flights, &id, sizeof(id), flight);
	return flight ? flight->mark : (struct mark){ 0 };
}

/* What a KiB of it has cost since the mark, and the next mark. False: too little has come since. */
static bool flows(struct mark *mark, const struct counter_charge *cost, uint64_t bytes,
		  struct mark *ret_per_kib)
{
	struct mark now = { .bytes = bytes, .nanos = cost->nanos, .tokens = cost->tokens },
		    old = *mark;

	if (old.bytes && bytes < old.bytes + FLOW_BYTES)
		return false;
	*mark = now;
	if (!old.bytes || now.nanos < old.nanos || now.tokens < old.tokens)
		return false;
	*ret_per_kib =
		(struct mark){ .nanos = (now.nanos - old.nanos) * 1024 / (bytes - old.bytes),
			       .tokens = (now.tokens - old.tokens) * 1024 / (bytes - old.bytes) };
	return true;
}

void policy_reserve(struct policy *policy, const struct policy_subject *subject, uint64_t id,
		    const struct charge *so_far, int64_t now_us)
{
	struct mark mark = mark_of(policy, id), per_kib;
	struct known *known;
	struct counter_charge cost;
	struct flight *flight;
	bool is_flowing;

	land(policy, id, false);
	known = policy_recall(policy, subject);
	if (!known || !known->n_memberships)
		return;
	flight = HASH_COUNT(policy->flights) >= POLICY_FLIGHTS ?
			 NULL :
			 calloc(1,
				sizeof(*flight) + known->n_memberships * sizeof(flight->holds[0]));
	if (flight) {
		flight->id = id;
		HASH_ADD(hh, policy->flights, id, sizeof(flight->id), flight);
	}
	if (!flight || !flight->hh.tbl) {
		policy->unreserved++;
		free(flight);
		policy->present = NULL;
		return;
	}
	policy_read(so_far, 0, &cost);
	is_flowing = flows(&mark, &cost, so_far->response_bytes, &per_kib);
	flight->mark = mark;
	for (size_t i = 0; i < known->n_memberships; i++) {
		struct membership *membership = &known->memberships[i];
		struct hold *hold = &flight->holds[flight->n];

		counters_roll(membership->counters, now_us);
		hold->counter = policy_counter_of(policy, membership, subject, true);
		if (!hold->counter)
			continue;
		/* Others may have spent it all: what they say comes while this call runs. */
		if (membership->counters->is_shared && !known->is_protected &&
		    strcmp(subject->group->path, "/"))
			counter_join(hold->counter, subject->group->cgroup);
		hold->counters = membership->counters;
		hold->so_far = counter_fly(
			membership->counters, hold->counter,
			policy_in_money(membership->counters->budget) ? cost.nanos : cost.tokens,
			&hold->reserved);
		if (is_flowing)
			counter_flow(hold->counter, membership->counters->is_in_money ?
							    per_kib.nanos :
							    per_kib.tokens);
		policy_fill_verdict(policy, i, hold->counter);
		flight->n++;
	}
}

/* ---- orders ---- */

int policy_override(struct policy *policy, const struct override *overrides, size_t n)
{
	struct override *copy = calloc(n + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (n)
		memcpy(copy, overrides, n * sizeof(*copy));
	free(policy->overrides);
	policy->overrides = copy;
	policy->n_overrides = n;
	policy->has_hold = false;
	for (size_t i = 0; i < n; i++)
		policy->has_hold |= copy[i].kind == OVERRIDE_HOLD;
	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		struct counters *counters = policy->counters[i];
		struct counter *counter = NULL;

		while ((counter = counters_next(counters, counter)))
			counter_override(counters, counter, copy, n);
	}
	return 0;
}

void policy_held(struct policy *policy, int64_t now_us,
		 void (*fn)(void *arg, const struct policy_verdict *verdict), void *arg)
{
	for (size_t i = 0; policy->has_hold && i < policy->rules->n_budgets; i++) {
		struct counters *counters = policy->counters[i];
		struct counter *counter = NULL;

		counters_roll(counters, now_us);
		while ((counter = counters_next(counters, counter))) {
			struct policy_verdict verdict = { 0 };

			if (counter->order != OVERRIDE_HOLD)
				continue;
			counter_sync(counters, counter);
			policy_calls(policy, counter);
			counter_fill_verdict(counters, counter, COUNTER_HOLD, &verdict);
			fn(arg, &verdict);
		}
	}
}

bool policy_stands(struct policy *policy, const struct policy_budget *budget,
		   const struct policy_step *step, const char *key, bool reserved, int64_t now_us)
{
	struct counters *counters = policy->counters[budget - policy->rules->budgets];
	struct counter *counter = counters_get(counters, key, false, &policy->is_stale);
	uint32_t at;

	if (!counter)
		return false;
	if (step == &policy_hold)
		return counter->order == OVERRIDE_HOLD;
	if (counter->order == OVERRIDE_HOLD)
		return true;
	counters_roll(counters, now_us);
	counter_sync(counters, counter);
	if (step == &policy_allowance)
		return counter->is_near_limit;
	at = (uint32_t)(step - budget->steps);
	return at < (reserved ? counter->reserved_of : counter->reached);
}
