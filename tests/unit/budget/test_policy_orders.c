/* SPDX-License-Identifier: Apache-2.0 */
#include "budgeted.h"

static struct override order(enum override_kind kind, const char *key, int64_t limit)
{
	struct override order = { .kind = kind, .limit_nanos = limit, .until_us = T0 + HOUR_US };

	snprintf(order.key, sizeof(order.key), "%s", key);
	return order;
}

static bool next_is(struct policy *policy, enum policy_action action)
{
	struct policy_verdict verdict;

	return verdict_next(&verdicts, &verdict) && verdict.step->action == action;
}

static void an_order_to_open_takes_no_step_and_sums_go_on(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct override open = order(OVERRIDE_OPEN, "cgroup=/*", 0);

	charge(policy, 12 * USD, 1, T0);
	assert_true(next_is(policy, POLICY_NOTE));
	assert_true(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", false, T0));
	assert_int_equal(policy_override(policy, &open, 1), 0);
	assert_false(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", false, T0));
	charge(policy, USD, 2, T0 + 1);
	assert_false(next_is(policy, POLICY_NOTE));
	assert_int_equal(spent(policy, T0 + 1), 13 * USD);
	assert_int_equal(policy_override(policy, NULL, 0), 0); /* it has ended */
	charge(policy, USD, 3, T0 + 2);
	assert_true(next_is(policy, POLICY_REFUSE));
	policy_free(policy);
}

static void an_order_for_another_key_changes_nothing(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct override other = order(OVERRIDE_OPEN, "cgroup=/b*", 0);

	assert_int_equal(policy_override(policy, &other, 1), 0);
	charge(policy, 12 * USD, 1, T0);
	assert_true(next_is(policy, POLICY_NOTE));
	assert_true(next_is(policy, POLICY_REFUSE));
	policy_free(policy);
}

static void a_raised_limit_moves_its_steps_and_a_lower_one_does_not(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct override overrides[] = { order(OVERRIDE_OPEN, "*", 0),
					order(OVERRIDE_RAISE, "b", 20 * USD),
					order(OVERRIDE_RAISE, "b", 5 * USD) };
	struct policy_verdict verdict;

	assert_int_equal(policy_override(policy, overrides, 2), 0); /* the last word counts */
	charge(policy, 15 * USD, 1, T0);
	assert_false(verdict_next(&verdicts, &verdict));
	charge(policy, USD, 2, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_int_equal(verdict.limit_nanos, 20 * USD);
	assert_false(verdict_next(&verdicts, &verdict));
	assert_int_equal(policy_override(policy, overrides, 3), 0);
	charge(policy, USD, 3, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_int_equal(verdict.limit_nanos, 10 * USD);
	policy_free(policy);
}

static void count_held(void *arg, const struct policy_verdict *verdict)
{
	++*(int *)arg;
	assert_ptr_equal(verdict->step, &policy_hold);
	assert_true(verdict->is_ordered);
	assert_int_equal(verdict->n_cgroups, 1);
	assert_int_equal(verdict->cgroups[0], 7);
	assert_int_equal(verdict->window_end_us, T0 + HOUR_US);
}

static void an_order_to_hold_gates_who_spent_and_who_only_appears(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct override hold = order(OVERRIDE_HOLD, "b", 0);
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct who_group newcomer = { .cgroup = 8, .path = "/new" };
	int n = 0;

	charge(policy, USD, 1, T0);
	assert_int_equal(policy_override(policy, &hold, 1), 0);
	policy_held(policy, T0, count_held, &n);
	assert_int_equal(n, 1);
	assert_true(policy_stands(policy, &budget, &policy_hold, "cgroup=/a", false, T0));
	who.group = &newcomer;
	policy_judge(policy, &who, T0, &verdicts);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &policy_hold);
	assert_int_equal(verdict.cgroup, 8);
	assert_false(verdict_next(&verdicts, &verdict));
	assert_int_equal(policy_override(policy, NULL, 0), 0);
	assert_false(policy_stands(policy, &budget, &policy_hold, "cgroup=/a", false, T0));
	policy_judge(policy, &who, T0, &verdicts);
	assert_false(verdict_next(&verdicts, &verdict));
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(an_order_to_open_takes_no_step_and_sums_go_on, plain_group),
		cmocka_unit_test_setup(an_order_for_another_key_changes_nothing, plain_group),
		cmocka_unit_test_setup(a_raised_limit_moves_its_steps_and_a_lower_one_does_not,
				       plain_group),
		cmocka_unit_test_setup(an_order_to_hold_gates_who_spent_and_who_only_appears,
				       plain_group),
	};

	return cmocka_run_group_tests_name("policy_orders", tests, NULL, NULL);
}
