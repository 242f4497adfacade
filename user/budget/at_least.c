/* SPDX-License-Identifier: Apache-2.0 */
/* Sums that are known from elsewhere than the ledger, where that has lost some. */
#include <string.h>

#include "budget/counter_internal.h"
#include "budget/policy_internal.h"

static struct counters *find(struct policy *policy, const char *budget)
{
	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		if (!strcmp(policy->rules->budgets[i].name, budget))
			return policy->counters[i];
	return NULL;
}

static bool is_of_this_window(const struct counters *counters, const struct policy_known *known,
			      int64_t now_us)
{
	if (is_rolling(counters))
		return known->at_us <= now_us && now_us - known->at_us < counters->budget->window_us;
	return known->window_start_us == counters->start_us;
}

bool policy_at_least(struct policy *policy, const struct policy_known *known, int64_t now_us)
{
	struct counters *counters = find(policy, known->budget);
	struct counter_charge missing = { 0 };
	struct counter *counter;

	/* of a shared one the server knows what was spent here, too */
	if (!counters || counters->is_shared || known->nanos < 0)
		return false;
	counters_roll(counters, now_us);
	if (!is_of_this_window(counters, known, now_us))
		return false;
	counter = counters_get(counters, known->key, true, &policy->is_stale);
	if (!counter)
		return false;
	counter_sync(counters, counter);
	if ((uint64_t)known->nanos > counter->sum.nanos)
		missing.nanos = (uint64_t)known->nanos - counter->sum.nanos;
	if (known->tokens > counter->sum.tokens)
		missing.tokens = known->tokens - counter->sum.tokens;
	if (!missing.nanos && !missing.tokens)
		return false;
	/* not measured: no evidence for a freeze, stop or kill, since nobody can be shown the calls */
	counter_add(counters, counter, &missing, 0);
	return true;
}
