/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

static void count_around(void *arg, const struct enforcer_gate *gate)
{
	*(size_t *)arg += gate->is_around;
}

static void a_gate_is_a_lease_renewed_and_ends_with_the_window(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	uint64_t now_ns = clock_mono_ns();

	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(world.shut[0], 7);
	assert_int_equal(world.destroyed[0], 7);
	assert_true(world.lease_ns >= now_ns + ENFORCER_LEASE_NS &&
		    world.lease_ns < now_ns + ENFORCER_LEASE_NS + NS_PER_S);
	verdict.is_first = false;
	enforcer_apply(enforcer, &verdict, &subject, T0 + 1); /* set again, not told again */
	enforcer_renew(enforcer);
	assert_int_equal(world.n_shut, 3);
	assert_int_equal(world.n_rows, 1);
	enforcer_expire(enforcer, T0 + 999);
	assert_int_equal(world.n_opened, 0);
	enforcer_expire(enforcer, T0 + 1000);
	assert_int_equal(world.n_opened, 1);
	assert_string_equal(world.results[1], "ended: the window is over");
	enforcer_renew(enforcer);
	assert_int_equal(world.n_shut, 3);
	enforcer_free(enforcer);
}

/* Calls that are answered behind a shut gate: said once, and not of what was on its way. */
static void a_gate_that_is_got_around_says_so_once(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	uint64_t shut_ns = clock_mono_ns();
	size_t n_around = 0;

	enforcer_answered(enforcer, &subject, shut_ns + 5 * NS_PER_S, ENFORCER_SHARED_SOCKET, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_answered(enforcer, &subject, shut_ns + NS_PER_S / 2, ENFORCER_SHARED_SOCKET, T0);
	enforcer_gates(enforcer, count_around, &n_around);
	assert_int_equal(world.n_rows, 1);
	assert_int_equal(n_around, 0);
	for (uint64_t s = 5; s < 7; s++)
		enforcer_answered(enforcer, &subject, shut_ns + s * NS_PER_S,
				  ENFORCER_SHARED_SOCKET, T0 + 1);
	enforcer_gates(enforcer, count_around, &n_around);
	assert_int_equal(world.n_rows, 2);
	assert_int_equal(n_around, 1);
	assert_non_null(strstr(world.results[1], "not enforceable: shared relay socket; "));
	enforcer_free(enforcer);
}

/* As many calls are answered as were let go, and then one more; by a socket of its own that may be HTTP/2. */
static void a_pace_that_is_outrun_says_so_once(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(PACE);
	uint64_t later_ns = clock_mono_ns() + 5 * NS_PER_S;

	enforcer_apply(enforcer, &verdict, &subject, T0);
	world.take = (struct ctl_consumed){ .admitted = 1 };
	for (int i = 0; i < 9; i++)
		enforcer_answered(enforcer, &subject, later_ns, ENFORCER_OWN_SOCKET, T0 + 1);
	enforcer_answered(enforcer, &subject, later_ns, ENFORCER_UNKNOWN_SOCKET, T0 + 1);
	assert_int_equal(world.n_rows, 1);
	for (int i = 0; i < 2; i++)
		enforcer_answered(enforcer, &subject, later_ns, ENFORCER_UNKNOWN_SOCKET, T0 + 1);
	assert_int_equal(world.n_rows, 2);
	assert_non_null(strstr(world.results[1], "not enforceable: no socket is known"));
	enforcer_free(enforcer);
}

static void a_relay_that_is_refused_keeps_what_it_carries_for_others(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	size_t n_around = 0;

	world.n_others = 2;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.results[0], "done");
	assert_non_null(strstr(world.results[1], "not enforceable: shared relay socket; 2 of its "));
	enforcer_gates(enforcer, count_around, &n_around);
	assert_int_equal(n_around, 1);
	enforcer_free(enforcer);
}

static void all_members_are_gated_and_the_rule_protected_are_not(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	uint64_t members[] = { 8, 9 };

	verdict.cgroups = members;
	verdict.n_cgroups = 2;
	verdict.is_protected = true;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 2);
	assert_int_equal(world.shut[0], 8);
	assert_int_equal(world.shut[1], 9);
	assert_string_equal(world.results[0], "refused: protected (by a rule)");
	verdict = verdict_of(REFUSE);
	verdict.key = "b";
	snprintf(group.path, sizeof(group.path), "/");
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 2);
	assert_string_equal(world.results[3], "refused: protected (the root cgroup)");
	enforcer_free(enforcer);
}

static void a_gate_that_two_budgets_hold_opens_with_the_second(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict one = verdict_of(REFUSE), two = verdict_of(REFUSE);

	two.budget = &budgets[1];
	two.window_end_us = T0 + 5000;
	enforcer_apply(enforcer, &one, &subject, T0);
	enforcer_apply(enforcer, &two, &subject, T0);
	enforcer_expire(enforcer, T0 + 1000);
	assert_int_equal(world.n_opened, 0);
	enforcer_expire(enforcer, T0 + 5000);
	assert_int_equal(world.n_opened, 1);
	enforcer_free(enforcer);
}

static void a_gate_outlives_the_daemon_as_long_as_a_budget_holds_it(void **state)
{
	int64_t now_us = clock_wall_us(), end_us = now_us + 3600 * US_PER_S;
	uint64_t before_ns = clock_mono_ns();
	struct policy_verdict holding = verdict_of(REFUSE), letting = verdict_of(REFUSE);
	struct enforcer *enforcer = enforcer_of();

	holding.window_end_us = end_us;
	letting.budget = &budgets[1];
	letting.window_end_us = end_us + 3600 * US_PER_S;
	enforcer_apply(enforcer, &letting, &subject, now_us);
	assert_false(enforcer_outlives(enforcer));
	assert_in_range(world.lease_ns, before_ns, clock_mono_ns() + ENFORCER_LEASE_NS);
	budgets[0].on_loss = POLICY_LOSS_HOLD;
	enforcer_apply(enforcer, &holding, &subject, now_us);
	assert_true(enforcer_outlives(enforcer));
	assert_true(enforcer_holds_gate(enforcer, 7));
	assert_false(enforcer_holds_gate(enforcer, 8));
	assert_in_range(world.lease_ns, before_ns + 3590 * NS_PER_S,
			clock_mono_ns() + 3600 * NS_PER_S);
	/* When the budget that holds it lets go, the other one's gate is a short lease again. */
	enforcer_expire(enforcer, end_us);
	assert_int_equal(world.n_opened, 0);
	enforcer_renew(enforcer);
	assert_false(enforcer_outlives(enforcer));
	assert_true(world.lease_ns <= clock_mono_ns() + ENFORCER_LEASE_NS);
	budgets[0].on_loss = POLICY_LOSS_OPEN;
	enforcer_free(enforcer);
}

/* Gates of several steps on one cgroup: the hardest counts, and what is left when it goes. */
static void a_pace_names_its_bucket_and_yields_to_a_refusal(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict pace = verdict_of(PACE), refuse = verdict_of(REFUSE);
	struct policy_verdict other = verdict_of(PACE);

	enforcer_apply(enforcer, &pace, &subject, T0);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0], 1);
	assert_int_equal(world.gate.buckets[1], 0);
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.results[0], "done: 0.000036 USD/hour");
	assert_string_equal(world.actions[0], "pace");
	other.budget = &budgets[1];
	other.window_end_us = T0 + 3000;
	enforcer_apply(enforcer, &other, &subject, T0);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0] + world.gate.buckets[1], 3);
	refuse.budget = &budgets[1];
	refuse.window_end_us = T0 + 2000;
	enforcer_apply(enforcer, &refuse, &subject, T0);
	assert_int_equal(world.state, CTL_REFUSE);
	enforcer_renew(enforcer);
	assert_int_equal(world.state, CTL_REFUSE);
	world.take = (struct ctl_consumed){ .admitted = 5, .held = 3 };
	enforcer_expire(enforcer, T0 + 1000); /* the first pace */
	assert_int_equal(world.state, CTL_REFUSE);
	assert_int_equal(world.n_ended, 1);
	enforcer_expire(enforcer, T0 + 2000);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0], 2);
	assert_int_equal(world.gate.buckets[1], 0);
	enforcer_expire(enforcer, T0 + 3000);
	assert_int_equal(world.state, CTL_OPEN);
	assert_int_equal(world.n_ended, 2);
	enforcer_free(enforcer);
}

static void a_pace_is_only_rehearsed_without_enforcement(void **state)
{
	struct enforcer *enforcer;
	struct policy_verdict pace = verdict_of(PACE);

	rules.enforce = false;
	enforcer = enforcer_of();
	enforcer_apply(enforcer, &pace, &subject, T0);
	assert_int_equal(world.n_shut, 0);
	assert_string_equal(world.results[0], "rehearsed");
	enforcer_free(enforcer);
}

static void a_failing_gate_is_tried_again_and_told_when_it_changes(void **state)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict = verdict_of(REFUSE);

	world.error = -ENOSPC;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 1);
	assert_non_null(strstr(world.results[0], "failed: "));
	world.error = 0;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.results[1], "done");
	enforcer_free(enforcer);
}

static void a_gate_for_calls_in_flight_resets_nothing_and_opens_with_them(void **state)
{
	struct charge so_far = { .source = CHARGE_TEXT, .budget_nanos = 1 };
	struct policy *policy = policy_of(3); /* the mean of the calls is 3 */
	struct enforcer *enforcer = enforcer_of();

	policy_reserve(policy, &subject, 1, &so_far, T0, &verdicts);
	apply_all(enforcer, policy);
	assert_int_equal(world.n_shut, 2);            /* and once more, with the fuse */
	assert_int_equal(world.state, CTL_TURN_AWAY); /* the call itself may be half sent */
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.results[0], "done: calls in flight will cross the line");
	enforcer_renew(enforcer);
	assert_int_equal(world.state, CTL_TURN_AWAY);
	enforcer_review(enforcer, policy, true, T0);
	assert_int_equal(world.n_opened, 0);
	policy_release(policy, 1);
	enforcer_review(enforcer, policy, true, T0);
	assert_int_equal(world.state, CTL_PACE); /* the fuse stays */
	assert_int_equal(world.n_opened, 0);
	assert_string_equal(world.results[1], "ended: calls in flight cost less than was held");
	/* And where it was right, the streams go when the line is crossed. */
	policy_reserve(policy, &subject, 2, &so_far, T0, &verdicts);
	apply_all(enforcer, policy);
	so_far.budget_nanos = 2;
	policy_reserve(policy, &subject, 2, &so_far, T0, &verdicts);
	apply_all(enforcer, policy);
	assert_int_equal(world.state, CTL_REFUSE);
	assert_int_equal(world.n_destroyed, 1);
	assert_string_equal(world.results[3], "done");
	enforcer_review(enforcer, policy, true, T0);
	assert_int_equal(world.state, CTL_REFUSE);
	/* Unless the call ends cheaper than it was estimated at while it ran. */
	policy_release(policy, 2);
	enforcer_review(enforcer, policy, true, T0);
	assert_int_equal(world.state, CTL_PACE);
	assert_string_equal(world.results[4], "ended: calls in flight cost less than was held");
	/* What it did cost in the end is spent. */
	policy_reserve(policy, &subject, 3, &so_far, T0, &verdicts);
	apply_all(enforcer, policy);
	policy_release(policy, 3);
	policy_charge(policy, &subject, &so_far, 3, T0, &verdicts);
	apply_all(enforcer, policy);
	enforcer_review(enforcer, policy, true, T0);
	assert_int_equal(world.state, CTL_REFUSE);
	enforcer_free(enforcer);
	policy_free(policy);
}

static struct policy_step pacing[] = {
	{ .at_permille = 1000, .action = POLICY_PACE, .pace_per_hour = 36000 }
};

static void credit_follows_time_and_charges(void **state)
{
	struct policy_budget budget = { .name = "p", .limit_nanos = 5, .steps = pacing, .n_steps = 1 };
	struct policy_rules own = { .enforce = true, .budgets = &budget, .n_budgets = 1 };
	struct charge charge = { .source = CHARGE_USAGE, .budget_nanos = 6 };
	struct policy *policy = policy_new(&own);
	uint64_t guess = 40000000; /* 0.04 USD, the fewer calls have ended the more of it */
	struct enforcer *enforcer = enforcer_new(NULL, NULL, &own, &actuators);
	size_t n_rows;

	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	policy_charge(policy, &subject, &charge, 1, T0, &verdicts);
	apply_all(enforcer, policy);
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 1);
	assert_int_equal(world.grants[1].granted_nanos, 0);
	assert_int_equal(world.grants[1].reserve_nanos, (guess * 15 + 6) / 16);
	assert_int_equal(enforcer_pace(enforcer, policy, T0 + 2 * US_PER_S), 1);
	assert_int_equal(world.grants[1].granted_nanos, 20);
	world.take = (struct ctl_consumed){ .consumed_nanos = 6, .admitted = 1, .held = 4 };
	charge.budget_nanos = 16;
	policy_charge(policy, &subject, &charge, 2, T0, &verdicts);
	assert_int_equal(enforcer_pace(enforcer, policy, T0 + 2 * US_PER_S), 1);
	assert_int_equal(world.grants[1].granted_nanos, 20 + 6 - 16);
	assert_int_equal(world.grants[1].reserve_nanos, (guess * 14 + 11 * 2) / 16);
	n_rows = world.n_rows;
	enforcer_expire(enforcer, INT64_MAX);
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_string_equal(world.results[n_rows],
			    "ended: the window is over (1 requests let go, 4 made to wait)");
	enforcer_free(enforcer);
	policy_free(policy);
}

static void count_gate(void *arg, const struct enforcer_gate *gate)
{
	++*(int *)arg;
	assert_int_equal(gate->cgroup, 7);
	assert_string_equal(gate->budget, "a");
	assert_string_equal(gate->key, "cgroup=/agents");
	assert_string_equal(gate->target, "cgroup /agents");
	assert_int_equal(gate->until_us, T0 + 1000);
}

static void rows_reach_the_ledger_and_gates_are_told(void **state)
{
	struct ledger *ledger = NULL;
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct enforcer *enforcer;
	int seen = 0;

	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_gates(enforcer, count_gate, &seen);
	assert_int_equal(seen, 1);
	assert_int_equal(ledger_actions(ledger, 0, told, NULL), 0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.actions[1], "refuse");
	assert_string_equal(world.targets[1], "cgroup /agents");
	assert_string_equal(world.calls[1], "[9,8]");
	assert_string_equal(world.rules[1], "x.yaml:12");
	assert_false(world.rehearsed[1]);
	enforcer_free(enforcer);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_gate_is_a_lease_renewed_and_ends_with_the_window),
		HELD(a_gate_that_is_got_around_says_so_once),
		HELD(a_pace_that_is_outrun_says_so_once),
		HELD(a_relay_that_is_refused_keeps_what_it_carries_for_others),
		HELD(all_members_are_gated_and_the_rule_protected_are_not),
		HELD(a_gate_that_two_budgets_hold_opens_with_the_second),
		HELD(a_gate_outlives_the_daemon_as_long_as_a_budget_holds_it),
		HELD(a_pace_names_its_bucket_and_yields_to_a_refusal),
		HELD(a_pace_is_only_rehearsed_without_enforcement),
		HELD(a_failing_gate_is_tried_again_and_told_when_it_changes),
		HELD(a_gate_for_calls_in_flight_resets_nothing_and_opens_with_them),
		HELD(credit_follows_time_and_charges),
		HELD(rows_reach_the_ledger_and_gates_are_told),
	};

	return cmocka_run_group_tests_name("act_gate", tests, NULL, NULL);
}
