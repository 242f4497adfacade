/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: opening, schema, transactions, pruning. Rows are queued (queue.c, actions.c) and written
 * in one short transaction, rather than one by one in a long one: a failed transaction then loses
 * nothing, and readers never wait for the daemon.
 */
#include "ledger/ledger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger_internal.h"
#include "ledger/overrides.h"

#define ASIDE_BUSY_MS 5000 /* an order is worth waiting for */
#define RETRY_NS      NS_PER_S
#define PRUNE_ROWS    5000 /* about 50 ms */

static const char schema_1[] =
	"CREATE TABLE subjects (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, workload TEXT NOT "
	"NULL,"
	" pod TEXT NOT NULL, container TEXT NOT NULL, cgroup TEXT NOT NULL, unit TEXT NOT NULL,"
	" user TEXT NOT NULL, command TEXT NOT NULL, exe TEXT NOT NULL, container_id TEXT NOT NULL,"
	" pod_uid TEXT NOT NULL, labels TEXT NOT NULL,"
	" UNIQUE (cgroup, command, exe, user, namespace, workload, pod, container, unit, "
	"container_id,"
	" pod_uid, labels));"
	"CREATE TABLE services (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL,"
	" UNIQUE (model, host, provider, operation, price_key, price_origin));"
	"CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
	/* AUTOINCREMENT: the id of a pruned call stands in an action's evidence and is not used
	   again. */
	"CREATE TABLE calls (id INTEGER PRIMARY KEY AUTOINCREMENT, start_us INTEGER NOT NULL,"
	" subject INTEGER NOT NULL REFERENCES subjects, service INTEGER NOT NULL REFERENCES "
	"services,"
	" path INTEGER NOT NULL REFERENCES paths, pid INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" status INTEGER NOT NULL, source TEXT NOT NULL, outcome TEXT NOT NULL,"
	" priced INTEGER NOT NULL, stream INTEGER NOT NULL, input INTEGER NOT NULL,"
	" cache_read INTEGER NOT NULL, cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT "
	"NULL,"
	" output INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL,"
	" audio_output INTEGER NOT NULL, web_searches INTEGER NOT NULL, cost_nanos INTEGER NOT "
	"NULL,"
	" budget_nanos INTEGER NOT NULL, request_bytes INTEGER NOT NULL,"
	" response_bytes INTEGER NOT NULL, first_token_us INTEGER NOT NULL,"
	" duration_us INTEGER NOT NULL);"
	"CREATE INDEX calls_start ON calls (start_us);"
	"CREATE TABLE hours (hour INTEGER NOT NULL, subject INTEGER NOT NULL REFERENCES subjects,"
	" service INTEGER NOT NULL REFERENCES services, source TEXT NOT NULL, calls INTEGER NOT "
	"NULL,"
	" unpriced INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
	" cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, output INTEGER NOT "
	"NULL,"
	" reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL, audio_output INTEGER NOT NULL,"
	" web_searches INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, budget_nanos INTEGER NOT "
	"NULL,"
	" request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL,"
	" PRIMARY KEY (hour, subject, service, source)) WITHOUT ROWID;"
	"CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL,"
	" budget TEXT NOT NULL, rule TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,"
	" target TEXT NOT NULL, result TEXT NOT NULL, rehearsed INTEGER NOT NULL,"
	" spent_nanos INTEGER NOT NULL, limit_nanos INTEGER NOT NULL, spent_tokens INTEGER NOT "
	"NULL,"
	" limit_tokens INTEGER NOT NULL, window_start_us INTEGER NOT NULL,"
	" measured_permille INTEGER NOT NULL, last_calls TEXT NOT NULL);"
	"CREATE INDEX actions_time ON actions (time_us);"
	"CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('made_by', 'aigress');";

static const char schema_2[] =
	/* What stands still (standing.h). kind: 0 process, 1 stopped cgroup, 2 frozen cgroup. */
	"CREATE TABLE standing (boot TEXT NOT NULL, kind INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" start_ticks INTEGER NOT NULL, cgroup TEXT NOT NULL,"
	" PRIMARY KEY (boot, kind, pid, start_ticks, cgroup)) WITHOUT ROWID;"
	/* Written by `aigress override`, read by the daemon (override.h). budget '': all. */
	"CREATE TABLE overrides (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
	" key TEXT NOT NULL, limit_nanos INTEGER NOT NULL, limit_tokens INTEGER NOT NULL,"
	" made_us INTEGER NOT NULL, until_us INTEGER NOT NULL, made_by TEXT NOT NULL,"
	" reason TEXT NOT NULL);";

static const char schema_3[] =
	"ALTER TABLE actions ADD COLUMN until_us INTEGER NOT NULL DEFAULT 0;"
	/* Who this ledger is to others: a fresh one, whose ids begin anew, is somebody else. */
	"INSERT INTO meta VALUES ('ledger_id', lower(hex(randomblob(16))));"
	/* How far each webhook has come in the actions (outbox.h). */
	"CREATE TABLE outbox (webhook TEXT PRIMARY KEY, done_id INTEGER NOT NULL,"
	" sent INTEGER NOT NULL, dead INTEGER NOT NULL) WITHOUT ROWID;"
	/* What the server of shared budgets said last (shared.h). */
	"CREATE TABLE shared (key TEXT PRIMARY KEY, budget TEXT NOT NULL, counter TEXT NOT NULL,"
	" window_us INTEGER NOT NULL, until_us INTEGER NOT NULL, own INTEGER NOT NULL,"
	" remote INTEGER NOT NULL) WITHOUT ROWID;";

static const char schema_4[] =
	/* Names that come late are looked for by these (rename.c). */
	"CREATE INDEX subjects_pod ON subjects (pod_uid, container_id);";

static const char schema_5[] =
	/* By how much an estimate may be off (struct charge). */
	"ALTER TABLE calls ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;";

/* migrations[n] takes a file from version n to n + 1. */
static const char *const migrations[] = { schema_1, schema_2, schema_3, schema_4, schema_5 };
#define SCHEMA_VERSION ((int)ARRAY_SIZE(migrations))

int ledger_errno(int result)
{
	switch (result & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_CANTOPEN:
		return -ENOENT;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_CONSTRAINT:
	case SQLITE_MISMATCH:
	case SQLITE_TOOBIG:
	case SQLITE_RANGE:
		return -EINVAL;
	default:
		return -EIO;
	}
}

int ledger_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **ret)
{
	return ledger_errno(
		sqlite3_prepare_v3(ledger->db, sql, -1, SQLITE_PREPARE_PERSISTENT, ret, NULL));
}

static int exec(struct ledger *ledger, const char *sql)
{
	return ledger_errno(sqlite3_exec(ledger->db, sql, NULL, NULL, NULL));
}

static int query_int(struct ledger *ledger, const char *sql, int64_t *ret)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);

	if (err)
		return err;
	err = sqlite3_step(statement);
	if (err == SQLITE_ROW)
		*ret = sqlite3_column_int64(statement, 0);
	return ledger_errno(err);
}

int ledger_flush(struct ledger *ledger)
{
	int err;

	if (!ledger->is_writable)
		return 0;
	if (call_queue_is_empty(ledger) && action_queue_is_empty(ledger))
		return 0;
	err = exec(ledger, "BEGIN IMMEDIATE");
	if (!err)
		err = call_queue_write(ledger);
	if (!err)
		err = action_queue_write(ledger);
	if (!err)
		err = exec(ledger, "COMMIT");
	/* A full disk may have ended the transaction already, hence the question. */
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)exec(ledger, "ROLLBACK");
	call_queue_written(ledger, !err);
	action_queue_written(ledger, !err);
	ledger->retry_ns = err && err != -EBUSY ? clock_mono_ns() + RETRY_NS : 0;
	ledger->retry_error = err;
	if (!err)
		checkpoint_look(ledger);
	return err;
}

int ledger_commit(struct ledger *ledger)
{
	int err;

	/* A thousand rows bound, rolled back and bound again ten times a second is a busy loop. */
	if (ledger->retry_ns && clock_mono_ns() < ledger->retry_ns)
		return ledger->retry_error;
	if (checkpoint_is_held(ledger))
		return -EBUSY;
	(void)sqlite3_busy_timeout(ledger->db, 0);
	err = ledger_flush(ledger);
	(void)sqlite3_busy_timeout(ledger->db, LEDGER_BUSY_MS);
	return err;
}

static int migrate(struct ledger *ledger, int64_t version)
{
	int err = exec(ledger, "BEGIN IMMEDIATE");
	char sql[64];

	for (; !err && version < SCHEMA_VERSION; version++)
		err = exec(ledger, migrations[version]);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; COMMIT", SCHEMA_VERSION);
	if (!err)
		err = exec(ledger, sql);
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)exec(ledger, "ROLLBACK");
	return err;
}

static int prepare_writer(struct ledger *ledger)
{
	int persist = 1;
	int err = exec(ledger,
		       "PRAGMA journal_mode = WAL; PRAGMA cache_size = -4096;" LEDGER_PRAGMAS);

	if (err)
		return err;
	/* Readers who may not make files can then read the ledger of a stopped daemon. */
	(void)sqlite3_file_control(ledger->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
	return checkpoint_new(ledger);
}

static int prepare_rows(struct ledger *ledger)
{
	int64_t last = 0, sequence = 0;
	int err = query_int(ledger, "SELECT ifnull(max(id), 0) FROM calls", &last);

	if (!err)
		err = query_int(ledger, "SELECT seq FROM sqlite_sequence WHERE name = 'calls'",
				&sequence);
	if (err)
		return err;
	ledger->next_id = (last > sequence ? last : sequence) + 1;
	err = call_queue_new(ledger);
	return err ? err : action_queue_new(ledger);
}

static int refuse(char **ret_error, int err, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(char **ret_error, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	if (ret_error && vasprintf(ret_error, format, args) < 0)
		*ret_error = NULL;
	va_end(args);
	return err;
}

/* A lock file of its own: closing any descriptor of the database would drop SQLite's POSIX locks.
 */
static int lock_directory(struct ledger *ledger, const char *dir, char **ret_error)
{
	_cleanup_free_ char *path = NULL;

	if (mkdir(dir, 0750) < 0 && errno != EEXIST)
		return refuse(ret_error, -errno, "cannot make the state directory %s: %s", dir,
			      strerror(errno));
	if (asprintf(&path, "%s/ledger.lock", dir) < 0)
		return -ENOMEM;
	ledger->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (ledger->lock < 0)
		return refuse(ret_error, -errno, "cannot open %s: %s", path, strerror(errno));
	if (flock(ledger->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return refuse(ret_error, -errno, "cannot lock %s: %s", path, strerror(errno));
	return refuse(ret_error, -EBUSY,
		      "another aigress writes %s; stop it first, or give this one a state "
		      "directory of its own",
		      dir);
}

static int open_failed(int err, const char *path, char **ret_error)
{
	if (err == -EBADMSG)
		return refuse(ret_error, err,
			      "%s is damaged or not a ledger; move it away and start again", path);
	if (err == -ENOENT)
		return refuse(ret_error, err,
			      "cannot open %s; has `aigress run` been started, and may you read it?",
			      path);
	return refuse(ret_error, err, "cannot open %s: %s", path, strerror(-err));
}

static int check_version(struct ledger *ledger, const char *path, char **ret_error)
{
	int64_t version = 0;
	int err = query_int(ledger, "PRAGMA user_version", &version);

	if (err)
		return open_failed(err, path, ret_error);
	if (version > SCHEMA_VERSION)
		return refuse(ret_error, -EPROTO,
			      "%s was written by a newer aigress (schema %lld, this one knows %d); "
			      "use that one",
			      path, (long long)version, SCHEMA_VERSION);
	if (version == SCHEMA_VERSION)
		return 0;
	if (!ledger->is_writable)
		return refuse(ret_error, -EPROTO,
			      "%s has an older schema; start `aigress run` once, it brings the "
			      "file up to date",
			      path);
	err = migrate(ledger, version);
	return err ? open_failed(err, path, ret_error) : 0;
}

static void ledger_freep(struct ledger **ledger)
{
	ledger_free(*ledger);
}

int ledger_open(struct ledger **ret, const char *dir, bool writable, char **ret_error)
{
	_cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	_cleanup_free_ char *path = NULL;
	mode_t mask;
	int err;

	if (ret_error)
		*ret_error = NULL;
	if (!ledger || asprintf(&path, "%s/" LEDGER_FILE, dir) < 0)
		return -ENOMEM;
	ledger->lock = -1;
	ledger->is_writable = writable;
	if (writable) {
		err = lock_directory(ledger, dir, ret_error);
		if (err)
			return err;
	}
	/* SQLite makes -wal and -shm with the mode of the file itself. */
	mask = umask(0027);
	err = ledger_errno(sqlite3_open_v2(
		path, &ledger->db,
		writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY, NULL));
	if (!err)
		(void)sqlite3_busy_timeout(ledger->db, LEDGER_BUSY_MS);
	if (!err && writable)
		err = prepare_writer(ledger);
	umask(mask);
	if (err)
		return open_failed(err, path, ret_error);
	err = check_version(ledger, path, ret_error);
	if (err)
		return err;
	if (writable) {
		err = prepare_rows(ledger);
		if (err)
			return open_failed(err, path, ret_error);
	}
	*ret = take(ledger);
	return 0;
}

static bool is_locked(const char *dir)
{
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;

	if (asprintf(&path, "%s/ledger.lock", dir) < 0)
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

int override_open(struct ledger **ret, const char *dir, bool *ret_daemon, char **ret_error)
{
	_cleanup_(ledger_freep) struct ledger *ledger = calloc(1, sizeof(*ledger));
	_cleanup_free_ char *path = NULL;
	int persist = 1, err;

	if (ret_error)
		*ret_error = NULL;
	if (!ledger || asprintf(&path, "%s/" LEDGER_FILE, dir) < 0)
		return -ENOMEM;
	ledger->lock = -1;
	err = ledger_errno(sqlite3_open_v2(path, &ledger->db, SQLITE_OPEN_READWRITE, NULL));
	if (err)
		return open_failed(err, path, ret_error);
	(void)sqlite3_busy_timeout(ledger->db, ASIDE_BUSY_MS);
	(void)sqlite3_file_control(ledger->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
	err = check_version(ledger, path, ret_error);
	if (err)
		return err;
	*ret_daemon = is_locked(dir);
	*ret = take(ledger);
	return 0;
}

struct ledger *ledger_free(struct ledger *ledger)
{
	if (!ledger)
		return NULL;
	if (ledger->queue && ledger->actions)
		(void)ledger_flush(ledger);
	call_queue_free(ledger);
	action_queue_free(ledger);
	checkpoint_free(ledger);
	sqlite3_close(ledger->db);
	if (ledger->lock >= 0)
		close(ledger->lock);
	free(ledger);
	return NULL;
}

int ledger_prune(struct ledger *ledger, int64_t before_us)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger,
				 "DELETE FROM calls WHERE id IN (SELECT id FROM calls"
				 " WHERE start_us < ?1 ORDER BY start_us LIMIT ?2)",
				 &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, before_us);
	sqlite3_bind_int(statement, 2, PRUNE_ROWS);
	err = ledger_errno(sqlite3_step(statement));
	if (err)
		return err;
	err = sqlite3_changes(ledger->db) == PRUNE_ROWS;
	checkpoint_look(ledger);
	return err;
}
