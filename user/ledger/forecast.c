/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/forecast.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/text.h"
#include "ledger/ledger_internal.h"

#define MINUTE_US  (60 * US_PER_S)
#define SLOT_US    (15 * MINUTE_US)
#define HOUR_US    (3600 * US_PER_S)
#define HOUR_SLOTS (HOUR_US / SLOT_US)
#define DAY_HOURS  24
#define PAST_DAYS  28 /* whole weeks, so that each day of the week weighs the same */

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
	slide(&history->slots[0][0], HISTORY_SLOTS, &history->slot, now_us / SLOT_US);
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

static void put_slot(struct history *history, int64_t slot, const int64_t nanos[HISTORY_SUMS])
{
	int64_t hour = slot / HOUR_SLOTS;

	put(&history->slots[0][0], HISTORY_SLOTS, history->slot, slot, nanos);
	if (hour > 0 && (!history->first_hour || hour < history->first_hour))
		history->first_hour = hour;
}

void history_add(struct history *history, int64_t start_us, int64_t priced_nanos,
		 int64_t counted_nanos)
{
	const int64_t nanos[HISTORY_SUMS] = { priced_nanos, counted_nanos };

	look(history, start_us);
	put_slot(history, start_us / SLOT_US, nanos);
	put(&history->minutes[0][0], HISTORY_MINUTES, history->minute, start_us / MINUTE_US, nanos);
}

static void put_hour(struct history *history, int64_t hour, const int64_t nanos[HISTORY_SUMS])
{
	put_slot(history, hour * HOUR_SLOTS, nanos);
}

static void put_minute(struct history *history, int64_t minute, const int64_t nanos[HISTORY_SUMS])
{
	put(&history->minutes[0][0], HISTORY_MINUTES, history->minute, minute, nanos);
}

/* From the first quarter of its hour, where put_hour() has left it, to its own. */
static void move_slot(struct history *history, int64_t slot, const int64_t nanos[HISTORY_SUMS])
{
	const int64_t less[HISTORY_SUMS] = { -nanos[HISTORY_PRICED], -nanos[HISTORY_COUNTED] };

	put_slot(history, slot, nanos);
	put_slot(history, slot - slot % HOUR_SLOTS, less);
}

/* ?2 is NULL for all. */
#define OF_WHO " AND (?2 IS NULL OR subject IN (" LEDGER_SUBJECTS_OF "?2))"

/* Of a statement of (number, priced, counted) from a number on. 0 or -errno. */
static int load(struct history *history, struct ledger *ledger, const char *sql, int64_t from,
		const char *who,
		void (*fn)(struct history *history, int64_t number,
			   const int64_t nanos[HISTORY_SUMS]))
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);
	int result;

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, from);
	sqlite3_bind_text(statement, 2, who, -1, SQLITE_STATIC);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		const int64_t nanos[HISTORY_SUMS] = { sqlite3_column_int64(statement, 1),
						      sqlite3_column_int64(statement, 2) };

		fn(history, sqlite3_column_int64(statement, 0), nanos);
	}
	return ledger_errno(result);
}

/* The month has begun with this day. */
static bool is_same_begin(const struct zone *zone, int64_t now_us)
{
	int64_t day_s, month_s, end_s;

	zone_window(zone, ZONE_DAY, 0, now_us / US_PER_S, &day_s, &end_s);
	zone_window(zone, ZONE_MONTH, 0, now_us / US_PER_S, &month_s, &end_s);
	return day_s == month_s;
}

/* The hour in which the present unit of the zone begins. */
static int load_begin(struct history *history, struct ledger *ledger, const struct zone *zone,
		      const char *who, enum zone_unit unit, int64_t now_us)
{
	int64_t start_s, end_s;

	zone_window(zone, unit, 0, now_us / US_PER_S, &start_s, &end_s);
	if (start_s * US_PER_S % HOUR_US == 0)
		return 0;
	return load(
		history, ledger,
		"SELECT start_us / 900000000 AS slot, SUM(cost_nanos), SUM(budget_nanos) FROM calls"
		" WHERE start_us >= ?1 AND start_us < ?1 + 3600000000" OF_WHO " GROUP BY slot",
		start_s * US_PER_S / HOUR_US * HOUR_US, who, move_slot);
}

int history_load(struct history *history, struct ledger *ledger, const struct zone *zone,
		 const char *who, int64_t now_us)
{
	int64_t first = 0;
	int err;

	memset(history, 0, sizeof(*history));
	look(history, now_us);
	(void)ledger_flush(ledger);
	err = load(history, ledger,
		   "SELECT hour, SUM(cost_nanos), SUM(budget_nanos) FROM hours WHERE hour > ?1" OF_WHO
		   " GROUP BY hour",
		   (history->slot - HISTORY_SLOTS) / HOUR_SLOTS, who, put_hour);
	if (!err)
		err = load(history, ledger,
			   "SELECT start_us / 60000000 AS minute, SUM(cost_nanos), SUM(budget_nanos)"
			   " FROM calls WHERE start_us >= ?1" OF_WHO " GROUP BY minute",
			   (history->minute - HISTORY_MINUTES + 1) * MINUTE_US, who, put_minute);
	if (!err && zone)
		err = load_begin(history, ledger, zone, who, ZONE_DAY, now_us);
	if (!err && zone && !is_same_begin(zone, now_us))
		err = load_begin(history, ledger, zone, who, ZONE_MONTH, now_us);
	if (!err && !who)
		err = ledger_query_int(ledger, "SELECT min(hour) FROM hours", &first);
	if (!err && first > 0)
		history->first_hour = first;
	return err;
}

/* Of [from, to). */
static int64_t sum_slots(const struct history *history, enum history_sum which, int64_t from,
			 int64_t to)
{
	int64_t sum = 0;

	if (from <= history->slot - HISTORY_SLOTS)
		from = history->slot - HISTORY_SLOTS + 1;
	for (int64_t slot = from; slot < to && slot <= history->slot; slot++)
		add(&sum, history->slots[which][slot % HISTORY_SLOTS]);
	return sum;
}

int64_t history_span(const struct history *history, enum history_sum which, int64_t from_us,
		     int64_t until_us)
{
	return sum_slots(history, which, from_us / SLOT_US, until_us / SLOT_US);
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
	int64_t present = history->slot / HOUR_SLOTS;
	int64_t known = history->first_hour ? present - history->first_hour : 0;
	struct past past = { .hours = known >= 2 * DAY_HOURS ? DAY_HOURS : 1 };
	__int128 sum = 0, squares = 0;

	past.n = known / past.hours;
	if (past.n > (past.hours == 1 ? 2 * DAY_HOURS : PAST_DAYS))
		past.n = past.hours == 1 ? 2 * DAY_HOURS : PAST_DAYS;
	for (int64_t i = 0; i < past.n; i++) {
		int64_t end = (present - i * past.hours) * HOUR_SLOTS;
		__int128 micros = sum_slots(history, which, end - past.hours * HOUR_SLOTS, end) /
				  1000;

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
	ret->spent = sum_slots(history, which, ret->start_us / SLOT_US, history->slot + 1);
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

/* Without a past only what is spent is known. */
static json_t *period_json(const struct forecast_period *period, bool has_past)
{
	json_t *object = json_object();
	char time[TEXT_TIME_LEN];

	field_text(object, "start", text_time(period->start_us, time));
	field_text(object, "end", text_time(period->end_us, time));
	field_money(object, "spent_usd", period->spent);
	if (!has_past)
		return object;
	field_money(object, "low_usd", period->low);
	field_money(object, "expected_usd", period->expected);
	field_money(object, "high_usd", period->high);
	return object;
}

json_t *forecast_json(const struct forecast *forecast)
{
	json_t *object = json_object();

	field_money(object, "usd_per_hour", forecast->per_hour);
	field_set(object, "day", period_json(&forecast->day, forecast->has_past));
	field_set(object, "month", period_json(&forecast->month, forecast->has_past));
	return object;
}
