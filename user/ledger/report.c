/* SPDX-License-Identifier: Apache-2.0 */
/* What is read out of the ledger: sums by keys, and the calls themselves for a replay. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define US_PER_HOUR 3600000000LL

static const struct {
	const char *name;
	const char *column; /* of p (hours and calls), s (subjects), v (services) */
	bool of_calls;      /* the hourly sums do not know it */
} keys_of[LEDGER_KEYS] = {
	[LEDGER_BY_TIME] = { "time",
			     "strftime('%Y-%m-%dT%H:%M:%fZ', p.start_us / 1e6, 'unixepoch')", true },
	[LEDGER_BY_HOUR] = { "hour", "strftime('%Y-%m-%dT%H:00Z', p.hour * 3600, 'unixepoch')",
			     false },
	[LEDGER_BY_TEAM] = { "team",
			     "team(s.namespace, s.workload, s.pod, s.container, s.cgroup, s.unit, s.user,"
			     " s.command, s.exe, s.labels, s.image)",
			     false },
	[LEDGER_BY_WHO] = { "who", LEDGER_WHO, false },
	[LEDGER_BY_NAMESPACE] = { "namespace", "s.namespace", false },
	[LEDGER_BY_WORKLOAD] = { "workload", "s.workload", false },
	[LEDGER_BY_POD] = { "pod", "s.pod", false },
	/* Its name in the pod; without one its id, as of `docker run` or runc. */
	[LEDGER_BY_CONTAINER] = { "container", "coalesce(nullif(s.container, ''), s.container_id)",
				  false },
	[LEDGER_BY_IMAGE] = { "image", "s.image", false },
	[LEDGER_BY_CGROUP] = { "cgroup", "s.cgroup", false },
	[LEDGER_BY_UNIT] = { "unit", "s.unit", false },
	[LEDGER_BY_USER] = { "user", "s.user", false },
	[LEDGER_BY_COMMAND] = { "command", "s.command", false },
	[LEDGER_BY_EXE] = { "exe", "s.exe", false },
	[LEDGER_BY_CLIENT] = { "client", "v.client", false },
	[LEDGER_BY_PID] = { "pid", "CAST(p.pid AS TEXT)", true },
	[LEDGER_BY_HOST] = { "host", "v.host", false },
	[LEDGER_BY_PROVIDER] = { "provider", "v.provider", false },
	[LEDGER_BY_MODEL] = { "model", "v.model", false },
	[LEDGER_BY_TIER] = { "tier", "v.tier", false },
	[LEDGER_BY_ACCOUNT] = { "account", "v.account", false },
	[LEDGER_BY_DESTINATION] = { "destination", "v.destination", false },
	[LEDGER_BY_VIA] = { "via", "v.via", false },
	[LEDGER_BY_API_KEY] = { "api-key", "v.api_key", false },
	[LEDGER_BY_SOURCE] = { "source", "p.source", false },
	[LEDGER_BY_CALL] = { "call", "CAST(p.id AS TEXT)", true },
};

const char *ledger_key_name(enum ledger_key key)
{
	return (unsigned)key < LEDGER_KEYS ? keys_of[key].name : NULL;
}

/* The hour of a call, rounded down before 1970, too, as the hourly sums have it. */
static const char call_hour[] = "(start_us / 3600000000 - (start_us % 3600000000 < 0))";

/*
 * A row of calls looks like an hour of as many calls as it is of. ?1 since and ?2 until; ?3 the first whole hour and ?4 the one behind the
 * last; ?5 and ?6 where the calls before and behind these end and begin; ?7 who.
 */
static void add_rows(struct sql *sql, bool calls_only, bool is_of_one)
{
	const char *who = is_of_one ? " AND subject IN (" LEDGER_SUBJECTS_OF "?7)" : "";

	sql_add(sql,
		" FROM (SELECT %s AS hour, subject, service, source, count AS calls,"
		" (priced = 0 AND source <> '%s') * count AS unpriced",
		call_hour, charge_source_name(CHARGE_FREE));
	sql_add_sums(sql);
	if (calls_only)
		sql_add(sql,
			", id, start_us, pid, path, outcome, status, duration_us, first_token_us,"
			" stream FROM calls WHERE start_us >= ?1 AND start_us < ?2%s) p",
			who);
	else
		sql_add(sql,
			" FROM calls WHERE ((start_us >= ?1 AND start_us < ?5)"
			" OR (start_us >= ?6 AND start_us < ?2))%s UNION ALL SELECT hour,"
			" subject, service, source, calls, unpriced",
			who);
	if (!calls_only) {
		sql_add_sums(sql);
		sql_add(sql, " FROM hours WHERE hour >= ?3 AND hour < ?4%s) p", who);
	}
	sql_add(sql, " JOIN subjects s ON s.id = p.subject JOIN services v ON v.id = p.service");
}

/* Calls by how their figure is known: free, measured, else estimated. */
static void add_kind(struct sql *sql, bool measured)
{
	sql_add(sql, ", SUM(CASE WHEN p.source IN (''");
	for (int i = 0; i < CHARGE_SOURCES; i++)
		if (i != CHARGE_FREE && charge_is_measured(i) == measured)
			sql_add(sql, ", '%s'", charge_source_name(i));
	sql_add(sql, ") THEN p.calls ELSE 0 END)");
}

/* usage_tokens() in SQL: what budgets in tokens count. */
static void add_tokens(struct sql *sql)
{
	bool is_first = true;

	for (size_t i = 0; i < USAGE_COUNT; i++) {
		if (!usage_is_disjoint(i))
			continue;
		sql_add(sql, "%sSUM(p.%s)", is_first ? "" : " + ", sql_sum(i));
		is_first = false;
	}
}

static void add_order(struct sql *sql, enum ledger_order order)
{
	sql_add(sql, " ORDER BY ");
	if (order == LEDGER_MOST_COUNTED)
		sql_add(sql, "budget_nanos DESC, ");
	if (order == LEDGER_MOST_CALLS)
		sql_add(sql, "n DESC, ");
	if (order == LEDGER_MOST_TOKENS) {
		add_tokens(sql);
		sql_add(sql, " DESC, ");
	}
	if (order != LEDGER_BY_WORDS)
		sql_add(sql, "cost_nanos DESC, n DESC, ");
}

static void build(struct sql *sql, unsigned number, const struct ledger_query *query, uint32_t keys)
{
	bool by_call = keys & (1u << LEDGER_BY_CALL), calls_only = false;
	const char *separator = " GROUP BY ";

	sql_add(sql, "CREATE TEMP TABLE report_%u AS SELECT ", number);
	for (int i = 0; i < LEDGER_KEYS; i++) {
		if (!(keys & (1u << i)))
			continue;
		sql_add(sql, "%s AS key_%d, ", keys_of[i].column, i);
		calls_only |= keys_of[i].of_calls;
	}
	sql_add(sql, "SUM(p.calls) AS n");
	add_kind(sql, true);
	add_kind(sql, false);
	sql_add(sql, ", SUM(p.unpriced), SUM(CASE WHEN p.source = '%s' THEN p.calls ELSE 0 END)",
		charge_source_name(CHARGE_FREE));
	for (size_t i = 0; i < SUMS; i++)
		sql_add(sql, ", SUM(p.%s) AS %s", sql_sum(i), sql_sum(i));
	sql_add(sql,
		", SUM((v.destination = '%s') * p.calls), SUM((v.destination <> '') * p.calls),"
		" SUM((v.destination = '%s') * p.budget_nanos)",
		CHARGE_UNCONFIRMED, CHARGE_UNCONFIRMED);
	if (by_call)
		sql_add(sql, ", p.id, p.start_us, (SELECT path FROM paths WHERE paths.id = p.path),"
			     " v.operation, p.outcome, v.price_key, v.price_origin, p.status,"
			     " p.duration_us, p.first_token_us, p.stream");
	add_rows(sql, calls_only, query->who);
	for (int i = 0; i < LEDGER_KEYS; i++) {
		if (!(keys & (1u << i)))
			continue;
		sql_add(sql, "%s%s", separator, keys_of[i].column);
		separator = ", ";
	}
	/* Without keys there is one row, of nothing too; HAVING spares it. */
	sql_add(sql, " HAVING SUM(p.calls) > 0");
	add_order(sql, query->order);
	for (int i = 0; i < LEDGER_KEYS; i++)
		if (keys & (1u << i))
			sql_add(sql, "key_%d, ", i);
	sql_add(sql, "n");
}

static const char *text_at(sqlite3_stmt *statement, int column)
{
	const char *text = (const char *)sqlite3_column_text(statement, column);

	return text ? text : "";
}

static uint64_t count_at(sqlite3_stmt *statement, int column)
{
	return (uint64_t)sqlite3_column_int64(statement, column);
}

static void read_row(sqlite3_stmt *statement, uint32_t keys, struct ledger_row *row)
{
	int at = 0;

	memset(row, 0, sizeof(*row));
	for (int i = 0; i < LEDGER_KEYS; i++)
		if (keys & (1u << i))
			row->keys[i] = text_at(statement, at++);
	row->calls = count_at(statement, at++);
	row->measured_calls = count_at(statement, at++);
	row->estimated_calls = count_at(statement, at++);
	row->unpriced_calls = count_at(statement, at++);
	row->free_calls = count_at(statement, at++);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		*usage_at(&row->tokens, i) = count_at(statement, at + (int)i);
	row->request_bytes = count_at(statement, at + SUM_REQUEST_BYTES);
	row->response_bytes = count_at(statement, at + SUM_RESPONSE_BYTES);
	row->cost_nanos = sqlite3_column_int64(statement, at + SUM_COST_NANOS);
	row->error_input = count_at(statement, at + SUM_ERROR_INPUT);
	row->error_output = count_at(statement, at + SUM_ERROR_OUTPUT);
	row->error_nanos = sqlite3_column_int64(statement, at + SUM_ERROR_NANOS);
	row->budget_nanos = sqlite3_column_int64(statement, at + SUM_BUDGET_NANOS);
	row->under_input = count_at(statement, at + SUM_UNDER_INPUT);
	row->under_output = count_at(statement, at + SUM_UNDER_OUTPUT);
	row->under_nanos = sqlite3_column_int64(statement, at + SUM_UNDER_NANOS);
	row->over_nanos = sqlite3_column_int64(statement, at + SUM_OVER_NANOS);
	row->excess = count_at(statement, at + SUM_EXCESS);
	at += SUMS;
	row->unconfirmed_calls = count_at(statement, at++);
	row->asked_calls = count_at(statement, at++);
	row->unconfirmed_nanos = sqlite3_column_int64(statement, at++);
	if (!(keys & (1u << LEDGER_BY_CALL)))
		return;
	row->call_id = sqlite3_column_int64(statement, at++);
	row->start_us = sqlite3_column_int64(statement, at++);
	row->path = text_at(statement, at++);
	row->operation = text_at(statement, at++);
	row->outcome = text_at(statement, at++);
	row->price_key = text_at(statement, at++);
	row->price_origin = text_at(statement, at++);
	row->status = sqlite3_column_int(statement, at++);
	row->duration_us = count_at(statement, at++);
	row->first_token_us = count_at(statement, at++);
	row->is_stream = sqlite3_column_int(statement, at++);
}

static void bind(sqlite3_stmt *statement, int64_t since_us, int64_t until_us)
{
	int64_t first = since_us <= 0 ? INT64_MIN / US_PER_HOUR : (since_us - 1) / US_PER_HOUR + 1;
	int64_t end = until_us == LEDGER_NO_END ? INT64_MAX : until_us / US_PER_HOUR;
	int64_t head_us = since_us <= 0 ? INT64_MIN : first * US_PER_HOUR;
	int64_t tail_us = until_us == LEDGER_NO_END ? INT64_MAX : end * US_PER_HOUR;

	/* both in one hour */
	if (first > end)
		head_us = tail_us = until_us;
	sqlite3_bind_int64(statement, 1, since_us <= 0 ? INT64_MIN : since_us);
	sqlite3_bind_int64(statement, 2, until_us);
	/* reports of calls alone lack these */
	(void)sqlite3_bind_int64(statement, 3, first);
	(void)sqlite3_bind_int64(statement, 4, end);
	(void)sqlite3_bind_int64(statement, 5, head_us);
	(void)sqlite3_bind_int64(statement, 6, tail_us);
}

/* The sums go to a temporary table first: the file's read lock ends before fn is called. */
static int fill(struct ledger *ledger, const struct sql *sql, const struct ledger_query *query)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql->text, &statement);

	if (err)
		return err;
	bind(statement, query->since_us, query->until_us < 0 ? 0 : query->until_us);
	if (query->who)
		sqlite3_bind_text(statement, 7, query->who, -1, SQLITE_STATIC);
	err = sqlite3_step(statement);
	if (err == SQLITE_ERROR) /* prepared, so what is left is "integer overflow" */
		return -EOVERFLOW;
	return ledger_errno(err);
}

int ledger_report(struct ledger *ledger, const struct ledger_query *query,
		  void (*fn)(void *arg, const struct ledger_row *row), void *arg)
{
	unsigned number = ledger->reports++;
	struct sql sql = { .len = 0 }, drop = { .len = 0 };
	sqlite3_stmt *statement;
	uint32_t keys = query->keys & ((1u << LEDGER_KEYS) - 1);
	struct ledger_row row;
	int err;

	if ((keys & (1u << LEDGER_BY_TIME)) && !(keys & (1u << LEDGER_BY_CALL)))
		return -EINVAL;
	if ((keys & (1u << LEDGER_BY_TEAM)) && !ledger->team)
		return -EINVAL;
	(void)ledger_flush(ledger);
	build(&sql, number, query, keys);
	err = fill(ledger, &sql, query);
	if (err)
		return err;
	sql.len = 0;
	sql_add(&sql, "SELECT * FROM report_%u ORDER BY rowid", number);
	err = ledger_prepare(ledger, sql.text, &statement);
	if (!err) {
		int result;

		while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
			read_row(statement, keys, &row);
			fn(arg, &row);
		}
		err = ledger_errno(result);
		sqlite3_finalize(statement);
	}
	sql_add(&drop, "DROP TABLE IF EXISTS report_%u", number);
	(void)ledger_exec(ledger, drop.text);
	return err;
}
