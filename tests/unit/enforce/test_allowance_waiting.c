/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel holds while little is left, and when it goes. */
#include "little_left.h"

static struct policy_step gentle[] = {
	{ .at_permille = 1000, .action = POLICY_REFUSE, .lets_end = true }
};

static void the_kernel_is_told_what_is_left(void **state)
{
	struct enforcer_stats stats;

	budget.on_loss = POLICY_LOSS_HOLD;
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	assert_int_equal(world.gate.state, CTL_PACE);
	assert_int_not_equal(world.gate.buckets[0], 0);
	assert_int_equal(world.gate.has_rate, 0);
	assert_int_equal(world.n_rows, 1); /* the note: nobody is stopped */
	assert_true(enforcer_has_allowance(enforcer));
	assert_true(enforcer_outlives(enforcer));
	enforcer_stats(enforcer, &stats);
	assert_int_equal(stats.allowances, 1);
	world.take = (struct ctl_consumed){ .consumed_nanos = 5000,
					    .admitted = 50,
					    .streamed_nanos = 300 };
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_int_equal(world.allowed.granted_nanos, 5000 + 300 + 100);
	assert_int_equal(world.allowed.reserve_nanos, 100);
	assert_int_equal(world.allowed.per_kib_nanos, 0);
	assert_int_equal(world.allowed.cut_nanos, 300 + 100 + 1000 / 200);
}

static void what_waits_goes_when_calls_cost_less(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	run(1, 10, 1024);
	run(1, 18, 2048);
	world.take =
		(struct ctl_consumed){ .consumed_nanos = 100, .admitted = 1, .streamed_nanos = 40 };
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 1);
	assert_int_equal(world.gate.state, CTL_TURN_AWAY);
	assert_int_equal(world.allowed.granted_nanos, 140); /* nothing may begin beside it */
	assert_int_equal(world.allowed.per_kib_nanos, 8);
	assert_int_equal(world.allowed.cut_nanos, 40 + 82 + 5); /* it goes on */
	policy_release(policy, 1);
	charge(20, T0);
	enforcer_review(enforcer, policy, true, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.gate.state, CTL_PACE);
	assert_int_equal(world.allowed.granted_nanos, 140 + 80);
}

/* It was seen as it was written, and has not left: what it will cost must not hold it. */
static void what_waits_does_not_wait_for_itself(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	charge(97, T0);
	enforcer_pace(enforcer, policy, T0);
	run(1, 0, 0);
	world.take = (struct ctl_consumed){ .consumed_nanos = 100 };
	enforcer_pace(enforcer, policy, T0);
	assert_true((int64_t)(world.allowed.granted_nanos - 100) <= 0);
	world.n_waiting = 1;
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 100 + 3);
	run(2, 0, 0); /* and this one is on its way */
	enforcer_pace(enforcer, policy, T0);
	assert_true((int64_t)(world.allowed.granted_nanos - 100) <= 0);
	world.n_waiting = 5; /* of which some are not seen yet */
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 100 + 3);
}

/* Fifty begin at once: those that the kernel let go are held against what is left before they are seen. */
static void what_the_kernel_let_go_is_not_given_twice(void **state)
{
	budget.limit_nanos = 1900;
	renew();
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000);
	world.take = (struct ctl_consumed){ .consumed_nanos = 1000, .admitted = 10 };
	enforcer_pace(enforcer, policy, T0); /* none was seen, none waits */
	assert_int_equal(world.allowed.granted_nanos, 1000);
	world.n_waiting = 40;
	for (int i = 0; i < 10; i++)
		run(1 + i, 0, 0);
	enforcer_pace(enforcer, policy, T0); /* those that were seen need not be those that wait */
	assert_true((int64_t)(world.allowed.granted_nanos - 1000) <= 0);
	for (int i = 10; i < 50; i++)
		run(1 + i, 0, 0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000);
	policy_release(policy, 1); /* one of the ten */
	charge(50, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000 + 50);
}

static void what_is_never_seen_is_held_against_it_for_a_second(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	enforcer_pace(enforcer, policy, T0);
	world.take = (struct ctl_consumed){ .consumed_nanos = 100, .admitted = 1 };
	enforcer_pace(enforcer, policy, T0 + 1000000);
	assert_int_equal(world.allowed.granted_nanos, 100);
	enforcer_pace(enforcer, policy, T0 + 1000001);
	assert_int_equal(world.allowed.granted_nanos, 200);
}

static void a_refusal_takes_its_place(void **state)
{
	struct enforcer_stats stats;

	charge(900, T0);
	charge(100, T0);
	assert_int_equal(world.gate.state, CTL_REFUSE);
	assert_string_equal(world.result, "done");
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_int_equal(world.n_ended, 1);
	assert_int_equal(world.gate.state, CTL_REFUSE);
	enforcer_stats(enforcer, &stats);
	assert_int_equal(stats.allowances, 0);
}

static void answers_in_flight_may_end_and_nothing_else_begins(void **state)
{
	budget.steps = gentle;
	budget.n_steps = 1;
	renew();
	assert_true(charge(1010, T0));
	assert_int_equal(world.gate.state, CTL_TURN_AWAY);
	assert_int_equal(world.gate.buckets[0], 1);
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.result, "done: answers in flight may end");
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_true((int64_t)world.allowed.granted_nanos < 0);
	assert_true(world.allowed.cut_nanos == UINT64_MAX);
}

static void a_verdict_again_sets_no_gate_again(void **state)
{
	size_t n;

	charge(900, T0);
	n = world.n_gates;
	assert_true(charge(1, T0));
	assert_int_equal(world.n_gates, n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_is_told_what_is_left),
		TEST(what_waits_goes_when_calls_cost_less),
		TEST(what_waits_does_not_wait_for_itself),
		TEST(what_the_kernel_let_go_is_not_given_twice),
		TEST(what_is_never_seen_is_held_against_it_for_a_second),
		TEST(a_refusal_takes_its_place),
		TEST(answers_in_flight_may_end_and_nothing_else_begins),
		TEST(a_verdict_again_sets_no_gate_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
