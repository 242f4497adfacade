/* SPDX-License-Identifier: Apache-2.0 */
/* Below who spends: budgets, what is in force, and what was done last. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/overrides.h"
#include "cmd/show.h"
#include "cmd/table.h"
#include "cmd/top/top.h"

#define DAY_US    (86400 * US_PER_S)
#define ROWS_MAX  1000 /* of a fact */
#define LINES_MAX 16   /* of the last actions */

static json_t *fact(struct ledger *ledger, const char *key)
{
	_cleanup_free_ char *text = ledger_get(ledger, key);

	return text ? json_loads(text, 0, NULL) : NULL;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static int64_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* Two names share what the figures leave of a line. */
static const char *name_of(const json_t *row, const char *key, unsigned width, unsigned figures,
			   char name[SHOW_TEXT_LEN(512)])
{
	size_t room = !width ? 512 : width > figures + 24 ? (width - figures) / 2 : 12;

	return show_short(string(row, key), room, name, SHOW_TEXT_LEN(512));
}

/* "14:05Z", and the day if that is another than today. */
static const char *clock_of(int64_t us, char text[SHOW_LEN])
{
	char now[SHOW_LEN];

	text_time(us, text);
	text_time(clock_wall_us(), now);
	if (!strncmp(text, now, 10))
		snprintf(now, sizeof(now), "%.5sZ", text + 11);
	else
		snprintf(now, sizeof(now), "%.5s %.5sZ", text + 5, text + 11);
	memcpy(text, now, SHOW_LEN);
	return text;
}

static bool is_in_money(const json_t *row)
{
	return number(row, "limit_tokens") == 0;
}

/* A share for people: no sum is made of it. */
static double used_of(const json_t *row)
{
	double limit = is_in_money(row) ? strtod(string(row, "limit_usd"), NULL) :
					  (double)number(row, "limit_tokens");
	double spent = is_in_money(row) ? strtod(string(row, "spent_usd"), NULL) :
					  (double)number(row, "spent_tokens");

	return limit > 0 ? spent / limit : 0;
}

static int fullest_first(const void *a, const void *b)
{
	double left = used_of(*(json_t *const *)a), right = used_of(*(json_t *const *)b);

	return left < right ? 1 : left > right ? -1 : 0;
}

#define BUDGET_FIGURES 54 /* columns, with their blanks */

static void add_budget(struct table *table, const json_t *row, unsigned width)
{
	char name[SHOW_TEXT_LEN(512)], text[SHOW_LEN];
	int64_t reached_us = number(row, "limit_reached_us"), now_us = clock_wall_us();

	table_cell(table, name_of(row, "budget", width, BUDGET_FIGURES, name));
	table_cell(table, name_of(row, "key", width, BUDGET_FIGURES, name));
	if (used_of(row) > 0)
		table_format(table, "%.0f %%", used_of(row) * 100);
	else
		table_cell(table, "");
	table_cell(table, is_in_money(row) ?
				  string(row, "spent_usd") :
				  show_count((uint64_t)number(row, "spent_tokens"), text));
	table_cell(table, is_in_money(row) ?
				  string(row, "limit_usd") :
				  show_count((uint64_t)number(row, "limit_tokens"), text));
	table_cell(table,
		   reached_us <= now_us ? "" : show_duration((uint64_t)(reached_us - now_us), text));
	table_cell(table, number(row, "window_end_us") > now_us ?
				  clock_of(number(row, "window_end_us"), text) :
				  "");
	table_cell(table, string(row, "reached"));
}

void top_budgets(struct ledger *ledger, FILE *out, unsigned width, size_t rows)
{
	static const struct table_column columns[] = {
		{ "BUDGET", false }, { "COUNTER", false }, { "USED", true },
		{ "SPENT", true },   { "LIMIT", true },    { "FULL IN", true },
		{ "ENDS", true },    { "REACHED", false }, { NULL, false },
	};
	json_t *budgets = fact(ledger, "budgets"), *row, *sorted[ROWS_MAX];
	struct table *table;
	size_t i, n = 0;

	json_array_foreach(budgets, i, row)
		if (n < ROWS_MAX && json_is_object(row))
			sorted[n++] = row;
	qsort(sorted, n, sizeof(*sorted), fullest_first);
	table = n ? table_new(columns) : NULL;
	for (i = 0; table && i < n && i < rows; i++)
		add_budget(table, sorted[i], width);
	if (table) {
		fputc('\n', out);
		table_print(table, out, width);
		if (n > rows)
			fprintf(out, "+%zu more\n", n - rows);
	}
	table_free(table);
	json_decref(budgets);
}

#define GATE_FIGURES  40
#define RELEASE_WIDTH 140 /* of a screen with room for a whole command */

void top_gates(struct ledger *ledger, FILE *out, unsigned width, size_t rows)
{
	static const struct table_column columns[] = {
		{ "IN FORCE", false }, { "WHO", false },   { "BUDGET", false }, { "UNTIL", true },
		{ "AN HOUR", true },   { "LET GO", true }, { "HELD", true },    { NULL, false },
	};
	json_t *gates = fact(ledger, "gates"), *row;
	struct table *table = json_array_size(gates) ? table_new(columns) : NULL;
	char name[SHOW_TEXT_LEN(512)], text[SHOW_LEN], command[OVERRIDE_COMMAND_LEN];
	bool has_release = !width || width >= RELEASE_WIDTH;
	size_t i;

	if (!table) {
		json_decref(gates);
		return;
	}
	if (has_release)
		table_column(table, "RELEASE", false);
	json_array_foreach(gates, i, row) {
		bool is_pace = json_object_get(row, "let_go");
		int64_t until_us = number(row, "until_us");

		if (i >= rows)
			break;
		table_cell(table, string(row, "action"));
		table_cell(table, name_of(row, *string(row, "who") ? "who" : "target", width,
					  GATE_FIGURES, name));
		table_cell(table, name_of(row, "budget", width, GATE_FIGURES, name));
		table_cell(table,
			   until_us > 0 && until_us < INT64_MAX ? clock_of(until_us, text) : "");
		table_cell(table,
			   !is_pace ? "" :
			   json_object_get(row, "to_usd_per_hour") ?
				      string(row, "to_usd_per_hour") :
				      show_count((uint64_t)number(row, "to_tokens_per_hour"), text));
		table_cell(table, is_pace ? show_count((uint64_t)number(row, "let_go"), text) : "");
		table_cell(table, is_pace ? show_count((uint64_t)number(row, "held"), text) : "");
		if (has_release)
			table_cell(table, override_open_command(string(row, "key"), command));
	}
	fputc('\n', out);
	table_print(table, out, width);
	if (json_array_size(gates) > rows)
		fprintf(out, "+%zu more\n", json_array_size(gates) - rows);
	table_free(table);
	json_decref(gates);
}

struct recent {
	char lines[LINES_MAX][SHOW_TEXT_LEN(1600)];
	size_t n, n_deeds; /* actions; of these, all but notes */
	unsigned width;
	bool skips_notes;
};

static bool is_note(const struct ledger_action *action)
{
	return !strcmp(action->action, "note");
}

static void count_action(void *arg, const struct ledger_action *action)
{
	struct recent *recent = arg;

	recent->n_deeds += !is_note(action);
}

/* Who, and of a process which one: a cgroup's path says no more than its name. */
static void add_action(void *arg, const struct ledger_action *action)
{
	static const char process[] = "process ";
	struct recent *recent = arg;
	bool has_process = *action->who && !strncmp(action->target, process, strlen(process));
	char when[SHOW_LEN], who[512], raw[1600];

	if (recent->skips_notes && is_note(action))
		return;
	show_short(*action->who ? action->who : action->target,
		   recent->width ? recent->width * 2 / 5 : sizeof(who) - 1, who, sizeof(who));
	snprintf(raw, sizeof(raw), "%s  %s %s%s%s: %s", clock_of(action->time_us, when),
		 action->action, who, has_process ? ", " : "", has_process ? action->target : "",
		 action->is_rehearsed ? "rehearsed" : action->result);
	show_text(raw, recent->lines[recent->n++ % LINES_MAX], sizeof(recent->lines[0]));
}

void top_actions(struct ledger *ledger, FILE *out, unsigned width, size_t rows)
{
	struct recent recent = { .width = width };
	size_t first;

	if (rows > LINES_MAX)
		rows = LINES_MAX;
	/* Where there is little room, what was done comes before what was only noted. */
	(void)ledger_actions(ledger, clock_wall_us() - DAY_US, count_action, &recent);
	recent.skips_notes = recent.n_deeds >= rows;
	(void)ledger_actions(ledger, clock_wall_us() - DAY_US, add_action, &recent);
	if (!recent.n)
		return;
	fprintf(out, "\nLAST ACTIONS (`aigress explain`)\n");
	first = recent.n > rows ? recent.n - rows : 0;
	for (size_t i = recent.n; i-- > first;)
		fprintf(out, "%.*s\n", width ? (int)width : -1, recent.lines[i % LINES_MAX]);
}
