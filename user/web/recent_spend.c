/* SPDX-License-Identifier: Apache-2.0 */
#include "web/recent_spend.h"

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

/* Moves a ring on to the present slot. A clock that went back adds to the newest one. */
static void slide(int64_t *slots, int64_t n, int64_t *newest, int64_t now)
{
	if (now - *newest >= n)
		memset(slots, 0, (size_t)n * sizeof(*slots));
	else
		for (int64_t i = *newest + 1; i <= now; i++)
			slots[i % n] = 0;
	if (now > *newest)
		*newest = now;
}

static void look(struct spend_row *row, int64_t now_us)
{
	int64_t hour = row->hour;

	slide(row->minutes, SPEND_MINUTES, &row->minute, now_us / MINUTE_US);
	slide(row->hours, SPEND_HOURS, &row->hour, now_us / HOUR_US);
	slide(row->counted, SPEND_HOURS, &hour, now_us / HOUR_US);
}

/* At its own time: a slot that is still there, or none. */
static void put(int64_t *slots, int64_t n, int64_t *newest, int64_t at, int64_t nanos)
{
	slide(slots, n, newest, at);
	if (at > *newest - n && __builtin_add_overflow(slots[at % n], nanos, &slots[at % n]))
		slots[at % n] = INT64_MAX;
}

static void put_hour(struct spend_row *row, int64_t at, int64_t nanos, int64_t counted_nanos)
{
	int64_t hour = row->hour;

	put(row->counted, SPEND_HOURS, &hour, at, counted_nanos);
	put(row->hours, SPEND_HOURS, &row->hour, at, nanos);
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
			 group->unit[0]  ? group->unit :
			 leaf && leaf[1] ? leaf + 1 :
					   group->path);
		snprintf(detail, sizeof(detail), "%.64s %.440s", user, group->path);
	}
	text_plain(who, row->who, sizeof(row->who));
	text_plain(name, row->name, sizeof(row->name));
	text_plain(detail, row->detail, sizeof(row->detail));
	return row;
}

static void count(struct spend_row *row, const struct charge *charge)
{
	uint32_t n = charge_count(charge);

	row->calls += n;
	row->tokens += usage_tokens(&charge->usage);
	if (charge->source == CHARGE_FREE)
		return;
	row->estimated += charge_is_measured(charge->source) ? 0 : n;
	row->unpriced += charge->is_priced ? 0 : n;
	row->unconfirmed += charge_is_unconfirmed(charge) ? n : 0;
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

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		int64_t nanos = charge->is_priced ? charge->cost_nanos : 0;

		put(both[i]->minutes, SPEND_MINUTES, &both[i]->minute, end_us / MINUTE_US, nanos);
		put_hour(both[i], end_us / HOUR_US, nanos, charge->budget_nanos);
		count(both[i], charge);
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
	int64_t nanos = charge->is_priced ? charge->cost_nanos : 0;

	put(row->minutes, SPEND_MINUTES, &row->minute, end_us / MINUTE_US, nanos);
	put(job->spend->total.minutes, SPEND_MINUTES, &job->spend->total.minute, end_us / MINUTE_US,
	    nanos);
}

static void add_hour(struct restore_job *job, int64_t hour, const struct ledger_row *sums)
{
	const char *const *keys = sums->keys;
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
	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		put_hour(both[i], hour, sums->cost_nanos, sums->budget_nanos);
		both[i]->calls += sums->calls;
		both[i]->tokens += usage_tokens(&sums->tokens);
		both[i]->estimated += sums->estimated_calls;
		both[i]->unpriced += sums->unpriced_calls;
		both[i]->unconfirmed += sums->unconfirmed_calls;
	}
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
		.since_us = (now_us / HOUR_US - SPEND_HOURS + 1) * HOUR_US,
		.until_us = LEDGER_NO_END,
		.keys = keys,
	};
	struct restore_job job = { .spend = spend, .now_ns = now_ns };
	int err = ledger_report(ledger, &query, add_row, &job);

	return err ? err : ledger_replay(ledger, now_us - SPEND_MINUTES * MINUTE_US, add_call, &job);
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

static int64_t sum_hours(const int64_t hours[SPEND_HOURS])
{
	int64_t sum = 0;

	for (size_t i = 0; i < SPEND_HOURS; i++)
		if (__builtin_add_overflow(sum, hours[i], &sum))
			return INT64_MAX;
	return sum;
}

int64_t spend_day(const struct spend_row *row)
{
	return sum_hours(row->hours);
}

int64_t spend_counted_day(const struct spend_row *row)
{
	return sum_hours(row->counted);
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
	*ret = (struct ranked){
		row, { spend_last_minutes(row, 5), spend_last_minutes(row, 60), spend_day(row) }
	};
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
