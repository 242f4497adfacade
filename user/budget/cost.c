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

static uint64_t clamped_nanos(int64_t nanos)
{
	return nanos < 0 ? 0 : (uint64_t)(nanos < CHARGE_NANOS_MAX ? nanos : CHARGE_NANOS_MAX);
}

void policy_read(const struct charge *charge, int64_t call_id,
		 struct counter_charge ret[POLICY_ESTIMATES])
{
	bool is_measured = charge_is_measured(charge->source);
	/* What only its sender vouches for may be invented, by whoever shares the counter. */
	bool is_evidence = is_measured && !charge_is_unconfirmed(charge);
	struct usage high = charge->usage;

	for (int i = 0; i < POLICY_ESTIMATES; i++)
		ret[i] = (struct counter_charge){ .call_id = call_id,
						  .count = charge_count(charge) };
	if (charge->source == CHARGE_FREE)
		return;
	high.input += charge->error_input;
	high.output += charge->error_output;
	ret[POLICY_EXPECTED].nanos = clamped_nanos(charge->budget_nanos);
	ret[POLICY_EXPECTED].tokens = clamped_tokens(&charge->usage);
	ret[POLICY_EXPECTED].measured_tokens = is_evidence ? ret[POLICY_EXPECTED].tokens : 0;
	/* At the price of what stands in for its model it is an estimate, too. */
	ret[POLICY_EXPECTED].measured_nanos = is_evidence && charge->is_priced ?
						      ret[POLICY_EXPECTED].nanos :
						      0;
	ret[POLICY_HIGH] = ret[POLICY_EXPECTED];
	if (is_measured) {
		ret[POLICY_NONE] = ret[POLICY_EXPECTED];
		return;
	}
	ret[POLICY_HIGH].nanos = clamped_nanos(charge->budget_nanos + charge->over_nanos);
	ret[POLICY_HIGH].tokens = clamped_tokens(&high);
}
