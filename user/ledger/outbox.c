/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/outbox.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

static int run(sqlite3_stmt *statement)
{
	return ledger_errno(sqlite3_step(statement));
}

int outbox_open(struct ledger *ledger, const char *webhook, struct outbox *ret)
{
	_cleanup_statement_ sqlite3_stmt *make = NULL, *read = NULL;
	int err = ledger_prepare(ledger,
				 "INSERT OR IGNORE INTO outbox"
				 " SELECT ?, ifnull(max(id), 0), 0, 0 FROM actions",
				 &make);

	if (!err)
		err = ledger_prepare(ledger,
				     "SELECT done_id, sent, dead FROM outbox"
				     " WHERE webhook = ?",
				     &read);
	if (err)
		return err;
	sqlite3_bind_text(make, 1, webhook, -1, SQLITE_STATIC);
	sqlite3_bind_text(read, 1, webhook, -1, SQLITE_STATIC);
	err = run(make);
	if (err)
		return err;
	err = sqlite3_step(read);
	if (err != SQLITE_ROW)
		return err == SQLITE_DONE ? -ENOENT : ledger_errno(err);
	ret->done_id = sqlite3_column_int64(read, 0);
	ret->sent = (uint64_t)sqlite3_column_int64(read, 1);
	ret->dead = (uint64_t)sqlite3_column_int64(read, 2);
	return 0;
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

int outbox_keep(struct ledger *ledger, const char *const *webhooks, size_t n)
{
	_cleanup_statement_ sqlite3_stmt *list = NULL, *forget = NULL;
	int err = ledger_prepare(ledger, "SELECT webhook FROM outbox", &list);

	if (!err)
		err = ledger_prepare(ledger, "DELETE FROM outbox WHERE webhook = ?", &forget);
	while (!err && sqlite3_step(list) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(list, 0);

		if (is_among(name, webhooks, n))
			continue;
		sqlite3_bind_text(forget, 1, name, -1, SQLITE_TRANSIENT);
		err = run(forget);
		sqlite3_reset(forget);
	}
	return err;
}

int outbox_read(struct ledger *ledger, int64_t after_id, unsigned max,
		bool (*fn)(void *arg, const struct ledger_action *action), void *arg)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct ledger_action action;
	int err = ledger_prepare(ledger,
				 "SELECT " LEDGER_ACTION_COLUMNS " FROM actions"
				 " WHERE id > ? ORDER BY id LIMIT ?",
				 &statement);
	int result = SQLITE_DONE;

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, after_id);
	sqlite3_bind_int64(statement, 2, max);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		ledger_read_action(statement, &action);
		if (!fn(arg, &action))
			return 0;
	}
	return ledger_errno(result);
}

int outbox_mark(struct ledger *ledger, const char *webhook, const struct outbox *outbox)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger,
				 "UPDATE outbox SET done_id = ?, sent = ?, dead = ?"
				 " WHERE webhook = ?",
				 &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, outbox->done_id);
	sqlite3_bind_int64(statement, 2, (int64_t)outbox->sent);
	sqlite3_bind_int64(statement, 3, (int64_t)outbox->dead);
	sqlite3_bind_text(statement, 4, webhook, -1, SQLITE_STATIC);
	return run(statement);
}

int outbox_end(struct ledger *ledger, int64_t *ret_id)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, "SELECT ifnull(max(id), 0) FROM actions", &statement);

	if (err)
		return err;
	err = sqlite3_step(statement);
	if (err == SQLITE_ROW)
		*ret_id = sqlite3_column_int64(statement, 0);
	return ledger_errno(err);
}
