/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the day and the month will have cost: what was spent in each hour of the last weeks, and what follows
 * from it. No clock in here.
 *
 * The rest of a period is expected to cost what such a stretch of the past did on average: of the last 28 days,
 * by days, or where there are less than two of them, by hours. The interval holds four of five periods if days
 * go on to differ as they did; it reaches as far as the rate of the last hour leads, if that is more, and never
 * below what is spent.
 */
#ifndef LEDGER_FORECAST_H
#define LEDGER_FORECAST_H

#include <jansson.h>

#include "base/zone.h"
#include "ledger/ledger.h"

/* Quarters of an hour, on which days begin in every zone: a month, and where its zone begins it. */
#define HISTORY_SLOTS   (32 * 24 * 4)
#define HISTORY_MINUTES 60

/* What is summed: what has a price, and what budgets count, which is that and a stand-in's price for the rest. */
enum history_sum { HISTORY_PRICED, HISTORY_COUNTED, HISTORY_SUMS };

/* Nanos by quarters of an hour and by minutes since the epoch, at [n % HISTORY_SLOTS]. 49 kB. */
struct history {
	int64_t first_hour;   /* the first with a call, ever; 0: none */
	int64_t slot, minute; /* the newest ones */
	int64_t slots[HISTORY_SUMS][HISTORY_SLOTS];
	int64_t minutes[HISTORY_SUMS][HISTORY_MINUTES];
};

/*
 * From the ledger, up to now. It has whole hours of UTC: one in which this day or this month of the zone (NULL: of UTC)
 * begins is taken apart by its calls, if they are still there; else it belongs to the day before. who: of this caller
 * alone (who_label()), and of the time that the slots are of; NULL: of all. 0 or -errno.
 */
int history_load(struct history *history, struct ledger *ledger, const struct zone *zone,
		 const char *who, int64_t now_us);
/* A call that began at that time. */
void history_add(struct history *history, int64_t start_us, int64_t priced_nanos,
		 int64_t counted_nanos);

/* What was spent in [from, until), as far as it is there: both are rounded down to quarters of an hour. */
int64_t history_span(const struct history *history, enum history_sum which, int64_t from_us,
		     int64_t until_us);

struct forecast_period {
	int64_t start_us, end_us;
	int64_t spent;               /* since its start */
	int64_t low, expected, high; /* at its end */
};
struct forecast {
	int64_t per_hour; /* of the last 60 minutes */
	bool has_past;    /* an hour or more: otherwise low, expected and high are what is spent */
	struct forecast_period day, month;
};
/* Of calendar days and months of a zone. */
void forecast_make(struct history *history, const struct zone *zone, enum history_sum which,
		   int64_t now_us, struct forecast *ret);

/* { usd_per_hour, day: { start, end, spent_usd, low_usd, expected_usd, high_usd }, month }; NULL: no memory. */
json_t *forecast_json(const struct forecast *forecast);

#endif
