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

#define NARROW         110 /* columns below which figures are rounded, so that the last one is seen, too */
#define BUDGET_FIGURES 51 /* columns, with their blanks */

static bool is_narrow(unsigned width)
{
	return width && width < NARROW;
}

/* As it stands in the fact, or for few columns. */
static const char *money_of(const json_t *row, const char *key, unsigned width, char text[SHOW_LEN])
{
	const char *usd = string(row, key);

	return is_narrow(width) ? show_about((int64_t)(strtod(usd, NULL) * NANOS_PER_USD), text) :
				  usd;
}

static void add_budget(struct table *table, const json_t *row, unsigned width)
{
	char name[SHOW_TEXT_LEN(512)], text[SHOW_LEN];
	int64_t reached_us = number(row, "limit_reached_us"), now_us = clock_wall_us();
	int64_t end_us = number(row, "window_end_us");
	char *(*show)(uint64_t, char *) = is_narrow(width) ? show_short_duration : show_duration;

	table_cell(table, name_of(row, "budget", width, BUDGET_FIGURES, name));
	table_cell(table, name_of(row, "key", width, BUDGET_FIGURES, name));
	if (used_of(row) > 0)
		table_format(table, "%.0f %%", used_of(row) * 100);
	else
		table_cell(table, "");
	table_cell(table, is_in_money(row) ?
				  money_of(row, "spent_usd", width, text) :
				  show_count((uint64_t)number(row, "spent_tokens"), text));
	table_cell(table, is_in_money(row) ?
				  money_of(row, "limit_usd", width, text) :
				  show_count((uint64_t)number(row, "limit_tokens"), text));
	table_cell(table, reached_us <= now_us ? "" : show((uint64_t)(reached_us - now_us), text));
	table_cell(table, end_us <= now_us ? "" :
			  is_narrow(width) ? show((uint64_t)(end_us - now_us), text) :
					     clock_of(end_us, text));
	table_cell(table, string(row, "reached"));
}

void top_budgets(struct ledger *ledger, FILE *out, unsigned width, size_t rows)
{
	const struct table_column columns[] = {
		{ "BUDGET", false },
		{ "COUNTER", false },
		{ "USED", true },
		{ "SPENT", true },
		{ "LIMIT", true },
		{ "FULL IN", true },
		{ is_narrow(width) ? "ENDS IN" : "ENDS", true },
		{ "REACHED", false },
		{ NULL, false },
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

#define GATE_FIGURES  50
#define RELEASE_WIDTH 140 /* of a screen with room for a whole command */

void top_gates(struct ledger *ledger, FILE *out, const struct top_view *view, size_t rows)
{
	const struct table_column columns[] = {
		{ view->is_over ? "WAS IN FORCE" : "IN FORCE", false },
		{ "WHO", false },
		{ "BUDGET", false },
		{ "UNTIL", true },
		{ "AN HOUR", true },
		{ "LET GO", true },
		{ "HELD", true },
		{ NULL, false },
	};
	json_t *gates = fact(ledger, "gates"), *row;
	struct table *table = json_array_size(gates) ? table_new(columns) : NULL;
	char name[SHOW_TEXT_LEN(512)], text[SHOW_LEN], command[OVERRIDE_COMMAND_LEN];
	char line[OVERRIDE_COMMAND_LEN + 16];
	unsigned width = view->width, figures = GATE_FIGURES + (view->is_over ? 4 : 0);
	bool has_release = !view->is_over && (!width || width >= RELEASE_WIDTH);
	size_t i, n = json_array_size(gates);

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
					  figures, name));
		table_cell(table, name_of(row, "budget", width, figures, name));
		table_cell(table,
			   until_us > 0 && until_us < INT64_MAX ? clock_of(until_us, text) : "");
		table_cell(table,
			   !is_pace ? "" :
			   json_object_get(row, "to_usd_per_hour") ?
				      money_of(row, "to_usd_per_hour", width, text) :
				      show_count((uint64_t)number(row, "to_tokens_per_hour"), text));
		table_cell(table, is_pace ? show_count((uint64_t)number(row, "let_go"), text) : "");
		table_cell(table, is_pace ? show_count((uint64_t)number(row, "held"), text) : "");
		if (has_release)
			table_cell(table, override_open_command(string(row, "key"), command));
	}
	fputc('\n', out);
	table_print(table, out, width);
	for (i = 0; !has_release && !view->is_over && i < n && i < rows; i++) {
		snprintf(line, sizeof(line), "release: %s",
			 override_open_command(string(json_array_get(gates, i), "key"), command));
		/* uncut: half of a quoted name runs as something else */
		show_fold(line, width, 2, out);
	}
	if (n > rows)
		fprintf(out, "+%zu more\n", n - rows);
	table_free(table);
	json_decref(gates);
}

/* The last action of its kind, with what came of it, what tells it from others, and how often it was taken. */
struct line {
	char text[SHOW_TEXT_LEN(2400)], what[1600];
	unsigned times;
};

struct recent {
	struct line lines[LINES_MAX]; /* the oldest first */
	size_t n;
	unsigned width;
	bool skips_notes;
};

static bool is_note(const struct ledger_action *action)
{
	return !strcmp(action->action, "note");
}

/* What tells of an earlier row, as the end of a grace does, stands with it. An end by its window or an order stands alone. */
static bool is_appendix(const struct ledger_action *action)
{
	return action_result_is_sequel(action->outcome) && action->outcome != ACTION_ENDED;
}

static struct line *find_line(struct recent *recent, const char *what)
{
	for (size_t i = 0; i < recent->n; i++)
		if (!strcmp(recent->lines[i].what, what))
			return &recent->lines[i];
	return NULL;
}

static void append(struct line *line, const struct ledger_action *action)
{
	char when[SHOW_LEN], raw[1200], shown[SHOW_TEXT_LEN(sizeof(raw))];
	size_t len = strlen(line->text);

	snprintf(raw, sizeof(raw), "; %s %s", clock_of(action->time_us, when), action->result);
	snprintf(line->text + len, sizeof(line->text) - len, "%s",
		 show_text(raw, shown, sizeof(shown)));
}

/* The last line, empty but for `times`: that of `line`, which goes, or 0. Without room the oldest goes. */
static struct line *last_line(struct recent *recent, struct line *line)
{
	unsigned times = line ? line->times : 0;
	size_t at = line ? (size_t)(line - recent->lines) : 0;

	if (line || recent->n == LINES_MAX) {
		recent->n--;
		memmove(&recent->lines[at], &recent->lines[at + 1],
			(recent->n - at) * sizeof(recent->lines[0]));
	}
	line = &recent->lines[recent->n++];
	*line = (struct line){ .times = times };
	return line;
}

/*
 * Who, and of a process which one: a cgroup's path says no more than its name. A gate that shuts and opens all night is one
 * line, so it does not push out what was killed.
 */
static void add_action(void *arg, const struct ledger_action *action)
{
	static const char process[] = "process ";
	struct recent *recent = arg;
	bool has_process = *action->who && !strncmp(action->target, process, strlen(process));
	char when[SHOW_LEN], who[512], raw[1600], what[sizeof(recent->lines[0].what)];
	char times[32] = "";
	struct line *line;

	if (recent->skips_notes && is_note(action))
		return;
	snprintf(what, sizeof(what), "%s %s %s %s", action->budget, action->action, action->subject,
		 action->target);
	line = find_line(recent, what);
	if (line && is_appendix(action)) {
		append(line, action);
		return;
	}
	line = last_line(recent, line);
	line->times += action->outcome != ACTION_ENDED;
	if (line->times > 1)
		snprintf(times, sizeof(times), " (%u times in 24 h)", line->times);
	show_short(*action->who ? action->who : action->target,
		   recent->width ? recent->width * 2 / 5 : sizeof(who) - 1, who, sizeof(who));
	snprintf(raw, sizeof(raw), "%s  %s %s%s%s: %s%s", clock_of(action->time_us, when),
		 action->action, who, has_process ? ", " : "", has_process ? action->target : "",
		 action->is_rehearsed ? "rehearsed" : action->result, times);
	memcpy(line->what, what, sizeof(what));
	show_text(raw, line->text, sizeof(line->text));
}

static void read_actions(struct ledger *ledger, struct recent *recent)
{
	recent->n = 0;
	(void)ledger_actions(ledger, clock_wall_us() - DAY_US, add_action, recent);
}

#define BELOW_CLOCK 8 /* "14:05Z  " */

void top_actions(struct ledger *ledger, FILE *out, unsigned width, size_t rows)
{
	struct recent *recent = calloc(1, sizeof(*recent));
	size_t first;

	if (!recent)
		return;
	if (rows > LINES_MAX)
		rows = LINES_MAX;
	recent->width = width;
	/* Where there is little room, what was done comes before what was only noted. */
	recent->skips_notes = true;
	read_actions(ledger, recent);
	if (recent->n < rows) {
		recent->skips_notes = false;
		read_actions(ledger, recent);
	}
	first = recent->n > rows ? recent->n - rows : 0;
	if (recent->n)
		fprintf(out, "\nLAST ACTIONS (`aigress explain`)\n");
	for (size_t i = recent->n; i-- > first;)
		show_fold(recent->lines[i].text, width, BELOW_CLOCK, out);
	free(recent);
}
