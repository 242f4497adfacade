/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/forecast.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/text.h"
#include "ledger/ledger_internal.h"

#define MINUTE_US (60 * US_PER_S)
#define HOUR_US   (3600 * US_PER_S)
#define DAY_HOURS 24
#define PAST_DAYS 28 /* whole weeks, so that each day of the week weighs the same */

/* Moves a ring on to the present slot; a clock that was set back writes into the past. */
static void slide(int64_t *rings, int64_t n, int64_t *newest, int64_t now)
{
	for (int64_t slot = now - *newest < n ? *newest + 1 : now - n + 1; slot <= now; slot++)
		for (int sum = 0; sum < HISTORY_SUMS; sum++)
			rings[sum * n + slot % n] = 0;
	if (now > *newest)
		*newest = now;
}

static void look(struct history *history, int64_t now_us)
{
	slide(&history->hours[0][0], HISTORY_HOURS, &history->hour, now_us / HOUR_US);
	slide(&history->minutes[0][0], HISTORY_MINUTES, &history->minute, now_us / MINUTE_US);
}

static int64_t clamp(__int128 value)
{
	return value > INT64_MAX ? INT64_MAX : value < INT64_MIN ? INT64_MIN : (int64_t)value;
}

static void add(int64_t *sum, __int128 more)
{
	*sum = clamp(*sum + more);
}

/* Into its slot, if it is there yet. */
static void put(int64_t *rings, int64_t n, int64_t newest, int64_t slot, const int64_t *nanos)
{
	if (slot < 0 || slot <= newest - n)
		return;
	for (int sum = 0; sum < HISTORY_SUMS; sum++)
		add(&rings[sum * n + slot % n], nanos[sum]);
}

static void put_hour(struct history *history, int64_t hour, const int64_t nanos[HISTORY_SUMS])
{
	put(&history->hours[0][0], HISTORY_HOURS, history->hour, hour, nanos);
	if (hour > 0 && (!history->first_hour || hour < history->first_hour))
		history->first_hour = hour;
}

void history_add(struct history *history, int64_t start_us, int64_t priced_nanos,
		 int64_t counted_nanos)
{
	const int64_t nanos[HISTORY_SUMS] = { priced_nanos, counted_nanos };

	look(history, start_us);
	put_hour(history, start_us / HOUR_US, nanos);
	put(&history->minutes[0][0], HISTORY_MINUTES, history->minute, start_us / MINUTE_US, nanos);
}

/* Of a statement of (slot, priced, counted). 0 or -errno. */
static int load(struct history *history, struct ledger *ledger, const char *sql, int64_t from,
		bool by_hour)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);
	int result;

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, from);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t slot = sqlite3_column_int64(statement, 0);
		int64_t nanos[HISTORY_SUMS] = { sqlite3_column_int64(statement, 1),
						sqlite3_column_int64(statement, 2) };

		if (by_hour)
			put_hour(history, slot, nanos);
		else
			put(&history->minutes[0][0], HISTORY_MINUTES, history->minute, slot, nanos);
	}
	return ledger_errno(result);
}

int history_load(struct history *history, struct ledger *ledger, int64_t now_us)
{
	int64_t first = 0;
	int err;

	memset(history, 0, sizeof(*history));
	look(history, now_us);
	(void)ledger_flush(ledger);
	err = load(history, ledger,
		   "SELECT hour, SUM(cost_nanos), SUM(budget_nanos) FROM hours WHERE hour > ?1"
		   " GROUP BY hour",
		   history->hour - HISTORY_HOURS, true);
	if (!err)
		err = load(history, ledger,
			   "SELECT start_us / 60000000 AS minute, SUM(cost_nanos), SUM(budget_nanos)"
			   " FROM calls WHERE start_us >= ?1 GROUP BY minute",
			   (history->minute - HISTORY_MINUTES + 1) * MINUTE_US, false);
	if (!err)
		err = ledger_query_int(ledger, "SELECT min(hour) FROM hours", &first);
	if (!err && first > 0)
		history->first_hour = first;
	return err;
}

/* Of [from, to). */
static int64_t sum_hours(const struct history *history, enum history_sum which, int64_t from,
			 int64_t to)
{
	int64_t sum = 0;

	if (from <= history->hour - HISTORY_HOURS)
		from = history->hour - HISTORY_HOURS + 1;
	for (int64_t hour = from; hour < to && hour <= history->hour; hour++)
		add(&sum, history->hours[which][hour % HISTORY_HOURS]);
	return sum;
}

static int64_t last_hour(const struct history *history, enum history_sum which)
{
	int64_t sum = 0;

	for (int i = 0; i < HISTORY_MINUTES; i++)
		add(&sum, history->minutes[which][i]);
	return sum;
}

/* Blocks of the past that are as long as each other, which the present hour is not in. */
struct past {
	int64_t hours; /* of a block */
	int64_t n;
	int64_t mean; /* micro-dollars: their squares fit */
	__int128 variance;
};

static struct past past_of(const struct history *history, enum history_sum which)
{
	int64_t known = history->first_hour ? history->hour - history->first_hour : 0;
	struct past past = { .hours = known >= 2 * DAY_HOURS ? DAY_HOURS : 1 };
	__int128 sum = 0, squares = 0;

	past.n = known / past.hours;
	if (past.n > (past.hours == 1 ? 2 * DAY_HOURS : PAST_DAYS))
		past.n = past.hours == 1 ? 2 * DAY_HOURS : PAST_DAYS;
	for (int64_t i = 0; i < past.n; i++) {
		int64_t end = history->hour - i * past.hours;
		__int128 micros = sum_hours(history, which, end - past.hours, end) / 1000;

		sum += micros;
		squares += micros * micros;
	}
	if (!past.n)
		return past;
	past.mean = (int64_t)(sum / past.n);
	past.variance = past.n > 1 ? (squares - sum * sum / past.n) / (past.n - 1) :
				     (__int128)past.mean * past.mean;
	if (past.variance < 0) /* rounded */
		past.variance = 0;
	return past;
}

/* Newton's method; the largest whole number whose square is no more. */
static int64_t root(__int128 square)
{
	__int128 at = square, next = (square + 1) / 2;

	while (next < at) {
		at = next;
		next = (at + square / at) / 2;
	}
	return at > INT64_MAX / 1000 ? INT64_MAX / 1000 : (int64_t)at;
}

/* Two of ten normal values are farther from the mean than 1.28 deviations. */
static int64_t deviation(const struct past *past, int64_t rest_s)
{
	/* that the blocks to come differ, and that the mean of so few is not the true one */
	__int128 blocks_permille = (__int128)rest_s * 1000 / (past->hours * 3600);
	__int128 variance = past->variance / 1000 * blocks_permille;

	variance += variance / 1000 * blocks_permille / past->n;
	return root(variance) / 100 * 128;
}

static void expect(const struct past *past, int64_t per_hour, int64_t now_us,
		   struct forecast_period *period)
{
	int64_t rest_s = (period->end_us - now_us) / US_PER_S;
	__int128 more, off, at_rate = period->spent;

	period->low = period->expected = period->high = period->spent;
	if (!past->n || rest_s <= 0)
		return;
	more = (__int128)past->mean * rest_s / (past->hours * 3600);
	off = deviation(past, rest_s);
	at_rate += (__int128)per_hour * rest_s / 3600;
	add(&period->expected, more * 1000);
	add(&period->low, (more > off ? more - off : 0) * 1000);
	add(&period->high, (more + off) * 1000);
	if (period->high < at_rate)
		period->high = clamp(at_rate);
}

static void find_period(const struct history *history, const struct zone *zone, enum zone_unit unit,
			enum history_sum which, int64_t now_us, struct forecast_period *ret)
{
	zone_window(zone, unit, 0, now_us / US_PER_S, &ret->start_us, &ret->end_us);
	ret->start_us *= US_PER_S;
	ret->end_us *= US_PER_S;
	ret->spent = sum_hours(history, which, ret->start_us / HOUR_US, history->hour + 1);
}

void forecast_make(struct history *history, const struct zone *zone, enum history_sum which,
		   int64_t now_us, struct forecast *ret)
{
	struct past past;

	*ret = (struct forecast){ 0 };
	look(history, now_us);
	past = past_of(history, which);
	ret->has_past = past.n;
	ret->per_hour = last_hour(history, which);
	find_period(history, zone, ZONE_DAY, which, now_us, &ret->day);
	find_period(history, zone, ZONE_MONTH, which, now_us, &ret->month);
	expect(&past, ret->per_hour, now_us, &ret->day);
	expect(&past, ret->per_hour, now_us, &ret->month);
}

static void set_money(json_t *object, const char *key, int64_t nanos)
{
	char money[MONEY_LEN];

	field_text(object, key, money_format(nanos, money));
}

/* Without a past only what is spent is known. */
static json_t *period_json(const struct forecast_period *period, bool has_past)
{
	json_t *object = json_object();
	char time[TEXT_TIME_LEN];

	field_text(object, "start", text_time(period->start_us, time));
	field_text(object, "end", text_time(period->end_us, time));
	set_money(object, "spent_usd", period->spent);
	if (!has_past)
		return object;
	set_money(object, "low_usd", period->low);
	set_money(object, "expected_usd", period->expected);
	set_money(object, "high_usd", period->high);
	return object;
}

json_t *forecast_json(const struct forecast *forecast)
{
	json_t *object = json_object();

	set_money(object, "usd_per_hour", forecast->per_hour);
	field_set(object, "day", period_json(&forecast->day, forecast->has_past));
	field_set(object, "month", period_json(&forecast->month, forecast->has_past));
	return object;
}
