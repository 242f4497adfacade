/* SPDX-License-Identifier: Apache-2.0 */
/* Windows by the clock, and a counter brought into the present one. */
#include "base/clock.h"
#include "base/zone.h"
#include "budget/counter_internal.h"

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

void counters_window(const struct counters *counters, int64_t now_us, int64_t *ret_start_us,
		     int64_t *ret_end_us)
{
	static const enum zone_unit units[] = {
		[POLICY_HOUR] = ZONE_HOUR, [POLICY_DAY] = ZONE_DAY, [POLICY_WEEK] = ZONE_WEEK, [POLICY_MONTH] = ZONE_MONTH
	};
	int64_t start_s, end_s;

	if (is_rolling(counters)) {
		int64_t slot = floor_div(now_us - counters->common->moved_us, counters->slot_us);

		*ret_start_us = slot_starts(counters, slot - POLICY_SLOTS + 1);
		*ret_end_us = INT64_MAX;
		return;
	}
	zone_window(counters->zone, units[counters->budget->window], counters->budget->start_day,
		    floor_div(now_us, US_PER_S), &start_s, &end_s);
	*ret_start_us = start_s * US_PER_S;
	*ret_end_us = end_s * US_PER_S;
}

static void turn_slot(struct counters *counters, int64_t now_us)
{
	int64_t slot = floor_div(now_us - counters->common->moved_us, counters->slot_us);

	/* Further back than a window: the clock had been wrong, the slots come along. */
	if (!counters->is_open || slot > counters->slot || slot < counters->slot - POLICY_SLOTS) {
		counters->epoch += counters->is_open && slot < counters->slot;
		counters->slot = slot;
		counters->is_open = true;
	}
	counters->same_from_us = slot_starts(counters, counters->slot - POLICY_SLOTS);
	counters->same_until_us = slot_starts(counters, counters->slot + 1);
}

void counters_turn(struct counters *counters, int64_t now_us)
{
	int64_t start_us, end_us;

	counters->common->turns++;
	if (is_rolling(counters)) {
		turn_slot(counters, now_us);
		return;
	}
	counters_window(counters, now_us, &start_us, &end_us);
	if (!counters->is_open || now_us >= counters->end_us)
		counters->epoch++;
	counters->is_open = true;
	counters->start_us = start_us;
	counters->end_us = end_us;
	counters->same_from_us = start_us - (end_us - start_us);
	counters->same_until_us = end_us;
}

void counter_slide(const struct counters *counters, struct counter *counter)
{
	int64_t passed = counters->slot - counter->newest;

	/* The clock went back by more than a window (see counters_roll): the ages stay. */
	if (counter->epoch != counters->epoch) {
		counter->epoch = counters->epoch;
		passed = 0;
	}
	for (int64_t i = 0; i < passed && i < POLICY_SLOTS; i++) {
		struct sum *slot = &counter->slots[counter->at = (counter->at + 1) % POLICY_SLOTS];

		counter->gone += in_unit(counters, slot);
		counter->calls_gone += slot->calls;
		take_away(&counter->sum.nanos, slot->nanos);
		take_away(&counter->sum.tokens, slot->tokens);
		take_away(&counter->sum.measured, slot->measured);
		take_away(&counter->sum.calls, slot->calls);
		*slot = (struct sum){ 0 };
	}
	counter->newest = counters->slot;
}

bool counter_catch_up(const struct counters *counters, struct counter *counter)
{
	if (counter->slots) {
		if (counter->newest == counters->slot && counter->epoch == counters->epoch)
			return counters->is_spike; /* its line moves with the time */
		counter_slide(counters, counter);
		return true;
	}
	if (counter->epoch == counters->epoch)
		return false;
	counter->gone += in_unit(counters, &counter->sum);
	counter->calls_gone += counter->sum.calls;
	counter->sum = (struct sum){ 0 };
	counter->remote = (struct policy_remote){ 0 };
	counter->n_calls = counter->n_silent_below = 0;
	counter->is_near_limit = false;
	counter->epoch = counters->epoch;
	return true;
}
