/* SPDX-License-Identifier: Apache-2.0 */
/* What a policy makes of the sums of other nodes, and of a server that is silent. */
#include "fleet.h"

static void on_verdict(void *arg, const struct policy_verdict *verdict)
{
	struct told *told = arg;

	told->n++;
	told->last = *verdict;
}

static bool refuses(struct policy *policy, const struct policy_budget *of, int64_t now_us)
{
	return policy_stands(policy, of, &steps[1], "fleet", false, now_us);
}

static void what_others_spend_counts_like_ones_own(void **state)
{
	struct policy *policy = policy_of(&budget);
	struct policy_remote remote = { .spent = 3 * USD };
	struct told told = { 0 };

	charge(policy, 3 * USD, T0);
	assert_false(policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told));
	assert_int_equal(told.n, 1);
	assert_ptr_equal(told.last.step, &steps[0]);
	assert_true(told.last.is_first);
	assert_int_equal(told.last.spent_nanos, 6 * USD);
	assert_int_equal(told.last.n_cgroups, 1);
	/* told once, and the next step when it is reached */
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
	assert_int_equal(told.n, 1);
	remote.spent = 7 * USD;
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
	assert_int_equal(told.n, 2);
	assert_ptr_equal(told.last.step, &steps[1]);
	assert_true(refuses(policy, &budget, T0));
	/* less: steps no longer stand */
	remote.spent = 6 * USD;
	assert_true(policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told));
	assert_false(refuses(policy, &budget, T0));
	policy_free(policy);
}

/* d * n against what was left, for every n: exact to the nano-dollar. */
static void without_the_server_each_takes_its_share(void **state)
{
	for (uint32_t nodes = 1; nodes <= 7; nodes++) {
		struct policy *policy = policy_of(&budget);
		struct policy_remote remote = { .spent = 4 * USD,
						.own = 1 * USD,
						.others = nodes - 1 };
		int64_t share = (5 * USD + nodes - 1) / nodes; /* of 10 - 4 - 1 */
		struct told told = { 0 };

		charge(policy, 1 * USD, T0);
		policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
		charge(policy, share - 1, T0);
		assert_false(refuses(policy, &budget, T0));
		charge(policy, 1, T0);
		assert_true(refuses(policy, &budget, T0));
		policy_free(policy);
	}
}

static void a_server_never_heard_of_leaves_a_share_of_all(void **state)
{
	struct policy *policy = policy_of(&budget);
	struct policy_remote remote = { .others = 3 };
	struct told told = { 0 };

	charge(policy, 1, T0);
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
	charge(policy, 5 * USD / 2 - 2, T0);
	assert_false(refuses(policy, &budget, T0));
	charge(policy, 1, T0);
	assert_true(refuses(policy, &budget, T0));
	policy_free(policy);
}

static void a_new_window_begins_without_the_others(void **state)
{
	struct policy *policy = policy_of(&budget);
	struct policy_remote remote = { .spent = 12 * USD };
	int64_t tomorrow_us = T0 + 86400 * US_PER_S;
	struct told told = { 0 };

	charge(policy, 1, T0);
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
	assert_true(refuses(policy, &budget, T0));
	assert_false(refuses(policy, &budget, tomorrow_us));
	/* an answer that was late */
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, tomorrow_us, on_verdict, &told);
	assert_false(refuses(policy, &budget, tomorrow_us));
	policy_free(policy);
}

static void sums_do_not_overflow(void **state)
{
	struct policy *policy = policy_of(&budget);
	struct policy_remote remote = { .spent = INT64_MAX, .others = UINT32_MAX };
	struct told told = { 0 };

	charge(policy, 9 * USD, T0);
	policy_remote(policy, "fleet", "fleet", DAY0, &remote, T0, on_verdict, &told);
	assert_int_equal(told.last.spent_nanos, INT64_MAX);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_others_spend_counts_like_ones_own),
		cmocka_unit_test(without_the_server_each_takes_its_share),
		cmocka_unit_test(a_server_never_heard_of_leaves_a_share_of_all),
		cmocka_unit_test(a_new_window_begins_without_the_others),
		cmocka_unit_test(sums_do_not_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
