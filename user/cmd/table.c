/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/table.h"

#include <ctype.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "cmd/csv.h"
#include "cmd/show.h"

struct row {
	char *cells[TABLE_COLUMNS]; /* none: a rule */
};

struct table {
	size_t n_columns;
	struct table_column columns[TABLE_COLUMNS];
	size_t widths[TABLE_COLUMNS];
	struct row *rows;
	size_t n_rows, room, left_out;
	struct row row; /* being filled */
	size_t at;
};

struct table *table_new(const struct table_column *columns)
{
	struct table *table = calloc(1, sizeof(*table));

	for (; table && columns && columns->title; columns++)
		table_column(table, columns->title, columns->is_number);
	return table;
}

static void clear(struct row *row)
{
	for (size_t i = 0; i < TABLE_COLUMNS; i++) {
		free(row->cells[i]);
		row->cells[i] = NULL;
	}
}

struct table *table_free(struct table *table)
{
	if (!table)
		return NULL;
	for (size_t i = 0; i < table->n_rows; i++)
		clear(&table->rows[i]);
	clear(&table->row);
	free(table->rows);
	free(table);
	return NULL;
}

void table_column(struct table *table, const char *title, bool is_number)
{
	if (table->n_columns >= TABLE_COLUMNS)
		return;
	table->columns[table->n_columns] = (struct table_column){ title, is_number };
	table->widths[table->n_columns] = strlen(title);
	table->n_columns++;
}

static void end_row(struct table *table)
{
	if (table->n_rows == table->room && table->room < TABLE_ROWS) {
		size_t room = table->room ? table->room * 2 : 64;
		struct row *rows = realloc(table->rows, room * sizeof(*rows));

		if (rows) {
			table->rows = rows;
			table->room = room;
		}
	}
	if (table->n_rows == table->room) {
		table->left_out++;
		clear(&table->row);
	} else {
		table->rows[table->n_rows++] = table->row;
	}
	memset(&table->row, 0, sizeof(table->row));
	table->at = 0;
}

void table_cell(struct table *table, const char *text)
{
	char shown[TABLE_CELL];
	size_t width;

	if (!table->n_columns)
		return;
	if (!*text && !table->columns[table->at].is_number && *table->columns[table->at].title)
		text = "-";
	show_text(text, shown, sizeof(shown));
	width = show_width(shown);
	if (width > table->widths[table->at])
		table->widths[table->at] = width;
	table->row.cells[table->at++] = strdup(shown);
	if (table->at == table->n_columns)
		end_row(table);
}

void table_format(struct table *table, const char *format, ...)
{
	char text[TABLE_CELL];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	table_cell(table, text);
}

void table_rule(struct table *table)
{
	end_row(table);
}

size_t table_left_out(const struct table *table)
{
	return table->left_out;
}

/* A line in the making: blanks are owed until something follows, columns past `width` are not put. */
struct line {
	FILE *out;
	size_t owed, at, width;
};

static void put(struct line *line, const char *text)
{
	for (; *text; text++) {
		bool is_start = ((unsigned char)*text & 0xc0) != 0x80;

		if (*text == ' ') {
			line->owed++;
			continue;
		}
		if (line->width && line->at + line->owed + is_start > line->width)
			return;
		for (; line->owed; line->owed--, line->at++)
			fputc(' ', line->out);
		fputc(*text, line->out);
		line->at += is_start;
	}
}

static void put_row(const struct table *table, const struct row *row, struct line *line)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		const char *text = row ? row->cells[i] : table->columns[i].title;
		size_t width = text ? show_width(text) : 0;
		size_t blanks = table->widths[i] - width;

		if (i)
			line->owed += 2;
		if (table->columns[i].is_number)
			line->owed += blanks;
		put(line, text ? text : "");
		if (!table->columns[i].is_number)
			line->owed += blanks;
	}
	fputc('\n', line->out);
}

static void put_rule(const struct table *table, struct line *line)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		line->owed += i ? 2 : 0;
		for (size_t j = 0; j < table->widths[i]; j++)
			put(line, "-");
	}
	fputc('\n', line->out);
}

void table_print(const struct table *table, FILE *out, size_t width)
{
	struct line line = { .out = out, .width = width };

	put_row(table, NULL, &line);
	for (size_t i = 0; i < table->n_rows; i++) {
		line = (struct line){ .out = out, .width = width };
		if (table->rows[i].cells[0])
			put_row(table, &table->rows[i], &line);
		else
			put_rule(table, &line);
	}
}

#define NAME_LEN 64

/* "COST USD" is cost_usd. */
static char *name_of(const char *title, char ret[NAME_LEN])
{
	size_t n = 0;

	for (; title[n] && n + 1 < NAME_LEN; n++)
		ret[n] = title[n] == ' ' ? '_' : (char)tolower((unsigned char)title[n]);
	ret[n] = '\0';
	return ret;
}

/* NULL: empty. */
static const char *cell_of(const struct row *row, size_t column)
{
	const char *cell = row->cells[column];

	return cell && *cell && strcmp(cell, "-") ? cell : NULL;
}

static void write_csv(const struct table *table, FILE *out)
{
	char name[NAME_LEN];

	for (size_t i = 0; i < table->n_columns; i++)
		csv_cell(out, name_of(table->columns[i].title, name), !i);
	fputs("\r\n", out);
	for (size_t r = 0; r < table->n_rows; r++) {
		if (!table->rows[r].cells[0])
			continue;
		for (size_t i = 0; i < table->n_columns; i++)
			csv_cell(out, cell_of(&table->rows[r], i) ?: "", !i);
		fputs("\r\n", out);
	}
}

static json_t *json_of(const char *cell, bool is_number)
{
	char *end;
	long long whole;

	if (!cell)
		return is_number ? json_null() : json_string("");
	whole = strtoll(cell, &end, 10);
	return is_number && !*end ? json_integer(whole) : json_string(cell);
}

static void write_json(const struct table *table, FILE *out)
{
	json_t *root = json_object(), *rows = json_array();
	char name[NAME_LEN];

	for (size_t r = 0; r < table->n_rows; r++) {
		json_t *row = table->rows[r].cells[0] ? json_object() : NULL;

		for (size_t i = 0; row && i < table->n_columns; i++)
			field_set(row, name_of(table->columns[i].title, name),
				  json_of(cell_of(&table->rows[r], i), table->columns[i].is_number));
		if (row)
			json_array_append_new(rows, row);
	}
	field_set(root, "rows", rows);
	json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	fputc('\n', out);
	json_decref(root);
}

void table_write(const struct table *table, FILE *out, enum table_format format)
{
	if (format == TABLE_CSV)
		write_csv(table, out);
	else if (format == TABLE_JSON)
		write_json(table, out);
	else
		table_print(table, out, 0);
}
