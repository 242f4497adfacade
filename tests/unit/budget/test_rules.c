/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/override.h"
#include "budgeted.h"

static void actions_have_names_and_others_none(void **state)
{
	assert_string_equal(policy_action_name(POLICY_NOTE), "note");
	assert_string_equal(policy_action_name(POLICY_REFUSE), "refuse");
	assert_string_equal(policy_action_name(POLICY_KILL), "kill");
	for (int i = 0; i < POLICY_ACTIONS; i++)
		assert_non_null(policy_action_name(i));
	assert_null(policy_action_name(POLICY_ACTIONS));
	assert_null(policy_action_name(-1));
}

static void only_a_budget_that_holds_outlives_the_daemon(void **state)
{
	struct policy_budget budgets[2] = { { .on_loss = POLICY_LOSS_OPEN },
					    { .on_loss = POLICY_LOSS_OPEN } };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };

	assert_false(policy_rules_outlive(&rules));
	budgets[1].on_loss = POLICY_LOSS_HOLD;
	assert_true(policy_rules_outlive(&rules));
	rules.n_budgets = 1;
	assert_false(policy_rules_outlive(&rules));
}

static void only_stop_and_freeze_halt(void **state)
{
	struct policy_step steps[2] = { 0 };
	struct policy_budget budget = { .steps = steps, .n_steps = 2 };
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };

	for (int i = 0; i < POLICY_ACTIONS; i++) {
		steps[1].action = i;
		assert_int_equal(policy_rules_may_halt(&rules),
				 i == POLICY_STOP || i == POLICY_FREEZE);
	}
}

static void an_orders_kind_has_a_name_that_is_read_back(void **state)
{
	for (int i = OVERRIDE_OPEN; i <= OVERRIDE_RAISE; i++)
		assert_int_equal(override_kind_of(override_kind_name(i)), i);
	assert_int_equal(override_kind_of("none"), OVERRIDE_NONE);
	assert_int_equal(override_kind_of("a later aigress's"), OVERRIDE_NONE);
	assert_null(override_kind_name(OVERRIDE_RAISE + 1));
}

static void an_order_fits_by_the_budgets_name_or_the_counters(void **state)
{
	const struct override order = { .key = "cgroup=/agents*" }, all = { .key = "*" };

	assert_true(override_fits(&order, "daily", "cgroup=/agents/7"));
	assert_true(override_fits(&order, "cgroup=/agents", "match"));
	assert_false(override_fits(&order, "daily", "cgroup=/web"));
	assert_true(override_fits(&all, "", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(actions_have_names_and_others_none),
		cmocka_unit_test(only_a_budget_that_holds_outlives_the_daemon),
		cmocka_unit_test(only_stop_and_freeze_halt),
		cmocka_unit_test(an_orders_kind_has_a_name_that_is_read_back),
		cmocka_unit_test(an_order_fits_by_the_budgets_name_or_the_counters),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
