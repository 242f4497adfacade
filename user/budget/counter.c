/* SPDX-License-Identifier: Apache-2.0 */
/* One counter: charges and reservations in, steps reached out. */
#include "budget/counter_internal.h"

static void count_reached(const struct counters *counters, struct counter *counter)
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

static void count_steps(const struct counters *counters, struct counter *counter)
{
	count_reached(counters, counter);
	counter->unproven = counter_unproven(counters, counter);
}

void counter_recompute(const struct counters *counters, struct counter *counter)
{
	counter->is_plain = !counter->n_flights && counter->order == OVERRIDE_NONE &&
			    !counters->is_shared;
	count_steps(counters, counter);
}

void counter_sync(struct counters *counters, struct counter *counter)
{
	if (counter_catch_up(counters, counter))
		count_steps(counters, counter);
	counter->before = counter->reached;
	counter->unproven_before = counter->unproven;
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
		add(&sums[i]->measured,
		    counters->is_in_money ? charge->measured_nanos : charge->measured_tokens);
		add(&sums[i]->calls, unit ? charge->count : 0);
	}
	if (counters->is_shared)
		counter_change(counters, counter);
	remember(counter, charge->call_id, cgroup);
	count_steps(counters, counter);
}

uint64_t counter_reserve(struct counters *counters, struct counter *counter, uint64_t so_far,
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

void counter_release(struct counters *counters, struct counter *counter, uint64_t so_far,
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
	if (limit > limits_own(counters->budget))
		counter->raised = limit;
	counter_recompute(counters, counter);
}
