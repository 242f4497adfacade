/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/counter_internal.h"
#include "budgeted.h"

static struct counters_common common;
static size_t bytes;

static struct counters *counters_of(struct policy_budget *budget)
{
	struct counters *counters;

	bytes = 0;
	common = (struct counters_common){ 0 };
	counters = counters_new(budget, false, &bytes, SIZE_MAX, &common);
	assert_non_null(counters);
	counters_roll(counters, T0);
	return counters;
}

static struct counter *spend(struct counters *counters, const char *key, uint64_t nanos)
{
	const struct counter_charge charge = { .nanos = nanos, .measured_nanos = nanos, .count = 1 };
	bool swept = false;
	struct counter *counter = counters_get(counters, key, true, &swept);

	assert_non_null(counter);
	counter_add(counters, counter, &charge, 7);
	return counter;
}

/* A jump back of less than a window keeps it and its sums, one of more moves it. */
static void a_day_turns_at_its_end_and_not_before(void **state)
{
	struct policy_budget budget = day_budget();
	struct counters *counters = counters_of(&budget);
	struct counter *counter = spend(counters, "a", 5);
	uint32_t epoch = counters->epoch, turns = common.turns;

	counters_roll(counters, counters->end_us - 1);
	assert_int_equal(common.turns, turns);
	counters_roll(counters, counters->start_us - 1);
	assert_int_equal(common.turns, turns);
	counters_roll(counters, counters->end_us);
	assert_int_equal(common.turns, turns + 1);
	assert_int_equal(counters->epoch, epoch + 1);
	assert_int_equal(counter->sum.nanos, 5);
	assert_true(counter_catch_up(counters, counter));
	assert_int_equal(counter->sum.nanos, 0);
	assert_int_equal(counter->gone, 5);
	assert_int_equal(counter->calls_gone, 1);
	assert_false(counter_catch_up(counters, counter));
	spend(counters, "a", 3);
	counters_roll(counters, counters->start_us - 3 * DAY_US);
	assert_int_equal(common.turns, turns + 2);
	assert_false(counter_catch_up(counters, counter)); /* the sums come along */
	assert_int_equal(counter->sum.nanos, 3);
	counters_free(counters);
	assert_int_equal(bytes, 0);
}

static void slots_leave_one_by_one(void **state)
{
	struct policy_budget budget = day_budget();
	struct counters *counters;
	struct counter *counter;
	int64_t slot_us;

	budget.window = POLICY_ROLLING;
	budget.window_us = POLICY_SLOTS * MINUTE_US;
	counters = counters_of(&budget);
	slot_us = counters->slot_us;
	assert_int_equal(slot_us, MINUTE_US);
	counter = spend(counters, "a", 1);
	counters_roll(counters, T0 + slot_us);
	spend(counters, "a", 10);
	assert_int_equal(counter->sum.nanos, 11);
	counters_roll(counters, T0 + (POLICY_SLOTS - 1) * slot_us);
	counter_slide(counters, counter);
	assert_int_equal(counter->sum.nanos, 11);
	counters_roll(counters, T0 + POLICY_SLOTS * slot_us);
	counter_slide(counters, counter);
	assert_int_equal(counter->sum.nanos, 10);
	assert_int_equal(counter->gone, 1);
	counters_roll(counters, T0 + 1000 * slot_us);
	counter_slide(counters, counter);
	assert_int_equal(counter->sum.nanos, 0);
	assert_int_equal(counter->gone, 11);
	assert_int_equal(counter->calls_gone, 2);
	counters_free(counters);
}

/* What is reserved keeps its counter, what was spent in a window that is over does not. */
static void a_full_table_drops_what_holds_nothing(void **state)
{
	struct policy_budget budget = day_budget();
	struct counters *counters = counters_of(&budget);
	struct counter *kept, *other;
	uint64_t reserved;
	bool swept = false;

	spend(counters, "a", 1);
	kept = spend(counters, "b", 1);
	counter_reserve(counters, kept, 1, &reserved);
	counters->max_bytes = bytes; /* no room for one more */
	other = counters_get(counters, "c", true, &swept);
	assert_ptr_equal(other, counters->other);
	assert_true(swept);
	assert_int_equal(counters_count(counters), 3);
	counters_roll(counters, T0 + DAY_US);
	counters->max_bytes = bytes;
	assert_string_equal(counters_get(counters, "c", true, &swept)->key, "c");
	assert_null(counters_get(counters, "a", false, &swept));
	assert_ptr_equal(counters_get(counters, "b", false, &swept), kept);
	counter_release(counters, kept, 1, reserved, true);
	counters_free(counters);
	assert_int_equal(bytes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_day_turns_at_its_end_and_not_before),
		cmocka_unit_test(slots_leave_one_by_one),
		cmocka_unit_test(a_full_table_drops_what_holds_nothing),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
