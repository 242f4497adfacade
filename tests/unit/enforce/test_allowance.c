/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of a budget that is nearly spent: when the kernel counts it, and what it is told. */
#include "unit.h"

#include "enforce/enforcer.h"
#include "ledger/overrides.h"

#define T0     1790000000000000LL
#define DAY_US 86400000000LL
#define KEY    "cgroup=/a"

static struct who_group group = { .cgroup = 7, .path = "/a" };
static struct who_process process = { .tgid = 70, .user = "root", .comm = "python3" };
static struct policy_subject subject = { .group = &group,
					 .process = &process,
					 .host = "api.x",
					 .model = "m" };

static struct policy_step steps[] = { { .at_permille = 800, .action = POLICY_NOTE },
				      { .at_permille = 1000, .action = POLICY_REFUSE } };
static struct policy_step gentle[] = {
	{ .at_permille = 1000, .action = POLICY_REFUSE, .lets_end = true }
};
static struct policy_budget budget;
static struct policy_rules rules;
static struct policy *policy;
static struct enforcer *enforcer;

static struct {
	struct ctl_gate gate;
	struct ctl_allowance allowed;
	struct ctl_consumed take;
	size_t n_gates, n_ended, n_destroyed, n_rows, n_waiting;
	char result[256];
} world;

static int gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
{
	assert_int_equal(cgroup, 7);
	world.gate = *gate;
	world.n_gates++;
	return 0;
}

static int allowed(void *arg, uint32_t bucket, const struct ctl_allowance *allowed)
{
	if (allowed)
		world.allowed = *allowed;
	else
		world.n_ended++;
	return 0;
}

static int taken(void *arg, uint32_t bucket, struct ctl_consumed *ret)
{
	*ret = world.take;
	return 0;
}

static size_t waiting(void *arg, uint32_t bucket)
{
	return world.n_waiting;
}

static int destroy(void *arg, uint64_t cgroup)
{
	world.n_destroyed++;
	return 0;
}

static void told(void *arg, const struct ledger_action *action)
{
	world.n_rows++;
	snprintf(world.result, sizeof(world.result), "%s", action->result);
}

static const struct enforcer_ops actuators = { .gate = gate,
					       .allowed = allowed,
					       .taken = taken,
					       .waiting = waiting,
					       .destroy = destroy,
					       .on_action = told };

static void renew(void)
{
	enforcer_free(enforcer);
	policy_free(policy);
	policy = policy_new(&rules);
	enforcer = enforcer_new(NULL, NULL, &rules, &actuators);
	assert_non_null(policy);
	assert_non_null(enforcer);
}

static struct verdict_iter verdicts; /* of the last charge or judgement */

static int setup(void **state)
{
	memset(&world, 0, sizeof(world));
	budget = (struct policy_budget){ .name = "b",
					 .per = POLICY_PER_CGROUP,
					 .limit_nanos = 1000,
					 .window = POLICY_DAY,
					 .zone = "UTC",
					 .steps = steps,
					 .n_steps = 2 };
	rules = (struct policy_rules){ .enforce = true, .budgets = &budget, .n_budgets = 1 };
	renew();
	return 0;
}

static int teardown(void **state)
{
	enforcer = enforcer_free(enforcer);
	policy = policy_free(policy);
	return 0;
}

/* Carries out what was told; was there a fuse among it? */
static bool carry_out(int64_t now_us)
{
	struct policy_verdict verdict;
	bool found = false;

	while (verdict_next(&verdicts, &verdict)) {
		found |= verdict.step == &policy_allowance;
		enforcer_apply(enforcer, &verdict, &subject, now_us);
	}
	return found;
}

static bool charge(int64_t nanos, int64_t now_us)
{
	static int64_t id;
	struct charge charge = { .source = CHARGE_USAGE, .is_priced = true, .budget_nanos = nanos };

	policy_charge(policy, &subject, &charge, ++id, now_us, &verdicts);
	return carry_out(now_us);
}

/* A call in flight has cost so much, when so many bytes of its answer have come. */
static bool run(uint64_t flight, int64_t nanos, uint64_t bytes)
{
	struct charge so_far = { .source = CHARGE_TEXT,
				 .is_priced = true,
				 .budget_nanos = nanos,
				 .response_bytes = bytes };

	policy_reserve(policy, &subject, flight, &so_far, T0, &verdicts);
	return carry_out(T0);
}

static struct policy_usage_snapshot snapshot(void)
{
	struct policy_usage_snapshot snapshot;

	assert_true(policy_usage_snapshot(policy, &budget, KEY, &snapshot));
	return snapshot;
}

/* Sixteen calls of the days before: what one costs is known, and nothing of them counts now. */
static void has_learned(int64_t nanos)
{
	for (int i = 0; i < 16; i++)
		charge(nanos, T0 - (16 - i) * DAY_US);
	policy_judge(policy, &subject, T0, &verdicts);
	(void)carry_out(T0);
	enforcer_expire(enforcer, T0);
	world.n_rows = world.n_ended = 0;
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

static void the_kernel_is_told_what_is_left(void **state)
{
	struct enforcer_stats stats;

	budget.on_loss = POLICY_LOSS_HOLD;
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	assert_int_equal(world.gate.state, CTL_PACE);
	assert_int_not_equal(world.gate.buckets[0], 0);
	assert_int_equal(world.gate.has_rate, 0);
	assert_int_equal(world.n_rows, 1); /* the note: nobody is stopped */
	assert_true(enforcer_has_allowance(enforcer));
	assert_true(enforcer_outlives(enforcer));
	enforcer_stats(enforcer, &stats);
	assert_int_equal(stats.allowances, 1);
	world.take = (struct ctl_consumed){ .consumed_nanos = 5000,
					    .admitted = 50,
					    .streamed_nanos = 300 };
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_int_equal(world.allowed.granted_nanos, 5000 + 300 + 100);
	assert_int_equal(world.allowed.reserve_nanos, 100);
	assert_int_equal(world.allowed.per_kib_nanos, 0);
	assert_int_equal(world.allowed.cut_nanos, 300 + 100 + 1000 / 200);
}

static void what_waits_goes_when_calls_cost_less(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	run(1, 10, 1024);
	run(1, 18, 2048);
	world.take =
		(struct ctl_consumed){ .consumed_nanos = 100, .admitted = 1, .streamed_nanos = 40 };
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 1);
	assert_int_equal(world.gate.state, CTL_TURN_AWAY);
	assert_int_equal(world.allowed.granted_nanos, 140); /* nothing may begin beside it */
	assert_int_equal(world.allowed.per_kib_nanos, 8);
	assert_int_equal(world.allowed.cut_nanos, 40 + 82 + 5); /* it goes on */
	policy_release(policy, 1);
	charge(20, T0);
	enforcer_review(enforcer, policy, true, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.gate.state, CTL_PACE);
	assert_int_equal(world.allowed.granted_nanos, 140 + 80);
}

/* It was seen as it was written, and has not left: what it will cost must not hold it. */
static void what_waits_does_not_wait_for_itself(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	charge(97, T0);
	enforcer_pace(enforcer, policy, T0);
	run(1, 0, 0);
	world.take = (struct ctl_consumed){ .consumed_nanos = 100 };
	enforcer_pace(enforcer, policy, T0);
	assert_true((int64_t)(world.allowed.granted_nanos - 100) <= 0);
	world.n_waiting = 1;
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 100 + 3);
	run(2, 0, 0); /* and this one is on its way */
	enforcer_pace(enforcer, policy, T0);
	assert_true((int64_t)(world.allowed.granted_nanos - 100) <= 0);
	world.n_waiting = 5; /* of which some are not seen yet */
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 100 + 3);
}

/* Fifty begin at once: those that the kernel let go are held against what is left before they are seen. */
static void what_the_kernel_let_go_is_not_given_twice(void **state)
{
	budget.limit_nanos = 1900;
	renew();
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000);
	world.take = (struct ctl_consumed){ .consumed_nanos = 1000, .admitted = 10 };
	enforcer_pace(enforcer, policy, T0); /* none was seen, none waits */
	assert_int_equal(world.allowed.granted_nanos, 1000);
	world.n_waiting = 40;
	for (int i = 0; i < 10; i++)
		run(1 + i, 0, 0);
	enforcer_pace(enforcer, policy, T0); /* those that were seen need not be those that wait */
	assert_true((int64_t)(world.allowed.granted_nanos - 1000) <= 0);
	for (int i = 10; i < 50; i++)
		run(1 + i, 0, 0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000);
	policy_release(policy, 1); /* one of the ten */
	charge(50, T0);
	enforcer_pace(enforcer, policy, T0);
	assert_int_equal(world.allowed.granted_nanos, 1000 + 50);
}

static void what_is_never_seen_is_held_against_it_for_a_second(void **state)
{
	has_learned(100);
	for (int i = 0; i < 9; i++)
		charge(100, T0);
	enforcer_pace(enforcer, policy, T0);
	world.take = (struct ctl_consumed){ .consumed_nanos = 100, .admitted = 1 };
	enforcer_pace(enforcer, policy, T0 + 1000000);
	assert_int_equal(world.allowed.granted_nanos, 100);
	enforcer_pace(enforcer, policy, T0 + 1000001);
	assert_int_equal(world.allowed.granted_nanos, 200);
}

static void a_refusal_takes_its_place(void **state)
{
	struct enforcer_stats stats;

	charge(900, T0);
	charge(100, T0);
	assert_int_equal(world.gate.state, CTL_REFUSE);
	assert_string_equal(world.result, "done");
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_int_equal(world.n_ended, 1);
	assert_int_equal(world.gate.state, CTL_REFUSE);
	enforcer_stats(enforcer, &stats);
	assert_int_equal(stats.allowances, 0);
}

static void answers_in_flight_may_end_and_nothing_else_begins(void **state)
{
	budget.steps = gentle;
	budget.n_steps = 1;
	renew();
	assert_true(charge(1010, T0));
	assert_int_equal(world.gate.state, CTL_TURN_AWAY);
	assert_int_equal(world.gate.buckets[0], 1);
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.result, "done: answers in flight may end");
	assert_int_equal(enforcer_pace(enforcer, policy, T0), 0);
	assert_true((int64_t)world.allowed.granted_nanos < 0);
	assert_true(world.allowed.cut_nanos == UINT64_MAX);
}

static void a_verdict_again_sets_no_gate_again(void **state)
{
	size_t n;

	charge(900, T0);
	n = world.n_gates;
	assert_true(charge(1, T0));
	assert_int_equal(world.n_gates, n);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

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
		TEST(the_kernel_is_told_what_is_left),
		TEST(what_waits_goes_when_calls_cost_less),
		TEST(what_waits_does_not_wait_for_itself),
		TEST(what_the_kernel_let_go_is_not_given_twice),
		TEST(what_is_never_seen_is_held_against_it_for_a_second),
		TEST(a_refusal_takes_its_place),
		TEST(answers_in_flight_may_end_and_nothing_else_begins),
		TEST(a_verdict_again_sets_no_gate_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
