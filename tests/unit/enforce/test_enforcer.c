/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

static void a_note_comes_once_a_window_with_its_evidence(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(NOTE);

	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0 + 1);
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.results[0], "done");
	assert_string_equal(world.rules[0], "x.yaml:11");
	assert_string_equal(world.calls[0], "[9,8]");
	assert_int_equal(world.spent[0], 6);
	enforcer_expire(enforcer, T0 + 1000);
	verdict.is_first = false; /* after a restart: it was told before */
	enforcer_apply(enforcer, &verdict, &subject, T0 + 1001);
	assert_int_equal(world.n_rows, 1);
	verdict.is_first = true;
	enforcer_apply(enforcer, &verdict, &subject, T0 + 1001);
	assert_int_equal(world.n_rows, 2);
	/* The next window's comes even if nobody called enforcer_expire() between. */
	verdict.window_end_us = T0 + 3000;
	enforcer_apply(enforcer, &verdict, &subject, T0 + 2000);
	assert_int_equal(world.n_rows, 3);
	enforcer_free(enforcer);
}

static void a_rehearsal_writes_rows_and_touches_nothing(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct enforcer *enforcer;

	rules.enforce = false;
	process.tgid = (uint32_t)child;
	enforcer = enforcer_of();
	make_group("/agents", (uint32_t)child);
	for (int step = NOTE; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		enforcer_apply(enforcer, &verdict, &subject, T0);
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_rows, 7);
	for (int i = 0; i < 7; i++) {
		assert_string_equal(world.results[i], "rehearsed");
		assert_true(world.rehearsed[i]);
	}
	enforcer_renew(enforcer);
	enforcer_expire(enforcer, T0 + 5000);
	enforcer_free(enforcer);
	assert_int_equal(world.n_shut + world.n_opened + world.n_destroyed + world.n_signals +
				 world.n_group_signals + world.n_freezes,
			 0);
	assert_int_equal(world.n_rows, 7);
	end(child);
}

/* Two members, of which one is to stay as it is; when it has died there is none to spare. */
static void no_fewer_members_stay_healthy_than_the_budget_says(void **state)
{
	static const uint64_t members[] = { 7, 8 };
	struct enforcer *enforcer = enforcer_of();

	budgets[0].min_healthy_permille = 500;
	for (uint64_t at = 7; at <= 8; at++)
		for (int again = 0; again < 2; again++) {
			struct policy_verdict verdict = verdict_of(FREEZE);

			verdict.cgroup = group.cgroup = at;
			verdict.cgroups = members;
			verdict.n_cgroups = 2;
			enforcer_apply(enforcer, &verdict, &subject, T0);
		}
	assert_int_equal(world.n_freezes, 2); /* the first, and it again */
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.results[0], "done");
	assert_string_equal(world.results[1], "refused: it would leave 0 of 2 members healthy, "
					      "min-healthy is 1");
	enforcer_free(enforcer);

	budgets[0].min_healthy_permille = 0;
	budgets[0].min_healthy = 1;
	memset(&world, 0, sizeof(world));
	world.dead = 8;
	enforcer = enforcer_of();
	for (int step = STOP_CGROUP; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		verdict.cgroup = group.cgroup = 7;
		verdict.cgroups = members;
		verdict.n_cgroups = 2;
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_freezes + world.n_signals + world.n_group_signals, 0);
	budgets[0].min_healthy = 0;
	enforcer_free(enforcer);
}

/* A pod counts once, whatever it holds, and before it has called anybody. */
static void pods_that_were_never_charged_are_members(void **state)
{
	static const uint64_t members[] = { 7, 8 };
	struct policy_verdict verdict = verdict_of(FREEZE);
	enum policy_per per = budgets[0].per;
	struct enforcer *enforcer = enforcer_of();

	verdict.key = "workload=ns/Deployment/a";
	verdict.cgroup = group.cgroup = 7;
	verdict.cgroups = members;
	verdict.n_cgroups = 2;
	budgets[0].per = POLICY_PER_WORKLOAD;
	budgets[0].min_healthy = 1;
	world.n_pods = 2;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_string_equal(world.results[0], "refused: it would leave 0 of 1 members healthy, "
					      "min-healthy is 1");
	world.n_pods = 3;
	world.dead = 9;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 0);
	world.dead = 0;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 1);
	/* the other container of the pod that stands already: nothing gets worse */
	verdict.cgroup = group.cgroup = 8;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 2);
	budgets[0].min_healthy = 0;
	budgets[0].per = per;
	enforcer_free(enforcer);
}

static void a_budget_may_be_rehearsed_alone(void **state)
{
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct enforcer *enforcer = enforcer_of();

	budgets[0].is_rehearsed = true;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	budgets[0].is_rehearsed = false;
	verdict.budget = &budgets[1];
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_true(world.rehearsed[0]);
	assert_false(world.rehearsed[1]);
	enforcer_free(enforcer);
}

static void what_other_rules_still_order_goes_on(void **state)
{
	struct policy_step others[] = { { .at_permille = 800, .action = POLICY_NOTE },
					{ .at_permille = 1000, .action = POLICY_REFUSE } };
	struct policy_budget new = { .name = "a", .limit_nanos = 5, .steps = others, .n_steps = 2 };
	struct policy_rules now = rules;
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct enforcer *enforcer = enforcer_new(NULL, NULL, &now, &actuators);

	enforcer_apply(enforcer, &verdict, &subject, T0);
	now.budgets = &new;
	now.n_budgets = 1;
	enforcer_rules(enforcer, true, T0);
	assert_int_equal(world.n_opened, 0);
	verdict.budget = &new; /* the same gate, by the new rules: no row */
	verdict.step = &others[1];
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 1);
	others[1].at_permille = 1200;
	now.budgets = &(struct policy_budget){
		.name = "a", .limit_nanos = 5, .steps = &others[0], .n_steps = 1
	};
	enforcer_rules(enforcer, true, T0);
	assert_int_equal(world.n_opened, 1);
	assert_string_equal(world.results[1], "ended: the rules have changed");
	enforcer_free(enforcer);
}

static void another_stance_lets_everything_go(void **state)
{
	struct policy_rules now = rules;
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct enforcer *enforcer = enforcer_new(NULL, NULL, &now, &actuators);

	budgets[0].steps = steps;
	budgets[0].n_steps = 7;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_rules(enforcer, true, T0);
	assert_int_equal(world.n_opened, 0);
	enforcer_rules(enforcer, false, T0);
	assert_int_equal(world.n_opened, 1);
	enforcer_free(enforcer);
}

static void rows_are_limited_and_the_rest_counted(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct enforcer_stats stats;

	for (uint64_t i = 1; i <= 100; i++) {
		struct policy_verdict verdict = verdict_of(REFUSE);

		verdict.cgroup = i;
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	enforcer_stats(enforcer, &stats);
	assert_int_equal(world.n_shut, 100); /* every gate is set all the same */
	assert_int_equal(stats.rows, ENFORCER_ROWS_PER_MINUTE);
	assert_int_equal(stats.rows_unwritten, 100 - ENFORCER_ROWS_PER_MINUTE);
	enforcer_free(enforcer);
}

static void targets_are_bounded(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct enforcer_stats stats;

	for (uint64_t i = 1; i <= ENFORCER_DEEDS + 100; i++) {
		struct policy_verdict verdict = verdict_of(REFUSE);

		verdict.cgroup = i;
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	enforcer_stats(enforcer, &stats);
	assert_int_equal(stats.dropped, 100 + POLICY_MEMBERS);
	enforcer_expire(enforcer, T0 + 1000);
	assert_int_equal(world.n_opened, ENFORCER_DEEDS - POLICY_MEMBERS);
	enforcer_free(enforcer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_note_comes_once_a_window_with_its_evidence),
		HELD(a_rehearsal_writes_rows_and_touches_nothing),
		HELD(no_fewer_members_stay_healthy_than_the_budget_says),
		HELD(pods_that_were_never_charged_are_members),
		HELD(a_budget_may_be_rehearsed_alone),
		HELD(what_other_rules_still_order_goes_on),
		HELD(another_stance_lets_everything_go),
		HELD(rows_are_limited_and_the_rest_counted),
		HELD(targets_are_bounded),
	};

	return cmocka_run_group_tests_name("act", tests, NULL, NULL);
}
