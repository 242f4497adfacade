/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/counter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guard/zone.h"

struct sum {
	uint64_t nanos, tokens;
	uint64_t calls;
	uint64_t measured;	/* in the unit of the limit */
};

struct counter {
	UT_hash_handle hh;
	struct sum sum;
	uint32_t epoch;		/* of the window that the sum belongs to */
	uint32_t reached, before, ahead_of; /* steps: by what was spent, before, with what is ahead */
	enum override_kind order;
	uint64_t raised;	/* OVERRIDE_RAISE: the limit */
	int64_t order_until_us;
	uint64_t flight, ahead;	/* of calls in flight, in the unit of the limit */
	uint32_t n_flights;
	uint32_t n_calls, n_members;	/* ever; the latest are kept */
	/* rolling: slots[newest % POLICY_SLOTS + shift] is the present one */
	int64_t newest;
	int64_t first;		/* the slot in which it was made: its past begins there */
	uint32_t at;
	struct sum *slots;
	int64_t calls[POLICY_CALLS];
	uint64_t members[POLICY_MEMBERS];
	char key[];
};

struct counters {
	const struct policy_budget *budget;
	struct zone *zone;
	uint64_t *limits;	/* one a step, in the unit of the limit */
	size_t *bytes, max_bytes;
	bool is_open;
	uint32_t epoch;
	int64_t start_us, end_us;	/* calendar */
	int64_t slot_us, slot;		/* rolling: a slot's width, the present one */
	int64_t now_us;
	int64_t swept;			/* the epoch or slot of the last sweep */
	struct counter *counters, *other;
};

static bool is_rolling(const struct counters *counters)
{
	return counters->budget->window == POLICY_ROLLING;
}

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
static uint64_t limit_at(const struct counters *counters, const struct counter *counter,
			 uint32_t step)
{
	return counter->raised ? limit_of(counter->raised, counters->budget->steps[step].at_permille)
			       : counters->limits[step];
}

struct counters *counters_new(const struct policy_budget *budget, size_t *bytes, size_t max_bytes)
{
	struct counters *counters = calloc(1, sizeof(*counters));

	if (!counters)
		return NULL;
	counters->budget = budget;
	counters->bytes = bytes;
	counters->max_bytes = max_bytes;
	counters->swept = INT64_MIN;
	counters->limits = calloc(budget->n_steps + 1, sizeof(*counters->limits));
	if (!counters->limits)
		return counters_free(counters);
	for (size_t i = 0; i < budget->n_steps; i++)
		counters->limits[i] = limit_of(own_limit(budget), budget->steps[i].at_permille);
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
	free(counter->slots);
	free(counter);
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
	free(counters->limits);
	free(counters);
	return NULL;
}

const struct policy_budget *counters_budget(const struct counters *counters)
{
	return counters->budget;
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
	static const enum zone_unit units[] = { [POLICY_HOUR] = ZONE_HOUR, [POLICY_DAY] = ZONE_DAY,
		[POLICY_WEEK] = ZONE_WEEK, [POLICY_MONTH] = ZONE_MONTH };
	int64_t start_s, end_s;

	if (is_rolling(counters)) {
		int64_t slot = floor_div(now_us, counters->slot_us);

		*ret_start_us = (slot - POLICY_SLOTS + 1) * counters->slot_us;
		*ret_end_us = INT64_MAX;
		return;
	}
	zone_window(counters->zone, units[counters->budget->window], floor_div(now_us, US_PER_S),
		    &start_s, &end_s);
	*ret_start_us = start_s * US_PER_S;
	*ret_end_us = end_s * US_PER_S;
}

void counters_roll(struct counters *counters, int64_t now_us)
{
	int64_t start_us, end_us, slot;

	counters->now_us = now_us;
	if (is_rolling(counters)) {
		slot = floor_div(now_us, counters->slot_us);
		/* Further back than a window: the clock had been wrong, the slots come along. */
		if (!counters->is_open || slot > counters->slot ||
		    slot < counters->slot - POLICY_SLOTS) {
			counters->epoch += counters->is_open && slot < counters->slot;
			counters->slot = slot;
			counters->is_open = true;
		}
		return;
	}
	if (counters->is_open && now_us < counters->end_us &&
	    now_us >= counters->start_us - (counters->end_us - counters->start_us))
		return;
	counters_window(counters, now_us, &start_us, &end_us);
	if (!counters->is_open || now_us >= counters->end_us)
		counters->epoch++;
	counters->is_open = true;
	counters->start_us = start_us;
	counters->end_us = end_us;
}

/* ---- one counter ---- */

static void add(uint64_t *sum, uint64_t more)
{
	if (__builtin_add_overflow(*sum, more, sum) || *sum > INT64_MAX)
		*sum = INT64_MAX;
}

static void take_away(uint64_t *sum, uint64_t less)
{
	*sum -= less < *sum ? less : *sum;
}

static uint64_t in_unit(const struct counters *counters, const struct sum *sum)
{
	return policy_in_money(counters->budget) ? sum->nanos : sum->tokens;
}

/*
 * A spike: ret_recent is what the latest slots hold, ret_line what they would have to hold. False:
 * there is too little past to compare with.
 */
static bool find_spike(const struct counters *counters, const struct counter *counter,
		       uint64_t *ret_recent, uint64_t *ret_line)
{
	const struct policy_budget *budget = counters->budget;
	int64_t past = counter->newest - counter->first - POLICY_SPIKE_SLOTS + 1;
	int64_t recent_us = counters->now_us - (counter->newest - POLICY_SPIKE_SLOTS + 1) *
					       counters->slot_us;
	uint64_t recent = 0, before = counter->sum.nanos;
	unsigned __int128 line, floor;

	if (past > POLICY_SLOTS - POLICY_SPIKE_SLOTS)
		past = POLICY_SLOTS - POLICY_SPIKE_SLOTS;
	if (past < POLICY_WARM_SLOTS || recent_us <= 0)
		return false;
	for (uint32_t age = 0; age < POLICY_SPIKE_SLOTS; age++)
		add(&recent, counter->slots[(counter->at + POLICY_SLOTS - age) % POLICY_SLOTS].nanos);
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

static void count_steps(const struct counters *counters, struct counter *counter)
{
	const struct policy_budget *budget = counters->budget;
	uint64_t sum = in_unit(counters, &counter->sum), all;

	add(&sum, counter->flight);
	all = sum;
	add(&all, counter->ahead);
	counter->reached = counter->ahead_of = 0;
	if (counter->order == OVERRIDE_OPEN)
		return;
	if (budget->spike_permille) {
		if (find_spike(counters, counter, &sum, &all) && sum >= all && sum)
			counter->reached = counter->ahead_of = (uint32_t)budget->n_steps;
		return;
	}
	while (counter->reached < budget->n_steps &&
	       sum >= limit_at(counters, counter, counter->reached))
		counter->reached++;
	counter->ahead_of = counter->reached;
	while (counter->ahead_of < budget->n_steps &&
	       all >= limit_at(counters, counter, counter->ahead_of))
		counter->ahead_of++;
}

/* Drops the slots that have left the window since the counter was last looked at. */
static void slide(const struct counters *counters, struct counter *counter)
{
	int64_t passed = counters->slot - counter->newest;

	/* The clock went back by more than a window (see counters_roll): the ages stay. */
	if (counter->epoch != counters->epoch) {
		counter->epoch = counters->epoch;
		passed = 0;
	}
	for (int64_t i = 0; i < passed && i < POLICY_SLOTS; i++) {
		struct sum *slot = &counter->slots[counter->at = (counter->at + 1) % POLICY_SLOTS];

		take_away(&counter->sum.nanos, slot->nanos);
		take_away(&counter->sum.tokens, slot->tokens);
		take_away(&counter->sum.measured, slot->measured);
		take_away(&counter->sum.calls, slot->calls);
		*slot = (struct sum){ 0 };
	}
	counter->newest = counters->slot;
}

void counter_look(struct counters *counters, struct counter *counter)
{
	if (counter->slots) {
		slide(counters, counter);
	} else if (counter->epoch != counters->epoch) {
		counter->sum = (struct sum){ 0 };
		counter->n_calls = 0;
		counter->epoch = counters->epoch;
	}
	count_steps(counters, counter);
	counter->before = counter->reached;
}

static void remember(struct counter *counter, int64_t call_id, uint64_t cgroup)
{
	uint32_t held = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;

	if (call_id)
		counter->calls[counter->n_calls++ % POLICY_CALLS] = call_id;
	for (uint32_t i = 0; cgroup && i < held; i++)
		if (counter->members[i] == cgroup)
			cgroup = 0;
	if (cgroup)
		counter->members[counter->n_members++ % POLICY_MEMBERS] = cgroup;
}

void counter_add(struct counters *counters, struct counter *counter,
		 const struct counter_charge *charge, uint64_t cgroup)
{
	uint64_t unit = policy_in_money(counters->budget) ? charge->nanos : charge->tokens;
	struct sum *sums[2] = { &counter->sum, NULL };

	counter_look(counters, counter);
	if (counter->slots)
		sums[1] = &counter->slots[counter->at];
	for (int i = 0; i < 2 && sums[i]; i++) {
		add(&sums[i]->nanos, charge->nanos);
		add(&sums[i]->tokens, charge->tokens);
		add(&sums[i]->measured, charge->is_measured ? unit : 0);
		add(&sums[i]->calls, unit > 0);
	}
	remember(counter, charge->call_id, cgroup);
	count_steps(counters, counter);
}

uint64_t counter_fly(struct counters *counters, struct counter *counter, uint64_t so_far,
		     uint64_t *ret_ahead)
{
	uint64_t sum, mean;

	counter_look(counters, counter);
	sum = in_unit(counters, &counter->sum);
	mean = counter->sum.calls ? sum / counter->sum.calls : 0;
	*ret_ahead = mean > so_far ? mean - so_far : 0;
	add(&counter->flight, so_far);
	add(&counter->ahead, *ret_ahead);
	counter->n_flights++;
	count_steps(counters, counter);
	return so_far;
}

void counter_land(struct counters *counters, struct counter *counter, uint64_t so_far,
		  uint64_t ahead)
{
	take_away(&counter->flight, so_far);
	take_away(&counter->ahead, ahead);
	counter->n_flights--;
	count_steps(counters, counter);
}

void counter_order(struct counters *counters, struct counter *counter,
		   const struct override *orders, size_t n)
{
	uint64_t limit = 0;

	counter->order = OVERRIDE_NONE;
	counter->raised = 0;
	/* The last word counts. */
	for (size_t i = n; i-- > 0;) {
		if (!override_fits(&orders[i], counters->budget->name, counter->key))
			continue;
		counter->order = orders[i].kind;
		counter->order_until_us = orders[i].until_us;
		if (counter->order == OVERRIDE_RAISE)
			limit = policy_in_money(counters->budget) ? (uint64_t)orders[i].limit_nanos :
								    orders[i].limit_tokens;
		break;
	}
	if (limit > own_limit(counters->budget))
		counter->raised = limit;
	count_steps(counters, counter);
}

enum override_kind counter_ordered(const struct counter *counter)
{
	return counter->order;
}

uint32_t counter_ahead(const struct counter *counter)
{
	return counter->ahead_of;
}

uint32_t counter_reached(const struct counter *counter)
{
	return counter->reached;
}

uint32_t counter_reached_before(const struct counter *counter)
{
	return counter->before;
}

bool counter_is_other(const struct counters *counters, const struct counter *counter)
{
	return counter == counters->other;
}

/* When the sum falls below the limit of a step if nothing more is spent. */
static int64_t falls_at(const struct counters *counters, const struct counter *counter,
			uint32_t step)
{
	uint64_t sum = in_unit(counters, &counter->sum), limit = limit_at(counters, counter, step);
	int64_t age;

	add(&sum, counter->flight);

	for (age = POLICY_SLOTS - 1; age > 0; age--) {
		uint32_t i = (counter->at + POLICY_SLOTS - (uint32_t)age) % POLICY_SLOTS;

		take_away(&sum, in_unit(counters, &counter->slots[i]));
		if (sum < limit)
			break;
	}
	return (counter->newest - age + POLICY_SLOTS) * counters->slot_us;
}

/* The evidence of a spike is what the latest slots hold; it ends when they have passed. */
static void tell_spike(const struct counters *counters, const struct counter *counter,
		       struct policy_verdict *ret)
{
	uint64_t recent, line;

	ret->window_start_us = (counter->newest - POLICY_SPIKE_SLOTS + 1) * counters->slot_us;
	ret->window_end_us = (counter->newest + POLICY_SPIKE_SLOTS) * counters->slot_us;
	if (!find_spike(counters, counter, &recent, &line))
		return;
	ret->spent_nanos = (int64_t)recent;
	ret->limit_nanos = (int64_t)line;
}

void counter_tell(const struct counters *counters, const struct counter *counter, uint32_t step,
		  struct policy_verdict *ret)
{
	const struct policy_budget *budget = counters->budget;
	uint64_t unit = in_unit(counters, &counter->sum);
	bool is_order = step == COUNTER_HOLD;

	ret->budget = budget;
	ret->step = is_order ? &policy_hold : &budget->steps[step];
	ret->key = counter->key;
	ret->is_ordered = is_order;
	ret->is_first = is_order || step >= counter->before;
	ret->is_ahead = !is_order && step >= counter->reached;
	ret->spent_nanos = (int64_t)counter->sum.nanos;
	ret->spent_tokens = counter->sum.tokens;
	add(policy_in_money(budget) ? (uint64_t *)&ret->spent_nanos : &ret->spent_tokens,
	    counter->flight);
	ret->limit_nanos = budget->limit_nanos > 0 && counter->raised ? (int64_t)counter->raised
								      : budget->limit_nanos;
	ret->limit_tokens = budget->limit_nanos > 0 ? 0 :
			    counter->raised	    ? counter->raised :
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
		ret->window_end_us = is_order || budget->spike_permille ?
					     0 : falls_at(counters, counter, step);
	}
	if (budget->spike_permille && !is_order)
		tell_spike(counters, counter, ret);
	if (is_order)
		ret->window_end_us = counter->order_until_us;
}

/* ---- the table ---- */

static struct counter *counter_new(struct counters *counters, const char *key)
{
	struct counter *counter = calloc(1, sizeof(*counter) + strlen(key) + 1);

	if (!counter)
		return NULL;
	strcpy(counter->key, key);
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
	return counter;
}

static bool is_empty(struct counters *counters, struct counter *counter)
{
	if (counter->slots)
		slide(counters, counter);
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

static void tell_counter(struct counters *counters, struct counter *counter,
			 void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	struct policy_counter told = { .budget = counters->budget, .key = counter->key };

	if (!counter->n_flights && is_empty(counters, counter))
		return;
	counter_look(counters, counter);
	told.spent_nanos = (int64_t)counter->sum.nanos;
	told.spent_tokens = counter->sum.tokens;
	told.window_start_us = counters->start_us;
	told.window_end_us = counters->end_us;
	if (counter->slots) {
		told.window_start_us = (counter->newest - POLICY_SLOTS + 1) * counters->slot_us;
		told.window_end_us = (counter->newest + POLICY_SLOTS) * counters->slot_us;
	}
	if (counter->reached)
		told.reached = &counters->budget->steps[counter->reached - 1];
	told.cgroups = counter->members;
	told.n_cgroups = counter->n_members < POLICY_MEMBERS ? counter->n_members : POLICY_MEMBERS;
	fn(arg, &told);
}

void counters_walk(struct counters *counters,
		   void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	struct counter *counter, *next;

	HASH_ITER(hh, counters->counters, counter, next)
		tell_counter(counters, counter, fn, arg);
	if (counters->other)
		tell_counter(counters, counters->other, fn, arg);
}

struct counter *counters_next(struct counters *counters, struct counter *counter)
{
	struct counter *next = counter ? counter->hh.next : counters->counters;

	if (counter && counter == counters->other)
		return NULL;
	return next ? next : counters->other;
}
