/* SPDX-License-Identifier: Apache-2.0 */
/* The table of a budget's counters: made, found, swept and walked. */
#include <string.h>

#include "base/cleanup.h"
#include "base/zone.h"
#include "budget/counter_internal.h"

static size_t size_of(const struct counter *counter)
{
	return sizeof(*counter) + strlen(counter->key) + 1 +
	       (counter->slots ? POLICY_SLOTS * sizeof(*counter->slots) : 0);
}

static void counter_free(struct counters *counters, struct counter *counter)
{
	if (!counter)
		return;
	*counters->bytes -= size_of(counter);
	if (counter->is_changed)
		LIST_REMOVE(counter, changed);
	free(counter->slots);
	free(counter);
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
	for (size_t i = 0; i < budget->n_steps; i++) {
		counters->limits[i] = limits_part(limits_own(budget), budget->steps[i].at_permille);
		counters->needs_evidence |= evidence_is_needed(&budget->steps[i]);
	}
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

static struct counter *counter_new(struct counters *counters, const char *key)
{
	size_t size = sizeof(struct counter) + strlen(key) + 1;
	struct counter *counter = aligned_alloc(COUNTER_ALIGN, (size + COUNTER_ALIGN - 1) &
								       ~(COUNTER_ALIGN - 1UL));

	if (!counter)
		return NULL;
	memset(counter, 0, sizeof(*counter));
	strcpy(counter->key, key);
	counter->is_plain = !counters->is_shared;
	counter->in_tokens = !counters->is_in_money;
	counter->estimates = counters->budget->estimates & 3;
	counter->silent_below = counter_silent_below(counters, counter);
	counter->epoch = counters->epoch;
	counter->newest = counter->first = counters->slot;
	if (is_rolling(counters)) {
		counter->slots = calloc(POLICY_SLOTS, sizeof(*counter->slots));
		if (!counter->slots) {
			free(counter);
			return NULL;
		}
	}
	*counters->bytes += size_of(counter);
	counters->has_new = true;
	counter_change(counters, counter);
	return counter;
}

static bool is_empty(struct counters *counters, struct counter *counter)
{
	if (counter->slots)
		counter_slide(counters, counter);
	else if (counter->epoch != counters->epoch)
		return true;
	return !counter->sum.nanos && !counter->sum.tokens;
}

/* Reservations point to their counters, and what is ordered held has to be found. */
static bool is_needed(const struct counter *counter)
{
	return counter->n_flights || counter->order == OVERRIDE_HOLD;
}

/* Drops what holds nothing in the present window; at most once a window or slot, for its cost. */
static bool sweep(struct counters *counters)
{
	int64_t present = is_rolling(counters) ? counters->slot : counters->epoch;
	struct counter *counter, *next;

	if (counters->swept == present)
		return false;
	counters->swept = present;
	HASH_ITER(hh, counters->counters, counter, next) {
		if (is_needed(counter) || !is_empty(counters, counter))
			continue;
		HASH_DEL(counters->counters, counter);
		counter_free(counters, counter);
	}
	return true;
}

static bool is_full(const struct counters *counters, unsigned max)
{
	return HASH_COUNT(counters->counters) >= max || *counters->bytes >= counters->max_bytes;
}

static struct counter *get_other(struct counters *counters)
{
	if (!counters->other)
		counters->other = counter_new(counters, "other");
	return counters->other;
}

struct counter *counters_get(struct counters *counters, const char *key, bool make, bool *ret_swept)
{
	unsigned max = is_rolling(counters) ? POLICY_ROLLING_COUNTERS : POLICY_COUNTERS;
	struct counter *counter;

	HASH_FIND_STR(counters->counters, key, counter);
	if (!counter && !make && !strcmp(key, "other"))
		return counters->other;
	if (counter || !make)
		return counter;
	if (is_full(counters, max)) {
		*ret_swept |= sweep(counters);
		if (is_full(counters, max))
			return get_other(counters);
	}
	counter = counter_new(counters, key);
	if (!counter)
		return NULL;
	HASH_ADD_STR(counters->counters, key, counter);
	if (!counter->hh.tbl) {
		counter_free(counters, counter);
		return NULL;
	}
	return counter;
}

static void show(struct counters *counters, struct counter *counter,
		 void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	struct policy_counter shown = { .budget = counters->budget, .key = counter->key };

	if (!counter->n_flights && is_empty(counters, counter))
		return;
	counter_sync(counters, counter);
	shown.spent_nanos = (int64_t)counter->sum.nanos;
	shown.spent_tokens = counter->sum.tokens;
	add(policy_in_money(counters->budget) ? (uint64_t *)&shown.spent_nanos : &shown.spent_tokens,
	    counter_remote(counters, counter));
	shown.window_start_us = counters->start_us;
	shown.window_end_us = counters->end_us;
	if (counter->slots) {
		shown.window_start_us = slot_starts(counters, counter->newest - POLICY_SLOTS + 1);
		shown.window_end_us = slot_starts(counters, counter->newest + POLICY_SLOTS);
	}
	counter_read_limit(counters, counter, &shown.limit_nanos, &shown.limit_tokens);
	if (counter->reached)
		shown.reached = &counters->budget->steps[counter->reached - 1];
	shown.cgroups = counter->members;
	shown.n_cgroups = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;
	fn(arg, &shown);
}

void counters_walk(struct counters *counters,
		   void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	struct counter *counter, *next;

	HASH_ITER(hh, counters->counters, counter, next)
		show(counters, counter, fn, arg);
	if (counters->other)
		show(counters, counters->other, fn, arg);
}

struct counter *counters_next(struct counters *counters, struct counter *counter)
{
	struct counter *next = counter ? counter->hh.next : counters->counters;

	if (counter && counter == counters->other)
		return NULL;
	return next ? next : counters->other;
}
