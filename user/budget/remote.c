/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets over many nodes, as the policy sees them: its own sums out, those of others in. */
#include <string.h>

#include "budget/counter_internal.h"
#include "budget/policy_internal.h"

/* False: its steps are reached as before, or more of them are. */
static bool set_remote(struct counters *counters, struct counter *counter, int64_t window_start_us,
		       const struct policy_remote *remote)
{
	uint32_t before;

	counter_sync(counters, counter);
	if (!is_rolling(counters) && window_start_us != counters->start_us)
		return false;
	before = counter->reserved_of;
	counter->remote = *remote;
	counter_recompute(counters, counter);
	return counter->reserved_of < before;
}

static void read_own(const struct counters *counters, const struct counter *counter,
		     struct policy_own *ret)
{
	*ret = (struct policy_own){ .budget = counters->budget,
				    .key = counter->key,
				    .spent = in_unit(counters, &counter->sum) };
	if (!counter->slots) {
		ret->window_start_us = counters->start_us;
		ret->window_end_us = counters->end_us;
		ret->sums[0] = ret->spent;
		return;
	}
	ret->slot_us = counters->slot_us;
	ret->newest = counter->newest;
	for (uint32_t i = 0; i < POLICY_SLOTS; i++)
		ret->sums[i] = in_unit(
			counters, &counter->slots[(counter->at + POLICY_SLOTS - i) % POLICY_SLOTS]);
}

static void each_changed(struct counters *counters,
			 void (*fn)(void *arg, const struct policy_own *own), void *arg)
{
	struct counter *counter;
	struct policy_own own;

	while ((counter = LIST_FIRST(&counters->changed))) {
		LIST_REMOVE(counter, changed);
		counter->is_changed = false;
		counter_sync(counters, counter);
		read_own(counters, counter, &own);
		fn(arg, &own);
	}
}

static bool has_new_counter(struct counters *counters)
{
	bool has_new = counters->has_new && counters->is_shared;

	counters->has_new = false;
	return has_new;
}

static struct counters *find(struct policy *policy, const char *budget)
{
	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		if (policy->rules->budgets[i].is_shared &&
		    !strcmp(policy->rules->budgets[i].name, budget))
			return policy->counters[i];
	return NULL;
}

bool policy_remote(struct policy *policy, const char *budget, const char *key,
		   int64_t window_start_us, const struct policy_remote *remote, int64_t now_us,
		   void (*fn)(void *arg, const struct policy_verdict *verdict), void *arg)
{
	struct counters *counters = find(policy, budget);
	struct counter *counter;
	uint32_t before, first;
	bool is_less;

	if (!counters)
		return false;
	counters_roll(counters, now_us);
	counter = counters_get(counters, key, false, &policy->is_stale);
	if (!counter)
		return false;
	counter_sync(counters, counter);
	before = counter->reached;
	is_less = set_remote(counters, counter, window_start_us, remote);
	first = before;
	if (counter->unproven_before && counter->unproven_before - 1U < before)
		first = counter->unproven_before - 1U;
	for (uint32_t step = first; step < counter->reached; step++) {
		struct policy_verdict verdict = { 0 };

		/* counter_fill_verdict() asks what was reached before this. */
		counter->before = before;
		counter_fill_verdict(counters, counter, (struct verdict_at){ VERDICT_STEP, step },
				     &verdict);
		counter->before = counter->reached;
		fn(arg, &verdict);
	}
	return is_less;
}

void policy_changed(struct policy *policy, int64_t now_us,
		    void (*fn)(void *arg, const struct policy_own *own), void *arg)
{
	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		if (!policy->rules->budgets[i].is_shared)
			continue;
		counters_roll(policy->counters[i], now_us);
		each_changed(policy->counters[i], fn, arg);
	}
}

bool policy_has_new(struct policy *policy)
{
	bool has_new = false;

	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		has_new |= has_new_counter(policy->counters[i]);
	return has_new;
}
