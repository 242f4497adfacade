/* SPDX-License-Identifier: Apache-2.0 */
/* Families of the ledger and the prices. */
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/decimal.h"
#include "ledger/forecast.h"
#include "ledger/gaps.h"
#include "price/price.h"
#include "metrics/scrape_internal.h"

#define DAY_US (86400 * US_PER_S)

void scrape_write_config(struct scrape *scrape)
{
	exposition_count(&scrape->out, "", NULL, NULL, !scrape->sources.config_error);
}

void scrape_write_writable(struct scrape *scrape)
{
	if (scrape->sources.ledger)
		exposition_count(&scrape->out, "", NULL, NULL, !scrape->sources.is_ledger_failing);
}

void scrape_write_pending(struct scrape *scrape)
{
	if (scrape->sources.ledger)
		exposition_count(&scrape->out, "", NULL, NULL,
				 ledger_pending(scrape->sources.ledger));
}

void scrape_write_lost(struct scrape *scrape)
{
	if (scrape->sources.ledger)
		exposition_count(&scrape->out, "", NULL, NULL, ledger_lost(scrape->sources.ledger));
}

void scrape_write_prices(struct scrape *scrape)
{
	if (scrape->sources.prices)
		exposition_count(&scrape->out, "", NULL, NULL, prices_count(scrape->sources.prices));
}

/* The day at the end of what a price file calls itself: "litellm 2026-08-01". */
void scrape_write_prices_day(struct scrape *scrape)
{
	const char *origin;

	for (size_t i = 0;
	     scrape->sources.prices && (origin = prices_origin(scrape->sources.prices, i)); i++) {
		char labels[METRICS_LABELS_LEN] = "";
		int64_t day_s;

		if (!prices_day(origin, &day_s))
			continue;
		metrics_label(labels, sizeof(labels), "origin", origin);
		exposition_count(&scrape->out, labels, NULL, NULL, (uint64_t)day_s);
	}
}

/* The gap before a restart leaves the sum a day after it: alert on it, and it resolves by itself. */
void scrape_write_gaps(struct scrape *scrape)
{
	int64_t sum_us;

	if (scrape->sources.ledger && !gaps_sum(scrape->sources.ledger, scrape->now_us - DAY_US,
						scrape->now_us, GAPS_MEASURING, &sum_us))
		exposition_count(&scrape->out, "", NULL, NULL, (uint64_t)(sum_us / US_PER_S));
}

/* The last reconciliation, as cmd/reconcile.c keeps it; NULL: none. */
static json_t *reconciled(struct scrape *scrape)
{
	_cleanup_free_ char *text = scrape->sources.ledger ?
					    ledger_get(scrape->sources.ledger, "reconcile") :
					    NULL;

	return text ? json_loads(text, 0, NULL) : NULL;
}

void scrape_write_reconciled(struct scrape *scrape)
{
	static const struct {
		const char *key, *what;
	} sums[] = { { "billed_usd", "billed" },
		     { "seen_usd", "seen" },
		     { "never_seen_usd", "never-seen" },
		     { "not_billed_usd", "not-billed" } };
	json_t *fact = reconciled(scrape);

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++) {
		const char *text = json_string_value(json_object_get(fact, sums[i].key));
		char labels[METRICS_LABELS_LEN] = "";
		uint64_t nanos;

		/* Credits may leave less than nothing billed. */
		if (!text || !decimal_read(text + (*text == '-'), 9, &nanos) || nanos > INT64_MAX)
			continue;
		metrics_label(labels, sizeof(labels), "what", sums[i].what);
		exposition_nanos(&scrape->out, labels, NULL, NULL,
				 *text == '-' ? -(int64_t)nanos : (int64_t)nanos);
	}
	json_decref(fact);
}

void scrape_write_reconciled_day(struct scrape *scrape)
{
	json_t *fact = reconciled(scrape);

	if (fact)
		exposition_count(&scrape->out, "", NULL, NULL,
				 (uint64_t)json_integer_value(json_object_get(fact, "time_s")));
	json_decref(fact);
}

void scrape_write_drift(struct scrape *scrape)
{
	json_t *fact = reconciled(scrape), *value;
	const char *source;

	json_object_foreach(json_object_get(fact, "drift"), source, value) {
		char labels[METRICS_LABELS_LEN] = "";

		metrics_label(labels, sizeof(labels), "source", source);
		exposition_ratio(&scrape->out, labels, json_number_value(value));
	}
	json_decref(fact);
}

/* "priced": what has a price; "budgets": what they count. */
static const char *const sum_names[HISTORY_SUMS] = { "priced", "budgets" };

void scrape_write_spend_rate(struct scrape *scrape)
{
	for (size_t i = 0; scrape->sources.forecasts && i < HISTORY_SUMS; i++)
		exposition_nanos(&scrape->out, "", "sum", sum_names[i],
				 scrape->sources.forecasts[i].per_hour);
}

static void write_periods(struct scrape *scrape,
			  void (*fn)(struct scrape *scrape, const char *labels,
				     const struct forecast_period *period))
{
	for (size_t i = 0; scrape->sources.forecasts && i < HISTORY_SUMS; i++) {
		const struct forecast *forecast = &scrape->sources.forecasts[i];
		const struct forecast_period *const periods[] = { &forecast->day, &forecast->month };
		static const char *const names[] = { "day", "month" };

		for (size_t p = 0; p < ARRAY_SIZE(periods); p++) {
			char labels[METRICS_LABELS_LEN] = "";

			metrics_label(labels, sizeof(labels), "sum", sum_names[i]);
			metrics_label(labels, sizeof(labels), "period", names[p]);
			fn(scrape, labels, periods[p]);
		}
	}
}

static void write_spent(struct scrape *scrape, const char *labels,
			const struct forecast_period *period)
{
	exposition_nanos(&scrape->out, labels, NULL, NULL, period->spent);
}

void scrape_write_period(struct scrape *scrape)
{
	write_periods(scrape, write_spent);
}

static void write_bounds(struct scrape *scrape, const char *labels,
			 const struct forecast_period *period)
{
	exposition_nanos(&scrape->out, labels, "bound", "low", period->low);
	exposition_nanos(&scrape->out, labels, "bound", "expected", period->expected);
	exposition_nanos(&scrape->out, labels, "bound", "high", period->high);
}

/* Without a past there is none. */
void scrape_write_forecast(struct scrape *scrape)
{
	if (scrape->sources.forecasts && scrape->sources.forecasts[HISTORY_PRICED].has_past)
		write_periods(scrape, write_bounds);
}
