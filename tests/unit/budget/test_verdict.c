/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/counter_internal.h"
#include "budgeted.h"

static struct policy_step four_steps[] = {
	{ .at_permille = 500, .action = POLICY_NOTE },
	{ .at_permille = 700, .action = POLICY_PACE },
	{ .at_permille = 900, .action = POLICY_NOTE },
	{ .at_permille = 1000, .action = POLICY_REFUSE },
};
static const struct policy_budget four = { .name = "b", .steps = four_steps, .n_steps = 4 };
static const struct counters counters = { .budget = &four,
					  .n_steps = 4,
					  .limits = { 500, 700, 900, 1000 } };

/* The verdicts of a counter, in order, as "h" (hold), "0" to "3" (steps), "a" (allowance). */
static const char *all(const struct counter *counter)
{
	static char text[16];
	struct verdict_at at = { .kind = VERDICT_NONE };
	size_t n = 0;

	while ((at = counter_next_verdict(&counters, counter, at)).kind != VERDICT_NONE &&
	       n + 1 < sizeof(text))
		text[n++] = at.kind == VERDICT_HOLD      ? 'h' :
			    at.kind == VERDICT_ALLOWANCE ? 'a' :
							   (char)('0' + at.step);
	text[n] = '\0';
	return text;
}

static void steps_come_newly_reached_else_the_highest(void **state)
{
	struct counter counter = { 0 };

	assert_string_equal(all(&counter), "");
	counter.reached = counter.reserved_of = 3;
	assert_string_equal(all(&counter), "012");
	counter.before = 2;
	assert_string_equal(all(&counter), "2");
	counter.before = 3;
	assert_string_equal(all(&counter), "2");
}

/* What is only reserved may come back, so nobody is notified of it. */
static void reserved_steps_are_those_that_turn_calls_away(void **state)
{
	struct counter counter = { .reserved_of = 4 };

	assert_string_equal(all(&counter), "13");
	counter.reached = counter.before = 1;
	assert_string_equal(all(&counter), "013");
	counter.reserved_of = 3;
	assert_string_equal(all(&counter), "01");
}

static void the_allowance_comes_last_and_an_order_comes_alone(void **state)
{
	struct counter counter = { .is_near_limit = true };

	assert_string_equal(all(&counter), "a");
	counter.reached = counter.reserved_of = 1;
	assert_string_equal(all(&counter), "0a");
	counter.order = OVERRIDE_HOLD;
	assert_string_equal(all(&counter), "h");
}

static void each_verdict_says_what_it_is(void **state)
{
	struct counter *counter = calloc(1, sizeof(*counter) + 8);
	struct policy_verdict verdict = { 0 };

	*counter = (struct counter){ .before = 1, .reached = 2, .override_until_us = 99 };
	counter_fill_verdict(&counters, counter, (struct verdict_at){ .kind = VERDICT_HOLD },
			     &verdict);
	assert_ptr_equal(verdict.step, &policy_hold);
	assert_true(verdict.is_ordered && verdict.is_first && !verdict.is_reserved);
	assert_int_equal(verdict.window_end_us, 99);
	memset(&verdict, 0, sizeof(verdict));
	counter_fill_verdict(&counters, counter, (struct verdict_at){ .kind = VERDICT_ALLOWANCE },
			     &verdict);
	assert_ptr_equal(verdict.step, &policy_allowance);
	assert_true(!verdict.is_ordered && verdict.is_first && !verdict.is_reserved);
	for (uint32_t step = 0; step < 3; step++) {
		memset(&verdict, 0, sizeof(verdict));
		counter_fill_verdict(&counters, counter, (struct verdict_at){ VERDICT_STEP, step },
				     &verdict);
		assert_ptr_equal(verdict.step, &four_steps[step]);
		assert_int_equal(verdict.is_first, step >= 1);
		assert_int_equal(verdict.is_reserved, step >= 2);
	}
	free(counter);
}

/* Two walks over one subject do not disturb each other; a look at another subject ends both. */
static void an_iterator_is_its_owners_and_ends_with_the_next_subject(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct verdict_iter first, second;

	charge(policy, 12 * USD, 1, T0);
	first = second = verdicts;
	assert_true(verdict_next(&first, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_true(verdict_next(&second, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_true(verdict_next(&first, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_false(verdict_next(&first, &verdict));
	policy_judge(policy, &who, T0 + 1, NULL);
	verdict.key = "as it was";
	assert_false(verdict_next(&second, &verdict));
	assert_string_equal(verdict.key, "as it was");
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_come_newly_reached_else_the_highest),
		cmocka_unit_test(reserved_steps_are_those_that_turn_calls_away),
		cmocka_unit_test(the_allowance_comes_last_and_an_order_comes_alone),
		cmocka_unit_test(each_verdict_says_what_it_is),
		cmocka_unit_test_setup(an_iterator_is_its_owners_and_ends_with_the_next_subject,
				       plain_group),
	};

	return cmocka_run_group_tests_name("verdict", tests, NULL, NULL);
}
