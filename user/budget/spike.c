/* SPDX-License-Identifier: Apache-2.0 */
/* A rate against the own past: the latest slots of a rolling window, and those before them. */
#include "base/clock.h"
#include "budget/counter_internal.h"

bool spike_find(const struct counters *counters, const struct counter *counter,
		uint64_t *ret_recent, uint64_t *ret_line)
{
	const struct policy_budget *budget = counters->budget;
	int64_t past = counter->newest - counter->first - POLICY_SPIKE_SLOTS + 1;
	int64_t recent_us = counters->now_us -
			    slot_starts(counters, counter->newest - POLICY_SPIKE_SLOTS + 1);
	uint64_t recent = 0, before = counter->sum.nanos;
	unsigned __int128 line, floor;

	if (past > POLICY_SLOTS - POLICY_SPIKE_SLOTS)
		past = POLICY_SLOTS - POLICY_SPIKE_SLOTS;
	if (past < POLICY_WARM_SLOTS || recent_us <= 0)
		return false;
	for (uint32_t age = 0; age < POLICY_SPIKE_SLOTS; age++)
		add(&recent,
		    counter->slots[(counter->at + POLICY_SLOTS - age) % POLICY_SLOTS].nanos);
	take_away(&before, recent);
	add(&recent, counter->flight);
	line = (unsigned __int128)before * budget->spike_permille / 1000 * (uint64_t)recent_us /
	       ((uint64_t)past * (uint64_t)counters->slot_us);
	floor = (unsigned __int128)budget->floor_nanos_per_hour * (uint64_t)recent_us /
		(3600 * (uint64_t)US_PER_S);
	if (line < floor)
		line = floor;
	*ret_recent = recent;
	*ret_line = line > INT64_MAX ? INT64_MAX : (uint64_t)line;
	return true;
}

uint64_t spike_measured(const struct counter *counter)
{
	uint64_t measured = 0;

	for (uint32_t age = 0; age < POLICY_SPIKE_SLOTS; age++)
		add(&measured,
		    counter->slots[(counter->at + POLICY_SLOTS - age) % POLICY_SLOTS].measured);
	return measured;
}

void spike_fill_verdict(const struct counters *counters, const struct counter *counter,
			struct policy_verdict *ret)
{
	uint64_t recent, line;

	ret->window_start_us = slot_starts(counters, counter->newest - POLICY_SPIKE_SLOTS + 1);
	ret->window_end_us = slot_starts(counters, counter->newest + POLICY_SPIKE_SLOTS);
	if (!spike_find(counters, counter, &recent, &line))
		return;
	ret->spent_nanos = (int64_t)recent;
	ret->limit_nanos = (int64_t)line;
}
