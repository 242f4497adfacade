/* SPDX-License-Identifier: Apache-2.0 */
/* When a counter's allowance is due, and what it is computed from: what calls cost and how little is left. */
#include "base/cleanup.h"
#include "budget/counter_internal.h"

/* Ever, of those that cost something. */
static uint64_t calls_of(const struct counter *counter)
{
	return counter->calls_gone + counter->sum.calls;
}

uint64_t counter_mean(const struct counters *counters, const struct counter *counter)
{
	uint64_t ever = counter->gone + in_unit(counters, &counter->sum), calls = calls_of(counter);

	return calls ? ever / calls : 0;
}

/* With this many calls a counter's own mean is used; with fewer, what a call may cost is mixed in. */
#define KNOWN_CALLS 16

/*
 * A call of which nothing is known yet: an agent's, of 10,000 tokens of context and 1,000 of answer, at the
 * flagships' 2.50 and 15 USD a million (price/stand_in.c). A dear guess makes a few requests wait for
 * the ones before; what others' calls cost is no guess, because they may say what they like.
 */
#define UNKNOWN_TOKENS 11000
#define UNKNOWN_NANOS  40000000

static bool is_known(const struct counter *counter)
{
	return calls_of(counter) >= KNOWN_CALLS;
}

/* What a call costs as long as few have ended: what those in flight have cost so far, at the least. */
static uint64_t unknown_mean(const struct counters *counters, const struct counter *counter)
{
	uint64_t guess = counters->is_in_money ? UNKNOWN_NANOS : UNKNOWN_TOKENS;
	uint64_t so_far = counter->n_flights ? counter->flight / counter->n_flights : 0;

	return so_far > guess ? so_far : guess;
}

/* The mean that its allowance is computed with: of its own calls, and of nobody else's. */
static uint64_t likely_mean(const struct counters *counters, const struct counter *counter)
{
	uint64_t mean = counter_mean(counters, counter), calls = calls_of(counter);

	if (is_known(counter))
		return mean;
	return (uint64_t)(((unsigned __int128)unknown_mean(counters, counter) * (KNOWN_CALLS - calls) +
			   (unsigned __int128)mean * calls) /
			  KNOWN_CALLS);
}

/* What its calls in flight will still cost by that mean, since they were reserved when less was known. */
static uint64_t likely_reserved(const struct counters *counters, const struct counter *counter)
{
	uint64_t all;

	if (__builtin_mul_overflow(likely_mean(counters, counter), counter->n_flights, &all))
		all = INT64_MAX;
	all = all > counter->flight ? all - counter->flight : 0;
	return all > counter->reserved ? all : counter->reserved;
}

/*
 * An allowance is due when an eighth is left, or what 64 calls may cost: before user space has seen that many
 * begin, they could cross the line (asyncio.gather() of 50 does, within milliseconds). It stays until
 * twice as much is left, and when the line is crossed if the answers in flight are let end then: it is
 * what holds further requests on their connections.
 */
#define ALLOWANCE_SHARE 8
#define ALLOWANCE_CALLS 64
bool counter_is_near_limit(const struct counters *counters, const struct counter *counter,
			   uint64_t all)
{
	uint64_t twice = counter->is_near_limit ? 2 : 1, calls = ALLOWANCE_CALLS * twice, line;

	if (counters->allowance >= counters->n_steps ||
	    (counter->reached > counters->allowance &&
	     !counters->budget->steps[counters->allowance].lets_end))
		return false;
	line = counter_limit(counters, counter, counters->allowance);
	return all >= line - line / ALLOWANCE_SHARE * twice ||
	       likely_mean(counters, counter) >= (line - all + calls - 1) / calls;
}

/*
 * With n calls that cost s, and the n' and s' of windows that ended, an allowance is due from
 * ALLOWANCE_CALLS * (s' + s) / (n' + n) = line - s on. That is least for the fewest calls: one more than now.
 */
uint64_t counter_silent_below(const struct counters *counters, const struct counter *counter)
{
	uint64_t first = counters->n_steps ? counters->limits[0] : INT64_MAX, line, share;
	unsigned __int128 due, gone = (unsigned __int128)counter->gone * ALLOWANCE_CALLS;
	uint64_t calls = calls_of(counter) + 1;

	if (counters->is_spike || counter_fills_verdict(counter))
		return 0;
	if (counters->allowance >= counters->n_steps)
		return first;
	if (!is_known(counter))
		return 0;
	line = counters->limits[counters->allowance];
	share = line - line / ALLOWANCE_SHARE;
	due = (unsigned __int128)line * calls;
	due = due > gone ? (due - gone) / (calls + ALLOWANCE_CALLS) : 0;
	if (share < first)
		first = share;
	return due < first ? (uint64_t)due : first;
}

void counter_flow(struct counter *counter, uint64_t per_kib)
{
	if (!counter->is_near_limit)
		counter->per_kib = 0;
	else
		counter->per_kib = counter->per_kib ? (3 * counter->per_kib + per_kib) / 4 : per_kib;
}

void counter_usage_snapshot(const struct counters *counters, const struct counter *counter,
			    struct policy_usage_snapshot *ret)
{
	uint64_t spent = in_unit(counters, &counter->sum);

	*ret = (struct policy_usage_snapshot){ .charged = counter->gone + spent,
					       .calls = calls_of(counter),
					       .mean = likely_mean(counters, counter),
					       .n_flights = counter->n_flights,
					       .landed = counter->landed };
	if (!counter->is_near_limit)
		return;
	add(&spent, counter->flight);
	add(&spent, counter_remote(counters, counter));
	ret->line = counter_limit(counters, counter, counters->allowance);
	ret->left = (int64_t)ret->line - (int64_t)spent;
	ret->reserved = likely_reserved(counters, counter);
	ret->per_kib = counter->per_kib;
	ret->lets_flow = counters->budget->steps[counters->allowance].lets_end ||
			 (counters->budget->steps[counters->allowance].action != POLICY_REFUSE &&
			  !counters->budget->steps[counters->allowance].cut);
}
