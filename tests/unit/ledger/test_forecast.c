/* SPDX-License-Identifier: Apache-2.0 */
/* What a day and a month will have cost follows from the hours before. */
#include "unit.h"

#include "base/clock.h"
#include "ledger/forecast.h"

#define HOUR_US (3600 * US_PER_S)
#define DAY_US  (24 * HOUR_US)
#define USD     1000000000LL
/* 2026-11-20T12:00:00Z: 12 h of the day and 10.5 days of the month are left. */
#define NOW (1795176000 * US_PER_S)

static struct history history;
static struct zone *utc;

static int make(void **state)
{
	memset(&history, 0, sizeof(history));
	return zone_load(&utc, "UTC");
}

static int drop(void **state)
{
	utc = zone_free(utc);
	return 0;
}

/* Amounts in the middle of each hour from `ago` hours before now on. */
static void spend(int64_t ago, int64_t until, int64_t nanos)
{
	for (int64_t hour = ago; hour > until; hour--)
		history_add(&history, NOW - hour * HOUR_US + HOUR_US / 2, nanos,
			    nanos > 1000 * USD || nanos < 0 ? nanos : 2 * nanos);
}

static void about(int64_t is, int64_t usd, const char *what)
{
	if (is < usd * USD - USD / 100 || is > usd * USD + USD / 100)
		fail_msg("%s: %lld nanos, not %lld USD", what, (long long)is, (long long)usd);
}

static void nothing_is_forecast_without_a_past(void **state)
{
	struct forecast forecast;

	history_add(&history, NOW - 60 * US_PER_S, 3 * USD, 3 * USD);
	forecast_make(&history, utc, HISTORY_PRICED, NOW, &forecast);
	/* an hour ago there was nothing yet, but the hour before noon is over */
	assert_true(forecast.has_past);
	forecast_make(&history, utc, HISTORY_PRICED, NOW - 60 * US_PER_S, &forecast);
	about(forecast.per_hour, 3, "rate");
	memset(&history, 0, sizeof(history));
	history_add(&history, NOW, 3 * USD, 3 * USD);
	forecast_make(&history, utc, HISTORY_PRICED, NOW + 60 * US_PER_S, &forecast);
	assert_false(forecast.has_past);
	about(forecast.day.spent, 3, "spent");
	about(forecast.day.low, 3, "low");
	about(forecast.day.high, 3, "high");
}

static void what_is_steady_goes_on(void **state)
{
	struct forecast forecast;

	spend(30 * 24, 0, USD);
	forecast_make(&history, utc, HISTORY_PRICED, NOW, &forecast);
	assert_true(forecast.has_past);
	about(forecast.per_hour, 1, "rate");
	about(forecast.day.spent, 12, "today");
	about(forecast.day.expected, 24, "today, in the end");
	about(forecast.day.low, 24, "at least");
	about(forecast.day.high, 24, "at most");
	about(forecast.month.spent, 19 * 24 + 12, "this month");
	about(forecast.month.expected, 30 * 24, "this month, in the end");
	about(forecast.month.low, 30 * 24, "at least");
	about(forecast.month.high, 30 * 24, "at most");
	forecast_make(&history, utc, HISTORY_COUNTED, NOW, &forecast);
	about(forecast.month.expected, 2 * 30 * 24, "with what budgets count");
}

/* The average knows nothing of it yet: the upper end does. */
static void a_runaway_moves_the_upper_end_at_once(void **state)
{
	struct forecast forecast;

	spend(30 * 24, 1, USD);
	spend(1, 0, 100 * USD);
	forecast_make(&history, utc, HISTORY_PRICED, NOW, &forecast);
	about(forecast.per_hour, 100, "rate");
	assert_true(forecast.day.expected < 200 * USD);
	assert_true(forecast.day.high >= forecast.day.spent + 12 * 100 * USD);
	/* It was stopped: two hours later only the past is left. */
	forecast_make(&history, utc, HISTORY_PRICED, NOW + 2 * HOUR_US, &forecast);
	assert_int_equal(forecast.per_hour, 0);
	assert_true(forecast.day.high < 250 * USD);
	assert_true(forecast.day.low >= forecast.day.spent);
}

/* Hours that differ by chance: four of five days end within their interval. */
static void the_interval_holds_four_of_five(void **state)
{
	uint64_t random = 88172645463325252ULL;
	unsigned inside = 0, n = 0;

	for (int day = 0; day < 300; day++) {
		int64_t midnight = NOW - 12 * HOUR_US + (day - 300) * DAY_US, sum = 0;
		struct forecast forecast;

		for (int hour = 0; hour < 24; hour++) {
			random ^= random << 13, random ^= random >> 7, random ^= random << 17;
			if (hour == 6) {
				forecast_make(&history, utc, HISTORY_PRICED,
					      midnight + hour * HOUR_US, &forecast);
			}
			sum += (int64_t)(random % 10 == 0 ? 20 : random % 3) * USD;
			history_add(&history, midnight + hour * HOUR_US + 1,
				    (int64_t)(random % 10 == 0 ? 20 : random % 3) * USD, 0);
		}
		if (day < 30)
			continue;
		n++;
		inside += sum >= forecast.day.low && sum <= forecast.day.high;
	}
	assert_in_range(inside * 100 / n, 70, 95);
}

static void months_are_those_of_the_zone(void **state)
{
	struct zone *zone = NULL;
	struct forecast forecast;

	assert_int_equal(zone_load(&zone, "Asia/Tokyo"), 0);
	spend(30 * 24, 0, USD);
	forecast_make(&history, zone, HISTORY_PRICED, NOW, &forecast);
	/* 21:00 there; their month began nine hours earlier */
	about(forecast.day.spent, 21, "today");
	about(forecast.month.spent, 19 * 24 + 21, "this month");
	about(forecast.day.expected, 24, "today, in the end");
	zone_free(zone);
}

/* A day that begins at 18:30 UTC has what was spent from then on, to the quarter of an hour. */
static void days_may_begin_within_an_hour(void **state)
{
	/* minutes after 18:00 UTC of the day before, in which 2, 4, 8 and 16 USD were spent */
	static const int64_t minutes[] = { 10, 20, 40, 50 };
	static const struct {
		const char *zone;
		int64_t usd;
	} days[] = { { "Asia/Kolkata", 24 },   /* 18:30 */
		     { "Asia/Kathmandu", 28 }, /* 18:15 */
		     { "Asia/Dhaka", 30 } };   /* 18:00 */
	int64_t begin = NOW - 18 * HOUR_US;

	for (size_t i = 0; i < ARRAY_SIZE(minutes); i++)
		history_add(&history, begin + minutes[i] * 60 * US_PER_S, (2LL << i) * USD, 0);
	for (size_t i = 0; i < ARRAY_SIZE(days); i++) {
		struct zone *zone = NULL;
		struct forecast forecast;

		assert_int_equal(zone_load(&zone, days[i].zone), 0);
		forecast_make(&history, zone, HISTORY_PRICED, NOW, &forecast);
		about(forecast.day.spent, days[i].usd, days[i].zone);
		about(forecast.month.spent, 30, days[i].zone);
		zone_free(zone);
	}
}

static void sums_beyond_all_bounds_do_no_harm(void **state)
{
	struct forecast forecast;

	spend(40 * 24, -1, INT64_MAX);
	spend(10, 0, INT64_MIN);
	forecast_make(&history, utc, HISTORY_PRICED, NOW, &forecast);
	history_add(&history, -5, 1, 1);
	history_add(&history, INT64_MAX, 1, 1);
	forecast_make(&history, utc, HISTORY_PRICED, INT64_MAX / 2, &forecast);
}

static void the_ledger_gives_the_same_history(void **state)
{
	static const char *const zones[] = { "UTC", "Asia/Kolkata", "Asia/Kathmandu",
					     "Australia/Adelaide", "Asia/Tokyo" };
	char dir[UNIT_FOLDER_LEN];
	struct who_group group = { .path = "/a" };
	struct who_process process = { .comm = "sh" };
	struct charge charge = { .cost_nanos = 5 * USD, .budget_nanos = 7 * USD, .is_priced = true };
	struct history loaded;
	struct ledger *ledger;

	assert_int_equal(unit_folder(dir), 0);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	for (int64_t ago = 70 * 24; ago >= 0; ago -= 5) {
		struct ledger_call call = { .start_us = NOW - ago * HOUR_US / 2 - 1,
					    .charge = &charge,
					    .group = &group,
					    .process = &process };

		assert_int_equal(ledger_add(ledger, &call, NULL), 0);
		history_add(&history, call.start_us, charge.cost_nanos, charge.budget_nanos);
	}
	/* The ledger has hours, the calls their own minutes: what follows is the same, in zones of half and quarter hours. */
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		struct zone *zone = NULL;
		struct forecast a, b;

		assert_int_equal(zone_load(&zone, zones[i]), 0);
		assert_int_equal(history_load(&loaded, ledger, zone, NULL, NOW - 1), 0);
		for (enum history_sum sum = 0; sum < HISTORY_SUMS; sum++) {
			forecast_make(&loaded, zone, sum, NOW - 1, &a);
			forecast_make(&history, zone, sum, NOW - 1, &b);
			assert_memory_equal(&a, &b, sizeof(a));
		}
		zone_free(zone);
	}
	ledger_free(ledger);
	unit_remove(dir);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(nothing_is_forecast_without_a_past),
		HELD(what_is_steady_goes_on),
		HELD(a_runaway_moves_the_upper_end_at_once),
		HELD(the_interval_holds_four_of_five),
		HELD(months_are_those_of_the_zone),
		HELD(days_may_begin_within_an_hour),
		HELD(sums_beyond_all_bounds_do_no_harm),
		HELD(the_ledger_gives_the_same_history),
	};

	return cmocka_run_group_tests_name("forecast", tests, NULL, NULL);
}
