/* SPDX-License-Identifier: Apache-2.0 */
#include "budgeted.h"

struct past {
	int64_t at_us, nanos; /* at_us: the latest the clock had ever shown */
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
	case POLICY_HOUR:
		return (at + tm.tm_gmtoff) / 3600 * 1000000 + tm.tm_gmtoff;
	case POLICY_DAY:
		return days;
	case POLICY_WEEK:
		return (days + 3) / 7;
	default:
		return tm.tm_year * 12 + tm.tm_mon;
	}
}

/* A year and more of random charges, the clock stepping back by less than the shortest window: Lord
 * Howe's change of the clock makes hours of 30 minutes. */
static void calendar_windows_hold_what_the_calendar_says(void **state)
{
	static const char *const zones[] = {
		"UTC",          "Europe/Berlin",    "America/New_York", "Australia/Lord_Howe",
		"Africa/Cairo", "America/St_Johns", "Asia/Kathmandu"
	};
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

				now_us += draw(10) ? (int64_t)draw(3 * HOUR_US) :
						     -(int64_t)draw(50 * MINUTE_US);
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

			now_us += draw(200) ? (int64_t)draw((uint64_t)slot_us + 1) :
				  draw(2)   ? (int64_t)draw((uint64_t)width_us * 2) :
					      -(int64_t)draw((uint64_t)width_us);
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
	assert_true(verdict_next(&verdicts, &verdict));
	assert_true(verdict_next(&verdicts, &verdict));
	assert_ptr_equal(verdict.step, &two_steps[1]);
	assert_true(verdict.window_end_us > T0 + 59 * MINUTE_US &&
		    verdict.window_end_us <= T0 + HOUR_US);
	policy_judge(policy, &who, verdict.window_end_us - 1, &verdicts);
	assert_true(verdict_next(&verdicts, &verdict));
	policy_judge(policy, &who, verdict.window_end_us, &verdicts);
	assert_false(verdict_next(&verdicts, &verdict));
	/* Reached again, it is first again. */
	charge(policy, 6 * USD, 3, T0 + 61 * MINUTE_US);
	assert_true(verdict_next(&verdicts, &verdict));
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
		charge(policy, USD, 2, T0 - 20 * HOUR_US); /* yesterday, as the clock has it */
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

static void a_replay_begins_where_the_oldest_window_does(void **state)
{
	struct policy_budget budgets[] = { day_budget(), day_budget() };
	struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };
	struct policy *policy;

	budgets[1].window = POLICY_MONTH;
	policy = policy_new(&rules);
	assert_int_equal(policy_since(policy, T0),
			 1788220800LL * US_PER_S - HOUR_US);                      /* 2026-09-01 */
	assert_int_equal(policy_next_reset(policy, T0), 1790035200LL * US_PER_S); /* 2026-09-22 */
	policy_free(policy);
	rules.n_budgets = 0;
	policy = policy_new(&rules);
	assert_int_equal(policy_next_reset(policy, T0), INT64_MAX);
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
		assert_false(verdict_next(&verdicts, &verdict));
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
	assert_false(verdict_next(&verdicts, &verdict));
	now_us = begin_us = steady(policy, now_us, 30, USD);
	do {
		charge(policy, 30 * USD / 60, 1, now_us);
		now_us += MINUTE_US;
	} while (!verdict_next(&verdicts, &verdict) && now_us < begin_us + HOUR_US);
	assert_true(now_us - begin_us > 5 * MINUTE_US && now_us - begin_us < 30 * MINUTE_US);
	assert_true(verdict.spent_nanos >= verdict.limit_nanos);
	assert_true(verdict.limit_nanos >= 5 * USD);
	assert_true(verdict.window_end_us > now_us && verdict.window_end_us < now_us + 2 * HOUR_US);
	/* Nothing more is spent: it is over when the evidence says. */
	policy_judge(policy, &who, verdict.window_end_us, &verdicts);
	assert_false(verdict_next(&verdicts, &verdict));
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
		assert_false(verdict_next(&verdicts, &verdict));
	}
	policy_free(policy);
	/* Ten times of nearly nothing is nearly nothing. */
	policy = policy_new(&rules);
	now_us = steady(policy, T0, 30, USD / 100);
	for (int i = 0; i < 12; i++, now_us += 5 * MINUTE_US) {
		charge(policy, USD / 10, 1, now_us);
		assert_false(verdict_next(&verdicts, &verdict));
	}
	policy_free(policy);
}

/* A rolling window goes by the time that has passed, whatever somebody makes of the clock. */
static void a_clock_that_is_set_moves_no_rolling_window(void **state)
{
	static const int64_t moves[] = { -3 * DAY_US, 2 * HOUR_US, 400 * DAY_US, -7, -400 * DAY_US };
	struct policy_budget budget = day_budget();
	struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	int64_t now_us = T0, end_us = 0;
	struct policy_verdict verdict;
	struct policy *policy;

	budget.window = POLICY_ROLLING;
	budget.window_us = HOUR_US;
	policy = policy_new(&rules);
	charge(policy, 6 * USD, 1, now_us);
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++) {
		policy_clock_moved(policy, moves[i]);
		now_us += moves[i] + 5 * MINUTE_US;
		charge(policy, USD, 2, now_us);
		assert_int_equal(spent(policy, now_us), (int64_t)(7 + i) * USD);
		if (!verdict_next(&verdicts, &verdict))
			continue;
		/* when it ends is told by the clock as it is set now */
		assert_true(verdict.window_end_us > now_us &&
			    verdict.window_end_us <= now_us + HOUR_US);
		end_us = verdict.window_end_us;
	}
	assert_true(end_us);
	/* the first charge was 25 minutes ago; one that nobody moved sees each leave after an hour */
	now_us += 34 * MINUTE_US;
	assert_int_equal(spent(policy, now_us), 11 * USD);
	now_us += 2 * MINUTE_US;
	assert_int_equal(spent(policy, now_us), 5 * USD);
	now_us += 30 * MINUTE_US;
	assert_int_equal(spent(policy, now_us), 0);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_windows_hold_what_the_calendar_says),
		cmocka_unit_test(rolling_windows_err_by_a_slot_at_most),
		cmocka_unit_test(a_rolling_step_tells_when_it_ends),
		cmocka_unit_test(clock_jumps_neither_reset_nor_double),
		cmocka_unit_test(a_replay_begins_where_the_oldest_window_does),
		cmocka_unit_test_setup(a_spike_is_measured_against_its_own_past, plain_group),
		cmocka_unit_test_setup(no_spike_is_below_the_floor_or_without_a_past, plain_group),
		cmocka_unit_test(a_clock_that_is_set_moves_no_rolling_window),
	};

	return cmocka_run_group_tests_name("policy_windows", tests, NULL, NULL);
}
