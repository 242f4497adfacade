/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that are put together, and the sums that calls and hours have alike; for the ledger alone. */
#ifndef LEDGER_SQL_H
#define LEDGER_SQL_H

#include <sqlite3.h>
#include <stddef.h>

#include "usage/usage.h"

#define SQL_MAX 8192

/* A statement; one that begins with .len = 0 is empty. What does not fit is cut off, which SQLite then refuses. */
struct sql {
	char text[SQL_MAX];
	size_t len;
};
void sql_add(struct sql *sql, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The columns that are added up: of each class of usage by its name, then of money, bytes and errors. */
enum {
	SUM_COST_NANOS = USAGE_COUNT,
	SUM_BUDGET_NANOS,
	SUM_REQUEST_BYTES,
	SUM_RESPONSE_BYTES,
	SUM_ERROR_INPUT,
	SUM_ERROR_OUTPUT,
	SUM_ERROR_NANOS,
	SUM_UNDER_INPUT,
	SUM_UNDER_OUTPUT,
	SUM_UNDER_NANOS,
	SUM_OVER_NANOS,
	SUM_EXCESS,
	SUMS
};
const char *sql_sum(size_t i);
/* ", input, cache_read, ..." */
void sql_add_sums(struct sql *sql);
/* ", ?, ?, ..." for as many */
void sql_add_sum_marks(struct sql *sql);
/* ", input = input + excluded.input, ..." */
void sql_add_sum_updates(struct sql *sql);

/* Binds a name that anybody may have made, as text_plain() has it. It must stay until the statement is reset. */
void sql_bind_name(sqlite3_stmt *statement, int at, const char *name);

#endif
