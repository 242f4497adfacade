/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/coverage.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/show.h"
#include "cmd/table.h"

#define WHY_LEN 128

/* The words of unmetered.h. */
static const struct {
	const char *why, *text;
} reasons[] = {
	{ "quic", "QUIC is not read" },
	{ "older", "its connection is older than aigress" },
	{ "shared", "older than aigress, to an address of others as well: not charged" },
	{ "never", "no process is probed (attach: never)" },
	{ "returns", "its library returns in ways that cannot be followed on this kernel" },
	{ "refused", "the kernel refused probes on its library" },
	{ "unread", "its TLS library is not known" },
	{ "lost", "some of it was lost on the way (health in --json)" },
	{ "upgraded", "it went on as a protocol that is not read" },
	{ "late", "its first calls came before its probes" },
};

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_int_t integer(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static uint64_t both(const json_t *row, const char *key)
{
	const json_t *bytes = json_object_get(row, key);

	return (uint64_t)(integer(bytes, "out") + integer(bytes, "in"));
}

static const char *text_of(const char *why)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(why, reasons[i].why))
			return reasons[i].text;
	return why; /* of a newer daemon, or "" */
}

static void print_rows(json_t *coverage,
		       bool (*library)(void *arg, json_int_t pid, char *ret, size_t size), void *arg)
{
	static const struct table_column columns[] = {
		{ "WHO", false },      { "COMMAND", false },    { "PID", true },
		{ "HOST", false },     { "CONNECTIONS", true }, { "READ", true },
		{ "ESTIMATED", true }, { "MEASURED", true },    { "NO CALL", true },
		{ "WHY", false },      { NULL, false },
	};
	struct table *table = table_new(columns);
	size_t i;
	json_t *row;

	if (!table)
		return;
	json_array_foreach(coverage, i, row) {
		uint64_t read = both(row, "read_bytes"), estimated = both(row, "estimated_bytes");
		const char *why = string(row, "why");
		char text[SHOW_LEN], shown[WHY_LEN];

		table_cell(table, string(row, "who"));
		table_cell(table, string(row, "command"));
		table_format(table, "%lld", integer(row, "pid"));
		table_cell(table, string(row, "host"));
		table_cell(table, show_count((uint64_t)integer(row, "flows"), text));
		table_cell(table, show_bytes(read, text));
		table_cell(table, show_bytes(estimated, text));
		table_format(table, "%.0f %%",
			     read + estimated ? 100.0 * (double)read / (double)(read + estimated) :
						0.0);
		table_cell(table, show_count((uint64_t)integer(row, "other_requests"), text));
		if (strcmp(why, "unread") ||
		    !library(arg, integer(row, "pid"), shown, sizeof(shown)))
			snprintf(shown, sizeof(shown), "%s", text_of(why));
		table_cell(table, shown);
	}
	table_print(table, stdout, 0);
	table_free(table);
}

/* A tenant has up to 64; more of them are in `check --json`. */
#define ESTIMATES_SHOWN 64
#define ERROR_SHOWN     1000 /* thousandths */

/* An error of many times the value says no more than that it is a guess. */
static void show_error(struct table *table, json_int_t permille)
{
	if (permille > ERROR_SHOWN)
		table_cell(table, "over 100 %");
	else if (permille >= 100)
		table_format(table, "%lld %%", (long long)(permille + 5) / 10);
	else
		table_format(table, "%.1f %%", (double)permille / 10);
}

/* What measured calls taught: how far an estimate may be off. */
static void print_estimates(json_t *estimates)
{
	static const struct table_column columns[] = {
		{ "WHO", false },   { "HOST", false },          { "MODEL", false },
		{ "BY", false },    { "TOKENS", false },        { "CALLS", true },
		{ "FACTOR", true }, { "EXPECTED ERROR", true }, { NULL, false },
	};
	struct table *table = table_new(columns);
	size_t i;
	json_t *row;

	if (!table)
		return;
	json_array_foreach(estimates, i, row) {
		const json_t *error = json_object_get(row, "error_permille");
		const char *from = string(row, "from"), *model = string(row, "model");
		char text[SHOW_LEN];

		if (i == ESTIMATES_SHOWN)
			break;
		table_cell(table, string(row, *string(row, "who") ? "who" : "cgroup"));
		table_cell(table, string(row, "host"));
		table_cell(table, *model ? model : "all");
		table_cell(table, !strcmp(from, "text") ? "text" :
				  !strcmp(from, "json") ? "size, one JSON" :
							  "size, stream");
		table_cell(table, string(row, "tokens"));
		table_cell(table, show_count((uint64_t)integer(row, "calls"), text));
		table_format(table, "%.2f", (double)integer(row, "factor_permille") / 1000);
		if (json_is_integer(error))
			show_error(table, json_integer_value(error));
		else
			table_cell(table, "not known yet");
	}
	table_print(table, stdout, 0);
	table_free(table);
}

void coverage_print(json_t *coverage, json_t *estimates,
		    bool (*library)(void *arg, json_int_t pid, char *ret, size_t size), void *arg)
{
	if (!json_array_size(coverage)) {
		printf("\nAI traffic since the daemon's start: none was seen\n");
		return;
	}
	printf("\nAI traffic since the daemon's start\n");
	print_rows(coverage, library, arg);
	printf("\nNO CALL: requests that were read and are of no kind that is known to be charged.\n");
	if (!json_array_size(estimates))
		return;
	printf("\nWhat measured calls taught the estimates of their own caller\n");
	print_estimates(estimates);
	if (json_array_size(estimates) > ESTIMATES_SHOWN)
		printf("and %zu more, in check --json\n",
		       json_array_size(estimates) - ESTIMATES_SHOWN);
}
