/* SPDX-License-Identifier: Apache-2.0 */
/* The status page's sums of the last hours. */
#include "unit.h"

#include "base/clock.h"
#include "base/money.h"
#include "web/recent_spend.h"

#define T0      1700000000000000LL /* 2023-11-14T22:13:20Z */
#define HOUR_US (3600 * US_PER_S)
#define ID      "c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11c0ffee11"

static struct spend *spend;

static int setup(void **state)
{
	spend = spend_new();
	return spend ? 0 : -1;
}

static int teardown(void **state)
{
	spend = spend_free(spend);
	return 0;
}

static void call(const char *pod, int64_t at_us, bool is_priced)
{
	const struct charge charge = { .source = is_priced ? CHARGE_USAGE : CHARGE_SIZE,
				       .is_priced = is_priced,
				       .cost_nanos = is_priced ? NANOS_PER_USD : 0,
				       .budget_nanos = 2 * NANOS_PER_USD,
				       .model = "m",
				       .usage = { .input = 10, .output = 5 } };
	struct who_group group = { .path = "/kubepods/x/" ID, .container = ID };
	struct who_process process = { .tgid = 7, .comm = "python3" };

	snprintf(group.container_name, sizeof(group.container_name), "%s", *pod ? "web" : ID);
	snprintf(group.namespace, sizeof(group.namespace), "%s", *pod ? "shop" : "");
	snprintf(group.pod, sizeof(group.pod), "%s", pod);
	spend_call(
		spend,
		&(struct ledger_call){
			.start_us = at_us, .charge = &charge, .group = &group, .process = &process },
		1);
}

static size_t shown(int64_t now_us, const struct spend_row *rows[4])
{
	size_t more, n = spend_top(spend, now_us, rows, 4, &more);

	assert_int_equal(more, 0);
	return n;
}

/* All figures of a row are of the same hours: calls leave it together with what they cost. */
static void a_day_is_of_whole_hours(void **state)
{
	const struct spend_row *rows[4];
	struct spend_sums day;

	call("web-1", T0, true);
	call("web-1", T0 + HOUR_US, false);
	assert_int_equal(shown(T0 + HOUR_US, rows), 1);
	day = spend_day(rows[0]);
	assert_int_equal(day.priced, NANOS_PER_USD);
	assert_int_equal(day.counted, 4 * NANOS_PER_USD);
	assert_int_equal(day.calls, 2);
	assert_int_equal(day.tokens, 30);
	assert_int_equal(day.estimated, 1);
	assert_int_equal(day.unpriced, 1);
	assert_true(spend_day_from_us(T0 + 23 * HOUR_US) <= T0);
	assert_true(spend_day_from_us(T0 + 24 * HOUR_US) > T0);
	assert_int_equal(shown(T0 + 23 * HOUR_US, rows), 1);
	assert_int_equal(spend_day(rows[0]).calls, 2);
	assert_int_equal(shown(T0 + 24 * HOUR_US, rows), 1);
	day = spend_day(rows[0]);
	assert_int_equal(day.calls, 1);
	assert_int_equal(day.priced, 0);
	assert_int_equal(day.counted, 2 * NANOS_PER_USD);
	assert_int_equal(spend_day(spend_total(spend, T0 + 24 * HOUR_US)).calls, 1);
}

/* A container whose name comes after its first calls is one row. */
static void a_late_name_takes_over_what_was_spent_before(void **state)
{
	const struct spend_row *rows[4];

	call("", T0 - HOUR_US, true);
	call("", T0, true);
	assert_int_equal(shown(T0, rows), 1);
	assert_string_equal(rows[0]->who, ID);
	call("web-1", T0, true);
	assert_int_equal(shown(T0, rows), 1);
	assert_string_equal(rows[0]->who, "shop/web-1 web");
	assert_int_equal(spend_day(rows[0]).calls, 3);
	assert_int_equal(spend_last_minutes(rows[0], 1), 2 * NANOS_PER_USD);
	assert_int_equal(spend_day(spend_total(spend, T0)).calls, 3);
}

static void add_to_ledger(struct ledger *ledger, const char *name)
{
	const struct charge charge = { .source = CHARGE_USAGE,
				       .is_priced = true,
				       .cost_nanos = NANOS_PER_USD,
				       .host = "h",
				       .model = "m" };
	struct who_group group = { .path = "/docker/" ID, .container = ID };
	struct who_process process = { .comm = "python3" };

	snprintf(group.container_name, sizeof(group.container_name), "%s", name);
	assert_int_equal(ledger_add(ledger,
				    &(struct ledger_call){ .start_us = T0,
							   .charge = &charge,
							   .group = &group,
							   .process = &process },
				    NULL),
			 0);
	assert_int_equal(ledger_commit(ledger), 0);
}

/* After a restart, and of a container that calls no more. */
static void a_late_name_is_shown_without_another_call(void **state)
{
	const struct spend_row *rows[4];
	struct ledger *ledger = NULL;
	char dir[UNIT_FOLDER_LEN];

	assert_int_equal(unit_folder(dir), 0);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	add_to_ledger(ledger, ID);
	assert_int_equal(spend_restore(spend, ledger, T0, 1), 0);
	assert_int_equal(shown(T0, rows), 1);
	assert_string_equal(rows[0]->who, ID);
	assert_int_equal(ledger_name_container(
				 ledger, &(struct who_container){ .id = ID, .name = "shop-web-1" }),
			 1);
	assert_int_equal(spend_rename(&spend, ledger, T0, 1), 0);
	assert_int_equal(shown(T0, rows), 1);
	assert_string_equal(rows[0]->who, "shop-web-1");
	assert_int_equal(spend_day(rows[0]).calls, 1);
	/* Where nobody is called by an id nothing is read. */
	assert_int_equal(spend_rename(&spend, NULL, T0, 1), 0);
	ledger_free(ledger);
	assert_int_equal(unit_remove(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_day_is_of_whole_hours, setup, teardown),
		cmocka_unit_test_setup_teardown(a_late_name_takes_over_what_was_spent_before, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_late_name_is_shown_without_another_call, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
