/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/policy.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "budget/policy_internal.h"

#define LONG_CALL_US (3600 * US_PER_S) /* a call that ran longer may miss its window in a replay */
#define FETCH_AHEAD  16                /* counters: about a memory latency of work */

struct policy *policy_new(const struct policy_rules *rules)
{
	static uint64_t epochs;
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->own = *rules;
	policy->rules = &policy->own;
	policy->epoch = ++epochs;
	policy->counters = calloc(rules->n_budgets + 1, sizeof(*policy->counters));
	policy->scratch = calloc(rules->n_budgets + 1, sizeof(*policy->scratch));
	policy->telling = calloc(rules->n_budgets + 1, sizeof(*policy->telling));
	if (!policy->counters || !policy->scratch || !policy->telling)
		return policy_free(policy);
	for (size_t i = 0; i < rules->n_budgets; i++) {
		policy->counters[i] = counters_new(
			&rules->budgets[i], rules->enforce && !rules->budgets[i].is_rehearsed,
			&policy->bytes, rules->counters_bytes ?: POLICY_COUNTERS_BYTES,
			&policy->common);
		if (!policy->counters[i])
			return policy_free(policy);
		policy->is_per_process |= rules->budgets[i].per == POLICY_PER_PROCESS;
	}
	return policy;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	policy_forget(policy);
	while (policy->flights)
		policy_release(policy, policy->flights->id);
	free(policy->overrides);
	for (size_t i = 0; policy->counters && i < policy->rules->n_budgets; i++)
		counters_free(policy->counters[i]);
	free(policy->counters);
	free(policy->scratch);
	free(policy->telling);
	free(policy);
	return NULL;
}

/* ---- charges ---- */

/* Rolls the windows of a subject's budgets, unless it is known that none would turn. */
static void roll_all(const struct policy *policy, struct subject_entry *entry, int64_t now_us)
{
	if (entry->turns == policy->common.turns && now_us >= entry->same_from_us &&
	    now_us < entry->same_until_us)
		return;
	entry->same_from_us = INT64_MIN;
	entry->same_until_us = INT64_MAX;
	for (size_t i = 0; i < entry->n_memberships; i++) {
		struct counters *counters = entry->memberships[i].counters;

		counters_roll(counters, now_us);
		if (counters->same_from_us > entry->same_from_us)
			entry->same_from_us = counters->same_from_us;
		if (counters->same_until_us < entry->same_until_us)
			entry->same_until_us = counters->same_until_us;
	}
	entry->turns = policy->common.turns;
}

/*
 * What most charges are to most counters, as a few additions in one cache line: the window is the same,
 * no other subject was charged meanwhile, nothing is in flight, and no step is near. False: nothing was done.
 */
static inline bool add_quietly(const struct subject_entry *entry, struct counter *counter,
			       const struct counter_charge costs[POLICY_ESTIMATES])
{
	const struct counter_charge *more = &costs[counter->estimates];
	struct sum *sum = &counter->sum;
	uint64_t unit;

	if (counter->turn != entry->turns || counter->known != entry->id || !counter->is_plain)
		return false;
	unit = counter->in_tokens ? more->tokens : more->nanos;
	if ((counter->in_tokens ? sum->tokens : sum->nanos) + unit >= counter->silent_below)
		return false;
	add(&sum->nanos, more->nanos);
	add(&sum->tokens, more->tokens);
	sum->measured += counter->in_tokens ? more->measured_tokens : more->measured_nanos;
	sum->calls += unit ? more->count : 0;
	counter->n_silent_below += more->call_id && counter->n_silent_below < POLICY_CALLS;
	return true;
}

/* May add_quietly() be tried with this counter, until a window turns? */
static bool is_silent(const struct membership *membership)
{
	const struct counter *counter = membership->counter;

	return counter != membership->counters->other && !counter->slots && !counter->raised &&
	       counter->order == OVERRIDE_NONE && !membership->counters->is_spike;
}

void policy_charge(struct policy *policy, const struct policy_subject *subject,
		   const struct charge *charge, int64_t call_id, int64_t now_us,
		   struct verdict_iter *ret)
{
	struct subject_entry *entry = policy_recall(policy, subject, ret);
	struct counter_charge costs[POLICY_ESTIMATES];
	uint64_t member;

	if (!entry) {
		policy->dropped++;
		return;
	}
	policy_read(charge, call_id, costs);
	/* The root cgroup has everything in it, and what is protected is never gated. */
	member = entry->is_protected || !strcmp(subject->group->path, "/") ? 0 :
									     subject->group->cgroup;
	if (!entry->id || entry->member != member) {
		policy_number(policy, entry);
		entry->member = member;
	}
	roll_all(policy, entry, now_us);
	for (size_t i = 0; i < entry->n_memberships; i++) {
		struct membership *membership = &entry->memberships[i];
		struct counter *counter;

		if (i + FETCH_AHEAD < entry->n_memberships)
			counter_fetch(entry->memberships[i + FETCH_AHEAD].counter);
		if (membership->counter && add_quietly(entry, membership->counter, costs))
			continue;
		counters_roll(membership->counters, now_us);
		counter = policy_counter_of(policy, membership, subject, true);
		if (!counter) {
			policy->dropped++;
			continue;
		}
		policy->shared += counter == membership->counters->other;
		counter_add(membership->counters, counter, &costs[counter->estimates], member);
		policy_fill_verdict(policy, i, counter);
		counter->turn = is_silent(membership) ? entry->turns : 0;
		counter->known = entry->id;
	}
	if (call_id)
		entry->calls[entry->n_calls++ % POLICY_CALLS] = call_id;
}

static void judge(struct policy *policy, const struct policy_subject *subject, bool make,
		  int64_t now_us, struct verdict_iter *ret)
{
	struct subject_entry *entry = policy_recall(policy, subject, ret);

	for (size_t i = 0; entry && i < entry->n_memberships; i++) {
		struct membership *membership = &entry->memberships[i];

		counters_roll(membership->counters, now_us);
		if (!policy_counter_of(policy, membership, subject, make))
			continue;
		counter_sync(membership->counters, membership->counter);
		if (make) /* its allowance may be due before its first call */
			counter_recompute(membership->counters, membership->counter);
		policy_fill_verdict(policy, i, membership->counter);
	}
}

void policy_judge(struct policy *policy, const struct policy_subject *subject, int64_t now_us,
		  struct verdict_iter *ret)
{
	/* What is ordered held is held before it spends. */
	judge(policy, subject, policy->has_hold, now_us, ret);
}

void policy_expect(struct policy *policy, const struct policy_subject *subject, int64_t now_us,
		   struct verdict_iter *ret)
{
	judge(policy, subject, true, now_us, ret);
}

/* ---- questions ---- */

bool policy_stands(struct policy *policy, const struct policy_budget *budget,
		   const struct policy_step *step, const char *key, bool reserved, int64_t now_us)
{
	struct counters *counters = policy->counters[budget - policy->rules->budgets];
	struct counter *counter = counters_get(counters, key, false, &policy->is_stale);
	uint32_t at;

	if (!counter)
		return false;
	if (step == &policy_hold)
		return counter->order == OVERRIDE_HOLD;
	if (counter->order == OVERRIDE_HOLD)
		return true;
	counters_roll(counters, now_us);
	counter_sync(counters, counter);
	if (step == &policy_allowance)
		return counter->is_near_limit;
	at = (uint32_t)(step - budget->steps);
	return at < (reserved ? counter->reserved_of : counter->reached);
}

int64_t policy_since(const struct policy *policy, int64_t now_us)
{
	int64_t since_us = now_us, start_us, end_us;

	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_window(policy->counters[i], now_us, &start_us, &end_us);
		if (start_us < since_us)
			since_us = start_us;
	}
	return since_us - LONG_CALL_US;
}

int64_t policy_window_end(const struct policy *policy, const struct policy_budget *budget,
			  int64_t now_us)
{
	int64_t start_us, end_us;

	counters_window(policy->counters[budget - policy->rules->budgets], now_us, &start_us,
			&end_us);
	return end_us;
}

void policy_clock_moved(struct policy *policy, int64_t by_us)
{
	policy->common.moved_us += by_us;
	policy->common.turns++; /* whoever knew that no window turns asks again */
	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		if (is_rolling(policy->counters[i]))
			policy->counters[i]->same_from_us = INT64_MAX;
}

int64_t policy_next_reset(const struct policy *policy, int64_t now_us)
{
	int64_t next_us = INT64_MAX, start_us, end_us;

	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_window(policy->counters[i], now_us, &start_us, &end_us);
		if (end_us < next_us)
			next_us = end_us;
	}
	return next_us;
}

bool policy_usage_snapshot(struct policy *policy, const struct policy_budget *budget,
			   const char *key, struct policy_usage_snapshot *ret)
{
	struct counters *counters = policy->counters[budget - policy->rules->budgets];
	const struct counter *counter = counters_get(counters, key, false, &policy->is_stale);

	if (!counter)
		return false;
	counter_usage_snapshot(counters, counter, ret);
	ret->epoch = policy->epoch;
	return true;
}

void policy_counters(struct policy *policy, int64_t now_us,
		     void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_roll(policy->counters[i], now_us);
		counters_walk(policy->counters[i], fn, arg);
	}
}

void policy_stats(const struct policy *policy, struct policy_stats *ret)
{
	*ret = (struct policy_stats){ .cached = HASH_COUNT(policy->cache),
				      .shared = policy->shared,
				      .dropped = policy->dropped,
				      .flights = HASH_COUNT(policy->flights),
				      .unreserved = policy->unreserved };
	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		ret->counters += counters_count(policy->counters[i]);
}
