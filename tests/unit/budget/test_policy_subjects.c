/* SPDX-License-Identifier: Apache-2.0 */
#include "budgeted.h"

#define LABELS(...)                                       \
	.labels = (struct policy_label[]){ __VA_ARGS__ }, \
	.n_labels = sizeof((struct policy_label[]){ __VA_ARGS__ }) / sizeof(struct policy_label)

static bool hits(struct policy_match match)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy;
	bool hit;

	budget.match = match;
	policy = policy_new(&rules);
	charge(policy, USD, 1, T0);
	hit = spent(policy, T0) != 0;
	policy_free(policy);
	return hit;
}

static void all_patterns_that_are_given_must_fit(void **state)
{
	group = (struct who_group){ .cgroup = 7,
				    .path = "/kubepods/x/y",
				    .unit = "u.service",
				    .namespace = "agents-a",
				    .workload = "Deployment/w",
				    .pod = "w-1",
				    .container_name = "c",
				    .image = "r.example/web:1.2",
				    .labels = "team=search,env=prod-eu,x=y" };
	assert_true(hits((struct policy_match){ 0 }));
	assert_true(hits((struct policy_match){ .cgroup = "/kubepods/*",
						.namespace = "agents-*",
						.workload = "Deployment/?",
						.pod = "w-[0-9]",
						.container = "c",
						.image = "r.example/web:*",
						.unit = "u.*",
						.user = "root",
						.command = "python*",
						.exe = "/bin/*",
						.host = "api.*",
						.model = "m",
						LABELS({ "env", "prod-*" }, { "team", "search" }) }));
	assert_true(hits((struct policy_match){ LABELS({ "x", "*" }) }));
	client = "claude-cli/2.1.332";
	assert_true(hits((struct policy_match){ .client = "claude-cli/*", .model = "m" }));
	assert_false(hits((struct policy_match){ .client = "codex*" }));
	client = NULL; /* of a call that nobody could read */
	assert_false(hits((struct policy_match){ .client = "*cli*" }));
	assert_false(hits((struct policy_match){ LABELS({ "team", "search" }, { "env", "test" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "team", "sear" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "tea", "*" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "y", "*" }) }));
	assert_false(hits((struct policy_match){ .namespace = "agents-*", .model = "n" }));
	assert_false(hits((struct policy_match){ .command = "node" }));
	assert_false(hits((struct policy_match){ .image = "r.example/other:*" }));
	assert_true(hits((struct policy_match){ .command = "" }));
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
}

/* The mean of a call, which a new one is held against, is that of each of the twenty. */
static void a_charge_of_several_calls_is_so_many(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	const struct charge unread = { .source = CHARGE_SIZE, .budget_nanos = 2 * USD, .count = 20 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_usage_snapshot usage;

	/* the first by the long way, the later ones by the short one */
	for (int64_t id = 1; id <= 3; id++)
		policy_charge(policy, &who, &unread, id, T0, NULL);
	assert_true(policy_usage_snapshot(policy, &budget, "cgroup=/a", &usage));
	assert_int_equal(usage.calls, 60);
	policy_free(policy);
}

static char last_key[1024];

static void keep_key(void *arg, const struct policy_counter *counter)
{
	snprintf(last_key, sizeof(last_key), "%s", counter->key);
}

static const char *key_per(enum policy_per per)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy;

	budget.per = per;
	policy = policy_new(&rules);
	charge(policy, USD, 1, T0);
	policy_counters(policy, T0, keep_key, NULL);
	policy_free(policy);
	return last_key;
}

static void keys_are_unique_and_fall_back_to_the_cgroup(void **state)
{
	assert_string_equal(key_per(POLICY_PER_POD), "cgroup=/a");
	assert_string_equal(key_per(POLICY_PER_NAMESPACE), "cgroup=/a");
	assert_string_equal(key_per(POLICY_PER_WORKLOAD), "cgroup=/a");
	assert_string_equal(key_per(POLICY_PER_CONTAINER), "cgroup=/a");
	assert_string_equal(key_per(POLICY_PER_UNIT), "cgroup=/a");
	assert_string_equal(key_per(POLICY_PER_USER), "user=root");
	assert_string_equal(key_per(POLICY_PER_PROCESS), "process=70 (python3)");
	assert_string_equal(key_per(POLICY_PER_MATCH), "b");
	group = (struct who_group){ .cgroup = 7,
				    .path = "/k/x",
				    .unit = "u.service",
				    .namespace = "n",
				    .workload = "Deployment/w",
				    .pod = "w-1",
				    .container = "0123",
				    .container_name = "c" };
	assert_string_equal(key_per(POLICY_PER_NAMESPACE), "namespace=n");
	assert_string_equal(key_per(POLICY_PER_WORKLOAD), "workload=n/Deployment/w");
	assert_string_equal(key_per(POLICY_PER_POD), "pod=n/w-1");
	assert_string_equal(key_per(POLICY_PER_CONTAINER), "container=n/w-1/c");
	assert_string_equal(key_per(POLICY_PER_UNIT), "unit=u.service");
	assert_string_equal(key_per(POLICY_PER_CGROUP), "cgroup=/k/x");
	group.whole_len = 2; /* made below what was delegated */
	assert_string_equal(key_per(POLICY_PER_CGROUP), "cgroup=/k");
	group.whole_len = 0;
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
}

static void the_protected_are_judged_but_are_no_members(void **state)
{
	struct policy_match protect[] = { { .namespace = "kube-system" }, { .cgroup = "/a" } };
	struct policy_budget budget = day_budget();
	struct policy_rules rules = {
		.budgets = &budget, .n_budgets = 1, .protect = protect, .n_protect = 2
	};
	struct policy_verdict verdict;
	struct policy *policy;

	budget.per = POLICY_PER_MATCH;
	policy = policy_new(&rules);
	charge(policy, 9 * USD, 1, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_true(verdict.is_protected);
	assert_int_equal(verdict.n_cgroups, 0);
	group = (struct who_group){ .cgroup = 1, .path = "/" };
	charge(policy, 1, 1, T0);
	group = (struct who_group){ .cgroup = 8, .path = "/b" };
	charge(policy, 1, 1, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_false(verdict.is_protected);
	assert_int_equal(verdict.n_cgroups, 1);
	assert_int_equal(verdict.cgroups[0], 8);
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
	policy_free(policy);
}

static void counters_are_bounded_and_overflow_into_one(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy_stats stats;
	struct policy *policy;

	for (int rolling = 0; rolling < 2; rolling++) {
		int max = rolling ? POLICY_ROLLING_COUNTERS : POLICY_COUNTERS;

		budget.window = rolling ? POLICY_ROLLING : POLICY_DAY;
		budget.window_us = HOUR_US;
		policy = policy_new(&rules);
		for (int i = 0; i < max + 500; i++) {
			snprintf(group.path, sizeof(group.path), "/%d", i);
			charge(policy, 1, i, T0);
		}
		assert_int_equal(spent(policy, T0), max + 500);
		policy_stats(policy, &stats);
		assert_int_equal(stats.counters, max + 1);
		assert_int_equal(stats.shared, 500);
		assert_true(stats.cached <= POLICY_CACHE);
		/* A window later there is room again, and nothing points to what was dropped. */
		for (int i = 0; i < max; i += 10) {
			snprintf(group.path, sizeof(group.path), "/new-%d", i);
			charge(policy, 1, i, T0 + DAY_US + i);
		}
		policy_stats(policy, &stats);
		assert_int_equal(stats.shared, 500);
		policy_free(policy);
	}
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
}

static void a_default_is_for_whom_no_other_budget_names(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct policy_verdict verdict;
	struct policy *policy;

	budgets[0].is_default = true; /* wherever it stands in the file */
	budgets[0].limit_nanos = USD;
	budgets[1].match.cgroup = "/a";
	policy = policy_new(&rules);
	charge(policy, 2 * USD, 1, T0);
	assert_false(verdict_next(&verdicts, &verdict));
	snprintf(group.path, sizeof(group.path), "/b");
	charge(policy, 2 * USD, 2, T0);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.budget, &budgets[0]);
	policy_free(policy);
}

/* As a charge would find it, but without one. */
static void a_budget_covers_whom_it_would_charge(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_match protect = { .command = "ssh*" };
	struct policy_rules rules = {
		.budgets = budgets, .n_budgets = 2, .protect = &protect, .n_protect = 1
	};
	struct policy_subject who = subject();
	bool is_protected = true;

	budgets[1].is_default = true;
	budgets[0].match.model = "gpt-*";
	assert_false(policy_covers(&rules, &budgets[0], "cgroup=/a", &who, &is_protected));
	assert_true(policy_covers(&rules, &budgets[1], "cgroup=/a", &who, &is_protected));
	assert_false(is_protected);
	who.model = "gpt-5";
	assert_true(policy_covers(&rules, &budgets[0], "cgroup=/a", &who, &is_protected));
	assert_false(policy_covers(&rules, &budgets[0], "cgroup=/b", &who, &is_protected));
	assert_false(policy_covers(&rules, &budgets[1], "cgroup=/a", &who, &is_protected));
	protect.command = "python*";
	assert_true(policy_covers(&rules, &budgets[0], "cgroup=/a", &who, &is_protected));
	assert_true(is_protected);
}

/* All are charged, and the one with the least left acts first. */
static void nested_budgets_are_all_charged(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct policy_verdict verdict;
	struct policy *policy;

	budgets[0].per = POLICY_PER_MATCH;
	budgets[0].limit_nanos = 100 * USD;
	budgets[1].limit_nanos = 3 * USD;
	policy = policy_new(&rules);
	charge(policy, 4 * USD, 1, T0);
	assert_int_equal(spent(policy, T0), 8 * USD);
	while (verdict_next(&verdicts, &verdict))
		assert_ptr_equal(verdict.budget, &budgets[1]);
	for (int i = 0; i < 32; i++) {
		snprintf(group.path, sizeof(group.path), "/%d", i);
		charge(policy, 3 * USD - 1, 2 + i, T0);
	}
	assert_true(verdict_next(&verdicts, &verdict)); /* each within its own, all beyond theirs */
	assert_ptr_equal(verdict.budget, &budgets[0]);
	policy_free(policy);
}

static void all_counters_together_are_bounded(void **state)
{
	enum { N = 3 };
	struct policy_budget budgets[N];
	struct policy_rules rules = { .budgets = budgets,
				      .n_budgets = N,
				      .counters_bytes = 16 << 20 };
	struct policy_stats stats;
	struct policy *policy;

	for (int i = 0; i < N; i++) {
		budgets[i] = day_budget();
		budgets[i].window = POLICY_ROLLING;
		budgets[i].window_us = HOUR_US;
	}
	policy = policy_new(&rules);
	for (int i = 0; i < POLICY_ROLLING_COUNTERS; i++) {
		snprintf(group.path, sizeof(group.path), "/many/%d", i);
		charge(policy, 1, i + 1, T0);
	}
	policy_stats(policy, &stats);
	assert_true(stats.counters < (uint64_t)N * POLICY_ROLLING_COUNTERS);
	assert_true(stats.counters > rules.counters_bytes / 4096);
	assert_true(stats.shared > 0);
	assert_int_equal(spent(policy, T0), (int64_t)N * POLICY_ROLLING_COUNTERS);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_patterns_that_are_given_must_fit),
		cmocka_unit_test(a_charge_of_several_calls_is_so_many),
		cmocka_unit_test(keys_are_unique_and_fall_back_to_the_cgroup),
		cmocka_unit_test(the_protected_are_judged_but_are_no_members),
		cmocka_unit_test(counters_are_bounded_and_overflow_into_one),
		cmocka_unit_test_setup(a_default_is_for_whom_no_other_budget_names, plain_group),
		cmocka_unit_test_setup(a_budget_covers_whom_it_would_charge, plain_group),
		cmocka_unit_test_setup(nested_budgets_are_all_charged, plain_group),
		cmocka_unit_test_setup(all_counters_together_are_bounded, plain_group),
	};

	return cmocka_run_group_tests_name("policy_subjects", tests, NULL, NULL);
}
