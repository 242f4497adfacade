/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/salvage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define PROBED_CALLS "200000"
#define ROWID_MAX    (1LL << 40)
#define PATIENCE_NS  (5 * NS_PER_S) /* of a start; what is left then is not read */

/* What holds sums and orders; `key` orders it. Not facts, runs and the like: they are of the old file. */
static const struct {
	const char *name, *key;
} tables[] = {
	{ "subjects", "rowid" },  { "services", "rowid" }, { "paths", "rowid" },
	{ "calls", "rowid" },     { "hours", "hour" },     { "actions", "rowid" },
	{ "overrides", "rowid" }, { "standing", "rowid" }, { "repricings", "rowid" },
	{ "repriced", "rowid" },
};

int ledger_probe(struct ledger *ledger, int64_t since_us)
{
	static const char *const reads[] = {
		"SELECT sum(length(cgroup || command)) FROM subjects",
		"SELECT sum(length(host || model)) FROM services",
		"SELECT sum(length(path)) FROM paths",
		"SELECT sum(budget_nanos) FROM calls NOT INDEXED WHERE id >"
		" (SELECT ifnull(max(id), 0) FROM calls) - " PROBED_CALLS,
	};
	char by_time[128];
	int64_t ignored = 0;
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(reads) && !err; i++)
		err = ledger_query_int(ledger, reads[i], &ignored);
	snprintf(by_time, sizeof(by_time),
		 "SELECT sum(budget_nanos) FROM calls WHERE start_us >= %" PRId64, since_us);
	return err ? err : ledger_query_int(ledger, by_time, &ignored);
}

struct job {
	struct ledger *to;
	struct salvage *told;
	uint64_t end_ns;
};

/* "id, start_us, ...": columns that both have, since the damaged file may be of an older schema. False: none. */
static bool common_columns(struct job *job, const char *table, struct sql *ret)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	char text[256];

	ret->len = 0;
	ret->text[0] = '\0';
	snprintf(text, sizeof(text),
		 "SELECT name FROM pragma_table_info('%s', 'main') WHERE name IN"
		 " (SELECT name FROM pragma_table_info('%s', 'damaged'))",
		 table, table);
	if (ledger_prepare(job->to, text, &statement))
		return false;
	while (sqlite3_step(statement) == SQLITE_ROW)
		sql_add(ret, "%s%s", ret->len ? ", " : "",
			(const char *)sqlite3_column_text(statement, 0));
	return ret->len;
}

/*
 * The rows whose keys are in [from, to): at once, and where that meets a page that cannot be read, by halves. A
 * statement that fails has changed nothing.
 */
static void copy(struct job *job, sqlite3_stmt *statement, int64_t from, int64_t to, bool *is_hole)
{
	int64_t middle = from + (to - from) / 2;
	int result;

	if (clock_mono_ns() > job->end_ns) {
		job->told->holes += !*is_hole;
		*is_hole = true;
		return;
	}
	sqlite3_bind_int64(statement, 1, from);
	sqlite3_bind_int64(statement, 2, to);
	result = sqlite3_step(statement);
	sqlite3_reset(statement);
	if (result == SQLITE_DONE) {
		job->told->rows += (uint64_t)sqlite3_changes64(job->to->db);
		*is_hole = false;
	} else if (middle == from) {
		job->told->holes += !*is_hole;
		*is_hole = true;
	} else {
		copy(job, statement, from, middle, is_hole);
		copy(job, statement, middle, to, is_hole);
	}
}

static void copy_table(struct job *job, const char *table, const char *key)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct sql columns, sql = { .len = 0 };
	bool is_hole = false;

	if (!common_columns(job, table, &columns))
		return; /* an older schema has no such table */
	sql_add(&sql, "INSERT OR IGNORE INTO main.%s (%s) SELECT %s FROM damaged.%s", table,
		columns.text, columns.text, table);
	/* NOT INDEXED: by the table itself, whatever has become of its indices. */
	sql_add(&sql, "%s WHERE %s >= ?1 AND %s < ?2", strcmp(key, "rowid") ? "" : " NOT INDEXED",
		key, key);
	if (ledger_prepare(job->to, sql.text, &statement))
		job->told->holes++;
	else
		copy(job, statement, 0, ROWID_MAX, &is_hole);
}

/* The three files of a database; a log that is not there is no error. */
static int move_aside(const char *path, const char *aside)
{
	static const char *const ends[] = { "", "-wal", "-shm" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		char from[600], to[600];

		snprintf(from, sizeof(from), "%s%s", path, ends[i]);
		snprintf(to, sizeof(to), "%s%s", aside, ends[i]);
		if (rename(from, to) < 0 && (i == 0 || errno != ENOENT))
			return -errno;
	}
	return 0;
}

static int read_damaged(struct ledger *to, struct salvage *ret)
{
	struct job job = { .to = to, .told = ret, .end_ns = clock_mono_ns() + PATIENCE_NS };
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(to, "ATTACH ?1 AS damaged", &statement);

	if (err)
		return err;
	sqlite3_bind_text(statement, 1, ret->aside, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_DONE) {
		ret->holes = 1; /* nothing of it is a ledger's */
		return 0;
	}
	sqlite3_reset(statement);
	/* Each statement by itself: a transaction that has met damage does not commit. */
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		copy_table(&job, tables[i].name, tables[i].key);
	(void)ledger_exec(to, "DETACH damaged");
	return 0;
}

static void ledger_freep(struct ledger **ledger)
{
	ledger_free(*ledger);
}

int ledger_salvage(const char *dir, int64_t now_us, struct salvage *ret)
{
	_cleanup_(ledger_freep) struct ledger *ledger = NULL;
	char path[512], stamp[TEXT_TIME_LEN], fact[800];
	time_t seconds = now_us / US_PER_S;
	struct tm tm;
	int err;

	*ret = (struct salvage){ .rows = 0 };
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime_r(&seconds, &tm));
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	snprintf(ret->aside, sizeof(ret->aside), "%s/" LEDGER_FILE ".damaged-%s", dir, stamp);
	err = move_aside(path, ret->aside);
	if (!err)
		err = ledger_open(&ledger, dir, true, NULL);
	if (!err)
		err = read_damaged(ledger, ret);
	if (err)
		return err;
	snprintf(fact, sizeof(fact),
		 "{\"time\": \"%s\", \"aside\": \"%s\", \"rows\": %" PRIu64 ", \"holes\": %" PRIu64
		 "}",
		 text_time(now_us, stamp), ret->aside, ret->rows, ret->holes);
	return ledger_put(ledger, "damage", fact);
}
