/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/trend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define SAMPLES 12 /* one a minute */
#define STEP_US (TREND_SPAN_US / (SAMPLES - 2))
#define KEY_LEN 1400

struct sample {
	int64_t at_us, spent;
};

struct seen {
	UT_hash_handle hh;
	struct sample samples[SAMPLES]; /* the oldest first */
	size_t n;
	char key[];
};

struct trends {
	struct seen *all;
};

struct trends *trends_new(void)
{
	return calloc(1, sizeof(struct trends));
}

static void clear(struct trends *trends)
{
	struct seen *seen, *next;

	HASH_ITER(hh, trends->all, seen, next) {
		HASH_DEL(trends->all, seen);
		free(seen);
	}
}

struct trends *trends_free(struct trends *trends)
{
	if (!trends)
		return NULL;
	clear(trends);
	free(trends);
	return NULL;
}

static struct seen *find(struct trends *trends, const struct policy_counter *counter)
{
	char key[KEY_LEN];
	struct seen *seen;

	snprintf(key, sizeof(key), "%s\n%s", counter->budget->name, counter->key);
	HASH_FIND_STR(trends->all, key, seen);
	if (seen)
		return seen;
	if (HASH_COUNT(trends->all) >= TREND_COUNTERS)
		clear(trends);
	seen = calloc(1, sizeof(*seen) + strlen(key) + 1);
	if (!seen)
		return NULL;
	strcpy(seen->key, key);
	HASH_ADD_STR(trends->all, key, seen);
	if (seen->hh.tbl)
		return seen;
	free(seen);
	return NULL;
}

static void drop_first(struct seen *seen, size_t n)
{
	seen->n -= n;
	memmove(seen->samples, seen->samples + n, seen->n * sizeof(seen->samples[0]));
}

/* What a sum was: of a window that is over, or of a clock that was set back, nothing counts. */
static void take_sample(struct seen *seen, int64_t spent, int64_t now_us)
{
	const struct sample *last = seen->n ? &seen->samples[seen->n - 1] : NULL;

	if (last && (spent < last->spent || now_us < last->at_us)) {
		seen->n = 0;
		last = NULL;
	}
	/* the first may be a little older than the span */
	while (seen->n > 1 && now_us - seen->samples[1].at_us >= TREND_SPAN_US)
		drop_first(seen, 1);
	if (last && now_us - last->at_us < STEP_US)
		return;
	if (seen->n == SAMPLES)
		drop_first(seen, 1);
	seen->samples[seen->n++] = (struct sample){ now_us, spent };
}

static int64_t reached(const struct policy_counter *counter, int64_t left, int64_t per_hour,
		       int64_t now_us)
{
	__int128 at_us;

	if (left <= 0 || per_hour <= 0)
		return 0;
	at_us = now_us + (__int128)left * 3600 * 1000000 / per_hour;
	/* a rolling window forgets meanwhile: its end is that of what it holds now */
	return counter->window_end_us && at_us >= counter->window_end_us ? 0 : (int64_t)at_us;
}

void trends_see(struct trends *trends, const struct policy_counter *counter, int64_t now_us,
		struct trend *ret)
{
	bool in_money = policy_in_money(counter->budget);
	int64_t spent = in_money ? counter->spent_nanos : (int64_t)counter->spent_tokens;
	int64_t limit = in_money ? counter->limit_nanos : (int64_t)counter->limit_tokens, span_us;
	struct seen *seen = find(trends, counter);

	*ret = (struct trend){ .is_known = false };
	if (!seen)
		return;
	take_sample(seen, spent, now_us);
	span_us = now_us - seen->samples[0].at_us;
	if (span_us < TREND_LEAST_US)
		return;
	ret->is_known = true;
	ret->per_hour =
		(int64_t)((__int128)(spent - seen->samples[0].spent) * 3600 * 1000000 / span_us);
	if (limit > 0)
		ret->reached_us = reached(counter, limit - spent, ret->per_hour, now_us);
}
