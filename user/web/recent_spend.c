/* SPDX-License-Identifier: Apache-2.0 */
#include "web/recent_spend.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define MINUTE_US (60 * US_PER_S)
#define HOUR_US   (3600 * US_PER_S)

struct spend {
	struct series_table *rows;
	struct spend_row other, total;
	bool has_other;
};

struct spend *spend_new(void)
{
	struct spend *spend = calloc(1, sizeof(*spend));

	if (!spend)
		return NULL;
	snprintf(spend->other.name, sizeof(spend->other.name), "other");
	spend->rows = series_new(sizeof(struct spend_row), SPEND_CALLERS, NULL, NULL);
	if (!spend->rows)
		return spend_free(spend);
	return spend;
}

struct spend *spend_free(struct spend *spend)
{
	if (!spend)
		return NULL;
	series_free(spend->rows);
	free(spend);
	return NULL;
}

/* Moves a ring of slots of `size` bytes on to the present one. A clock that went back adds to the newest one. */
static void slide(void *slots, size_t size, int64_t n, int64_t *newest, int64_t now)
{
	if (now - *newest >= n)
		memset(slots, 0, (size_t)n * size);
	else
		for (int64_t i = *newest + 1; i <= now; i++)
			memset((char *)slots + (size_t)(i % n) * size, 0, size);
	if (now > *newest)
		*newest = now;
}

static void look(struct spend_row *row, int64_t now_us)
{
	slide(row->minutes, sizeof(*row->minutes), SPEND_MINUTES, &row->minute, now_us / MINUTE_US);
	slide(row->hours, sizeof(*row->hours), SPEND_HOURS, &row->hour, now_us / HOUR_US);
}

static void add(int64_t *sum, int64_t nanos)
{
	if (__builtin_add_overflow(*sum, nanos, sum))
		*sum = INT64_MAX;
}

static void add_sums(struct spend_sums *to, const struct spend_sums *sums)
{
	add(&to->priced, sums->priced);
	add(&to->counted, sums->counted);
	to->calls += sums->calls;
	to->tokens += sums->tokens;
	to->estimated += sums->estimated;
	to->unpriced += sums->unpriced;
	to->unconfirmed += sums->unconfirmed;
}

/* At its own time: a slot that is still there, or none. */
static void put_minute(struct spend_row *row, int64_t at, int64_t nanos)
{
	slide(row->minutes, sizeof(*row->minutes), SPEND_MINUTES, &row->minute, at);
	if (at > row->minute - SPEND_MINUTES)
		add(&row->minutes[at % SPEND_MINUTES], nanos);
}

static void put_hour(struct spend_row *row, int64_t at, const struct spend_sums *sums)
{
	slide(row->hours, sizeof(*row->hours), SPEND_HOURS, &row->hour, at);
	if (at > row->hour - SPEND_HOURS)
		add_sums(&row->hours[at % SPEND_HOURS], sums);
}

/* What a container spent before its name was known is its own. */
static void take_over(struct spend *spend, struct spend_row *row, const char *id, uint64_t now_ns)
{
	struct spend_row *before = (struct spend_row *)series_find(spend->rows, id, now_ns);

	if (!before || before == row)
		return;
	for (int64_t at = before->minute - SPEND_MINUTES + 1; at <= before->minute; at++)
		if (at >= 0)
			put_minute(row, at, before->minutes[at % SPEND_MINUTES]);
	for (int64_t at = before->hour - SPEND_HOURS + 1; at <= before->hour; at++)
		if (at >= 0)
			put_hour(row, at, &before->hours[at % SPEND_HOURS]);
	series_drop(spend->rows, &before->row);
}

/* Whose row: a container of a pod, else a unit or cgroup and its user. */
static struct spend_row *row_of(struct spend *spend, const char *who, const struct who_group *group,
				const char *user, uint64_t now_ns)
{
	const char *container = group->container_name[0] ? group->container_name : group->container;
	bool is_pod = group->pod[0];
	char name[WHO_NAME_LEN], detail[WHO_PATH_LEN];
	struct spend_row *row = (struct spend_row *)series_get(spend->rows, who, now_ns);

	if (!row) {
		spend->has_other = true;
		return &spend->other;
	}
	if (row->name[0])
		return row;
	if (is_pod) {
		snprintf(name, sizeof(name), "%s", group->pod);
		snprintf(detail, sizeof(detail), "%.120s %.200s %.120s", group->namespace,
			 group->workload, container);
	} else {
		const char *leaf = strrchr(group->path, '/');

		snprintf(name, sizeof(name), "%.255s",
			 !strcmp(who, group->path) && leaf && leaf[1] ? leaf + 1 : who);
		snprintf(detail, sizeof(detail), "%.64s %.440s", user, group->path);
	}
	if (*group->container)
		take_over(spend, row, group->container, now_ns);
	text_plain(who, row->who, sizeof(row->who));
	text_plain(name, row->name, sizeof(row->name));
	text_plain(detail, row->detail, sizeof(row->detail));
	return row;
}

static struct spend_sums sums_of(const struct charge *charge)
{
	uint32_t n = charge_count(charge);
	bool is_free = charge->source == CHARGE_FREE;

	return (struct spend_sums){
		.priced = charge->is_priced ? charge->cost_nanos : 0,
		.counted = charge->budget_nanos,
		.calls = n,
		.tokens = usage_tokens(&charge->usage),
		.estimated = is_free || charge_is_measured(charge->source) ? 0 : n,
		.unpriced = is_free || charge->is_priced ? 0 : n,
		.unconfirmed = !is_free && charge_is_unconfirmed(charge) ? n : 0,
	};
}

/* With the names of its latest call. */
static struct spend_row *row_of_call(struct spend *spend, const struct ledger_call *call,
				     uint64_t now_ns)
{
	const struct charge *charge = call->charge;
	char who[WHO_LABEL_LEN];
	struct spend_row *row = row_of(spend, who_label(call->group, who), call->group,
				       call->process->user, now_ns);

	if (charge->model[0])
		text_plain(charge->model, row->model, sizeof(row->model));
	text_plain(charge->client[0] ? charge->client : call->process->comm, row->program,
		   sizeof(row->program));
	return row;
}

void spend_call(struct spend *spend, const struct ledger_call *call, uint64_t now_ns)
{
	const struct charge *charge = call->charge;
	struct spend_row *row = row_of_call(spend, call, now_ns);
	int64_t end_us = call->start_us + (int64_t)(charge->duration_ns / 1000);
	struct spend_row *both[] = { row, &spend->total };
	struct spend_sums sums = sums_of(charge);

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		put_minute(both[i], end_us / MINUTE_US, sums.priced);
		put_hour(both[i], end_us / HOUR_US, &sums);
	}
}

struct restore_job {
	struct spend *spend;
	uint64_t now_ns;
};

/* Only the minutes: the hours come from the ledger's hourly sums. */
static void add_call(void *arg, const struct ledger_call *call)
{
	struct restore_job *job = arg;
	const struct charge *charge = call->charge;
	struct spend_row *row = row_of_call(job->spend, call, job->now_ns);
	int64_t end_us = call->start_us + (int64_t)(charge->duration_ns / 1000);
	int64_t nanos = sums_of(charge).priced;

	put_minute(row, end_us / MINUTE_US, nanos);
	put_minute(&job->spend->total, end_us / MINUTE_US, nanos);
}

static void add_hour(struct restore_job *job, int64_t hour, const struct ledger_row *sums)
{
	const char *const *keys = sums->keys;
	const struct spend_sums here = { sums->cost_nanos,
					 sums->budget_nanos,
					 sums->calls,
					 usage_tokens(&sums->tokens),
					 sums->estimated_calls,
					 sums->unpriced_calls,
					 sums->unconfirmed_calls };
	struct who_group group = { 0 };
	struct spend_row *both[2] = { NULL, &job->spend->total };

	snprintf(group.namespace, sizeof(group.namespace), "%s", keys[LEDGER_BY_NAMESPACE]);
	snprintf(group.workload, sizeof(group.workload), "%s", keys[LEDGER_BY_WORKLOAD]);
	snprintf(group.pod, sizeof(group.pod), "%s", keys[LEDGER_BY_POD]);
	snprintf(group.container_name, sizeof(group.container_name), "%s",
		 keys[LEDGER_BY_CONTAINER]);
	snprintf(group.path, sizeof(group.path), "%s", keys[LEDGER_BY_CGROUP]);
	snprintf(group.unit, sizeof(group.unit), "%s", keys[LEDGER_BY_UNIT]);
	both[0] = row_of(job->spend, keys[LEDGER_BY_WHO], &group, keys[LEDGER_BY_USER], job->now_ns);
	for (size_t i = 0; i < ARRAY_SIZE(both); i++)
		put_hour(both[i], hour, &here);
}

static void add_row(void *arg, const struct ledger_row *sums)
{
	struct restore_job *job = arg;
	struct tm tm = { 0 };

	if (strptime(sums->keys[LEDGER_BY_HOUR], "%Y-%m-%dT%H:%MZ", &tm))
		add_hour(job, timegm(&tm) / 3600, sums);
}

int spend_restore(struct spend *spend, struct ledger *ledger, int64_t now_us, uint64_t now_ns)
{
	static const uint32_t keys = 1u << LEDGER_BY_HOUR | 1u << LEDGER_BY_WHO |
				     1u << LEDGER_BY_NAMESPACE | 1u << LEDGER_BY_WORKLOAD |
				     1u << LEDGER_BY_POD | 1u << LEDGER_BY_CONTAINER |
				     1u << LEDGER_BY_CGROUP | 1u << LEDGER_BY_UNIT |
				     1u << LEDGER_BY_USER;
	const struct ledger_query query = {
		.since_us = spend_day_from_us(now_us),
		.until_us = LEDGER_NO_END,
		.keys = keys,
	};
	struct restore_job job = { .spend = spend, .now_ns = now_ns };
	int err = ledger_report(ledger, &query, add_row, &job);

	return err ? err : ledger_replay(ledger, now_us - SPEND_MINUTES * MINUTE_US, add_call, &job);
}

#define ID_LEN 64 /* of a container, in hexadecimal digits */

static bool is_id(const char *name)
{
	return strlen(name) == ID_LEN && strspn(name, "0123456789abcdef") == ID_LEN;
}

/* The ledger's hours know no programs, and its calls are read for an hour back only. */
static bool keep_words(struct spend *from, struct spend *to, uint64_t now_ns)
{
	bool has_id = false;

	for (size_t i = 0; i < series_slots(from->rows); i++) {
		const struct spend_row *old = (struct spend_row *)series_at(from->rows, i);
		struct spend_row *row;

		if (!old)
			continue;
		has_id |= is_id(old->who);
		row = to ? (struct spend_row *)series_find(to->rows, old->who, now_ns) : NULL;
		if (!row || row->program[0])
			continue;
		memcpy(row->model, old->model, sizeof(row->model));
		memcpy(row->program, old->program, sizeof(row->program));
	}
	return has_id;
}

int spend_rename(struct spend **spend, struct ledger *ledger, int64_t now_us, uint64_t now_ns)
{
	struct spend *again;
	int err;

	if (!keep_words(*spend, NULL, now_ns))
		return 0;
	again = spend_new();
	if (!again)
		return -ENOMEM;
	err = spend_restore(again, ledger, now_us, now_ns);
	if (err) {
		spend_free(again);
		return err;
	}
	keep_words(*spend, again, now_ns);
	spend_free(*spend);
	*spend = again;
	return 0;
}

void spend_expire(struct spend *spend, uint64_t now_ns)
{
	series_expire(spend->rows, now_ns);
}

const struct spend_row *spend_total(struct spend *spend, int64_t now_us)
{
	look(&spend->total, now_us);
	return &spend->total;
}

int64_t spend_last_minutes(const struct spend_row *row, unsigned n)
{
	int64_t sum = 0;

	for (unsigned i = 0; i < n && i < SPEND_MINUTES && row->minute >= i; i++)
		if (__builtin_add_overflow(sum, row->minutes[(row->minute - i) % SPEND_MINUTES],
					   &sum))
			return INT64_MAX;
	return sum;
}

struct spend_sums spend_day(const struct spend_row *row)
{
	struct spend_sums day = { 0 };

	for (size_t i = 0; i < SPEND_HOURS; i++)
		add_sums(&day, &row->hours[i]);
	return day;
}

int64_t spend_day_from_us(int64_t now_us)
{
	return (now_us / HOUR_US - SPEND_HOURS + 1) * HOUR_US;
}

/* With its sums, which a sort would otherwise compute at each comparison. */
struct ranked {
	const struct spend_row *row;
	int64_t nanos[3];
};

static int most_first(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	for (size_t i = 0; i < ARRAY_SIZE(left->nanos); i++)
		if (left->nanos[i] != right->nanos[i])
			return left->nanos[i] < right->nanos[i] ? 1 : -1;
	return strcmp(left->row->name, right->row->name);
}

static void rank(struct spend_row *row, int64_t now_us, struct ranked *ret)
{
	look(row, now_us);
	*ret = (struct ranked){ row,
				{ spend_last_minutes(row, 5), spend_last_minutes(row, 60),
				  spend_day(row).priced } };
}

size_t spend_top(struct spend *spend, int64_t now_us, const struct spend_row **ret, size_t max,
		 size_t *ret_more)
{
	_cleanup_free_ struct ranked *all = calloc(SPEND_CALLERS + 1, sizeof(*all));
	size_t n = 0;

	*ret_more = 0;
	if (!all)
		return 0;
	for (size_t i = 0; i < series_slots(spend->rows); i++) {
		struct series_row *row = series_at(spend->rows, i);

		if (row)
			rank((struct spend_row *)row, now_us, &all[n++]);
	}
	if (spend->has_other)
		rank(&spend->other, now_us, &all[n++]);
	qsort(all, n, sizeof(*all), most_first);
	*ret_more = n > max ? n - max : 0;
	n -= *ret_more;
	for (size_t i = 0; i < n; i++)
		ret[i] = all[i].row;
	return n;
}
