/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guard/override.h"
#include "guard/policy.h"

#define USD NANOS_PER_USD
#define MINUTE_US (60 * US_PER_S)
#define HOUR_US (3600 * US_PER_S)
#define DAY_US (24 * HOUR_US)
#define T0 (1790000000LL * US_PER_S)	/* 2026-09-21T14:13:20Z */

static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 16) % below;
}

static struct policy_step two_steps[] = {
	{ .at_permille = 800, .action = POLICY_NOTE, .line = 5 },
	{ .at_permille = 1000, .action = POLICY_REFUSE, .line = 6 },
};

static struct policy_budget day_budget(void)
{
	return (struct policy_budget){ .name = "b",
				       .per = POLICY_PER_CGROUP,
				       .limit_nanos = 10 * USD,
				       .window = POLICY_DAY,
				       .zone = "UTC",
				       .steps = two_steps,
				       .n_steps = 2 };
}

static struct who_group group = { .cgroup = 7, .path = "/a" };
static struct who_process process = {
	.tgid = 70, .user = "root", .comm = "python3", .exe = "/bin/python3"
};

static struct policy_subject subject(void)
{
	return (struct policy_subject){
		.group = &group, .process = &process, .host = "api.x", .model = "m"
	};
}

static void charge(struct policy *policy, int64_t nanos, int64_t id, int64_t now_us)
{
	struct charge charge = { .source = CHARGE_USAGE,
				 .is_priced = true,
				 .cost_nanos = nanos,
				 .budget_nanos = nanos,
				 .usage = { .output = (uint64_t)nanos / USD } };
	struct policy_subject who = subject();

	policy_charge(policy, &who, &charge, id, now_us);
}

static void sum_counters(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static int64_t spent(struct policy *policy, int64_t now_us)
{
	int64_t sum = 0;

	policy_counters(policy, now_us, sum_counters, &sum);
	return sum;
}

static void steps_come_once_as_first_then_the_highest_each_time(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_subject who = subject();
	struct policy_verdict verdict;

	charge(policy, 7 * USD, 1, T0);
	assert_false(policy_next(policy, &verdict));
	charge(policy, 5 * USD, 2, T0 + 1);
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_true(verdict.is_first);
	assert_true(policy_next(policy, &verdict));
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
	assert_false(policy_next(policy, &verdict));
	for (int i = 0; i < 2; i++) {
		if (i)
			policy_judge(policy, &who, T0 + 3);
		else
			charge(policy, USD, 3, T0 + 2);
		assert_true(policy_next(policy, &verdict));
		assert_ptr_equal(verdict.step, &two_steps[1]);
		assert_false(verdict.is_first);
		assert_false(policy_next(policy, &verdict));
	}
	/* The next day is a new window. */
	policy_judge(policy, &who, T0 + DAY_US);
	assert_false(policy_next(policy, &verdict));
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
		charge(policy, USD, i, T0 - DAY_US);	/* another window's */
	for (int i = 11; i <= 13; i++)
		charge(policy, 1, i, T0);
	for (int i = 21; i <= 22; i++)
		policy_charge(policy, &other, &small, i, T0);
	charge(policy, 1, 14, T0);
	charge(policy, 1, 15, T0);
	charge(policy, 10 * USD, 16, T0);
	for (int n = 0; policy_next(policy, &verdict); n++) {
		static const int64_t all[] = { 16, 15, 14, 22, 21, 13, 12, 11 };
		static const int64_t its[] = { 16, 15, 14, 13, 12, 11 };
		bool is_shared = verdict.budget == &budgets[0];

		assert_int_equal(verdict.n_calls, is_shared ? 8 : 6);
		assert_memory_equal(verdict.calls, is_shared ? all : its, is_shared ? sizeof(all) :
				    sizeof(its));
		assert_true(n < 4);
	}
	for (int i = 31; i <= 50; i++)
		policy_charge(policy, &other, &small, i, T0 + DAY_US);
	charge(policy, 10 * USD, 51, T0 + DAY_US);
	assert_true(policy_next(policy, &verdict));
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

	policy_judge(policy, &who, T0);
	assert_false(policy_next(policy, &verdict));
	policy_stats(policy, &stats);
	assert_int_equal(stats.counters, 0);
	charge(policy, 20 * USD, 1, T0);
	policy_judge(policy, &who, T0);
	assert_true(policy_next(policy, &verdict));
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

	policy_charge(policy, &who, &unpriced, 1, T0);
	policy_charge(policy, &who, &gratis, 2, T0);
	policy_charge(policy, &who, &odd, 3, T0);
	assert_int_equal(spent(policy, T0), 4 * USD);
	charge(policy, 4 * USD, 4, T0);
	assert_true(policy_next(policy, &verdict));
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
	struct charge charge = { .source = CHARGE_TEXT, .usage = { .input = 1, .cache_read = 2,
		.cache_write_5m = 4, .cache_write_1h = 8, .output = 16, .reasoning = 1000,
		.audio_input = 32, .audio_output = 64, .web_searches = 1000 } };

	budget.limit_nanos = 0;
	budget.limit_tokens = 127;
	policy = policy_new(&rules);
	policy_charge(policy, &who, &charge, 1, T0);
	assert_true(policy_next(policy, &verdict));
	assert_true(policy_next(policy, &verdict));
	assert_int_equal(verdict.spent_tokens, 127);
	assert_int_equal(verdict.measured_permille, 0);
	memset(&charge.usage, 0xff, sizeof(charge.usage));
	charge.budget_nanos = INT64_MAX;
	for (int i = 0; i < 200000; i++)
		policy_charge(policy, &who, &charge, 1, T0);
	while (policy_next(policy, &verdict))
		assert_true(verdict.spent_nanos > 0 && verdict.spent_tokens <= INT64_MAX);
	policy_free(policy);
}

/* ---- windows against a naive model ---- */

struct past {
	int64_t at_us, nanos;	/* at_us: the latest the clock had ever shown */
};

static int64_t unit_of(enum policy_window window, int64_t at_us)
{
	time_t at = at_us / US_PER_S;
	struct tm tm, date = { 0 };
	int64_t days;

	localtime_r(&at, &tm);
	date.tm_year = tm.tm_year;
	date.tm_mon = tm.tm_mon;
	date.tm_mday = tm.tm_mday;
	days = timegm(&date) / 86400;
	switch (window) {
	case POLICY_HOUR: return (at + tm.tm_gmtoff) / 3600 * 1000000 + tm.tm_gmtoff;
	case POLICY_DAY: return days;
	case POLICY_WEEK: return (days + 3) / 7;
	default: return tm.tm_year * 12 + tm.tm_mon;
	}
}

/* A year and more of random charges, the clock stepping back by less than the shortest window: Lord
 * Howe's change of the clock makes hours of 30 minutes. */
static void calendar_windows_hold_what_the_calendar_says(void **state)
{
	static const char *const zones[] = { "UTC", "Europe/Berlin", "America/New_York",
		"Australia/Lord_Howe", "Africa/Cairo", "America/St_Johns", "Asia/Kathmandu" };
	static struct past past[8000];

	for (size_t z = 0; z < ARRAY_SIZE(zones); z++) {
		setenv("TZ", zones[z], 1);
		tzset();
		for (enum policy_window window = POLICY_HOUR; window <= POLICY_MONTH; window++) {
			struct policy_budget budget = day_budget();
			struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
			int64_t now_us = T0 - 300 * DAY_US, latest_us = 0;
			struct policy *policy;
			size_t n = 0;

			budget.window = window;
			budget.zone = (char *)zones[z];
			policy = policy_new(&rules);
			while (now_us < T0 + 100 * DAY_US && n < ARRAY_SIZE(past)) {
				int64_t want = 0;

				now_us += draw(10) ? (int64_t)draw(3 * HOUR_US)
						   : -(int64_t)draw(50 * MINUTE_US);
				if (now_us < latest_us - 29 * MINUTE_US)
					now_us = latest_us - 29 * MINUTE_US;
				latest_us = now_us > latest_us ? now_us : latest_us;
				past[n++] = (struct past){ latest_us, (int64_t)draw(USD) };
				charge(policy, past[n - 1].nanos, (int64_t)n, now_us);
				for (size_t i = n; i-- && unit_of(window, past[i].at_us) ==
								  unit_of(window, latest_us);)
					want += past[i].nanos;
				assert_int_equal(spent(policy, now_us), want);
			}
			policy_free(policy);
		}
	}
	setenv("TZ", "UTC", 1);
	tzset();
}

static void rolling_windows_err_by_a_slot_at_most(void **state)
{
	static const int64_t widths[] = { 10 * MINUTE_US, HOUR_US, 24 * HOUR_US, 7, 640 };
	static struct past past[20000];

	for (size_t w = 0; w < ARRAY_SIZE(widths); w++) {
		struct policy_budget budget = day_budget();
		struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
		int64_t now_us = T0, latest_us = 0, slot_us = widths[w] / POLICY_SLOTS ?: 1;
		int64_t width_us = slot_us * POLICY_SLOTS;
		struct policy *policy;

		budget.window = POLICY_ROLLING;
		budget.window_us = widths[w];
		policy = policy_new(&rules);
		for (size_t n = 0; n < ARRAY_SIZE(past); n++) {
			int64_t least = 0, most = 0, sum;

			now_us += draw(200) ? (int64_t)draw((uint64_t)slot_us + 1)
				  : draw(2) ? (int64_t)draw((uint64_t)width_us * 2)
					    : -(int64_t)draw((uint64_t)width_us);
			if (now_us < latest_us - width_us)
				now_us = latest_us - width_us;
			latest_us = now_us > latest_us ? now_us : latest_us;
			past[n] = (struct past){ latest_us, (int64_t)draw(USD) };
			charge(policy, past[n].nanos, 1, now_us);
			sum = spent(policy, now_us);
			for (size_t i = n + 1; i-- && latest_us - past[i].at_us < width_us;) {
				most += past[i].nanos;
				if (latest_us - past[i].at_us < width_us - slot_us)
					least += past[i].nanos;
			}
			assert_true(least <= sum && sum <= most);
		}
		policy_free(policy);
	}
}

static void a_rolling_step_tells_when_it_ends(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy_subject who = subject();
	struct policy_verdict verdict;
	struct policy *policy;

	budget.window = POLICY_ROLLING;
	budget.window_us = HOUR_US;
	policy = policy_new(&rules);
	charge(policy, 6 * USD, 1, T0);
	charge(policy, 6 * USD, 2, T0 + 30 * MINUTE_US);
	assert_true(policy_next(policy, &verdict));
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_true(verdict.window_end_us > T0 + 59 * MINUTE_US &&
		    verdict.window_end_us <= T0 + HOUR_US);
	policy_judge(policy, &who, verdict.window_end_us - 1);
	assert_true(policy_next(policy, &verdict));
	policy_judge(policy, &who, verdict.window_end_us);
	assert_false(policy_next(policy, &verdict));
	/* Reached again, it is first again. */
	charge(policy, 6 * USD, 3, T0 + 61 * MINUTE_US);
	assert_true(policy_next(policy, &verdict));
	assert_true(verdict.is_first);
	policy_free(policy);
}

static void clock_jumps_neither_reset_nor_double(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };

	for (int rolling = 0; rolling < 2; rolling++) {
		struct policy *policy;

		budget.window = rolling ? POLICY_ROLLING : POLICY_DAY;
		budget.window_us = DAY_US;
		policy = policy_new(&rules);
		charge(policy, USD, 1, T0);
		charge(policy, USD, 2, T0 - 20 * HOUR_US);	/* yesterday, as the clock has it */
		assert_int_equal(spent(policy, T0 - 20 * HOUR_US), 2 * USD);
		assert_int_equal(spent(policy, T0 + HOUR_US), 2 * USD);
		/* It had been wrong by a month: the sums come along, and end with the day that now
		 * is. */
		charge(policy, USD, 3, T0 - 30 * DAY_US);
		assert_int_equal(spent(policy, T0 - 30 * DAY_US), 3 * USD);
		assert_int_equal(spent(policy, T0 - 30 * DAY_US + HOUR_US), 3 * USD);
		assert_int_equal(spent(policy, T0 - 29 * DAY_US + HOUR_US), 0);
		charge(policy, USD, 4, T0);
		assert_int_equal(spent(policy, T0), USD);
		policy_free(policy);
	}
}

/* ---- matches and keys ---- */

#define LABELS(...)                                                                                \
	.labels = (struct policy_label[]){ __VA_ARGS__ },                                          \
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
				    .labels = "team=search,env=prod-eu,x=y" };
	assert_true(hits((struct policy_match){ 0 }));
	assert_true(hits((struct policy_match){ .cgroup = "/kubepods/*",
						.namespace = "agents-*",
						.workload = "Deployment/?",
						.pod = "w-[0-9]",
						.container = "c",
						.unit = "u.*",
						.user = "root",
						.command = "python*",
						.exe = "/bin/*",
						.host = "api.*",
						.model = "m",
						LABELS({ "env", "prod-*" }, { "team", "search" }) }));
	assert_true(hits((struct policy_match){ LABELS({ "x", "*" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "team", "search" }, { "env", "test" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "team", "sear" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "tea", "*" }) }));
	assert_false(hits((struct policy_match){ LABELS({ "y", "*" }) }));
	assert_false(hits((struct policy_match){ .namespace = "agents-*", .model = "n" }));
	assert_false(hits((struct policy_match){ .command = "node" }));
	assert_true(hits((struct policy_match){ .command = "" }));
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
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
	assert_string_equal(key_per(POLICY_PER_MATCH), "match");
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
	assert_true(policy_next(policy, &verdict));
	assert_true(verdict.is_protected);
	assert_int_equal(verdict.n_cgroups, 0);
	group = (struct who_group){ .cgroup = 1, .path = "/" };
	charge(policy, 1, 1, T0);
	group = (struct who_group){ .cgroup = 8, .path = "/b" };
	charge(policy, 1, 1, T0);
	assert_true(policy_next(policy, &verdict));
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

static void a_replay_begins_where_the_oldest_window_does(void **state)
{
	struct policy_budget budgets[] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct policy *policy;

	budgets[1].window = POLICY_MONTH;
	policy = policy_new(&rules);
	assert_int_equal(policy_since(policy, T0),
			 1788220800LL * US_PER_S - HOUR_US);			  /* 2026-09-01 */
	assert_int_equal(policy_next_reset(policy, T0), 1790035200LL * US_PER_S); /* 2026-09-22 */
	policy_free(policy);
	rules.n_budgets = 0;
	policy = policy_new(&rules);
	assert_int_equal(policy_next_reset(policy, T0), INT64_MAX);
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
		while (policy_next(policy, &verdict))
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

static int plain_group(void **state)
{
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
	return 0;
}

static struct override order(enum override_kind kind, const char *key, int64_t limit)
{
	struct override order = { .kind = kind, .limit_nanos = limit, .until_us = T0 + HOUR_US };

	snprintf(order.key, sizeof(order.key), "%s", key);
	return order;
}

static bool next_is(struct policy *policy, enum policy_action action)
{
	struct policy_verdict verdict;

	return policy_next(policy, &verdict) && verdict.step->action == action;
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
	assert_int_equal(policy_order(policy, &open, 1), 0);
	assert_false(policy_stands(policy, &budget, &two_steps[1], "cgroup=/a", false, T0));
	charge(policy, USD, 2, T0 + 1);
	assert_false(next_is(policy, POLICY_NOTE));
	assert_int_equal(spent(policy, T0 + 1), 13 * USD);
	assert_int_equal(policy_order(policy, NULL, 0), 0);	/* it has ended */
	charge(policy, USD, 3, T0 + 2);
	assert_true(next_is(policy, POLICY_REFUSE));
	policy_free(policy);
}

static void a_default_is_for_whom_no_other_budget_names(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct policy_verdict verdict;
	struct policy *policy;

	budgets[0].is_default = true;	/* wherever it stands in the file */
	budgets[0].limit_nanos = USD;
	budgets[1].match.cgroup = "/a";
	policy = policy_new(&rules);
	charge(policy, 2 * USD, 1, T0);
	assert_false(policy_next(policy, &verdict));
	snprintf(group.path, sizeof(group.path), "/b");
	charge(policy, 2 * USD, 2, T0);
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.budget, &budgets[0]);
	policy_free(policy);
}

/* As a charge would find it, but without one. */
static void a_budget_covers_whom_it_would_charge(void **state)
{
	struct policy_budget budgets[2] = { day_budget(), day_budget() };
	struct policy_match protect = { .command = "ssh*" };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2, .protect = &protect,
				      .n_protect = 1 };
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
	while (policy_next(policy, &verdict))
		assert_ptr_equal(verdict.budget, &budgets[1]);
	for (int i = 0; i < 32; i++) {
		snprintf(group.path, sizeof(group.path), "/%d", i);
		charge(policy, 3 * USD - 1, 2 + i, T0);
	}
	assert_true(policy_next(policy, &verdict));	/* each within its own, all beyond theirs */
	assert_ptr_equal(verdict.budget, &budgets[0]);
	policy_free(policy);
}

static void all_counters_together_are_bounded(void **state)
{
	enum { N = 3 };
	struct policy_budget budgets[N];
	struct policy_rules rules = { .budgets = budgets, .n_budgets = N,
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

static struct policy_step spike_steps[] = { { .at_permille = 1000, .action = POLICY_REFUSE } };

static struct policy_budget spike_budget(void)
{
	return (struct policy_budget){ .name = "s",
				       .per = POLICY_PER_CGROUP,
				       .window = POLICY_ROLLING,
				       .window_us = DAY_US,
				       .spike_permille = 8000,
				       .floor_nanos_per_hour = 2 * USD,
				       .steps = spike_steps,
				       .n_steps = 1 };
}

/* Hours at a steady rate; returns the time after. */
static int64_t steady(struct policy *policy, int64_t from_us, int hours, int64_t nanos_per_hour)
{
	struct policy_verdict verdict;

	for (int i = 0; i < hours * 12; i++) {
		charge(policy, nanos_per_hour / 12, 1, from_us + i * 5 * MINUTE_US);
		assert_false(policy_next(policy, &verdict));
	}
	return from_us + hours * HOUR_US;
}

static void a_spike_is_measured_against_its_own_past(void **state)
{
	struct policy_budget budget = spike_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_verdict verdict = { 0 };
	struct policy_subject who = subject();
	int64_t now_us = steady(policy, T0, 30, USD), begin_us = now_us;

	/* 7 times the rate for an hour is no spike, 30 times is one within minutes. */
	for (int i = 0; i < 12; i++, now_us += 5 * MINUTE_US)
		charge(policy, 7 * USD / 12, 1, now_us);
	assert_false(policy_next(policy, &verdict));
	now_us = begin_us = steady(policy, now_us, 30, USD);
	do {
		charge(policy, 30 * USD / 60, 1, now_us);
		now_us += MINUTE_US;
	} while (!policy_next(policy, &verdict) && now_us < begin_us + HOUR_US);
	assert_true(now_us - begin_us > 5 * MINUTE_US && now_us - begin_us < 30 * MINUTE_US);
	assert_true(verdict.spent_nanos >= verdict.limit_nanos);
	assert_true(verdict.limit_nanos >= 5 * USD);
	assert_true(verdict.window_end_us > now_us && verdict.window_end_us < now_us + 2 * HOUR_US);
	/* Nothing more is spent: it is over when the evidence says. */
	policy_judge(policy, &who, verdict.window_end_us);
	assert_false(policy_next(policy, &verdict));
	policy_free(policy);
}

static void no_spike_is_below_the_floor_or_without_a_past(void **state)
{
	struct policy_budget budget = spike_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_verdict verdict;
	int64_t now_us = T0;

	/* New: it has no past, whatever it spends. */
	for (int i = 0; i < 5 * 12; i++, now_us += 5 * MINUTE_US) {
		charge(policy, 100 * USD, 1, now_us);
		assert_false(policy_next(policy, &verdict));
	}
	policy_free(policy);
	/* Ten times of nearly nothing is nearly nothing. */
	policy = policy_new(&rules);
	now_us = steady(policy, T0, 30, USD / 100);
	for (int i = 0; i < 12; i++, now_us += 5 * MINUTE_US) {
		charge(policy, USD / 10, 1, now_us);
		assert_false(policy_next(policy, &verdict));
	}
	policy_free(policy);
}

static void an_order_for_another_key_changes_nothing(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct override other = order(OVERRIDE_OPEN, "cgroup=/b*", 0);

	assert_int_equal(policy_order(policy, &other, 1), 0);
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
	struct override orders[] = { order(OVERRIDE_OPEN, "*", 0),
				     order(OVERRIDE_RAISE, "b", 20 * USD),
				     order(OVERRIDE_RAISE, "b", 5 * USD) };
	struct policy_verdict verdict;

	assert_int_equal(policy_order(policy, orders, 2), 0);	/* the last word counts */
	charge(policy, 15 * USD, 1, T0);
	assert_false(policy_next(policy, &verdict));
	charge(policy, USD, 2, T0);
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[0]);
	assert_int_equal(verdict.limit_nanos, 20 * USD);
	assert_false(policy_next(policy, &verdict));
	assert_int_equal(policy_order(policy, orders, 3), 0);
	charge(policy, USD, 3, T0);
	assert_true(policy_next(policy, &verdict));
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
	assert_int_equal(policy_order(policy, &hold, 1), 0);
	policy_held(policy, T0, count_held, &n);
	assert_int_equal(n, 1);
	assert_true(policy_stands(policy, &budget, &policy_hold, "cgroup=/a", false, T0));
	who.group = &newcomer;
	policy_judge(policy, &who, T0);
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &policy_hold);
	assert_int_equal(verdict.cgroup, 8);
	assert_false(policy_next(policy, &verdict));
	assert_int_equal(policy_order(policy, NULL, 0), 0);
	assert_false(policy_stands(policy, &budget, &policy_hold, "cgroup=/a", false, T0));
	policy_judge(policy, &who, T0);
	assert_false(policy_next(policy, &verdict));
	policy_free(policy);
}

static void reserve(struct policy *policy, uint64_t flight, int64_t nanos, int64_t now_us)
{
	struct charge so_far = { .source = CHARGE_TEXT, .is_priced = true, .budget_nanos = nanos };
	struct policy_subject who = subject();

	policy_reserve(policy, &who, flight, &so_far, now_us);
}

static void calls_in_flight_are_held_against_the_budget(void **state)
{
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct policy_verdict verdict;

	for (int i = 0; i < 5; i++)
		charge(policy, USD, i + 1, T0);	/* the mean is 1 USD */
	/* Each has cost 0.1 and will cost 1: the fifth brings the line. */
	for (uint64_t i = 1; i <= 4; i++) {
		reserve(policy, i, USD / 10, T0);
		assert_false(policy_next(policy, &verdict));
	}
	reserve(policy, 5, USD / 10, T0);
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);	/* no note: nothing was spent */
	assert_true(verdict.is_ahead);
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
	assert_false(policy_next(policy, &verdict));
	reserve(policy, 1, 11 * USD, T0 + 1);	/* again: replaces */
	assert_true(policy_next(policy, &verdict));
	assert_true(policy_next(policy, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_false(verdict.is_ahead);
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
			while (policy_next(policy, &verdict))
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
		cmocka_unit_test(calendar_windows_hold_what_the_calendar_says),
		cmocka_unit_test(rolling_windows_err_by_a_slot_at_most),
		cmocka_unit_test(a_rolling_step_tells_when_it_ends),
		cmocka_unit_test(clock_jumps_neither_reset_nor_double),
		cmocka_unit_test(all_patterns_that_are_given_must_fit),
		cmocka_unit_test(keys_are_unique_and_fall_back_to_the_cgroup),
		cmocka_unit_test(the_protected_are_judged_but_are_no_members),
		cmocka_unit_test(counters_are_bounded_and_overflow_into_one),
		cmocka_unit_test(a_replay_begins_where_the_oldest_window_does),
		cmocka_unit_test_setup(a_default_is_for_whom_no_other_budget_names, plain_group),
		cmocka_unit_test_setup(a_budget_covers_whom_it_would_charge, plain_group),
		cmocka_unit_test_setup(nested_budgets_are_all_charged, plain_group),
		cmocka_unit_test_setup(all_counters_together_are_bounded, plain_group),
		cmocka_unit_test_setup(a_spike_is_measured_against_its_own_past, plain_group),
		cmocka_unit_test_setup(no_spike_is_below_the_floor_or_without_a_past, plain_group),
		cmocka_unit_test_setup(an_order_to_open_takes_no_step_and_sums_go_on, plain_group),
		cmocka_unit_test_setup(an_order_for_another_key_changes_nothing, plain_group),
		cmocka_unit_test_setup(a_raised_limit_moves_its_steps_and_a_lower_one_does_not, plain_group),
		cmocka_unit_test_setup(an_order_to_hold_gates_who_spent_and_who_only_appears, plain_group),
		cmocka_unit_test_setup(calls_in_flight_are_held_against_the_budget, plain_group),
		cmocka_unit_test_setup(a_running_stream_counts_as_spent, plain_group),
		cmocka_unit_test_setup(reserves_come_back_to_nothing, plain_group),
		cmocka_unit_test(a_charge_under_a_thousand_budgets_is_quick),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
