/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/fullest_budgets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A heap with the emptiest on top, which goes when a fuller one comes. */
struct job {
	struct fullest_budgets *fullest_budgets;
	struct trends *trends;
	int64_t now_us;
	size_t max;
	int err;
};

static void swap(struct fullest_budget *a, struct fullest_budget *b)
{
	struct fullest_budget c = *a;

	*a = *b;
	*b = c;
}

static void sink(struct fullest_budget *rows, size_t n, size_t at)
{
	for (;;) {
		size_t least = at, child = 2 * at + 1;

		for (size_t i = child; i < child + 2 && i < n; i++)
			if (rows[i].used < rows[least].used)
				least = i;
		if (least == at)
			return;
		swap(&rows[at], &rows[least]);
		at = least;
	}
}

static void rise(struct fullest_budget *rows, size_t at)
{
	while (at && rows[at].used < rows[(at - 1) / 2].used) {
		swap(&rows[at], &rows[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

static double used_of(const struct policy_counter *counter)
{
	if (policy_in_money(counter->budget))
		return counter->limit_nanos > 0 ?
			       (double)counter->spent_nanos / (double)counter->limit_nanos :
			       0;
	return counter->limit_tokens ?
		       (double)counter->spent_tokens / (double)counter->limit_tokens :
		       0;
}

static const char *window_of(const struct policy_budget *budget)
{
	static const char *const names[] = { "hour", "day", "week", "month", "rolling" };

	_Static_assert(POLICY_HOUR == 0 && POLICY_ROLLING == 4, "in names' order");
	return budget->spike_permille ? "spike" : names[budget->window];
}

static void count_more(struct fullest_budgets *fullest_budgets, bool in_money, int64_t nanos,
		       uint64_t tokens)
{
	fullest_budgets->n_more++;
	if (!in_money)
		fullest_budgets->more_tokens += tokens;
	else if (__builtin_add_overflow(fullest_budgets->more_nanos, nanos,
					&fullest_budgets->more_nanos))
		fullest_budgets->more_nanos = INT64_MAX;
}

static void add_counter(void *arg, const struct policy_counter *counter)
{
	struct job *job = arg;
	struct fullest_budgets *fullest_budgets = job->fullest_budgets;
	bool in_money = policy_in_money(counter->budget);
	struct fullest_budget row = {
		.window = window_of(counter->budget),
		.in_money = in_money,
		.spent_nanos = counter->spent_nanos,
		.limit_nanos = counter->limit_nanos,
		.spent_tokens = counter->spent_tokens,
		.limit_tokens = counter->limit_tokens,
		.window_end_us = counter->window_end_us,
		.used = used_of(counter),
		.reached = counter->reached ? policy_action_name(counter->reached->action) : ""
	};

	if (fullest_budgets->n == job->max &&
	    (!job->max || row.used <= fullest_budgets->rows[0].used))
		return count_more(fullest_budgets, in_money, row.spent_nanos, row.spent_tokens);
	if (job->trends)
		trends_see(job->trends, counter, job->now_us, &row.trend);
	row.budget = strdup(counter->budget->name);
	row.key = strdup(counter->key);
	if (!row.budget || !row.key) {
		free(row.budget);
		free(row.key);
		job->err = -ENOMEM;
		return;
	}
	if (fullest_budgets->n < job->max) {
		fullest_budgets->rows[fullest_budgets->n++] = row;
		rise(fullest_budgets->rows, fullest_budgets->n - 1);
		return;
	}
	count_more(fullest_budgets, fullest_budgets->rows[0].in_money,
		   fullest_budgets->rows[0].spent_nanos, fullest_budgets->rows[0].spent_tokens);
	free(fullest_budgets->rows[0].budget);
	free(fullest_budgets->rows[0].key);
	fullest_budgets->rows[0] = row;
	sink(fullest_budgets->rows, fullest_budgets->n, 0);
}

static int fullest_first(const void *a, const void *b)
{
	const struct fullest_budget *left = a, *right = b;
	int order;

	if (left->used != right->used)
		return left->used < right->used ? 1 : -1;
	order = strcmp(left->budget, right->budget);
	return order ? order : strcmp(left->key, right->key);
}

int fullest_budgets_take(struct fullest_budgets *ret, struct policy *policy, struct trends *trends,
			 size_t max, int64_t now_us)
{
	struct fullest_budgets fullest_budgets = { .rows = calloc(max ? max : 1,
								  sizeof(*fullest_budgets.rows)) };
	struct job job = {
		.fullest_budgets = &fullest_budgets, .trends = trends, .now_us = now_us, .max = max
	};

	if (!fullest_budgets.rows)
		return -ENOMEM;
	policy_counters(policy, now_us, add_counter, &job);
	if (job.err) {
		fullest_budgets_done(&fullest_budgets);
		return job.err;
	}
	qsort(fullest_budgets.rows, fullest_budgets.n, sizeof(*fullest_budgets.rows), fullest_first);
	*ret = fullest_budgets;
	return 0;
}

void fullest_budgets_done(struct fullest_budgets *fullest_budgets)
{
	for (size_t i = 0; i < fullest_budgets->n; i++) {
		free(fullest_budgets->rows[i].budget);
		free(fullest_budgets->rows[i].key);
	}
	free(fullest_budgets->rows);
	*fullest_budgets = (struct fullest_budgets){ 0 };
}
