/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/counter_internal.h"
#include "budgeted.h"

static void a_part_of_a_limit_is_rounded_up_and_of_none_is_never_reached(void **state)
{
	assert_int_equal(limits_part(10 * USD, 800), 8 * USD);
	assert_int_equal(limits_part(1, 1), 1);
	assert_int_equal(limits_part(1001, 500), 501);
	assert_int_equal(limits_part(0, 800), INT64_MAX);
	assert_int_equal(limits_part(INT64_MAX, 1000), INT64_MAX);
	assert_int_equal(limits_part(INT64_MAX, 2000), INT64_MAX);
	assert_int_equal(limits_part(UINT64_MAX, UINT32_MAX), INT64_MAX);
}

static void a_raised_limit_moves_every_step_and_shows_in_its_own_unit(void **state)
{
	struct policy_budget money = day_budget(), tokens = day_budget(), spike = day_budget();
	const struct policy_budget *budgets[] = { &money, &tokens, &spike };
	int64_t nanos;
	uint64_t n;

	tokens.limit_nanos = 0;
	tokens.limit_tokens = 1000;
	spike.limit_nanos = 0;
	spike.spike_permille = 8000;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct counters *counters = calloc(1, sizeof(*counters) + 2 * sizeof(uint64_t));
		struct counter counter = { 0 };

		counters->budget = budgets[i];
		counters->is_in_money = policy_in_money(budgets[i]);
		counters->limits[1] = 4711;
		assert_int_equal(counter_limit(counters, &counter, 1), 4711);
		counter_read_limit(counters, &counter, &nanos, &n);
		assert_int_equal(nanos, i ? 0 : 10 * USD);
		assert_int_equal(n, i == 1 ? 1000 : 0);
		counter.raised = 5000;
		assert_int_equal(counter_limit(counters, &counter, 0), 4000);
		counter_read_limit(counters, &counter, &nanos, &n);
		assert_int_equal(nanos, i == 1 ? 0 : 5000);
		assert_int_equal(n, i == 1 ? 5000 : 0);
		free(counters);
	}
}

static void other_nodes_are_taken_to_spend_what_this_one_does_since(void **state)
{
	const struct counters counters = { .is_in_money = true };
	struct counter counter = { .sum.nanos = 130, .remote = { .spent = 50, .own = 100 } };

	assert_int_equal(counter_remote(&counters, &counter), 50);
	counter.remote.others = 2;
	assert_int_equal(counter_remote(&counters, &counter), 50 + 2 * 30);
	counter.sum.nanos = 90; /* less than then: a window has moved on */
	assert_int_equal(counter_remote(&counters, &counter), 50);
	counter.sum.nanos = INT64_MAX;
	counter.remote.others = UINT32_MAX;
	assert_int_equal(counter_remote(&counters, &counter), INT64_MAX);
}

static void allowances_are_for_the_first_step_that_a_gate_can_stand_in_for(void **state)
{
	struct policy_step steps[] = {
		{ .action = POLICY_NOTE },
		{ .action = POLICY_PACE },
		{ .action = POLICY_KILL, .target = POLICY_PROCESS },
		{ .action = POLICY_REFUSE },
	};
	struct policy_budget budget = { .per = POLICY_PER_CGROUP, .steps = steps, .n_steps = 4 };

	assert_int_equal(counter_allowance_step(&budget), 2);
	budget.match.model = "";
	assert_int_equal(counter_allowance_step(&budget), 2);
	/* A gate is a cgroup's: it would stop processes that the kill does not mean. */
	budget.match.model = "gpt-*";
	assert_int_equal(counter_allowance_step(&budget), 3);
	budget.match.model = NULL;
	budget.per = POLICY_PER_USER;
	assert_int_equal(counter_allowance_step(&budget), 3);
	steps[2].target = POLICY_CGROUP;
	assert_int_equal(counter_allowance_step(&budget), 2);
	budget.n_steps = 2;
	assert_int_equal(counter_allowance_step(&budget), 2); /* none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_part_of_a_limit_is_rounded_up_and_of_none_is_never_reached),
		cmocka_unit_test(a_raised_limit_moves_every_step_and_shows_in_its_own_unit),
		cmocka_unit_test(other_nodes_are_taken_to_spend_what_this_one_does_since),
		cmocka_unit_test(allowances_are_for_the_first_step_that_a_gate_can_stand_in_for),
	};

	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
