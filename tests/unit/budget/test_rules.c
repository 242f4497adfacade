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

/* As an action's row keeps it, when the file has long changed. */
static void a_rule_is_told_in_words(void **state)
{
	static const struct {
		struct policy_budget budget;
		struct policy_step step;
		const char *text;
	} rules[] = {
		{ { .limit_nanos = 3000000000, .window = POLICY_DAY, .per = POLICY_PER_WORKLOAD },
		  { .at_permille = 1500,
		    .action = POLICY_KILL,
		    .target = POLICY_CGROUP,
		    .grace_ns = 30000000000 },
		  "at 150 % of 3 USD a day per workload: kill the cgroup's callers, grace 30s" },
		{ { .limit_nanos = 250000000, .window = POLICY_MONTH, .per = POLICY_PER_USER },
		  { .at_permille = 805, .action = POLICY_PACE, .pace_per_hour = 2500000000 },
		  "at 80.5 % of 0.25 USD a month per user: pace to 2.5 USD/hour" },
		{ { .limit_tokens = 2000000, .window = POLICY_ROLLING, .window_us = 600000000 },
		  { .at_permille = 1000,
		    .action = POLICY_PACE,
		    .pace_per_hour = 500000,
		    .pace_in_tokens = true },
		  "at 100 % of 2000000 tokens in 10m per match: pace to 500000 tokens/hour" },
		{ { .spike_permille = 8500,
		    .window = POLICY_ROLLING,
		    .window_us = 86400000000,
		    .floor_nanos_per_hour = 5000000000,
		    .per = POLICY_PER_POD },
		  { .at_permille = 1000, .action = POLICY_STOP },
		  "at 8.5 times the rate of the last 1d, above 5 USD/hour per pod: stop the process" },
		{ { .limit_nanos = 20000000000, .window = POLICY_HOUR, .per = POLICY_PER_UNIT },
		  { .at_permille = 1000, .action = POLICY_KILL, .target = POLICY_CGROUP, .whole = true },
		  "at 100 % of 20 USD an hour per unit: kill the whole cgroup, grace 0s" },
	};
	char text[POLICY_RULE_TEXT_LEN], cut[8];

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		assert_string_equal(
			policy_rule_text(&rules[i].budget, &rules[i].step, text, sizeof(text)),
			rules[i].text);
	assert_string_equal(policy_rule_text(&rules[0].budget, &rules[0].step, cut, sizeof(cut)),
			    "at 150 ");
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
		cmocka_unit_test(a_rule_is_told_in_words),
		cmocka_unit_test(only_a_budget_that_holds_outlives_the_daemon),
		cmocka_unit_test(only_stop_and_freeze_halt),
		cmocka_unit_test(an_orders_kind_has_a_name_that_is_read_back),
		cmocka_unit_test(an_order_fits_by_the_budgets_name_or_the_counters),
	};

	return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
