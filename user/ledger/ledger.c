/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file: opening, transactions, pruning. Rows are queued (call_queue.c, action_queue.c) and written in
 * one short transaction, rather than one by one in a long one: a failed transaction then loses
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
#include "ledger/reading_group.h"

#define ASIDE_BUSY_MS 5000 /* an order is worth waiting for */
#define RETRY_NS      NS_PER_S
#define PRUNE_ROWS    5000 /* about 50 ms */

int ledger_flush(struct ledger *ledger)
{
	int err;

	if (!ledger->is_writable)
		return 0;
	if (call_queue_is_empty(ledger) && action_queue_is_empty(ledger))
		return 0;
	err = ledger_exec(ledger, "BEGIN IMMEDIATE");
	if (!err)
		err = call_queue_write(ledger);
	if (!err)
		err = action_queue_write(ledger);
	if (!err)
		err = ledger_exec(ledger, "COMMIT");
	/* A full disk may have ended the transaction already, hence the question. */
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)ledger_exec(ledger, "ROLLBACK");
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

int ledger_add(struct ledger *ledger, const struct ledger_call *call, int64_t *ret_id)
{
	int full = call_queue_add(ledger, call, ret_id);

	if (full > 0)
		(void)ledger_commit(ledger);
	return full < 0 ? full : 0;
}

int ledger_add_action(struct ledger *ledger, const struct ledger_action *action)
{
	int err = action_queue_add(ledger, action);

	return err ? err : ledger_commit(ledger);
}

int64_t ledger_last_id(const struct ledger *ledger)
{
	return ledger->next_id - 1;
}

void ledger_skip(struct ledger *ledger, int64_t id)
{
	if (ledger->next_id <= id)
		ledger->next_id = id + 1;
}

static int prepare_writer(struct ledger *ledger)
{
	int persist = 1;
	int err = ledger_exec(
		ledger, "PRAGMA journal_mode = WAL; PRAGMA cache_size = -4096;" LEDGER_PRAGMAS);

	if (err)
		return err;
	/* Readers who may not make files can then read the ledger of a stopped daemon. */
	(void)sqlite3_file_control(ledger->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
	return checkpoint_new(ledger);
}

static int prepare_rows(struct ledger *ledger)
{
	int64_t last = 0, sequence = 0;
	int err = ledger_query_int(ledger, "SELECT ifnull(max(id), 0) FROM calls", &last);

	if (!err)
		err = ledger_query_int(
			ledger, "SELECT seq FROM sqlite_sequence WHERE name = 'calls'", &sequence);
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
		return refuse(ret_error, err, "there is no %s; `aigress run` makes it", path);
	if (err == -EACCES)
		return refuse(ret_error, err,
			      "permission denied: %s may be read by root and by members of the "
			      "group " READING_GROUP "; use sudo",
			      path);
	return refuse(ret_error, err, "cannot open %s: %s", path, strerror(-err));
}

/* SQLite gives one code for whatever open(2) said. */
static int open_error(struct ledger *ledger, int err)
{
	int system = err == -ENOENT ? sqlite3_system_errno(ledger->db) : 0;

	return system == EACCES || system == EPERM ? -EACCES : err;
}

static int check_version(struct ledger *ledger, const char *path, char **ret_error)
{
	int64_t version = 0;
	int err = open_error(ledger, ledger_query_int(ledger, "PRAGMA user_version", &version));

	if (err)
		return open_failed(err, path, ret_error);
	if (version > schema_version)
		return refuse(ret_error, -EPROTO,
			      "%s was written by a newer aigress (schema %lld, this one knows %d); "
			      "use that one",
			      path, (long long)version, schema_version);
	if (version == schema_version)
		return 0;
	if (!ledger->is_writable)
		return refuse(ret_error, -EPROTO,
			      "%s has an older schema; start `aigress run` once, it brings the "
			      "file up to date",
			      path);
	err = schema_migrate(ledger, version);
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
	if (!err)
		err = who_key_new(ledger);
	if (!err && writable)
		err = prepare_writer(ledger);
	umask(mask);
	if (err)
		return open_failed(open_error(ledger, err), path, ret_error);
	err = check_version(ledger, path, ret_error);
	if (err)
		return err;
	if (writable) {
		err = prepare_rows(ledger);
		if (err)
			return open_failed(err, path, ret_error);
		/* A convenience: whoever may not read it says so. */
		(void)reading_group_apply(dir, READING_GROUP);
	}
	*ret = take(ledger);
	return 0;
}

bool ledger_is_written(const char *dir)
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
		return open_failed(open_error(ledger, err), path, ret_error);
	(void)sqlite3_busy_timeout(ledger->db, ASIDE_BUSY_MS);
	(void)sqlite3_file_control(ledger->db, NULL, SQLITE_FCNTL_PERSIST_WAL, &persist);
	err = check_version(ledger, path, ret_error);
	if (err)
		return err;
	*ret_daemon = ledger_is_written(dir);
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
	/* What other prices made of calls that are gone says nothing any more. */
	if (!err)
		err = ledger_exec(ledger, "DELETE FROM repriced WHERE call <"
					  " (SELECT coalesce(min(id), 0) FROM calls)");
	checkpoint_look(ledger);
	return err;
}
