/* SPDX-License-Identifier: Apache-2.0 */
/* What a charge adds to counters. */
#include "budget/policy_internal.h"

static uint64_t clamped_tokens(const struct usage *usage)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < USAGE_COUNT; i++) {
		uint64_t n = usage_is_disjoint(i) ? usage_get(usage, i) : 0;

		sum += n < CHARGE_TOKENS_MAX ? n : CHARGE_TOKENS_MAX;
	}
	return sum;
}

void policy_read(const struct charge *charge, int64_t call_id, struct counter_charge *ret)
{
	int64_t nanos = charge->budget_nanos;

	*ret = (struct counter_charge){ .call_id = call_id };
	if (charge->source == CHARGE_FREE)
		return;
	ret->is_measured = charge_is_measured(charge->source);
	ret->nanos = nanos < 0 ? 0 : (uint64_t)(nanos < CHARGE_NANOS_MAX ? nanos : CHARGE_NANOS_MAX);
	ret->tokens = clamped_tokens(&charge->usage);
}
