/* SPDX-License-Identifier: Apache-2.0 */
/* How fast a counter fills, and when its limit is reached. */
#include "unit.h"

#include "budget/trend.h"

#define MINUTE_US 60000000LL
#define HOUR_US   (60 * MINUTE_US)
#define USD       1000000000LL
#define T0        (1700000000 * 1000000LL)

static struct trends *trends;
static struct policy_budget budget = { .name = (char *)"b", .limit_nanos = 10 * USD };

static int make(void **state)
{
	trends = trends_new();
	return trends ? 0 : -1;
}

static int drop(void **state)
{
	trends = trends_free(trends);
	return 0;
}

static struct trend see(const char *key, int64_t spent, int64_t now_us)
{
	const struct policy_counter counter = { .budget = &budget,
						.key = key,
						.spent_nanos = spent,
						.limit_nanos = 10 * USD,
						.window_end_us = T0 + 10 * HOUR_US };
	struct trend trend;

	trends_see(trends, &counter, now_us, &trend);
	return trend;
}

static void a_steady_counter_has_its_rate_and_its_end(void **state)
{
	struct trend trend;

	assert_false(see("a", USD, T0).is_known);
	assert_false(see("a", USD, T0 + 29 * 1000000).is_known);
	for (int minute = 1; minute <= 30; minute++)
		trend = see("a", USD + minute * USD / 30, T0 + minute * MINUTE_US);
	assert_true(trend.is_known);
	assert_in_range(trend.per_hour, 2 * USD - 1000, 2 * USD + 1000);
	/* 8 USD are left */
	assert_in_range(trend.reached_us, T0 + 30 * MINUTE_US + 4 * HOUR_US - MINUTE_US,
			T0 + 30 * MINUTE_US + 4 * HOUR_US + MINUTE_US);
	/* Each by itself. */
	assert_false(see("b", USD, T0 + 30 * MINUTE_US).is_known);
}

static void a_rate_is_forgotten_in_ten_minutes(void **state)
{
	struct trend trend = { 0 };

	(void)see("a", 0, T0);
	trend = see("a", 5 * USD, T0 + MINUTE_US);
	assert_true(trend.per_hour == 300 * USD && trend.reached_us == T0 + 2 * MINUTE_US);
	for (int minute = 2; minute <= 12; minute++)
		trend = see("a", 5 * USD, T0 + minute * MINUTE_US);
	assert_true(trend.is_known && trend.per_hour == 0 && trend.reached_us == 0);
}

static void what_ends_before_or_is_over_is_not_reached(void **state)
{
	struct trend trend;

	(void)see("a", 0, T0);
	trend = see("a", USD / 100, T0 + MINUTE_US);
	assert_true(trend.per_hour == 6 * USD / 10 && trend.reached_us == 0);
	trend = see("a", 11 * USD, T0 + 2 * MINUTE_US);
	assert_true(trend.per_hour > 0 && trend.reached_us == 0);
	/* A new window, and a clock that was set back: it begins anew. */
	assert_false(see("a", USD, T0 + 3 * MINUTE_US).is_known);
	assert_true(see("a", USD, T0 + 4 * MINUTE_US).is_known);
	assert_false(see("a", USD, T0 + MINUTE_US).is_known);
}

static void many_counters_are_bounded(void **state)
{
	char key[16];

	(void)see("a", 0, T0);
	for (int i = 0; i < TREND_COUNTERS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		(void)see(key, 0, T0);
	}
	assert_false(see("a", USD, T0 + MINUTE_US).is_known);
	assert_true(see(key, USD, T0 + MINUTE_US).is_known);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_steady_counter_has_its_rate_and_its_end),
		HELD(a_rate_is_forgotten_in_ten_minutes),
		HELD(what_ends_before_or_is_over_is_not_reached),
		HELD(many_counters_are_bounded),
	};

	return cmocka_run_group_tests_name("trend", tests, NULL, NULL);
}
