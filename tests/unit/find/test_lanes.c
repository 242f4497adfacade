/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.h: whose turn it is. */
#include "unit.h"

#include "find/lanes.h"

static int begin(void **state)
{
	*state = lanes_new();
	return *state ? 0 : -1;
}

static int end(void **state)
{
	lanes_free(*state);
	return 0;
}

static int put(struct lanes *lanes, uint64_t tenant, enum lanes_kind kind, uint32_t tgid)
{
	const struct lanes_task task = { .kind = kind, .tenant = tenant, .tgid = tgid };

	return lanes_put(lanes, &task);
}

static void expect(struct lanes *lanes, uint32_t tgid, uint64_t cost_ns)
{
	struct lanes_task task;

	assert_true(lanes_take(lanes, false, &task));
	assert_int_equal(task.tgid, tgid);
	lanes_charge(lanes, cost_ns);
}

static void one_tenants_tasks_keep_their_order(void **state)
{
	struct lanes *lanes = *state;
	struct lanes_task task;

	assert_false(lanes_take(lanes, false, &task));
	assert_int_equal(put(lanes, 1, LANES_MAPPED, 10), 0);
	assert_int_equal(put(lanes, 1, LANES_FORKED, 11), 0);
	assert_int_equal(put(lanes, 1, LANES_GONE, 12), 0);
	assert_int_equal(lanes_count(lanes), 3);
	expect(lanes, 10, 5);
	expect(lanes, 11, 5);
	expect(lanes, 12, 5);
	assert_false(lanes_take(lanes, false, &task));
	assert_int_equal(lanes_count(lanes), 0);
}

static void greetings_go_first(void **state)
{
	struct lanes *lanes = *state;
	struct lanes_task task;

	put(lanes, 1, LANES_MAPPED, 10);
	put(lanes, 1, LANES_GREETED, 11);
	put(lanes, 2, LANES_MAPPED, 20);
	put(lanes, 2, LANES_GREETED, 21);
	assert_true(lanes_take(lanes, true, &task));
	assert_int_equal(task.tgid, 11);
	lanes_charge(lanes, 5);
	assert_true(lanes_take(lanes, true, &task));
	assert_int_equal(task.tgid, 21);
	lanes_charge(lanes, 9);
	assert_false(lanes_take(lanes, true, &task));
	expect(lanes, 10, 5);
	expect(lanes, 20, 5);
}

static void who_costs_much_waits_for_who_costs_little(void **state)
{
	struct lanes *lanes = *state;
	unsigned others = 0;
	struct lanes_task task;

	for (uint32_t i = 0; i < 100; i++)
		put(lanes, 1, LANES_GREETED, 1000 + i); /* 500 unknown programs a second */
	expect(lanes, 1000, 5000);
	put(lanes, 2, LANES_GREETED, 20);
	/* a newcomer is no worse off than who was served last, and no better */
	assert_true(lanes_take(lanes, false, &task));
	lanes_charge(lanes, 100);
	others += task.tenant == 1;
	assert_true(lanes_take(lanes, false, &task));
	others += task.tenant == 1;
	assert_int_equal(others, 1);
}

static void nobody_saves_up(void **state)
{
	struct lanes *lanes = *state;

	put(lanes, 1, LANES_GREETED, 10);
	expect(lanes, 10, 1);
	for (uint32_t i = 0; i < 10; i++) {
		put(lanes, 2, LANES_GREETED, 20 + i);
		expect(lanes, 20 + i, 1000);
	}
	/* 1 has used little, long ago: it takes turns all the same */
	for (uint32_t i = 0; i < 3; i++) {
		put(lanes, 1, LANES_GREETED, 11 + i);
		put(lanes, 2, LANES_GREETED, 40 + i);
	}
	expect(lanes, 11, 2000);
	expect(lanes, 40, 2000);
	expect(lanes, 12, 2000);
	expect(lanes, 41, 2000);
}

static void a_lane_is_bounded_and_so_are_lanes(void **state)
{
	struct lanes *lanes = *state;
	struct lanes_task task;

	for (uint32_t i = 0; i < LANES_TASKS_MAX; i++)
		assert_int_equal(put(lanes, 1, LANES_MAPPED, i), 0);
	assert_int_equal(put(lanes, 1, LANES_GREETED, 7), -ENOSPC);
	/* another tenant's is its own; beyond LANES_MAX they share one */
	for (uint64_t tenant = 2; tenant < 2 + LANES_MAX; tenant++)
		assert_int_equal(put(lanes, tenant, LANES_MAPPED, 7), 0);
	for (uint32_t i = 0; i < LANES_TASKS_MAX - 2; i++)
		assert_int_equal(put(lanes, 1000000 + i, LANES_MAPPED, 8), 0);
	assert_int_equal(put(lanes, 2000001, LANES_MAPPED, 8), 0);
	assert_int_equal(put(lanes, 2000002, LANES_MAPPED, 8), -ENOSPC);
	while (lanes_take(lanes, false, &task))
		lanes_charge(lanes, 0);
	/* lanes that wait for nothing make room */
	for (uint64_t tenant = 3000000; tenant < 3000000 + LANES_TASKS_MAX + 10; tenant++)
		assert_int_equal(put(lanes, tenant, LANES_MAPPED, 9), 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_tenants_tasks_keep_their_order),        TEST(greetings_go_first),
		TEST(who_costs_much_waits_for_who_costs_little), TEST(nobody_saves_up),
		TEST(a_lane_is_bounded_and_so_are_lanes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
