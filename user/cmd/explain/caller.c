/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/explain/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/table.h"
#include "ledger/caller.h"

#define NAMES_MAX 20

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static uint64_t number(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

/* A figure for people: no sum is made of it. */
static const char *about(const json_t *object, const char *key, char text[SHOW_LEN])
{
	return show_about((int64_t)(strtod(string(object, key), NULL) * NANOS_PER_USD), text);
}

/* Rounded as in reports. */
static const char *usd(const char *amount, char text[SHOW_LEN])
{
	return show_usd((int64_t)(strtod(amount, NULL) * NANOS_PER_USD + 0.5), text);
}

/* "?": it has no price. */
static const char *cost(const json_t *object, char text[SHOW_LEN])
{
	const char *amount = string(object, "cost_usd");

	return *amount ? usd(amount, text) : "?";
}

/* Whether budgets count anything else than what has a price: else a column of its own says nothing. */
static bool has_other(const json_t *rows)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
		if (strcmp(string(row, "cost_usd"), string(row, "in_budgets_usd")))
			return true;
	return false;
}

/* "18:27:43Z", and the day if that is another than today. */
static const char *clock_of(const char *time, char text[SHOW_LEN])
{
	char now[SHOW_LEN];
	bool is_today = !strncmp(text_time(clock_wall_us(), now), time, 10);

	if (strlen(time) < 19)
		snprintf(text, SHOW_LEN, "%s", time);
	else
		snprintf(text, SHOW_LEN, "%.*s%s%.8sZ", is_today ? 0 : 5, time + 5,
			 is_today ? "" : " ", time + 11);
	return text;
}

static bool is_exact(const json_t *sums)
{
	return !strcmp(string(sums, "low_usd"), string(sums, "high_usd"));
}

static void print_sums(const char *name, const json_t *sums, FILE *out)
{
	char counted[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];
	uint64_t unpriced = number(sums, "unpriced_calls"), calls = number(sums, "calls");

	fprintf(out, "  %-10s ", name);
	if (!calls) {
		fprintf(out, "no call\n");
		return;
	}
	if (*string(sums, "cost_usd"))
		fprintf(out, "%s USD", usd(string(sums, "cost_usd"), counted));
	else
		fprintf(out, "its cost is not known");
	fprintf(out, ", %llu calls", (unsigned long long)calls);
	if (number(sums, "estimated_calls"))
		fprintf(out, ", %llu of them estimated",
			(unsigned long long)number(sums, "estimated_calls"));
	if (unpriced)
		fprintf(out, ", %llu without a price", (unsigned long long)unpriced);
	if (unpriced || !is_exact(sums))
		fprintf(out, "; budgets count %s USD", about(sums, "in_budgets_usd", counted));
	if (!is_exact(sums))
		fprintf(out, " (%s to %s)", about(sums, "low_usd", low),
			about(sums, "high_usd", high));
	fputc('\n', out);
}

/* As budgets count: what has no price is part of what the month will cost. */
static void print_forecast(const json_t *root, FILE *out)
{
	const json_t *forecast = json_object_get(root, "forecast_in_budgets");
	static const char *const periods[][2] = { { "day", "today" }, { "month", "this month" } };
	char spent[SHOW_LEN], expected[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(periods); i++) {
		const json_t *period = json_object_get(forecast, periods[i][0]);

		fprintf(out, "  %-10s %s USD in budgets", periods[i][1],
			about(period, "spent_usd", spent));
		if (json_object_get(period, "expected_usd"))
			fprintf(out, ", at its end about %s (%s to %s)",
				about(period, "expected_usd", expected),
				about(period, "low_usd", low), about(period, "high_usd", high));
		fputc('\n', out);
	}
}

static void print_rows(const json_t *rows, FILE *out)
{
	static const struct table_column columns[] = {
		{ "MODEL", false }, { "HOST", false },     { "PROGRAM", false },
		{ "CALLS", true },  { "ESTIMATED", true }, { "COST USD", true },
		{ NULL, false },
	};
	struct table *table = json_array_size(rows) ? table_new(columns) : NULL;
	bool has_budgets = has_other(rows);
	char count[SHOW_LEN];
	json_t *row;
	size_t i;

	if (!table)
		return;
	if (has_budgets)
		table_column(table, "IN BUDGETS", true);
	json_array_foreach(rows, i, row) {
		table_cell(table, string(row, "model"));
		table_cell(table, string(row, "host"));
		table_cell(table,
			   *string(row, "client") ? string(row, "client") : string(row, "command"));
		table_cell(table, show_count(number(row, "calls"), count));
		table_cell(table, show_count(number(row, "estimated_calls"), count));
		table_cell(table, cost(row, count));
		if (has_budgets)
			table_cell(table, usd(string(row, "in_budgets_usd"), count));
	}
	fprintf(out, "\nOn what, in 24 hours\n");
	table_print(table, out, 0);
	table_free(table);
}

static void print_calls(const json_t *calls, FILE *out)
{
	static const struct table_column columns[] = {
		{ "CALL", true }, { "TIME", true },   { "MODEL", false },   { "PROGRAM", false },
		{ "PID", true },  { "STATUS", true }, { "COST USD", true }, { NULL, false },
	};
	struct table *table = json_array_size(calls) ? table_new(columns) : NULL;
	bool has_budgets = has_other(calls);
	char text[SHOW_LEN];
	json_t *row;
	size_t i;

	if (!table)
		return;
	if (has_budgets)
		table_column(table, "IN BUDGETS", true);
	table_column(table, "KNOWN BY", false);
	json_array_foreach(calls, i, row) {
		table_format(table, "%llu", (unsigned long long)number(row, "call"));
		table_cell(table, clock_of(string(row, "time"), text));
		table_cell(table, string(row, "model"));
		table_cell(table, string(row, "command"));
		table_format(table, "%llu", (unsigned long long)number(row, "pid"));
		if (number(row, "status"))
			table_format(table, "%llu", (unsigned long long)number(row, "status"));
		else
			table_cell(table, "");
		table_cell(table, cost(row, text));
		if (has_budgets)
			table_cell(table, usd(string(row, "in_budgets_usd"), text));
		if (number(row, "count") > 1)
			table_format(table, "%s, %llu calls", string(row, "source"),
				     (unsigned long long)number(row, "count"));
		else
			table_cell(table, string(row, "source"));
	}
	fprintf(out, "\nIts last calls (`aigress explain call N`)\n");
	table_print(table, out, 0);
	table_free(table);
}

static void print_action(const json_t *row, FILE *out)
{
	char text[SHOW_TEXT_LEN(1024)], target[SHOW_TEXT_LEN(640)];
	/* Its cgroup is its own; a process is one of several. */
	bool is_process = !strncmp(string(row, "target"), "process ", strlen("process "));

	fprintf(out, "  %s  %s%s%s%s: %s  (action %llu)\n", string(row, "time"),
		string(row, "action"),
		json_is_true(json_object_get(row, "rehearsed")) ? " (rehearsed)" : "",
		is_process ? " " : "",
		is_process ? show_text(string(row, "target"), target, sizeof(target)) : "",
		show_text(string(row, "result"), text, sizeof(text)),
		(unsigned long long)number(row, "id"));
	if (*string(row, "ended"))
		fprintf(out, "    ended %s, because %s\n", string(row, "ended"),
			show_text(string(row, "because"), text, sizeof(text)));
	else if (*string(row, "release"))
		fprintf(out, "    in force%s%s; release: %s\n",
			*string(row, "until") ? " until " : "", string(row, "until"),
			string(row, "release"));
}

static void print(const json_t *root, FILE *out)
{
	char text[SHOW_TEXT_LEN(WHO_LABEL_LEN)], rate[SHOW_LEN];
	const json_t *actions = json_object_get(root, "actions");
	json_t *row;
	size_t i;

	fprintf(out, "%s\n", show_text(string(root, "who"), text, sizeof(text)));
	print_sums("24 hours", json_object_get(root, "day"), out);
	print_sums("an hour", json_object_get(root, "hour"), out);
	fprintf(out, "  %-10s %s USD/h in budgets, of the last 60 minutes\n", "rate",
		about(json_object_get(root, "forecast_in_budgets"), "usd_per_hour", rate));
	print_forecast(root, out);
	fprintf(out, "\nWhat was done to it, in 30 days\n");
	json_array_foreach(actions, i, row)
		print_action(row, out);
	if (!json_array_size(actions))
		fprintf(out, "  nothing\n");
	print_rows(json_object_get(root, "rows"), out);
	print_calls(json_object_get(root, "calls"), out);
}

int caller_print(struct ledger *ledger, const struct zone *zone, const char *who, FILE *out)
{
	int err;
	json_t *root = caller_json(ledger, who, zone, clock_wall_us(), &err);

	if (root)
		print(root, out);
	json_decref(root);
	return err;
}

static int print_one(struct ledger *ledger, const struct zone *zone, const char *who, bool json)
{
	json_t *root;
	int err;

	if (!json)
		return caller_print(ledger, zone, who, stdout);
	root = caller_json(ledger, who, zone, clock_wall_us(), &err);
	if (!root)
		return err;
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(root);
	return 0;
}

int explain_who(struct ledger *ledger, const struct zone *zone, const char *part, bool json)
{
	char *names[NAMES_MAX] = { NULL }, text[SHOW_TEXT_LEN(WHO_LABEL_LEN)];
	int n = caller_names(ledger, part, clock_wall_us(), names, NAMES_MAX), err = n;

	if (n == 1)
		err = print_one(ledger, zone, names[0], json);
	else if (!n)
		fprintf(stderr,
			"aigress explain: nobody with \"%s\" in the name has called in 30 days; "
			"`aigress report --by who` lists names\n",
			show_text(part, text, sizeof(text)));
	else if (n > 1)
		fprintf(stderr, "aigress explain: %d names have \"%s\" in them; give more of one:\n",
			n, show_text(part, text, sizeof(text)));
	for (int i = 0; i < n && i < NAMES_MAX; i++) {
		if (n > 1)
			fprintf(stderr, "  %s\n", show_text(names[i], text, sizeof(text)));
		free(names[i]);
	}
	if (err < 0)
		fprintf(stderr, "aigress explain: the ledger cannot be read: %s\n", strerror(-err));
	return n == 1 && !err ? CMD_OK : CMD_FAILED;
}
