/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/outlook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cmd/show.h"
#include "cmd/table.h"

int outlook_read(struct ledger *ledger, const struct zone *zone, int64_t now_us, struct outlook *ret)
{
	_cleanup_free_ struct history *history = malloc(sizeof(*history));
	int err = history ? history_load(history, ledger, zone, NULL, now_us) : -ENOMEM;

	if (err)
		return err;
	forecast_make(history, zone, HISTORY_PRICED, now_us, &ret->priced);
	forecast_make(history, zone, HISTORY_COUNTED, now_us, &ret->counted);
	return 0;
}

static void print_period(const char *name, const struct forecast_period *period, bool has_past,
			 FILE *out)
{
	char spent[SHOW_LEN], expected[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	fprintf(out, " %s %s USD", name, show_about(period->spent, spent));
	if (has_past)
		fprintf(out, ", at its end about %s (%s to %s)",
			show_about(period->expected, expected), show_about(period->low, low),
			show_about(period->high, high));
	fputc('.', out);
}

static void print(const struct forecast *forecast, FILE *out)
{
	char rate[SHOW_LEN];

	fprintf(out, "%s USD/h in the last 60 minutes.", show_about(forecast->per_hour, rate));
	print_period("Today", &forecast->day, forecast->has_past, out);
	print_period("This month", &forecast->month, forecast->has_past, out);
	fputc('\n', out);
}

unsigned outlook_print(const struct outlook *outlook, FILE *out)
{
	bool is_whole = outlook->counted.month.spent == outlook->priced.month.spent;

	print(&outlook->priced, out);
	if (is_whole)
		return 1;
	fprintf(out, "With what has no price, as budgets count it: ");
	print(&outlook->counted, out);
	return 2;
}

/* "~14 (5.39 to 28)" */
static void add_end(struct table *table, const struct forecast_period *period, bool has_past)
{
	char expected[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	if (has_past)
		table_format(table, "~%s (%s to %s)", show_about(period->expected, expected),
			     show_about(period->low, low), show_about(period->high, high));
	else
		table_cell(table, "not known yet");
}

static void add_forecast(struct table *table, const char *name, const struct forecast *forecast)
{
	char text[SHOW_LEN];

	table_cell(table, name);
	table_cell(table, show_about(forecast->per_hour, text));
	table_cell(table, show_about(forecast->day.spent, text));
	add_end(table, &forecast->day, forecast->has_past);
	table_cell(table, show_about(forecast->month.spent, text));
	add_end(table, &forecast->month, forecast->has_past);
}

unsigned outlook_print_short(const struct outlook *outlook, FILE *out)
{
	static const struct table_column columns[] = {
		{ "USD", false },       { "LAST HOUR", true }, { "TODAY", true },
		{ "AT ITS END", true }, { "MONTH", true },     { "AT ITS END", true },
		{ NULL, false },
	};
	bool is_whole = outlook->counted.month.spent == outlook->priced.month.spent;
	struct table *table = table_new(columns);

	if (!table)
		return 0;
	add_forecast(table, is_whole ? "spent" : "has a price", &outlook->priced);
	if (!is_whole)
		add_forecast(table, "in budgets", &outlook->counted);
	table_print(table, out, 0);
	table_free(table);
	return is_whole ? 2 : 3;
}
