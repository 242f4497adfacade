/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program is stopped for. An estimate may be wrong several times over, and sizes are easily made: it may make
 * calls wait or turn them away, but what ends a program's work has to be measured, and confirmed where that is asked: of
 * several that share a counter, one could invent what the others are stopped for.
 */
#include "budget/counter_internal.h"

bool evidence_is_needed(const struct policy_step *step)
{
	return !step->by_estimates && (step->action == POLICY_FREEZE ||
				       step->action == POLICY_STOP || step->action == POLICY_KILL);
}

bool counter_is_proven(const struct counters *counters, const struct counter *counter, uint32_t step)
{
	uint64_t measured = counter->sum.measured, recent, line;

	if (!counters->needs_evidence || !evidence_is_needed(&counters->budget->steps[step]))
		return true;
	if (counters->is_spike)
		return spike_find(counters, counter, &recent, &line) &&
		       spike_measured(counter) >= line;
	/* Other nodes prove what is theirs. */
	add(&measured, counter_remote(counters, counter));
	return measured >= counter_limit(counters, counter, step);
}

uint8_t counter_unproven(const struct counters *counters, const struct counter *counter)
{
	for (uint8_t step = 0; counters->needs_evidence && step < counter->reached; step++)
		if (!counter_is_proven(counters, counter, step))
			return step + 1;
	return 0;
}
