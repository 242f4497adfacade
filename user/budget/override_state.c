/* SPDX-License-Identifier: Apache-2.0 */
/* The orders in force, as every counter that they fit has them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "budget/policy_internal.h"

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
	const struct verdict_at hold = { .kind = VERDICT_HOLD };

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
			counter_fill_verdict(counters, counter, hold, &verdict);
			fn(arg, &verdict);
		}
	}
}
