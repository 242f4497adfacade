/* SPDX-License-Identifier: Apache-2.0 */
/* Old prices are said to be old: once, again after a week, and not before they are. */
#include "unit.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/price_age.h"

#define DAY_US (86400 * US_PER_S)

static void old_prices_are_warned_of_once_a_week(void **state)
{
	const int64_t day_us = 1795996800 *
			       US_PER_S; /* 2026-11-30, the newest of the built-in files */
	struct prices *prices;
	int64_t again_us = 0, first_us;

	assert_int_equal(prices_new(&prices), 0);
	assert_int_equal(prices_load_builtin(prices, NULL), 0);
	price_age_look(prices, day_us + PRICE_AGE_DAYS * DAY_US, &again_us);
	assert_int_equal(again_us, 0);
	price_age_look(prices, day_us + (PRICE_AGE_DAYS + 1) * DAY_US, &again_us);
	assert_int_equal(again_us, day_us + (PRICE_AGE_DAYS + 1 + PRICE_AGE_AGAIN_DAYS) * DAY_US);
	first_us = again_us;
	price_age_look(prices, first_us - 1, &again_us);
	assert_int_equal(again_us, first_us);
	price_age_look(prices, first_us, &again_us);
	assert_int_equal(again_us, first_us + PRICE_AGE_AGAIN_DAYS * DAY_US);
	prices_free(prices);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_prices_are_warned_of_once_a_week),
	};

	return cmocka_run_group_tests_name("price_age", tests, NULL, NULL);
}
