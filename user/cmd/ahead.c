/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/ahead.h"

#include <stdlib.h>

#include "base/cleanup.h"
#include "base/fields.h"
#include "cmd/show.h"

#define ROWS_MAX 4096

struct rows {
	json_t *fact;
	json_t *rows[ROWS_MAX];
	size_t n;
};

static int64_t full_us(const json_t *row)
{
	return json_integer_value(json_object_get(row, "limit_reached_us"));
}

static int soonest_first(const void *a, const void *b)
{
	int64_t left = full_us(*(json_t *const *)a), right = full_us(*(json_t *const *)b);

	return left < right ? -1 : left > right;
}

static const char *text_of(const json_t *row, const char *key)
{
	const char *text = json_string_value(json_object_get(row, key));

	return text ? text : "";
}

/* Of the snapshot's rows those whose time is to come; NULL: no memory. */
static struct rows *read_rows(struct ledger *ledger, int64_t now_us)
{
	_cleanup_free_ char *text = ledger_get(ledger, "budgets");
	struct rows *rows = calloc(1, sizeof(*rows));
	json_t *row;
	size_t i;

	if (!rows)
		return NULL;
	rows->fact = text ? json_loads(text, 0, NULL) : NULL;
	json_array_foreach(rows->fact, i, row)
		if (full_us(row) > now_us && rows->n < ROWS_MAX)
			rows->rows[rows->n++] = row;
	qsort(rows->rows, rows->n, sizeof(*rows->rows), soonest_first);
	return rows;
}

static void rows_free(struct rows *rows)
{
	if (rows)
		json_decref(rows->fact);
	free(rows);
}

void ahead_print(struct ledger *ledger, int64_t now_us, size_t most, FILE *out)
{
	struct rows *rows = read_rows(ledger, now_us);

	for (size_t i = 0; rows && i < rows->n && i < most; i++) {
		char name[SHOW_TEXT_LEN(256)], key[SHOW_TEXT_LEN(512)], left[SHOW_LEN];

		fprintf(out, "Budget %s (%s) is full in %s at its present rate.\n",
			show_text(text_of(rows->rows[i], "budget"), name, sizeof(name)),
			show_text(text_of(rows->rows[i], "key"), key, sizeof(key)),
			show_duration((uint64_t)(full_us(rows->rows[i]) - now_us), left));
	}
	if (rows && rows->n > most)
		fprintf(out, "+%zu more budgets that will be full before their window ends\n",
			rows->n - most);
	rows_free(rows);
}

json_t *ahead_json(struct ledger *ledger, int64_t now_us)
{
	struct rows *rows = read_rows(ledger, now_us);
	json_t *array = json_array();

	for (size_t i = 0; rows && i < rows->n; i++) {
		json_t *object = json_object();
		char time[TEXT_TIME_LEN];

		field_text(object, "budget", text_of(rows->rows[i], "budget"));
		field_text(object, "counter", text_of(rows->rows[i], "key"));
		field_text(object, "full", text_time(full_us(rows->rows[i]), time));
		json_array_append_new(array, object);
	}
	rows_free(rows);
	return array;
}
