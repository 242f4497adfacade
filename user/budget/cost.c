/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/policy_internal.h"

static uint64_t clamp_tokens(uint64_t tokens)
{
	return tokens < CHARGE_TOKENS_MAX ? tokens : CHARGE_TOKENS_MAX;
}

void policy_read(const struct charge *charge, int64_t call_id, struct counter_charge *ret)
{
	const struct usage *usage = &charge->usage;
	int64_t nanos = charge->budget_nanos;

	*ret = (struct counter_charge){ .call_id = call_id };
	if (charge->source == CHARGE_FREE)
		return;
	ret->is_measured = charge_is_measured(charge->source);
	ret->nanos = nanos < 0 ? 0 : (uint64_t)(nanos < CHARGE_NANOS_MAX ? nanos : CHARGE_NANOS_MAX);
	ret->tokens = clamp_tokens(usage->input) + clamp_tokens(usage->cache_read) +
		      clamp_tokens(usage->cache_write_5m) + clamp_tokens(usage->cache_write_1h) +
		      clamp_tokens(usage->output) + clamp_tokens(usage->audio_input) +
		      clamp_tokens(usage->audio_output);
}
