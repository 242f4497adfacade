/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon keeps for the other subcommands, and who this ledger is. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

int ledger_put(struct ledger *ledger, const char *key, const char *json)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger,
				 "INSERT INTO facts VALUES (?, ?)"
				 " ON CONFLICT DO UPDATE SET value = excluded.value",
				 &statement);
	if (err)
		return err;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, json, -1, SQLITE_STATIC);
	return ledger_errno(sqlite3_step(statement));
}

char *ledger_get(struct ledger *ledger, const char *key)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (ledger_prepare(ledger, "SELECT value FROM facts WHERE key = ?", &statement))
		return NULL;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return strdup((const char *)sqlite3_column_text(statement, 0));
}

char *ledger_identity(struct ledger *ledger)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (ledger_prepare(ledger, "SELECT value FROM meta WHERE key = 'ledger_id'", &statement) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return strdup((const char *)sqlite3_column_text(statement, 0));
}

/* Batches keep their results for 29 days (Anthropic) or 30 (OpenAI). */
#define JOB_US (60LL * 24 * 3600 * 1000000)

static int forget_jobs(struct ledger *ledger, int64_t now_us)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, "DELETE FROM jobs WHERE time_us < ?", &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, now_us - JOB_US);
	return ledger_errno(sqlite3_step(statement));
}

int ledger_claim_job(struct ledger *ledger, const char *provider, const char *job, int64_t now_us)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err;

	if (!ledger->actions)
		return -EROFS;
	err = ledger_prepare(ledger, "INSERT OR IGNORE INTO jobs VALUES (?, ?, ?)", &statement);
	if (err)
		return err;
	sqlite3_bind_text(statement, 1, provider, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, job, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, now_us);
	err = ledger_errno(sqlite3_step(statement));
	if (err)
		return err;
	if (!sqlite3_changes(ledger->db))
		return -EEXIST;
	return forget_jobs(ledger, now_us);
}
