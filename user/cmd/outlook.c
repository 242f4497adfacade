/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/outlook.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cmd/show.h"

int outlook_read(struct ledger *ledger, const struct zone *zone, int64_t now_us, struct outlook *ret)
{
	_cleanup_free_ struct history *history = malloc(sizeof(*history));
	int err = history ? history_load(history, ledger, zone, now_us) : -ENOMEM;

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

static void print_short_period(const char *name, const struct forecast_period *period,
			       bool has_past, FILE *out)
{
	char spent[SHOW_LEN], expected[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	fprintf(out, "  %s %s", name, show_about(period->spent, spent));
	if (has_past)
		fprintf(out, ", ~%s (%s to %s)", show_about(period->expected, expected),
			show_about(period->low, low), show_about(period->high, high));
}

static void print_short(const char *name, const struct forecast *forecast, FILE *out)
{
	char rate[SHOW_LEN];

	fprintf(out, "%s %s USD/h", name, show_about(forecast->per_hour, rate));
	print_short_period("TODAY", &forecast->day, forecast->has_past, out);
	print_short_period("MONTH", &forecast->month, forecast->has_past, out);
	fputc('\n', out);
}

unsigned outlook_print_short(const struct outlook *outlook, FILE *out)
{
	print_short("1 H", &outlook->priced, out);
	if (outlook->counted.month.spent == outlook->priced.month.spent)
		return 1;
	print_short("IN BUDGETS", &outlook->counted, out);
	return 2;
}
