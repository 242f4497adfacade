/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that came after the first calls. The owner of a call is one row of the dictionary of
 * subjects, so naming it there names every call and every hour of it. Where a row with the names
 * is there already (a restarted daemon had not heard of the pod yet), the last hours' calls move to it.
 */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define ROWS_MAX    1024 /* subjects of one pod: its containers times their commands */
#define US_PER_HOUR 3600000000LL
#define BACK_HOURS  2 /* of calls that move */

/*
 * Labels are not made up from a name, so a row that has some was named by the pod itself. It stays:
 * labels may change, what was spent under the old ones does not.
 */
static const char find_pod[] =
	"SELECT id FROM subjects WHERE pod_uid IN (?1, ?2) AND labels = '' AND"
	" (namespace <> ?3 OR workload <> ?4 OR pod <> ?5 OR ?6 <> '') LIMIT ?7";
static const char name_pod[] =
	"UPDATE OR FAIL subjects SET namespace = ?3, workload = ?4, pod = ?5, labels = ?6 WHERE id = ?8";
static const char twin_pod[] =
	"SELECT t.id FROM subjects t JOIN subjects s ON t.cgroup = s.cgroup AND t.command = s.command"
	" AND t.exe = s.exe AND t.user = s.user AND t.container = s.container AND t.unit = s.unit"
	" AND t.container_id = s.container_id AND t.pod_uid = s.pod_uid AND t.image = s.image"
	" WHERE s.id = ?8 AND t.namespace = ?3 AND t.workload = ?4 AND t.pod = ?5 AND t.labels = ?6";
static const char find_container[] =
	"SELECT id FROM subjects WHERE pod_uid = ?1 AND container_id = ?2"
	" AND (container = ?2 OR (container = ?3 AND image = '' AND ?4 <> '')) LIMIT ?7";
static const char name_container[] =
	"UPDATE OR FAIL subjects SET container = ?3, image = ?4 WHERE id = ?8";
static const char twin_container[] =
	"SELECT t.id FROM subjects t JOIN subjects s ON t.cgroup = s.cgroup AND t.command = s.command"
	" AND t.exe = s.exe AND t.user = s.user AND t.namespace = s.namespace"
	" AND t.workload = s.workload AND t.pod = s.pod AND t.unit = s.unit AND t.labels = s.labels"
	" AND t.container_id = s.container_id AND t.pod_uid = s.pod_uid WHERE s.id = ?8"
	" AND t.container = ?3 AND t.image = ?4";

static const char drop_hours[] = "DELETE FROM hours WHERE hour >= ?3 AND subject = ?1";
static const char move_calls[] =
	"UPDATE calls SET subject = ?2 WHERE start_us >= ?3 * 3600000000 AND subject = ?1";

/* What to find and what it becomes: parameters ?1 to ?6 of the statements above. */
struct renaming {
	const char *find, *name, *twin;
	const char *texts[6];
};

static int prepare(struct ledger *ledger, const struct renaming *renaming, const char *sql,
		   int64_t id, sqlite3_stmt **ret)
{
	int err = ledger_prepare(ledger, sql, ret);

	if (err)
		return err;
	for (int i = 0; i < (int)ARRAY_SIZE(renaming->texts); i++)
		if (renaming->texts[i])
			sqlite3_bind_text(*ret, i + 1, renaming->texts[i], -1, SQLITE_STATIC);
	sqlite3_bind_int(*ret, 7, ROWS_MAX);
	sqlite3_bind_int64(*ret, 8, id);
	return 0;
}

static int move(struct ledger *ledger, const char *sql, int64_t from, int64_t to)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, from);
	sqlite3_bind_int64(statement, 2, to);
	sqlite3_bind_int64(statement, 3, clock_wall_us() / US_PER_HOUR - BACK_HOURS);
	return ledger_errno(sqlite3_step(statement));
}

/* To the hours of another subject, which may have some of its own. */
static int move_hours(struct ledger *ledger, int64_t from, int64_t to)
{
	struct sql sql = { .len = 0 };

	sql_add(&sql, "INSERT INTO hours (hour, subject, service, source, calls, unpriced");
	sql_add_sums(&sql);
	sql_add(&sql, ") SELECT hour, ?2, service, source, calls, unpriced");
	sql_add_sums(&sql);
	sql_add(&sql, " FROM hours WHERE hour >= ?3 AND subject = ?1 ON CONFLICT DO UPDATE SET"
		      " calls = calls + excluded.calls, unpriced = unpriced + excluded.unpriced");
	sql_add_sum_updates(&sql);
	return move(ledger, sql.text, from, to);
}

/* 1 if something changed, 0 or -errno. */
static int merge(struct ledger *ledger, const struct renaming *renaming, int64_t id)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = prepare(ledger, renaming, renaming->twin, id, &statement), moved;
	int64_t twin;

	if (err)
		return err;
	if (sqlite3_step(statement) != SQLITE_ROW)
		return 0;
	twin = sqlite3_column_int64(statement, 0);
	err = move(ledger, move_calls, id, twin);
	moved = sqlite3_changes(ledger->db);
	if (!err)
		err = move_hours(ledger, id, twin);
	if (!err)
		err = move(ledger, drop_hours, id, twin);
	return err ? err : moved > 0;
}

static int rename_one(struct ledger *ledger, const struct renaming *renaming, int64_t id)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = prepare(ledger, renaming, renaming->name, id, &statement), result;

	if (err)
		return err;
	result = sqlite3_step(statement);
	if ((result & 0xff) == SQLITE_CONSTRAINT)
		return merge(ledger, renaming, id);
	err = ledger_errno(result);
	return err ? err : 1;
}

static int rename_all(struct ledger *ledger, const struct renaming *renaming)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int64_t ids[ROWS_MAX];
	size_t n = 0;
	int err = prepare(ledger, renaming, renaming->find, 0, &statement), changed = 0;

	while (!err && n < ROWS_MAX && sqlite3_step(statement) == SQLITE_ROW)
		ids[n++] = sqlite3_column_int64(statement, 0);
	if (!err)
		sqlite3_reset(statement);
	for (size_t i = 0; err >= 0 && i < n; i++) {
		err = rename_one(ledger, renaming, ids[i]);
		changed += err > 0;
	}
	return err < 0 ? err : changed;
}

static int rename_in_transaction(struct ledger *ledger, const struct renaming *renaming)
{
	int changed, err = ledger_commit(ledger);

	/* What waits for the disk is known by its old names, and must not be written under them after. */
	if (err)
		return err;
	err = ledger_exec(ledger, "BEGIN IMMEDIATE");
	if (err)
		return err;
	changed = rename_all(ledger, renaming);
	err = ledger_exec(ledger, changed < 0 ? "ROLLBACK" : "COMMIT");
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)ledger_exec(ledger, "ROLLBACK");
	/* Ids of texts that are kept in memory may be of other texts now. */
	if (changed)
		call_queue_written(ledger, false);
	return changed < 0 || !err ? changed : err;
}

int ledger_name_pod(struct ledger *ledger, const struct who_pod *pod)
{
	const struct renaming renaming = {
		find_pod,
		name_pod,
		twin_pod,
		{ pod->uid, pod->hash[0] ? pod->hash : pod->uid, pod->namespace, pod->workload,
		  pod->name, pod->labels },
	};

	return rename_in_transaction(ledger, &renaming);
}

int ledger_name_container(struct ledger *ledger, const struct who_container *container)
{
	const struct renaming renaming = {
		find_container,
		name_container,
		twin_container,
		{ container->pod_uid, container->id, container->name, container->image },
	};

	return rename_in_transaction(ledger, &renaming);
}
