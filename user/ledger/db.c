/* SPDX-License-Identifier: Apache-2.0 */
/* What each file of the ledger needs of SQLite. */
#include <errno.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

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

int ledger_exec(struct ledger *ledger, const char *sql)
{
	return ledger_errno(sqlite3_exec(ledger->db, sql, NULL, NULL, NULL));
}

int ledger_query_int(struct ledger *ledger, const char *sql, int64_t *ret)
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
