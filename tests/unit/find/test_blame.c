/* SPDX-License-Identifier: Apache-2.0 */
/* blame.h: whose looks are stuck, for how long that is held against them, and what is forgiven. */
#include "unit.h"

#include "base/clock.h"
#include "base/deadline.h"
#include "find/blame.h"

#define MONTH_NS (30 * 86400 * NS_PER_S)

static const struct blame_who one = { .cgroup = 100, .tenant = 7 };
static const struct blame_who other = { .cgroup = 200, .tenant = 200 };

static int begin(void **state)
{
	*state = blame_new();
	return *state ? 0 : -1;
}

static int end(void **state)
{
	blame_free(*state);
	return 0;
}

static void a_cgroup_is_left_alone_as_long_as_its_look_is_stuck(void **state)
{
	struct blame *blame = *state;

	assert_false(blame_has_any(blame));
	blame_stuck(blame, 1, one, 42, NS_PER_S);
	assert_true(blame_has_any(blame));
	assert_int_equal(blame_verdict(blame, one, 2 * NS_PER_S), BLAME_RESTS);
	assert_int_equal(blame_verdict(blame, one, MONTH_NS), BLAME_RESTS);
	assert_int_equal(blame_verdict(blame, other, MONTH_NS), BLAME_NONE);
	/* and for a minute after that; the next time for two */
	assert_false(blame_ended(blame, 1, MONTH_NS, MONTH_NS));
	assert_int_equal(blame_verdict(blame, one, MONTH_NS + BLAME_NS - 1), BLAME_RESTS);
	assert_int_equal(blame_verdict(blame, one, MONTH_NS + BLAME_NS), BLAME_NONE);
	blame_stuck(blame, 2, one, 42, 2 * MONTH_NS);
	assert_false(blame_ended(blame, 2, BLAME_SLOW_NS, 2 * MONTH_NS));
	assert_int_equal(blame_verdict(blame, one, 2 * MONTH_NS + 2 * BLAME_NS - 1), BLAME_RESTS);
	assert_int_equal(blame_verdict(blame, one, 2 * MONTH_NS + 2 * BLAME_NS), BLAME_NONE);
}

static void the_rest_is_never_longer_than_an_hour(void **state)
{
	struct blame *blame = *state;
	uint64_t now = 0;

	for (uint64_t i = 1; i < 100; i++) {
		blame_stuck(blame, i, one, 42, now);
		now += MONTH_NS;
		assert_false(blame_ended(blame, i, MONTH_NS, now));
	}
	assert_int_equal(blame_verdict(blame, one, now + BLAME_MAX_NS), BLAME_RESTS);
	assert_int_equal(blame_verdict(blame, one, now + 2 * BLAME_MAX_NS), BLAME_NONE);
}

static void a_slow_disk_is_not_blamed_unless_it_always_is(void **state)
{
	struct blame *blame = *state;
	uint64_t now = NS_PER_S;

	for (uint64_t i = 0; i < BLAME_SLOW_MAX; i++) {
		blame_stuck(blame, 10 + i, one, 42, now);
		assert_int_equal(blame_verdict(blame, one, now), BLAME_RESTS);
		assert_true(blame_ended(blame, 10 + i, NS_PER_S, now));
		assert_int_equal(blame_verdict(blame, one, now), BLAME_NONE);
	}
	blame_stuck(blame, 1, one, 42, now);
	assert_false(blame_ended(blame, 1, NS_PER_S, now));
	assert_int_equal(blame_verdict(blame, one, now + BLAME_NS - 1), BLAME_RESTS);
	/* after a while it counts from none */
	now += 2 * BLAME_NS;
	blame_stuck(blame, 2, one, 42, now);
	assert_true(blame_ended(blame, 2, NS_PER_S, now));
	/* what was never given up is nobody's */
	assert_false(blame_ended(blame, 99, NS_PER_S, now));
}

static void a_tenant_of_many_cgroups_has_a_few_stuck_looks(void **state)
{
	struct blame *blame = *state;
	struct blame_who who = { .cgroup = 1000, .tenant = 7 };

	for (uint64_t i = 0; i < BLAME_TENANT_MAX; i++) {
		who.cgroup++;
		assert_int_equal(blame_verdict(blame, who, NS_PER_S), BLAME_NONE);
		blame_stuck(blame, 1 + i, who, 42, NS_PER_S);
	}
	who.cgroup++;
	assert_int_equal(blame_verdict(blame, who, NS_PER_S), BLAME_TENANT);
	assert_int_equal(blame_verdict(blame, other, NS_PER_S), BLAME_NONE);
	/* who cannot be told is not all the same tenant */
	assert_int_equal(blame_verdict(blame, (struct blame_who){ 0 }, NS_PER_S), BLAME_NONE);
	assert_true(blame_ended(blame, 1, NS_PER_S, NS_PER_S));
	assert_int_equal(blame_verdict(blame, who, NS_PER_S), BLAME_NONE);
}

static void it_is_told_when_it_is_more_than_slow(void **state)
{
	struct blame *blame = *state;

	assert_int_equal(blame_tell(blame, NS_PER_S), 0);
	blame_stuck(blame, 1, one, 42, NS_PER_S);
	blame_stuck(blame, 2, other, 43, 2 * NS_PER_S);
	assert_int_equal(blame_tell(blame, 2 * NS_PER_S), BLAME_SLOW_NS - NS_PER_S);
	assert_int_equal(blame_tell(blame, NS_PER_S + BLAME_SLOW_NS), NS_PER_S);
	assert_int_equal(blame_tell(blame, 2 * NS_PER_S + BLAME_SLOW_NS), 0);
	assert_int_equal(blame_tell(blame, MONTH_NS), 0);
	/* as many fit as there may be threads; one more is not counted */
	for (uint64_t i = 3; i <= DEADLINE_LEFT_MAX + 1; i++)
		blame_stuck(blame, i, one, 42, NS_PER_S);
	assert_false(blame_ended(blame, DEADLINE_LEFT_MAX + 1, NS_PER_S, NS_PER_S));
	assert_true(blame_ended(blame, DEADLINE_LEFT_MAX, NS_PER_S, NS_PER_S));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_cgroup_is_left_alone_as_long_as_its_look_is_stuck),
		TEST(the_rest_is_never_longer_than_an_hour),
		TEST(a_slow_disk_is_not_blamed_unless_it_always_is),
		TEST(a_tenant_of_many_cgroups_has_a_few_stuck_looks),
		TEST(it_is_told_when_it_is_more_than_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
