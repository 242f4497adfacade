/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/repricing.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

int repricing_begin(struct ledger *ledger, struct repricing *repricing)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_exec(ledger, "BEGIN IMMEDIATE");

	if (!err)
		err = ledger_prepare(ledger,
				     "INSERT INTO repricings (made_us, since_us, until_us, prices)"
				     " VALUES (?, ?, ?, ?)",
				     &statement);
	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, repricing->made_us);
	sqlite3_bind_int64(statement, 2, repricing->since_us);
	sqlite3_bind_int64(statement, 3, repricing->until_us);
	sqlite3_bind_text(statement, 4, repricing->prices, -1, SQLITE_STATIC);
	err = ledger_errno(sqlite3_step(statement));
	repricing->id = sqlite3_last_insert_rowid(ledger->db);
	return err;
}

int repricing_add(struct ledger *ledger, const struct repricing *repricing, int64_t call,
		  int64_t old_nanos, const struct charge *charge)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger,
				 "INSERT INTO repriced (call, repricing, old_nanos, cost_nanos,"
				 " price_key, price_origin) VALUES (?, ?, ?, ?, ?, ?)",
				 &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, call);
	sqlite3_bind_int64(statement, 2, repricing->id);
	sqlite3_bind_int64(statement, 3, old_nanos);
	sqlite3_bind_int64(statement, 4, charge->cost_nanos);
	sqlite3_bind_text(statement, 5, charge->price_key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 6, charge->price_origin, -1, SQLITE_STATIC);
	return ledger_errno(sqlite3_step(statement));
}

int repricing_end(struct ledger *ledger, int err)
{
	if (!err)
		err = ledger_exec(ledger, "COMMIT");
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)ledger_exec(ledger, "ROLLBACK");
	return err;
}

int repricing_of(struct ledger *ledger, int64_t call, struct charge *ret, int64_t *ret_made_us)
{
	_cleanup_statement_ sqlite3_stmt *row = NULL;
	int err = ledger_prepare(ledger,
				 "SELECT p.cost_nanos, p.price_key, p.price_origin, r.made_us"
				 " FROM repriced p JOIN repricings r ON r.id = p.repricing"
				 " WHERE p.call = ? ORDER BY p.repricing DESC LIMIT 1",
				 &row);

	if (err)
		return err;
	sqlite3_bind_int64(row, 1, call);
	err = sqlite3_step(row);
	if (err != SQLITE_ROW)
		return err == SQLITE_DONE ? -ENOENT : ledger_errno(err);
	ret->cost_nanos = sqlite3_column_int64(row, 0);
	snprintf(ret->price_key, sizeof(ret->price_key), "%s", sqlite3_column_text(row, 1));
	snprintf(ret->price_origin, sizeof(ret->price_origin), "%s", sqlite3_column_text(row, 2));
	*ret_made_us = sqlite3_column_int64(row, 3);
	return 0;
}
