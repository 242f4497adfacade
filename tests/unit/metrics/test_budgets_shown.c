/* SPDX-License-Identifier: Apache-2.0 */
/* Of what may be a million counters, those that are shown: the fullest, and when they are full. */
#include "budgeted.h"

#include "metrics/fullest_budgets.h"
#include "metrics/scrape.h"

#define LEN 65536

static void spend(struct policy *policy, const char *path, int64_t nanos, int64_t now_us)
{
	static int64_t id;

	snprintf(group.path, sizeof(group.path), "%s", path);
	group.cgroup = (uint64_t)path[1];
	charge(policy, nanos, ++id, now_us);
}

/* One USD in ten minutes of 10, and a neighbour that spent as much at once and then nothing. */
static void what_fills_is_full_at_a_time(void **state)
{
	struct policy_budget budget = day_budget();
	const struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct trends *trends = trends_new();
	struct scrape_sources sources = { .version = "0", .max_series = 10 };
	struct metrics *metrics = metrics_new(10, "n");
	struct fullest_budgets fullest;
	struct scrape *scrape;
	char text[LEN + 1], line[128];
	int64_t now_us = T0;
	size_t len = 0;
	ssize_t n;

	spend(policy, "/b", USD, now_us);
	for (int i = 0; i <= 10; i++) {
		now_us = T0 + i * MINUTE_US;
		spend(policy, "/a", USD / 10, now_us);
		assert_int_equal(fullest_budgets_take(&fullest, policy, trends, 5, now_us), 0);
		if (i < 10)
			fullest_budgets_done(&fullest);
	}
	assert_int_equal(fullest.n, 2);
	assert_string_equal(fullest.rows[0].key, "cgroup=/a");
	/* 8.9 USD are left, at 6 USD an hour */
	assert_true(fullest.rows[0].trend.is_known);
	assert_in_range(fullest.rows[0].trend.per_hour, 6 * USD - USD / 10, 6 * USD + USD / 10);
	assert_in_range(fullest.rows[0].trend.reached_us, now_us + 88 * MINUTE_US,
			now_us + 90 * MINUTE_US);
	assert_string_equal(fullest.rows[1].key, "cgroup=/b");
	assert_int_equal(fullest.rows[1].trend.reached_us, 0);

	sources.policy = policy;
	sources.trends = trends;
	scrape = scrape_new(metrics, &sources, EXPOSITION_TEXT, 1, now_us);
	while ((n = scrape_read(scrape, text + len, LEN - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	snprintf(line, sizeof(line),
		 "aigress_budget_full_timestamp_seconds{node=\"n\",budget=\"b\","
		 "counter=\"cgroup=/a\",window=\"day\"} %lld\n",
		 (long long)(fullest.rows[0].trend.reached_us / US_PER_S));
	assert_non_null(strstr(text, line));
	assert_null(strstr(text, "aigress_budget_full_timestamp_seconds{node=\"n\",budget=\"b\","
				 "counter=\"cgroup=/b\""));
	scrape_free(scrape);
	metrics_free(metrics);
	fullest_budgets_done(&fullest);
	trends_free(trends);
	policy_free(policy);
}

static void the_fullest_are_kept_and_the_others_added_up(void **state)
{
	struct policy_budget budget = day_budget();
	const struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct fullest_budgets fullest;
	char path[8];

	for (int i = 0; i < 20; i++) {
		snprintf(path, sizeof(path), "/%c", 'a' + i * 7 % 20);
		spend(policy, path, (i * 7 % 20 + 1) * USD / 10, T0);
	}
	assert_int_equal(fullest_budgets_take(&fullest, policy, NULL, 3, T0), 0);
	assert_int_equal(fullest.n, 3);
	assert_int_equal(fullest.n_more, 17);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fullest.rows[i].spent_nanos, (20 - i) * USD / 10);
	assert_int_equal(fullest.more_nanos, 17 * 18 / 2 * USD / 10);
	assert_false(fullest.rows[0].trend.is_known);
	fullest_budgets_done(&fullest);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fills_is_full_at_a_time),
		cmocka_unit_test(the_fullest_are_kept_and_the_others_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
