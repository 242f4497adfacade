/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/fullest_budgets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A heap with the emptiest on top, which goes when a fuller one comes. */
struct job {
	struct shares *shares;
	size_t max;
	int err;
};

static void swap(struct share *a, struct share *b)
{
	struct share c = *a;

	*a = *b;
	*b = c;
}

static void sink(struct share *rows, size_t n, size_t at)
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

static void rise(struct share *rows, size_t at)
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

static void count_more(struct shares *shares, bool in_money, int64_t nanos, uint64_t tokens)
{
	shares->n_more++;
	if (!in_money)
		shares->more_tokens += tokens;
	else if (__builtin_add_overflow(shares->more_nanos, nanos, &shares->more_nanos))
		shares->more_nanos = INT64_MAX;
}

static void add_counter(void *arg, const struct policy_counter *counter)
{
	struct job *job = arg;
	struct shares *shares = job->shares;
	bool in_money = policy_in_money(counter->budget);
	struct share row = { .window = window_of(counter->budget),
			     .in_money = in_money,
			     .spent_nanos = counter->spent_nanos,
			     .limit_nanos = counter->limit_nanos,
			     .spent_tokens = counter->spent_tokens,
			     .limit_tokens = counter->limit_tokens,
			     .window_end_us = counter->window_end_us,
			     .used = used_of(counter),
			     .reached = counter->reached ?
						policy_action_name(counter->reached->action) :
						"" };

	if (shares->n == job->max && (!job->max || row.used <= shares->rows[0].used))
		return count_more(shares, in_money, row.spent_nanos, row.spent_tokens);
	row.budget = strdup(counter->budget->name);
	row.key = strdup(counter->key);
	if (!row.budget || !row.key) {
		free(row.budget);
		free(row.key);
		job->err = -ENOMEM;
		return;
	}
	if (shares->n < job->max) {
		shares->rows[shares->n++] = row;
		rise(shares->rows, shares->n - 1);
		return;
	}
	count_more(shares, shares->rows[0].in_money, shares->rows[0].spent_nanos,
		   shares->rows[0].spent_tokens);
	free(shares->rows[0].budget);
	free(shares->rows[0].key);
	shares->rows[0] = row;
	sink(shares->rows, shares->n, 0);
}

static int fullest_first(const void *a, const void *b)
{
	const struct share *left = a, *right = b;
	int order;

	if (left->used != right->used)
		return left->used < right->used ? 1 : -1;
	order = strcmp(left->budget, right->budget);
	return order ? order : strcmp(left->key, right->key);
}

int shares_take(struct shares *ret, struct policy *policy, size_t max, int64_t now_us)
{
	struct shares shares = { .rows = calloc(max ? max : 1, sizeof(*shares.rows)) };
	struct job job = { .shares = &shares, .max = max };

	if (!shares.rows)
		return -ENOMEM;
	policy_counters(policy, now_us, add_counter, &job);
	if (job.err) {
		shares_done(&shares);
		return job.err;
	}
	qsort(shares.rows, shares.n, sizeof(*shares.rows), fullest_first);
	*ret = shares;
	return 0;
}

void shares_done(struct shares *shares)
{
	for (size_t i = 0; i < shares->n; i++) {
		free(shares->rows[i].budget);
		free(shares->rows[i].key);
	}
	free(shares->rows);
	*shares = (struct shares){ 0 };
}
