/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/sql.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"

void sql_bind_name(sqlite3_stmt *statement, int at, const char *name)
{
	_cleanup_free_ char *plain = NULL;
	size_t size = TEXT_LEN(strlen(name));

	if (text_is_plain(name)) {
		sqlite3_bind_text(statement, at, name, -1, SQLITE_STATIC);
		return;
	}
	plain = malloc(size);
	sqlite3_bind_text(statement, at, plain ? text_plain(name, plain, size) : "?", -1,
			  SQLITE_TRANSIENT);
}

void sql_add(struct sql *sql, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(sql->text + sql->len, sizeof(sql->text) - sql->len, format, args);
	va_end(args);
	if (n > 0)
		sql->len += (size_t)n;
	if (sql->len >= sizeof(sql->text))
		sql->len = sizeof(sql->text) - 1;
}

const char *sql_sum(size_t i)
{
	static const char *const names[SUMS] = {
		[SUM_COST_NANOS] = "cost_nanos",       [SUM_BUDGET_NANOS] = "budget_nanos",
		[SUM_REQUEST_BYTES] = "request_bytes", [SUM_RESPONSE_BYTES] = "response_bytes",
		[SUM_ERROR_INPUT] = "error_input",     [SUM_ERROR_OUTPUT] = "error_output",
		[SUM_ERROR_NANOS] = "error_nanos",     [SUM_UNDER_INPUT] = "under_input",
		[SUM_UNDER_OUTPUT] = "under_output",   [SUM_UNDER_NANOS] = "under_nanos",
		[SUM_OVER_NANOS] = "over_nanos",       [SUM_EXCESS] = "excess",
	};

	return i < USAGE_COUNT ? usage_classes[i].name : names[i];
}

void sql_add_sums(struct sql *sql)
{
	for (size_t i = 0; i < SUMS; i++)
		sql_add(sql, ", %s", sql_sum(i));
}

void sql_add_sum_marks(struct sql *sql)
{
	for (size_t i = 0; i < SUMS; i++)
		sql_add(sql, ", ?");
}

void sql_add_sum_updates(struct sql *sql)
{
	for (size_t i = 0; i < SUMS; i++)
		sql_add(sql, ", %s = %s + excluded.%s", sql_sum(i), sql_sum(i), sql_sum(i));
}
