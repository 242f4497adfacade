/* SPDX-License-Identifier: Apache-2.0 */
/* When what is left of a budget is counted in the kernel. */
#include "little_left.h"

#include "ledger/overrides.h"

#define KEY "cgroup=/a"

static struct policy_usage_snapshot snapshot(void)
{
	struct policy_usage_snapshot snapshot;

	assert_true(policy_usage_snapshot(policy, &budget, KEY, &snapshot));
	return snapshot;
}

static void is_due_when_an_eighth_is_left(void **state)
{
	budget.limit_nanos = 10000;
	renew();
	has_learned(7);
	for (int i = 0; i < 1249; i++) /* so cheap that 64 calls are left for longer */
		assert_false(charge(7, T0));
	assert_false(charge(6, T0));
	assert_true(charge(1, T0));
	assert_int_equal(snapshot().line, 10000);
	assert_int_equal(snapshot().left, 1250);
	assert_false(charge(1250, T0)); /* a refusal is in force, and ends what is in flight */
	assert_false(charge(100, T0 + DAY_US)); /* another window */
}

static void is_due_when_few_calls_are_left(void **state)
{
	budget.limit_nanos = 100000;
	renew();
	has_learned(1000);
	for (int i = 0; i < 35; i++)
		assert_false(charge(1000, T0));
	assert_true(charge(1000, T0)); /* 64 more fit */
	assert_true(policy_stands(policy, &budget, &policy_allowance, KEY, false, T0));
	assert_false(policy_stands(policy, &budget, &policy_allowance, KEY, false, T0 + DAY_US));
}

#define GUESS 40000000LL /* 0.04 USD: 10,000 tokens and an answer of 1,000 at a flagship */

static void a_first_call_costs_what_an_agents_does(void **state)
{
	budget.limit_nanos = 15 * GUESS;
	renew();
	policy_judge(policy, &subject, T0, &verdicts);
	assert_false(carry_out(T0));
	policy_expect(policy, &subject, T0,
		      &verdicts); /* its connection is there, before a request */
	assert_true(carry_out(T0));
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 15 * GUESS);
	assert_int_equal(world.allowed.reserve_nanos, GUESS);
	run(1, 10, 0);
	run(2, 0, 0);
	assert_int_equal(snapshot().mean, GUESS);
	assert_int_equal(snapshot().left, 15 * GUESS - 10);
	assert_int_equal(snapshot().reserved, 2 * GUESS - 10);
	run(1, 5 * GUESS, 0); /* what it asks is known to be dear by now */
	assert_int_equal(snapshot().mean, 5 * GUESS / 2);
	policy_release(policy, 1);
	policy_release(policy, 2);
	charge(1, T0); /* its own are cheap, as it turns out */
	assert_int_equal(snapshot().mean, (GUESS * 15 + 1) / 16);
	for (int i = 1; i < 16; i++)
		charge(1, T0);
	assert_int_equal(snapshot().mean, 1);
	assert_false(policy_stands(policy, &budget, &policy_allowance, KEY, false, T0));
}

/* Whatever a neighbour's server answers: it makes nobody else wait, nor lets anybody through. */
static void a_neighbours_calls_say_nothing(void **state)
{
	struct who_group neighbours = group;
	struct policy_subject neighbour = subject;
	struct charge paid = { .source = CHARGE_USAGE, .is_priced = true };
	struct policy_verdict verdict;

	budget.limit_nanos = 100 * GUESS; /* 64 of its calls fit, whatever they are thought to cost */
	renew();
	neighbours.cgroup = 8;
	snprintf(neighbours.path, sizeof(neighbours.path), "/neighbour");
	neighbour.group = &neighbours;
	for (int i = 0; i < 40; i++) {
		paid.budget_nanos = i < 20 ? CHARGE_NANOS_MAX : 1;
		policy_charge(policy, &neighbour, &paid, 1000 + i, T0, &verdicts);
		while (verdict_next(&verdicts, &verdict))
			;
		policy_expect(policy, &subject, T0, &verdicts);
		assert_false(carry_out(T0));
		assert_int_equal(snapshot().mean, GUESS);
	}
}

/* Few dear calls, after many that cost nothing to speak of. */
static void no_call_is_too_dear_to_be_noticed(void **state)
{
	budget.limit_nanos = 1000000;
	renew();
	has_learned(1);
	for (int i = 0; i < 1000; i++)
		assert_false(charge(1, T0));
	for (int64_t sum = 1000, calls = 1016; 64 * ((sum + 16) / calls) < 1000000 - sum; calls++) {
		sum += 20000;
		assert_int_equal(charge(20000, T0),
				 64 * ((sum + 16) / (calls + 1)) >= 1000000 - sum || sum >= 875000);
	}
}

static void the_mean_outlives_the_window(void **state)
{
	budget.limit_nanos = 60000;
	renew();
	assert_true(charge(1000, T0));
	policy_judge(policy, &subject, T0 + DAY_US, &verdicts);
	assert_true(carry_out(T0 + DAY_US)); /* nothing is spent of it, and 60 fit */
}

static void is_only_for_what_is_enforced_and_stops_somebody(void **state)
{
	struct override open = { .kind = OVERRIDE_OPEN, .until_us = INT64_MAX, .key = "b" };

	rules.enforce = false;
	renew();
	assert_false(charge(900, T0));
	rules.enforce = true;
	budget.is_rehearsed = true;
	renew();
	assert_false(charge(900, T0));
	budget.is_rehearsed = false;
	budget.n_steps = 1; /* the note */
	renew();
	assert_false(charge(790, T0));
	budget.n_steps = 2;
	renew();
	assert_true(charge(900, T0));
	assert_int_equal(policy_override(policy, &open, 1), 0);
	assert_false(charge(1, T0));
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_int_equal(world.gate.state, CTL_OPEN);
}

static struct policy_step killing[] = { { .at_permille = 1000, .action = POLICY_KILL } };

static void does_not_hold_others_for_what_a_process_spends(void **state)
{
	budget.steps = killing;
	budget.n_steps = 1;
	renew();
	assert_true(charge(900, T0)); /* of whatever process of the cgroup */
	budget.match.command = "python3";
	renew();
	assert_false(charge(900, T0));
	budget.match.command = "";
	budget.per = POLICY_PER_PROCESS;
	renew();
	assert_false(charge(900, T0));
	killing[0].target = POLICY_CGROUP;
	renew();
	assert_true(charge(900, T0));
	killing[0].target = POLICY_PROCESS;
}

static void the_price_of_what_flows_is_learned(void **state)
{
	assert_true(charge(900, T0));
	assert_true(run(1, 10, 1024));
	assert_int_equal(snapshot().per_kib, 0);
	run(1, 11, 1124); /* too little to say */
	assert_int_equal(snapshot().per_kib, 0);
	run(1, 26, 3072);
	assert_int_equal(snapshot().per_kib, 8);
	run(1, 42, 4096);
	assert_int_equal(snapshot().per_kib, (3 * 8 + 16) / 4);
	assert_int_equal(snapshot().left, 100 - 42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_due_when_an_eighth_is_left),
		TEST(is_due_when_few_calls_are_left),
		TEST(a_first_call_costs_what_an_agents_does),
		TEST(a_neighbours_calls_say_nothing),
		TEST(no_call_is_too_dear_to_be_noticed),
		TEST(the_mean_outlives_the_window),
		TEST(is_only_for_what_is_enforced_and_stops_somebody),
		TEST(does_not_hold_others_for_what_a_process_spends),
		TEST(the_price_of_what_flows_is_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
