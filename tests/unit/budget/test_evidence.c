/* SPDX-License-Identifier: Apache-2.0 */
/* What budgets count of estimates, and what may be done for them. */
#include "budgeted.h"

static struct policy_step steps[] = {
	{ .at_permille = 500, .action = POLICY_REFUSE },
	{ .at_permille = 1000, .action = POLICY_KILL },
	{ .at_permille = 1200, .action = POLICY_NOTE },
};

static struct policy_budget budget_of(enum policy_estimates estimates)
{
	struct policy_budget budget = day_budget();

	budget.steps = steps;
	budget.n_steps = 3;
	budget.estimates = estimates;
	return budget;
}

/* So many USD, estimated: from half of it to three times as much. */
static void estimates(struct policy *policy, int64_t usd)
{
	struct charge charge = { .source = CHARGE_SIZE,
				 .budget_nanos = usd * USD,
				 .under_nanos = usd * USD / 2,
				 .over_nanos = 2 * usd * USD,
				 .usage = { .input = 100, .output = 10 },
				 .error_input = 1000,
				 .error_output = 100 };
	struct policy_subject who = subject();

	policy_charge(policy, &who, &charge, 1, T0, &verdicts);
}

/* The actions that are told, as n, r, k; in capitals where they lack evidence. */
static const char *told(void)
{
	static const char letters[] = "npr  k";
	static char text[16];
	struct policy_verdict verdict;
	size_t n = 0;

	while (verdict_next(&verdicts, &verdict)) {
		char letter = letters[verdict.step->action];

		assert_true(n < sizeof(text) - 1);
		text[n++] = verdict.is_unproven ? (char)(letter - 'a' + 'A') : letter;
	}
	text[n] = '\0';
	return text;
}

static struct policy *policy_of(struct policy_budget *budget)
{
	static struct policy_rules rules;

	rules = (struct policy_rules){ .budgets = budget, .n_budgets = 1 };
	return policy_new(&rules);
}

static void a_budget_counts_what_it_says_of_estimates(void **state)
{
	static const int64_t sums[] = { 4 * USD, 10 * USD, USD };

	for (enum policy_estimates which = POLICY_EXPECTED; which < POLICY_ESTIMATES; which++) {
		struct policy_budget budget = budget_of(which);
		struct policy *policy = policy_of(&budget);

		charge(policy, USD, 1, T0); /* measured: as it is in each */
		estimates(policy, 3);
		assert_int_equal(spent(policy, T0), sums[which]);
		policy_free(policy);
	}
}

static void tokens_are_counted_alike(void **state)
{
	static const uint64_t sums[] = { 110, 1210, 0 };

	for (enum policy_estimates which = POLICY_EXPECTED; which < POLICY_ESTIMATES; which++) {
		struct policy_budget budget = budget_of(which);
		struct policy_verdict verdict;
		struct policy *policy;

		budget.limit_nanos = 0;
		budget.limit_tokens = 1;
		policy = policy_of(&budget);
		estimates(policy, 3);
		assert_int_equal(verdict_next(&verdicts, &verdict), sums[which] > 0);
		if (sums[which])
			assert_int_equal(verdict.spent_tokens, sums[which]);
		policy_free(policy);
	}
}

/* Calls may be turned away by estimates; nobody is killed until as much was measured. */
static void a_kill_needs_measured_spend(void **state)
{
	struct policy_budget budget = budget_of(POLICY_EXPECTED);
	struct policy *policy = policy_of(&budget);

	estimates(policy, 5);
	assert_string_equal(told(), "r");
	estimates(policy, 6);
	assert_string_equal(told(), "K");
	estimates(policy, 2);
	assert_string_equal(told(), "Kn");
	charge(policy, 9 * USD, 2, T0);
	assert_string_equal(told(), "Kn");
	/* 10 of 23 USD are measured: now it is due, although the note above it was told before. */
	charge(policy, USD, 3, T0);
	assert_string_equal(told(), "kn");
	charge(policy, USD, 4, T0);
	assert_string_equal(told(), "n");
	policy_free(policy);
}

static void measured_spend_kills_at_once(void **state)
{
	struct policy_budget budget = budget_of(POLICY_EXPECTED);
	struct policy *policy = policy_of(&budget);

	charge(policy, 11 * USD, 1, T0);
	assert_string_equal(told(), "rk");
	policy_free(policy);
}

/* Tokens that were read, at the price of what stands in for their model. */
static void an_assumed_price_is_an_estimate(void **state)
{
	struct charge unpriced = { .source = CHARGE_USAGE,
				   .budget_nanos = 11 * USD,
				   .usage = { .output = 11 } };
	struct policy_budget budget = budget_of(POLICY_EXPECTED);
	struct policy *policy = policy_of(&budget);
	struct policy_subject who = subject();

	policy_charge(policy, &who, &unpriced, 1, T0, &verdicts);
	assert_string_equal(told(), "rK");
	policy_free(policy);
	budget.limit_nanos = 0;
	budget.limit_tokens = 10;
	policy = policy_of(&budget);
	policy_charge(policy, &who, &unpriced, 1, T0, &verdicts);
	assert_string_equal(told(), "rk");
	policy_free(policy);
}

static void a_rule_may_take_estimates_for_evidence(void **state)
{
	struct policy_budget budget = budget_of(POLICY_EXPECTED);
	struct policy *policy;

	steps[1].by_estimates = true;
	policy = policy_of(&budget);
	estimates(policy, 11);
	assert_string_equal(told(), "rk");
	steps[1].by_estimates = false;
	policy_free(policy);
}

static void a_spike_is_stopped_for_what_was_measured(void **state)
{
	struct policy_step step = { .action = POLICY_KILL };
	struct policy_budget budget = { .name = "s",
					.per = POLICY_PER_CGROUP,
					.window = POLICY_ROLLING,
					.window_us = 64 * HOUR_US,
					.spike_permille = 2000,
					.floor_nanos_per_hour = USD,
					.steps = &step,
					.n_steps = 1 };
	struct policy *policy = policy_of(&budget);
	int64_t now_us = T0;

	for (int i = 0; i < 30; i++, now_us += HOUR_US)
		charge(policy, USD, 1, now_us);
	for (int i = 0; i < 2; i++) {
		struct charge more = { .source = i ? CHARGE_USAGE : CHARGE_SIZE,
				       .is_priced = true,
				       .budget_nanos = 50 * USD };
		struct policy_subject who = subject();

		policy_charge(policy, &who, &more, 1, now_us, &verdicts);
		assert_string_equal(told(), i ? "k" : "K");
	}
	policy_free(policy);
}

/* It counts like any other spend, and nobody is killed for it: one of several may have invented it. */
static void unconfirmed_spend_is_no_evidence(void **state)
{
	struct charge invented = { .source = CHARGE_USAGE,
				   .is_priced = true,
				   .destination = CHARGE_UNCONFIRMED,
				   .budget_nanos = 11 * USD,
				   .usage = { .output = 11 } };
	struct policy_budget budget = budget_of(POLICY_EXPECTED);
	struct policy *policy = policy_of(&budget);
	struct policy_subject who = subject();

	policy_charge(policy, &who, &invented, 1, T0, &verdicts);
	assert_string_equal(told(), "rK");
	assert_int_equal(spent(policy, T0), 11 * USD);
	strcpy(invented.destination, CHARGE_CONFIRMED);
	policy_charge(policy, &who, &invented, 2, T0, &verdicts);
	assert_string_equal(told(), "kn");
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_budget_counts_what_it_says_of_estimates),
		cmocka_unit_test(tokens_are_counted_alike),
		cmocka_unit_test(a_kill_needs_measured_spend),
		cmocka_unit_test(measured_spend_kills_at_once),
		cmocka_unit_test(an_assumed_price_is_an_estimate),
		cmocka_unit_test(unconfirmed_spend_is_no_evidence),
		cmocka_unit_test(a_rule_may_take_estimates_for_evidence),
		cmocka_unit_test(a_spike_is_stopped_for_what_was_measured),
	};

	return cmocka_run_group_tests_name("evidence", tests, plain_group, NULL);
}
