/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "ledger/ledger.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

static void statements_are_put_together_and_cut_at_their_end(void **state)
{
	struct sql sql = { .len = 0 };

	sql_add(&sql, "SELECT %d", 7);
	sql_add(&sql, "%s", "");
	sql_add(&sql, ", '%s'", "x");
	assert_string_equal(sql.text, "SELECT 7, 'x'");
	assert_int_equal(sql.len, strlen(sql.text));
	for (int i = 0; i < SQL_MAX; i++)
		sql_add(&sql, "ab");
	assert_int_equal(sql.len, SQL_MAX - 1);
	assert_int_equal(strlen(sql.text), SQL_MAX - 1);
}

static void each_list_has_each_sum_once(void **state)
{
	struct sql names = { .len = 0 }, marks = { .len = 0 }, updates = { .len = 0 };
	size_t n = 0;

	sql_add_sums(&names);
	sql_add_sum_marks(&marks);
	sql_add_sum_updates(&updates);
	assert_int_equal(strncmp(names.text, ", input, cache_read, ", 21), 0);
	for (const char *c = marks.text; (c = strchr(c, '?')); c++)
		n++;
	assert_int_equal(n, SUMS);
	for (size_t i = 0; i < SUMS; i++) {
		char text[128];

		snprintf(text, sizeof(text), ", %s = %s + excluded.%s", sql_sum(i), sql_sum(i),
			 sql_sum(i));
		assert_non_null(strstr(updates.text, text));
	}
}

static void results_of_sqlite_are_errors_of_ours(void **state)
{
	assert_int_equal(ledger_errno(SQLITE_OK), 0);
	assert_int_equal(ledger_errno(SQLITE_ROW), 0);
	assert_int_equal(ledger_errno(SQLITE_DONE), 0);
	assert_int_equal(ledger_errno(SQLITE_BUSY_SNAPSHOT), -EBUSY);
	assert_int_equal(ledger_errno(SQLITE_FULL), -ENOSPC);
	assert_int_equal(ledger_errno(SQLITE_NOTADB), -EBADMSG);
	assert_int_equal(ledger_errno(SQLITE_CONSTRAINT_UNIQUE), -EINVAL);
	assert_int_equal(ledger_errno(SQLITE_READONLY), -EROFS);
	assert_int_equal(ledger_errno(SQLITE_CANTOPEN), -ENOENT);
	assert_int_equal(ledger_errno(SQLITE_NOMEM), -ENOMEM);
	assert_int_equal(ledger_errno(SQLITE_AUTH), -EACCES);
	assert_int_equal(ledger_errno(SQLITE_IOERR_READ), -EIO);
}

static void facts_are_replaced_and_only_a_writer_puts_them(void **state)
{
	char dir[UNIT_FOLDER_LEN], *text;
	struct ledger *ledger, *reader;

	assert_int_equal(unit_folder(dir), 0);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	assert_null(ledger_get(ledger, "coverage"));
	assert_int_equal(ledger_put(ledger, "coverage", "1"), 0);
	assert_int_equal(ledger_put(ledger, "coverage", "[2]"), 0);
	assert_int_equal(ledger_open(&reader, dir, false, NULL), 0);
	assert_int_equal(ledger_put(reader, "coverage", "3"), -EROFS);
	text = ledger_get(reader, "coverage");
	assert_string_equal(text, "[2]");
	free(text);
	text = ledger_identity(reader);
	assert_int_equal(strlen(text), 32);
	assert_int_equal(strspn(text, "0123456789abcdef"), 32);
	free(text);
	ledger_free(reader);
	ledger_free(ledger);
	assert_int_equal(unit_remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(statements_are_put_together_and_cut_at_their_end),
		cmocka_unit_test(each_list_has_each_sum_once),
		cmocka_unit_test(results_of_sqlite_are_errors_of_ours),
		cmocka_unit_test(facts_are_replaced_and_only_a_writer_puts_them),
	};

	return cmocka_run_group_tests_name("sql", tests, NULL, NULL);
}
