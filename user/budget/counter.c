/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/zone.h"
#include "budget/counter_internal.h"

static uint64_t limit_of(uint64_t limit, uint32_t permille)
{
	unsigned __int128 part = ((unsigned __int128)limit * permille + 999) / 1000;

	/* No limit at all is never reached. */
	return !limit || part > INT64_MAX ? INT64_MAX : (uint64_t)part;
}

static uint64_t own_limit(const struct policy_budget *budget)
{
	return policy_in_money(budget) ? (uint64_t)budget->limit_nanos : budget->limit_tokens;
}

/* Where a step of a counter lies: of its budget's limit, or of the one that was ordered. */
uint64_t counter_limit(const struct counters *counters, const struct counter *counter, uint32_t step)
{
	return counter->raised ?
		       limit_of(counter->raised, counters->budget->steps[step].at_permille) :
		       counters->limits[step];
}

struct counters *counters_new(const struct policy_budget *budget, bool is_enforced, size_t *bytes,
			      size_t max_bytes, struct counters_common *common)
{
	struct counters *counters =
		calloc(1, sizeof(*counters) + budget->n_steps * sizeof(*counters->limits));

	if (!counters)
		return NULL;
	counters->budget = budget;
	counters->is_in_money = policy_in_money(budget);
	counters->is_spike = budget->spike_permille;
	counters->is_shared = budget->is_shared;
	counters->n_steps = (uint32_t)budget->n_steps;
	counters->bytes = bytes;
	counters->max_bytes = max_bytes;
	counters->common = common;
	counters->swept = INT64_MIN;
	for (size_t i = 0; i < budget->n_steps; i++)
		counters->limits[i] = limit_of(own_limit(budget), budget->steps[i].at_permille);
	counters->allowance = is_enforced && !counters->is_spike ? counter_allowance_step(budget) :
								   counters->n_steps;
	if (is_rolling(counters)) {
		counters->slot_us = budget->window_us / POLICY_SLOTS;
		if (counters->slot_us < 1)
			counters->slot_us = 1;
		return counters;
	}
	if (zone_load(&counters->zone, budget->zone) < 0 && zone_load(&counters->zone, "UTC") < 0)
		return counters_free(counters);
	return counters;
}

struct counters *counters_free(struct counters *counters)
{
	struct counter *counter, *next;

	if (!counters)
		return NULL;
	HASH_ITER(hh, counters->counters, counter, next) {
		HASH_DEL(counters->counters, counter);
		counter_free(counters, counter);
	}
	counter_free(counters, counters->other);
	zone_free(counters->zone);
	free(counters);
	return NULL;
}

uint64_t counters_count(const struct counters *counters)
{
	return HASH_COUNT(counters->counters) + !!counters->other;
}

/* ---- windows ---- */

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
		int64_t slot = floor_div(now_us, counters->slot_us);

		*ret_start_us = (slot - POLICY_SLOTS + 1) * counters->slot_us;
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
	int64_t slot = floor_div(now_us, counters->slot_us);

	/* Further back than a window: the clock had been wrong, the slots come along. */
	if (!counters->is_open || slot > counters->slot || slot < counters->slot - POLICY_SLOTS) {
		counters->epoch += counters->is_open && slot < counters->slot;
		counters->slot = slot;
		counters->is_open = true;
	}
	counters->same_from_us = (counters->slot - POLICY_SLOTS) * counters->slot_us;
	counters->same_until_us = (counters->slot + 1) * counters->slot_us;
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

/* ---- one counter ---- */

static void count_steps(const struct counters *counters, struct counter *counter)
{
	uint64_t sum = in_unit(counters, &counter->sum), all;
	uint8_t at = 0;

	if (counter->is_plain && !counters->is_spike) {
		while (at < counters->n_steps && sum >= counters->limits[at])
			at++;
		counter->reached = counter->reserved_of = at;
		counter->is_near_limit = counter_is_near_limit(counters, counter, sum);
		counter->silent_below = counter_silent_below(counters, counter);
		return;
	}
	counter->reached = counter->reserved_of = 0;
	if (counter->order == OVERRIDE_OPEN) {
		counter->is_near_limit = false;
		return;
	}
	if (counters->is_spike) {
		if (spike_find(counters, counter, &sum, &all) && sum >= all && sum)
			counter->reached = counter->reserved_of = (uint8_t)counters->n_steps;
		return;
	}
	add(&sum, counter->flight);
	add(&sum, counter_remote(counters, counter));
	all = sum;
	add(&all, counter->reserved);
	while (at < counters->n_steps && sum >= counter_limit(counters, counter, at))
		at++;
	counter->reached = at;
	while (at < counters->n_steps && all >= counter_limit(counters, counter, at))
		at++;
	counter->reserved_of = at;
	counter->is_near_limit = counter_is_near_limit(counters, counter, all);
}

void counter_recompute(const struct counters *counters, struct counter *counter)
{
	counter->is_plain = !counter->n_flights && counter->order == OVERRIDE_NONE &&
			    !counters->is_shared;
	count_steps(counters, counter);
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

/* Brings a counter to the present window. False: it was there, and its steps are as they were. */
static bool catch_up(const struct counters *counters, struct counter *counter)
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

void counter_sync(struct counters *counters, struct counter *counter)
{
	if (catch_up(counters, counter))
		count_steps(counters, counter);
	counter->before = counter->reached;
}

static void remember(struct counter *counter, int64_t call_id, uint64_t cgroup)
{
	uint32_t held = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;

	if (call_id)
		counter_call(counter, call_id);
	if (!cgroup || cgroup == counter->member)
		return;
	counter->member = cgroup;
	for (uint32_t i = 0; i < held; i++)
		if (counter->members[i] == cgroup)
			return;
	counter->members[counter->n_members % POLICY_MEMBERS] = cgroup;
	counter_rise(&counter->n_members, POLICY_MEMBERS);
}

void counter_join(struct counter *counter, uint64_t cgroup)
{
	remember(counter, 0, cgroup);
}

void counter_add(struct counters *counters, struct counter *counter,
		 const struct counter_charge *charge, uint64_t cgroup)
{
	uint64_t unit = counters->is_in_money ? charge->nanos : charge->tokens;
	struct sum *sums[2] = { &counter->sum, NULL };

	counter_sync(counters, counter);
	if (counter->slots)
		sums[1] = &counter->slots[counter->at];
	for (int i = 0; i < 2 && sums[i]; i++) {
		add(&sums[i]->nanos, charge->nanos);
		add(&sums[i]->tokens, charge->tokens);
		add(&sums[i]->measured, charge->is_measured ? unit : 0);
		add(&sums[i]->calls, unit > 0);
	}
	if (counters->is_shared)
		counter_change(counters, counter);
	remember(counter, charge->call_id, cgroup);
	count_steps(counters, counter);
}

uint64_t counter_fly(struct counters *counters, struct counter *counter, uint64_t so_far,
		     uint64_t *ret_reserved)
{
	uint64_t mean;

	counter_sync(counters, counter);
	mean = counter_mean(counters, counter);
	*ret_reserved = mean > so_far ? mean - so_far : 0;
	add(&counter->flight, so_far);
	add(&counter->reserved, *ret_reserved);
	counter->n_flights++;
	counter_recompute(counters, counter);
	return so_far;
}

void counter_land(struct counters *counters, struct counter *counter, uint64_t so_far,
		  uint64_t reserved, bool is_over)
{
	take_away(&counter->flight, so_far);
	take_away(&counter->reserved, reserved);
	counter->n_flights--;
	counter->landed += is_over;
	counter_recompute(counters, counter);
}

void counter_override(struct counters *counters, struct counter *counter,
		      const struct override *overrides, size_t n)
{
	uint64_t limit = 0;

	counter->order = OVERRIDE_NONE;
	counter->raised = 0;
	/* The last word counts. */
	for (size_t i = n; i-- > 0;) {
		if (!override_fits(&overrides[i], counters->budget->name, counter->key))
			continue;
		counter->order = overrides[i].kind;
		counter->override_until_us = overrides[i].until_us;
		if (counter->order == OVERRIDE_RAISE)
			limit = policy_in_money(counters->budget) ?
					(uint64_t)overrides[i].limit_nanos :
					overrides[i].limit_tokens;
		break;
	}
	if (limit > own_limit(counters->budget))
		counter->raised = limit;
	counter_recompute(counters, counter);
}

/* When the sum falls below the limit of a step if nothing more is spent. */
static int64_t falls_at(const struct counters *counters, const struct counter *counter,
			uint32_t step)
{
	uint64_t sum = in_unit(counters, &counter->sum),
		 limit = counter_limit(counters, counter, step);
	int64_t age;

	add(&sum, counter->flight);
	add(&sum, counter_remote(counters, counter));
	for (age = POLICY_SLOTS - 1; age > 0; age--) {
		uint32_t i = (counter->at + POLICY_SLOTS - (uint32_t)age) % POLICY_SLOTS;

		take_away(&sum, in_unit(counters, &counter->slots[i]));
		if (sum < limit)
			break;
	}
	return (counter->newest - age + POLICY_SLOTS) * counters->slot_us;
}

void counter_fill_verdict(const struct counters *counters, const struct counter *counter,
			  uint32_t step, struct policy_verdict *ret)
{
	const struct policy_budget *budget = counters->budget;
	uint64_t unit = in_unit(counters, &counter->sum);
	bool is_override = step == COUNTER_HOLD, is_allowance = step == COUNTER_FUSE;

	ret->budget = budget;
	ret->step = is_override  ? &policy_hold :
		    is_allowance ? &policy_allowance :
				   &budget->steps[step];
	ret->key = counter->key;
	ret->is_ordered = is_override;
	ret->is_first = is_override || step >= counter->before;
	ret->is_reserved = !is_override && !is_allowance && step >= counter->reached;
	ret->spent_nanos = (int64_t)counter->sum.nanos;
	ret->spent_tokens = counter->sum.tokens;
	add(policy_in_money(budget) ? (uint64_t *)&ret->spent_nanos : &ret->spent_tokens,
	    counter->flight);
	add(policy_in_money(budget) ? (uint64_t *)&ret->spent_nanos : &ret->spent_tokens,
	    counter_remote(counters, counter));
	ret->limit_nanos = budget->limit_nanos > 0 && counter->raised ? (int64_t)counter->raised :
									budget->limit_nanos;
	ret->limit_tokens = budget->limit_nanos > 0 ? 0 :
			    counter->raised         ? counter->raised :
						      budget->limit_tokens;
	ret->measured_permille =
		unit ? (uint32_t)((unsigned __int128)counter->sum.measured * 1000 / unit) : 1000;
	ret->n_calls = counter->n_calls < POLICY_CALLS ? counter->n_calls : POLICY_CALLS;
	for (size_t i = 0; i < ret->n_calls; i++)
		ret->calls[i] = counter->calls[(counter->n_calls - 1 - i) % POLICY_CALLS];
	ret->cgroups = counter->members;
	ret->n_cgroups = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;
	ret->window_start_us = counters->start_us;
	ret->window_end_us = counters->end_us;
	if (counter->slots) {
		ret->window_start_us = (counter->newest - POLICY_SLOTS + 1) * counters->slot_us;
		ret->window_end_us = is_override || budget->spike_permille ?
					     0 :
				     is_allowance ?
					     (counter->newest + POLICY_SLOTS) * counters->slot_us :
					     falls_at(counters, counter, step);
	}
	if (budget->spike_permille && !is_override)
		spike_fill_verdict(counters, counter, ret);
	if (is_override)
		ret->window_end_us = counter->override_until_us;
}
