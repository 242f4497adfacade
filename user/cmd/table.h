/* SPDX-License-Identifier: Apache-2.0 */
/* Text in columns: words to the left, numbers to the right. Cells go through show_text(). */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS 32
#define TABLE_ROWS    100000 /* more are counted, not kept: a table is for reading */
#define TABLE_CELL    1024   /* bytes of a cell as shown */

struct table;

struct table_column {
	const char *title; /* a literal */
	bool is_number;
};

/* With these columns, up to one without a title; NULL: none yet. Returns NULL: no memory. */
struct table *table_new(const struct table_column *columns);
struct table *table_free(struct table *table);

/* One column more, before any cell. */
void table_column(struct table *table, const char *title, bool is_number);
/* Cell by cell; a row is full when it has all columns. An empty word is shown as "-". */
void table_cell(struct table *table, const char *text);
void table_format(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* A line across, for the sum under it. */
void table_rule(struct table *table);
/* Prints it; trailing blanks are left out. Cut at `width` columns; 0: no limit. */
void table_print(const struct table *table, FILE *out, size_t width);

/* What --format says. */
enum table_format { TABLE_TEXT, TABLE_CSV, TABLE_JSON };
/*
 * In any of them. As CSV and JSON, rules are left out and columns have their titles in lower case: "COST USD" is cost_usd. JSON
 * is { "rows": [ { ... } ] }: a whole number is a number, an amount of money a string, as in reports; what is not known is null.
 */
void table_write(const struct table *table, FILE *out, enum table_format format);
/* Rows that TABLE_ROWS or the memory had no room for. */
size_t table_left_out(const struct table *table);

#endif
