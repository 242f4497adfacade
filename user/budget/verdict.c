/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be done about a counter: which of its steps come next, and what each verdict says. */
#include <string.h>

#include "budget/policy_internal.h"

static const struct verdict_at none = { .kind = VERDICT_NONE };

/* Of the steps that were reached: those newly reached, else the highest; and all from one that lacked evidence. */
static uint32_t first_step(const struct counter *counter)
{
	uint32_t first = counter->reached ? counter->reached - 1U : 0;

	if (counter->before < counter->reached)
		first = counter->before;
	if (counter->unproven_before && counter->unproven_before - 1U < first)
		first = counter->unproven_before - 1U;
	return first;
}

static bool turns_calls_away(const struct policy_step *step)
{
	return step->action == POLICY_REFUSE || step->action == POLICY_PACE;
}

struct verdict_at counter_next_verdict(const struct counters *counters,
				       const struct counter *counter, struct verdict_at last)
{
	uint32_t step = last.kind == VERDICT_STEP ? last.step + 1 : first_step(counter);

	if (counter->order == OVERRIDE_HOLD)
		return last.kind == VERDICT_NONE ? (struct verdict_at){ .kind = VERDICT_HOLD } :
						   none;
	if (last.kind == VERDICT_ALLOWANCE)
		return none;
	if (step < counter->reached)
		return (struct verdict_at){ .kind = VERDICT_STEP, .step = step };
	for (; step < counter->reserved_of; step++)
		if (turns_calls_away(&counters->budget->steps[step]))
			return (struct verdict_at){ .kind = VERDICT_STEP, .step = step };
	return counter->is_near_limit ? (struct verdict_at){ .kind = VERDICT_ALLOWANCE } : none;
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
	return slot_starts(counters, counter->newest - age + POLICY_SLOTS);
}

static int64_t rolling_end(const struct counters *counters, const struct counter *counter,
			   struct verdict_at at)
{
	if (at.kind == VERDICT_ALLOWANCE)
		return slot_starts(counters, counter->newest + POLICY_SLOTS);
	return falls_at(counters, counter, at.step);
}

/* A spike's verdict has a window of its own, and its own figures (spike_fill_verdict()). */
static void fill_window(const struct counters *counters, const struct counter *counter,
			struct verdict_at at, struct policy_verdict *ret)
{
	ret->window_start_us = counters->start_us;
	ret->window_end_us = counters->end_us;
	if (counter->slots)
		ret->window_start_us = slot_starts(counters, counter->newest - POLICY_SLOTS + 1);
	if (at.kind == VERDICT_HOLD)
		ret->window_end_us = counter->override_until_us;
	else if (counters->is_spike)
		spike_fill_verdict(counters, counter, ret);
	else if (counter->slots)
		ret->window_end_us = rolling_end(counters, counter, at);
}

/* Whether the step is reached by what running calls have cost so far: they may end cheaper. */
static bool is_running(const struct counters *counters, const struct counter *counter, uint32_t step)
{
	uint64_t settled = in_unit(counters, &counter->sum);

	if (counters->is_spike || step >= counter->reached)
		return false;
	add(&settled, counter_remote(counters, counter));
	return settled < counter_limit(counters, counter, step);
}

static void fill_step(const struct counters *counters, const struct counter *counter,
		      struct verdict_at at, struct policy_verdict *ret)
{
	ret->is_first = true;
	switch (at.kind) {
	case VERDICT_HOLD:
		ret->step = &policy_hold;
		ret->is_ordered = true;
		break;
	case VERDICT_ALLOWANCE:
		ret->step = &policy_allowance;
		break;
	case VERDICT_STEP:
		ret->step = &counters->budget->steps[at.step];
		ret->is_first = at.step >= counter->before;
		ret->is_reserved = at.step >= counter->reached;
		ret->is_running = is_running(counters, counter, at.step);
		ret->is_unproven = !counter_is_proven(counters, counter, at.step);
		break;
	case VERDICT_NONE:
		break;
	}
}

static void fill_sums(const struct counters *counters, const struct counter *counter,
		      struct policy_verdict *ret)
{
	uint64_t unit = in_unit(counters, &counter->sum);
	uint64_t *spent = counters->is_in_money ? (uint64_t *)&ret->spent_nanos : &ret->spent_tokens;

	ret->spent_nanos = (int64_t)counter->sum.nanos;
	ret->spent_tokens = counter->sum.tokens;
	add(spent, counter->flight);
	ret->in_flight = counter->flight;
	add(&ret->in_flight, counter->reserved);
	add(spent, counter_remote(counters, counter));
	counter_read_limit(counters, counter, &ret->limit_nanos, &ret->limit_tokens);
	ret->measured_permille =
		unit ? (uint32_t)((unsigned __int128)counter->sum.measured * 1000 / unit) : 1000;
}

void counter_fill_verdict(const struct counters *counters, const struct counter *counter,
			  struct verdict_at at, struct policy_verdict *ret)
{
	ret->budget = counters->budget;
	ret->key = counter->key;
	fill_step(counters, counter, at, ret);
	fill_sums(counters, counter, ret);
	ret->n_calls = counter->n_calls < POLICY_CALLS ? counter->n_calls : POLICY_CALLS;
	for (size_t i = 0; i < ret->n_calls; i++)
		ret->calls[i] = counter->calls[(counter->n_calls - 1 - i) % POLICY_CALLS];
	ret->cgroups = counter->members;
	ret->n_cgroups = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;
	fill_window(counters, counter, at, ret);
}

bool verdict_next(struct verdict_iter *iter, struct policy_verdict *ret)
{
	const struct policy *policy = iter->policy;

	/* Another subject has been judged since: what is listed is of that one. */
	if (!policy || iter->judged != policy->judged)
		return false;
	for (; iter->i < policy->n_telling; iter->i++) {
		const struct membership *membership =
			&policy->present->memberships[policy->telling[iter->i]];

		iter->at = counter_next_verdict(membership->counters, membership->counter, iter->at);
		if (iter->at.kind == VERDICT_NONE)
			continue;
		memset(ret, 0, sizeof(*ret));
		counter_fill_verdict(membership->counters, membership->counter, iter->at, ret);
		ret->cgroup = iter->cgroup;
		ret->tgid = iter->tgid;
		ret->is_protected = policy->present->is_protected;
		return true;
	}
	return false;
}
