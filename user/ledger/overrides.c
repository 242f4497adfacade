/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/overrides.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ledger/ledger_internal.h"

/* "raise agents-daily to 50 USD", "open everything" */
static void say_order(const struct override *override, char *text, size_t size)
{
	const char *kind = override_kind_name(override->kind);
	char limit[MONEY_LEN + 16] = "", money[MONEY_LEN];

	if (override->limit_nanos)
		snprintf(limit, sizeof(limit), " to %s USD",
			 money_format(override->limit_nanos, money));
	else if (override->limit_tokens)
		snprintf(limit, sizeof(limit), " to %llu tokens",
			 (unsigned long long) override->limit_tokens);
	snprintf(text, size, "%s %s%s", override->kind == OVERRIDE_NONE ? "clear" : kind,
		 strcmp(override->key, "*") ? override->key : "everything", limit);
}

/* One row more in the actions: who ordered what. */
static int write_action(struct ledger *ledger, const struct override *override, const char *result)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	char order[sizeof(override->key) + 128];
	int err = ledger_prepare(
		ledger,
		"INSERT INTO actions (time_us, budget, rule, action, subject, target, result,"
		" rehearsed, spent_nanos, limit_nanos, spent_tokens, limit_tokens, window_start_us,"
		" measured_permille, last_calls, outcome)"
		" VALUES (?, '', 'aigress override', 'override', ?, ?, ?, 0, 0, ?, 0, ?, 0, 0, '[]', ?)",
		&statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, override->made_us);
	sqlite3_bind_text(statement, 2, override->key, -1, SQLITE_STATIC);
	say_order(override, order, sizeof(order));
	sqlite3_bind_text(statement, 3, order, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 4, result, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 5, override->limit_nanos);
	sqlite3_bind_int64(statement, 6, (int64_t) override->limit_tokens);
	sqlite3_bind_text(statement, 7, action_result_name(ACTION_ORDERED), -1, SQLITE_STATIC);
	return ledger_errno(sqlite3_step(statement));
}

static int write_row(struct ledger *ledger, const struct override *override)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(
		ledger,
		"INSERT INTO overrides (kind, key, limit_nanos, limit_tokens, made_us, until_us,"
		" made_by, reason) SELECT ?, ?, ?, ?, ?, ?, ?, ?"
		" WHERE (SELECT count(*) FROM overrides WHERE until_us > ?5) < ?9",
		&statement);

	if (err)
		return err;
	sqlite3_bind_text(statement, 1, override_kind_name(override->kind), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, override->key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, override->limit_nanos);
	sqlite3_bind_int64(statement, 4, (int64_t) override->limit_tokens);
	sqlite3_bind_int64(statement, 5, override->made_us);
	sqlite3_bind_int64(statement, 6, override->until_us);
	sqlite3_bind_text(statement, 7, override->made_by, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 8, override->reason, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 9, OVERRIDES_MAX);
	err = ledger_errno(sqlite3_step(statement));
	return err ? err : sqlite3_changes(ledger->db) ? 0 : -ENOSPC;
}

static int end(struct ledger *ledger, int err)
{
	if (!err)
		err = ledger_exec(ledger, "COMMIT");
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)ledger_exec(ledger, "ROLLBACK");
	return err;
}

int override_add(struct ledger *ledger, const struct override *override)
{
	char result[2 * OVERRIDE_TEXT_LEN + 64], span[TEXT_DURATION_LEN];
	uint64_t seconds = (uint64_t)(override->until_us - override->made_us) / US_PER_S;
	int err = ledger_exec(ledger, "BEGIN IMMEDIATE");

	snprintf(result, sizeof(result), "ordered by %s for %s%s%s", override->made_by,
		 text_duration(seconds, span), *override->reason ? ": " : "", override->reason);
	if (!err)
		err = write_row(ledger, override);
	if (!err)
		err = write_action(ledger, override, result);
	return end(ledger, err);
}

int override_clear(struct ledger *ledger, const char *key, const char *made_by, int64_t now_us)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct override none = { .made_us = now_us };
	char result[OVERRIDE_TEXT_LEN + 64];
	int n = 0, err;

	snprintf(none.key, sizeof(none.key), "%s", key ? key : "*");
	err = ledger_prepare(ledger,
			     "UPDATE overrides SET until_us = ?1 WHERE until_us > ?1"
			     " AND (?2 IS NULL OR key = ?2)",
			     &statement);
	if (!err)
		err = ledger_exec(ledger, "BEGIN IMMEDIATE");
	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, now_us);
	sqlite3_bind_text(statement, 2, key, -1, SQLITE_STATIC);
	err = ledger_errno(sqlite3_step(statement));
	n = err ? 0 : sqlite3_changes(ledger->db);
	sqlite3_reset(statement);
	snprintf(result, sizeof(result), "%d ended by %s", n, made_by);
	if (!err && n)
		err = write_action(ledger, &none, result);
	err = end(ledger, err);
	return err ? err : n;
}

int overrides_read(struct ledger *ledger, int64_t now_us, struct override **ret, size_t *ret_n)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	_cleanup_free_ struct override *list = calloc(OVERRIDES_MAX, sizeof(*list));
	int err = list ? 0 : -ENOMEM, result = SQLITE_DONE;
	size_t n = 0;

	if (!err)
		err = ledger_prepare(
			ledger,
			"SELECT id, kind, key, limit_nanos, limit_tokens, made_us, until_us, made_by,"
			" reason FROM overrides WHERE until_us > ? ORDER BY id",
			&statement);
	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, now_us);
	while (n < OVERRIDES_MAX && (result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct override *one = &list[n];

		one->id = sqlite3_column_int64(statement, 0);
		one->kind = override_kind_of((const char *)sqlite3_column_text(statement, 1));
		snprintf(one->key, sizeof(one->key), "%s", sqlite3_column_text(statement, 2));
		one->limit_nanos = sqlite3_column_int64(statement, 3);
		one->limit_tokens = (uint64_t)sqlite3_column_int64(statement, 4);
		one->made_us = sqlite3_column_int64(statement, 5);
		one->until_us = sqlite3_column_int64(statement, 6);
		snprintf(one->made_by, sizeof(one->made_by), "%s",
			 sqlite3_column_text(statement, 7));
		snprintf(one->reason, sizeof(one->reason), "%s", sqlite3_column_text(statement, 8));
		n += one->kind != OVERRIDE_NONE;
	}
	err = ledger_errno(result);
	if (err)
		return err;
	*ret = take(list);
	*ret_n = n;
	return 0;
}

/* https://www.sqlite.org/pragma.html#pragma_data_version: commits of others, not of this one. */
int64_t overrides_version(struct ledger *ledger)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, "PRAGMA data_version", &statement);

	if (err)
		return err;
	err = sqlite3_step(statement);
	return err == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : ledger_errno(err);
}

char *override_open_command(const char *counter, char ret[OVERRIDE_COMMAND_LEN])
{
	char plain[OVERRIDE_COMMAND_LEN], only[OVERRIDE_COMMAND_LEN],
		quoted[OVERRIDE_COMMAND_LEN - 32];

	text_shell(text_glob(text_plain(counter, plain, sizeof(plain)), only, sizeof(only)), quoted,
		   sizeof(quoted));
	snprintf(ret, OVERRIDE_COMMAND_LEN, "aigress override open %s", quoted);
	return ret;
}
