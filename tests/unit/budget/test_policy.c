/* SPDX-License-Identifier: Apache-2.0 */
#include "budgeted.h"

static void steps_come_once_as_first_then_the_highest_each_time(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_verdict verdict;

	charge(policy, 7 * USD, 1, T0);
	assert_false(verdict_next(&verdicts, &verdict));
	charge(policy, 5 * USD, 2, T0 + 1);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_true(verdict.is_first);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_true(verdict.is_first);
	assert_string_equal(verdict.key, "cgroup=/a");
	assert_int_equal(verdict.cgroup, 7);
	assert_int_equal(verdict.tgid, 70);
	assert_int_equal(verdict.spent_nanos, 12 * USD);
	assert_int_equal(verdict.window_start_us, 1789948800LL * US_PER_S);
	assert_int_equal(verdict.window_end_us, verdict.window_start_us + DAY_US);
	assert_int_equal(verdict.n_calls, 2);
	assert_int_equal(verdict.calls[0], 2);
	assert_int_equal(verdict.calls[1], 1);
	assert_int_equal(verdict.n_cgroups, 1);
	assert_int_equal(verdict.cgroups[0], 7);
	assert_false(verdict_next(&verdicts, &verdict));
	for (int i = 0; i < 2; i++) {
		if (i)
			policy_judge(policy, &who, T0 + 3, &verdicts);
		else
			charge(policy, USD, 3, T0 + 2);
		assert_true(verdict_next(&verdicts, &verdict));
		assert_ptr_equal(verdict.step, &two_steps[1]);
		assert_false(verdict.is_first);
		assert_false(verdict_next(&verdicts, &verdict));
	}
	/* The next day is a new window. */
	policy_judge(policy, &who, T0 + DAY_US, &verdicts);
	assert_false(verdict_next(&verdicts, &verdict));
	policy_free(policy);
}

/* The last calls are a counter's own, whoever made them and however little there was to tell. */
static void evidence_is_the_counters_last_calls(void **state)
{
	struct policy_budget shared = day_budget(), own = day_budget();
	struct policy_budget budgets[2];
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct who_group others = { .cgroup = 8, .path = "/b" };
	struct policy_subject other = subject();
	struct charge small = { .source = CHARGE_USAGE, .is_priced = true, .budget_nanos = 1 };
	struct policy_verdict verdict;
	struct policy *policy;

	other.group = &others;
	shared.per = POLICY_PER_MATCH;
	budgets[0] = shared;
	budgets[1] = own;
	policy = policy_new(&rules);
	for (int i = 1; i <= 4; i++)
		charge(policy, USD, i, T0 - DAY_US); /* another window's */
	for (int i = 11; i <= 13; i++)
		charge(policy, 1, i, T0);
	for (int i = 21; i <= 22; i++)
		policy_charge(policy, &other, &small, i, T0, &verdicts);
	charge(policy, 1, 14, T0);
	charge(policy, 1, 15, T0);
	charge(policy, 10 * USD, 16, T0);
	for (int n = 0; verdict_next(&verdicts, &verdict); n++) {
		static const int64_t all[] = { 16, 15, 14, 22, 21, 13, 12, 11 };
		static const int64_t its[] = { 16, 15, 14, 13, 12, 11 };
		bool is_shared = verdict.budget == &budgets[0];

		assert_int_equal(verdict.n_calls, is_shared ? 8 : 6);
		assert_memory_equal(verdict.calls, is_shared ? all : its,
				    is_shared ? sizeof(all) : sizeof(its));
		assert_true(n < 4);
	}
	for (int i = 31; i <= 50; i++)
		policy_charge(policy, &other, &small, i, T0 + DAY_US, &verdicts);
	charge(policy, 10 * USD, 51, T0 + DAY_US);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_int_equal(verdict.n_calls, 8);
	assert_int_equal(verdict.calls[0], 51);
	assert_int_equal(verdict.calls[1], 50);
	assert_int_equal(verdict.calls[7], 44);
	policy_free(policy);
}

static void judging_makes_no_counters(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct policy_stats stats;

	policy_judge(policy, &who, T0, &verdicts);
	assert_false(verdict_next(&verdicts, &verdict));
	policy_stats(policy, &stats);
	assert_int_equal(stats.counters, 0);
	charge(policy, 20 * USD, 1, T0);
	policy_judge(policy, &who, T0, &verdicts);
	assert_true(verdict_next(&verdicts, &verdict));
	policy_free(policy);
}

static void unpriced_calls_count_and_free_ones_do_not(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct charge unpriced = { .source = CHARGE_SIZE, .budget_nanos = 4 * USD };
	struct charge gratis = { .source = CHARGE_FREE,
				 .budget_nanos = 100 * USD,
				 .usage = { .input = 5 } };
	struct charge odd = { .source = CHARGE_USAGE, .budget_nanos = -100 * USD };

	policy_charge(policy, &who, &unpriced, 1, T0, &verdicts);
	policy_charge(policy, &who, &gratis, 2, T0, &verdicts);
	policy_charge(policy, &who, &odd, 3, T0, &verdicts);
	assert_int_equal(spent(policy, T0), 4 * USD);
	charge(policy, 4 * USD, 4, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_int_equal(verdict.measured_permille, 500);
	policy_free(policy);
}

static void tokens_are_the_sum_of_the_disjoint_classes(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy;
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct charge charge = { .source = CHARGE_TEXT,
				 .usage = { .input = 1,
					    .cache_read = 2,
					    .cache_write_5m = 4,
					    .cache_write_1h = 8,
					    .output = 16,
					    .reasoning = 1000,
					    .audio_input = 32,
					    .audio_output = 64,
					    .web_searches = 1000 } };

	budget.limit_nanos = 0;
	budget.limit_tokens = 127;
	policy = policy_new(&rules);
	policy_charge(policy, &who, &charge, 1, T0, &verdicts);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_true(verdict_next(&verdicts, &verdict));
	assert_int_equal(verdict.spent_tokens, 127);
	assert_int_equal(verdict.measured_permille, 0);
	memset(&charge.usage, 0xff, sizeof(charge.usage));
	charge.budget_nanos = INT64_MAX;
	for (int i = 0; i < 200000; i++)
		policy_charge(policy, &who, &charge, 1, T0, &verdicts);
	while (verdict_next(&verdicts, &verdict))
		assert_true(verdict.spent_nanos > 0 && verdict.spent_tokens <= INT64_MAX);
	policy_free(policy);
}

/* A thousand budgets, five hundred workloads; printed, and held far above what it takes. */
static void measure(const char *what, const struct policy_rules *rules, int rounds, double most_us)
{
	struct policy *policy = policy_new(rules);
	struct policy_verdict verdict;
	uint64_t begun_ns = 0;
	double each_us;

	for (int i = -500; i < rounds; i++) {
		if (i == 0)
			begun_ns = clock_mono_ns();
		snprintf(group.namespace, sizeof(group.namespace), "ns-%d", (i + 500) % 50);
		snprintf(group.workload, sizeof(group.workload), "Deployment/w%d", (i + 500) % 500);
		snprintf(group.path, sizeof(group.path), "/kubepods/burstable/pod%d/c",
			 (i + 500) % 500);
		charge(policy, 1, i, T0 + i * 1000LL);
		while (verdict_next(&verdicts, &verdict))
			;
	}
	each_us = (double)(clock_mono_ns() - begun_ns) / 1e3 / rounds;
	print_message("%s: %.2f us a charge\n", what, each_us);
	assert_true(each_us < most_us);
	policy_free(policy);
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
}

static void a_charge_under_a_thousand_budgets_is_quick(void **state)
{
	static struct policy_budget budgets[1000];
	static char names[1000][32];
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 1000 };

	for (int i = 0; i < 1000; i++) {
		budgets[i] = day_budget();
		budgets[i].per = POLICY_PER_WORKLOAD;
		budgets[i].zone = "Europe/Berlin";
		budgets[i].window = i % 3 ? POLICY_DAY : POLICY_MONTH;
		snprintf(names[i], sizeof(names[i]), i % 2 ? "ns-%d" : "*/w%d",
			 i % 2 ? i % 50 : i / 2);
		*(i % 2 ? &budgets[i].match.namespace : &budgets[i].match.workload) = names[i];
	}
	measure("11 of 1,000 budgets fit", &rules, 100000, 200);
	for (int i = 0; i < 1000; i++)
		budgets[i].match = (struct policy_match){ 0 };
	measure("all of 1,000 budgets fit, 500,000 counters", &rules, 2000, 20000);
	for (int i = 0; i < 1000; i++)
		budgets[i].per = POLICY_PER_MATCH;
	measure("all of 1,000 budgets fit, 1,000 counters", &rules, 2000, 20000);
}

static void reserve(struct policy *policy, uint64_t flight, int64_t nanos, int64_t now_us)
{
	struct charge so_far = { .source = CHARGE_TEXT, .is_priced = true, .budget_nanos = nanos };
	struct policy_subject who = subject();

	policy_reserve(policy, &who, flight, &so_far, now_us, &verdicts);
}

static void calls_in_flight_are_held_against_the_budget(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_verdict verdict;

	for (int i = 0; i < 5; i++)
		charge(policy, USD, i + 1, T0); /* the mean is 1 USD */
	/* Each has cost 0.1 and will cost 1: the fifth brings the line. */
	for (uint64_t i = 1; i <= 4; i++) {
		reserve(policy, i, USD / 10, T0);
		assert_false(verdict_next(&verdicts, &verdict));
	}
	reserve(policy, 5, USD / 10, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]); /* no note: nothing was spent */
	assert_true(verdict.is_reserved);
	assert_int_equal(verdict.spent_nanos, 5 * USD + USD / 2);
	assert_true(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", true, T0));
	assert_false(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", false, T0));
	/* One ends for little: what is ahead no longer reaches the line. */
	policy_release(policy, 3);
	charge(policy, USD / 10, 9, T0);
	assert_false(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", true, T0));
	policy_free(policy);
}

static void a_running_stream_counts_as_spent(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_stats stats;
	struct policy_verdict verdict;

	reserve(policy, 1, 7 * USD, T0);
	assert_false(verdict_next(&verdicts, &verdict));
	reserve(policy, 1, 11 * USD, T0 + 1); /* again: replaces */
	assert_true(verdict_next(&verdicts, &verdict));
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_false(verdict.is_reserved);
	assert_int_equal(verdict.spent_nanos, 11 * USD);
	policy_stats(policy, &stats);
	assert_int_equal(stats.flights, 1);
	policy_release(policy, 1);
	policy_release(policy, 1);
	assert_int_equal(spent(policy, T0 + 2), 0);
	policy_stats(policy, &stats);
	assert_int_equal(stats.flights, 0);
	policy_free(policy);
}

/* Reserves and releases at random, against plain arithmetic. */
static void reserves_come_back_to_nothing(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	int64_t so_far[16] = { 0 }, sum = 0, now_us = T0;
	struct policy *policy;
	struct policy_verdict verdict;

	budgets[1].name = "rolling";
	budgets[1].window = POLICY_ROLLING;
	budgets[1].window_us = 10 * MINUTE_US;
	policy = policy_new(&rules);
	for (int i = 0; i < 20000; i++) {
		uint64_t flight = draw(16);

		now_us += (int64_t)draw(1000000);
		if (draw(2)) {
			sum -= so_far[flight];
			policy_release(policy, flight + 1);
			so_far[flight] = 0;
		} else {
			sum -= so_far[flight];
			so_far[flight] = (int64_t)draw(USD);
			sum += so_far[flight];
			reserve(policy, flight + 1, so_far[flight], now_us);
			while (verdict_next(&verdicts, &verdict))
				assert_int_equal(verdict.spent_nanos, sum);
		}
	}
	for (uint64_t flight = 0; flight < 16; flight++)
		policy_release(policy, flight + 1);
	assert_int_equal(spent(policy, now_us), 0);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_come_once_as_first_then_the_highest_each_time),
		cmocka_unit_test(evidence_is_the_counters_last_calls),
		cmocka_unit_test(judging_makes_no_counters),
		cmocka_unit_test(unpriced_calls_count_and_free_ones_do_not),
		cmocka_unit_test(tokens_are_the_sum_of_the_disjoint_classes),
		cmocka_unit_test_setup(calls_in_flight_are_held_against_the_budget, plain_group),
		cmocka_unit_test_setup(a_running_stream_counts_as_spent, plain_group),
		cmocka_unit_test_setup(reserves_come_back_to_nothing, plain_group),
		cmocka_unit_test(a_charge_under_a_thousand_budgets_is_quick),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
