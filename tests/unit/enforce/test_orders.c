/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

static void an_order_opens_a_gate_at_once_and_it_shuts_when_the_order_ends(void **state)
{
	struct override open = { .kind = OVERRIDE_OPEN, .key = "cgroup=/agents", .until_us = T0 + 9 };
	struct policy *policy = policy_of(6);
	struct enforcer *enforcer = enforcer_of();

	apply_all(enforcer, policy);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(policy_override(policy, &open, 1), 0);
	enforcer_review(enforcer, policy, false, T0);
	assert_int_equal(world.n_opened, 1);
	policy_judge(policy, &subject, T0, &verdicts);
	apply_all(enforcer, policy);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(policy_override(policy, NULL, 0), 0);
	policy_judge(policy, &subject, T0, &verdicts);
	apply_all(enforcer, policy);
	assert_int_equal(world.n_shut, 2);
	enforcer_free(enforcer);
	policy_free(policy);
}

static void hold_one(void *arg, const struct policy_verdict *verdict)
{
	enforcer_apply(arg, verdict, &subject, T0);
}

static void an_order_to_hold_is_carried_out_where_rules_are_rehearsed(void **state)
{
	struct override hold = { .kind = OVERRIDE_HOLD, .key = "a", .until_us = T0 + 1000 };
	struct policy *policy = policy_of(1);
	struct enforcer *enforcer;

	rules.enforce = false;
	enforcer = enforcer_of();
	assert_int_equal(policy_override(policy, &hold, 1), 0);
	policy_held(policy, T0, hold_one, enforcer);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(world.shut[0], 7);
	assert_string_equal(world.rules[0], "aigress override");
	assert_false(world.rehearsed[0]);
	enforcer_expire(enforcer, T0 + 1000);
	assert_int_equal(world.n_opened, 1);
	enforcer_free(enforcer);
	policy_free(policy);
}

static void an_order_to_open_stops_a_kill_in_its_grace(void **state)
{
	struct override open = { .kind = OVERRIDE_OPEN, .key = "*", .until_us = T0 + 9 };
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict verdict;
	struct policy *policy;
	struct enforcer *enforcer = enforcer_of();

	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	policy = policy_of(6);
	verdict = verdict_of(KILL_CGROUP);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(policy_override(policy, &open, 1), 0);
	enforcer_review(enforcer, policy, false, T0);
	assert_string_equal(world.results[1], "ended: no SIGKILL will follow");
	usleep(20000);
	kill_on_grace(enforcer);
	assert_int_equal(world.n_group_signals, 1);
	enforcer_free(enforcer);
	policy_free(policy);
	end(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(an_order_opens_a_gate_at_once_and_it_shuts_when_the_order_ends),
		HELD(an_order_to_hold_is_carried_out_where_rules_are_rehearsed),
		HELD(an_order_to_open_stops_a_kill_in_its_grace),
	};

	return cmocka_run_group_tests_name("act_orders", tests, NULL, NULL);
}
