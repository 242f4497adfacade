/* SPDX-License-Identifier: Apache-2.0 */
/* Actions read back. */
#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

void ledger_read_action(sqlite3_stmt *row, struct ledger_action *ret)
{
	*ret = (struct ledger_action){
		.id = sqlite3_column_int64(row, 0),
		.time_us = sqlite3_column_int64(row, 1),
		.budget = (const char *)sqlite3_column_text(row, 2),
		.rule = (const char *)sqlite3_column_text(row, 3),
		.action = (const char *)sqlite3_column_text(row, 4),
		.subject = (const char *)sqlite3_column_text(row, 5),
		.target = (const char *)sqlite3_column_text(row, 6),
		.result = (const char *)sqlite3_column_text(row, 7),
		.is_rehearsed = sqlite3_column_int(row, 8),
		.spent_nanos = sqlite3_column_int64(row, 9),
		.limit_nanos = sqlite3_column_int64(row, 10),
		.spent_tokens = (uint64_t)sqlite3_column_int64(row, 11),
		.limit_tokens = (uint64_t)sqlite3_column_int64(row, 12),
		.window_start_us = sqlite3_column_int64(row, 13),
		.measured_permille = (uint32_t)sqlite3_column_int(row, 14),
		.last_calls = (const char *)sqlite3_column_text(row, 15),
		.until_us = sqlite3_column_int64(row, 16),
		.outcome = action_result_of((const char *)sqlite3_column_text(row, 17)),
		.rule_text = (const char *)sqlite3_column_text(row, 18),
		.in_flight = (uint64_t)sqlite3_column_int64(row, 19),
		.who = (const char *)sqlite3_column_text(row, 20),
		.decided_us = sqlite3_column_int64(row, 21),
	};
}

int ledger_actions(struct ledger *ledger, int64_t since_us,
		   void (*fn)(void *arg, const struct ledger_action *action), void *arg)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct ledger_action action;
	int err, result;

	(void)ledger_flush(ledger);
	err = ledger_prepare(ledger,
			     "SELECT " LEDGER_ACTION_COLUMNS " FROM actions"
			     " WHERE time_us >= ? ORDER BY id",
			     &statement);
	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, since_us);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		ledger_read_action(statement, &action);
		fn(arg, &action);
	}
	return ledger_errno(result);
}
