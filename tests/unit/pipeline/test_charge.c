/* SPDX-License-Identifier: Apache-2.0 */
/* The last stage: a charge reaches the ledger, the observer, its budgets and their gates. */
#include "unit.h"

#include "base/clock.h"
#include "ledger/ledger.h"
#include "pipeline/pipeline_internal.h"

#define T0_US 1790000000000000LL

/* What the enforcer did and the observer saw. */
static struct {
	struct ctl_gate gates[4]; /* by cgroup */
	size_t n_gates, n_calls;
	int64_t id, start_us;
	uint64_t cgroup;
	char comm[WHO_COMM_LEN];
} seen;

static int on_gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
{
	assert_in_range(cgroup, 1, 3);
	seen.gates[cgroup] = *gate;
	seen.n_gates++;
	return 0;
}

static int on_destroy(void *arg, uint64_t cgroup)
{
	return 0;
}

static void on_called(void *arg, const struct ledger_call *call)
{
	seen.n_calls++;
	seen.id = call->id;
	seen.start_us = call->start_us;
	seen.cgroup = call->group->cgroup;
	snprintf(seen.comm, sizeof(seen.comm), "%s", call->process->comm);
}

static int64_t wall_us(uint64_t mono_ns)
{
	return T0_US + (int64_t)(mono_ns / 1000);
}

/* One budget of 100 nano-dollars for all; what it is reached by is refused. */
static struct policy_step steps[] = { { .at_permille = 1000, .action = POLICY_REFUSE } };
static struct policy_budget budgets[] = {
	{ .name = "b", .limit_nanos = 100, .zone = "UTC", .steps = steps, .n_steps = 1 }
};
static const struct policy_rules rules = { .enforce = true, .budgets = budgets, .n_budgets = 1 };
static char folder[UNIT_FOLDER_LEN];
static struct pipeline *pipeline;
static struct pipeline_config config;

static int begin(void **state)
{
	const struct enforcer_ops ops = { .gate = on_gate, .destroy = on_destroy };
	int err = unit_folder(folder);

	memset(&seen, 0, sizeof(seen));
	config = (struct pipeline_config){ .hooks.observer.called = on_called, .wall_us = wall_us };
	if (!err)
		err = who_new(&config.who, NULL);
	if (!err)
		err = prices_new(&config.prices);
	if (!err)
		err = ledger_open(&config.ledger, folder, true, NULL);
	config.policy = policy_new(&rules);
	config.enforcer = enforcer_new(NULL, config.ledger, &rules, &ops);
	return err || pipeline_new(&pipeline, &config);
}

static int finish(void **state)
{
	pipeline_free(pipeline);
	enforcer_free(config.enforcer);
	policy_free(config.policy);
	ledger_free(config.ledger);
	prices_free(config.prices);
	who_free(config.who);
	return unit_remove(folder);
}

/* A call of the n-th cgroup, and what it costs. */
static struct connections_caller caller_of(uint64_t cgroup)
{
	return (struct connections_caller){ .cgroup = cgroup,
					    .call = cgroup,
					    .tgid = 4000000000u,
					    .uid = WHO_NO_UID,
					    .comm = "python3" };
}

static struct charge charge_of(int64_t nanos)
{
	return (struct charge){ .host = "api.openai.com",
				.source = CHARGE_USAGE,
				.is_priced = true,
				.cost_nanos = nanos,
				.budget_nanos = nanos,
				.start_mono_ns = 5000,
				.duration_ns = 2000 };
}

static void over(uint64_t cgroup, int64_t nanos)
{
	struct connections_caller caller = caller_of(cgroup);
	struct charge charge = charge_of(nanos);

	pipeline_call_over(pipeline, &caller, &charge);
}

static void running(uint64_t cgroup, int64_t nanos)
{
	struct connections_caller caller = caller_of(cgroup);
	struct charge charge = charge_of(nanos);

	pipeline_call_running(pipeline, &caller, &charge);
}

static void charge_is_written_shown_and_counted(void **state)
{
	struct pipeline_stats stats;

	over(2, 99);
	assert_int_equal(seen.n_calls, 1);
	assert_true(seen.id > 0);
	assert_int_equal(seen.start_us, T0_US + 5);
	assert_int_equal(seen.cgroup, 2);
	assert_string_equal(seen.comm, "python3");
	assert_int_equal(ledger_pending(config.ledger), 1);
	assert_int_equal(seen.n_gates, 0);
	pipeline_stats(pipeline, &stats);
	assert_int_equal(stats.charges, 1);
	assert_int_equal(stats.charges_unwritten, 0);
}

static void budget_that_is_spent_shuts_the_gates_of_its_members(void **state)
{
	over(1, 60);
	assert_int_equal(seen.n_gates, 0);
	over(2, 40);
	assert_int_equal(seen.gates[1].state, CTL_REFUSE);
	assert_int_equal(seen.gates[2].state, CTL_REFUSE);
}

/* Before it has called: a pod of a workload over its budget has just started. */
static void newcomer_under_a_spent_budget_is_gated_at_once(void **state)
{
	over(1, 100);
	assert_int_equal(seen.gates[3].state, CTL_OPEN);
	pipeline_judge(pipeline, 3, NULL, "", false, 9000);
	assert_int_equal(seen.gates[3].state, CTL_REFUSE);
	pipeline_judge(pipeline, 2, NULL, "api.openai.com", true, 9000);
	assert_int_equal(seen.gates[2].state, CTL_REFUSE);
}

/* What it has cost so far is spent, whatever it will have cost in the end. */
static void cost_so_far_shuts_a_gate(void **state)
{
	running(1, 10);
	assert_int_equal(seen.n_gates, 0);
	running(1, 100);
	assert_int_equal(seen.gates[1].state, CTL_REFUSE);
}

/* Calls cost 60 in the mean, so one in flight will cross the line; it ends below, and the gate opens. */
static void reservation_turns_new_calls_away_until_the_call_is_over(void **state)
{
	over(1, 60);
	running(1, 10);
	assert_int_equal(seen.gates[1].state, CTL_TURN_AWAY);
	over(1, 20);
	assert_int_equal(seen.gates[1].state, CTL_OPEN);
	over(1, 20);
	assert_int_equal(seen.gates[1].state, CTL_REFUSE);
}

static void call_without_an_answer_is_charged_unless_it_was_held(void **state)
{
	struct connections_caller caller = caller_of(1);
	struct charge charge = charge_of(100);
	struct ev_flow flow = { .head = { .id = 55, .tgid = caller.tgid },
				.host = "api.openai.com" };

	charge.outcome = CHARGE_NO_ANSWER;
	caller.connection = 9;
	unsent_put(pipeline->unsent, &flow, charge.start_mono_ns);
	pipeline_call_over(pipeline, &caller, &charge);
	assert_int_equal(seen.n_calls, 1);
	assert_int_equal(seen.n_gates, 0);
	unsent_drop(pipeline->unsent, 55);
	pipeline_call_over(pipeline, &caller, &charge);
	assert_int_equal(seen.n_calls, 2);
	assert_int_equal(seen.gates[1].state, CTL_REFUSE);
}

/* As `aigress replay` has it: nothing but the observer. */
static void without_budgets_and_ledger_the_observer_is_called(void **state)
{
	struct pipeline *bare;
	struct pipeline_config plain = { .who = config.who,
					 .prices = config.prices,
					 .hooks.observer.called = on_called,
					 .wall_us = wall_us };
	struct connections_caller caller = caller_of(1);
	struct charge charge = charge_of(1000);

	assert_int_equal(pipeline_new(&bare, &plain), 0);
	pipeline_call_running(bare, &caller, &charge);
	pipeline_judge(bare, 1, NULL, "", true, 0);
	pipeline_call_over(bare, &caller, &charge);
	assert_int_equal(seen.n_calls, 1);
	assert_int_equal(seen.n_gates, 0);
	assert_int_equal(ledger_pending(config.ledger), 0);
	pipeline_free(bare);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(charge_is_written_shown_and_counted),
		WITH(budget_that_is_spent_shuts_the_gates_of_its_members),
		WITH(newcomer_under_a_spent_budget_is_gated_at_once),
		WITH(cost_so_far_shuts_a_gate),
		WITH(reservation_turns_new_calls_away_until_the_call_is_over),
		WITH(call_without_an_answer_is_charged_unless_it_was_held),
		WITH(without_budgets_and_ledger_the_observer_is_called),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
