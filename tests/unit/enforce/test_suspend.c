/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

/* A stop signal takes its effect when the process next looks. */
static void wait_for_state(pid_t pid, char state)
{
	for (int i = 0; i < 2000 && state_of(pid) != state; i++)
		usleep(1000);
	assert_int_equal(state_of(pid), state);
}

static void count_standing(void *arg, const struct halted *halted)
{
	++*(size_t *)arg;
}

static size_t halted(struct ledger *ledger)
{
	size_t n = 0;

	assert_int_equal(halted_each(ledger, count_standing, &n), 0);
	return n;
}

static void a_stopped_process_goes_on_when_the_window_is_over(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct ledger *ledger = NULL;
	struct policy_verdict verdict;
	struct enforcer *enforcer;

	world.really = true;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(STOP);
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	wait_for_state(child, 'T');
	assert_int_equal(halted(ledger), 1);
	kill(child, SIGCONT); /* another hand */
	wait_for_state(child, 'S');
	enforcer_apply(enforcer, &verdict, &subject, T0 + 1);
	wait_for_state(child, 'T');
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.results[0], "done");
	enforcer_expire(enforcer, T0 + 1000);
	wait_for_state(child, 'S');
	assert_int_equal(halted(ledger), 0);
	assert_string_equal(world.results[1], "ended: the window is over");
	enforcer_free(enforcer);
	ledger_free(ledger);
	end(child);
}

static void what_two_budgets_stop_goes_on_with_the_second(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict one, two;
	struct enforcer *enforcer = enforcer_of();

	world.really = true;
	process.tgid = (uint32_t)child;
	one = two = verdict_of(STOP);
	two.budget = &budgets[1];
	two.window_end_us = T0 + 5000;
	enforcer_apply(enforcer, &one, &subject, T0);
	enforcer_apply(enforcer, &two, &subject, T0);
	enforcer_expire(enforcer, T0 + 1000);
	wait_for_state(child, 'T');
	enforcer_expire(enforcer, T0 + 5000);
	wait_for_state(child, 'S');
	enforcer_free(enforcer);
	end(child);
}

static void nothing_stands_after_a_clean_stop(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct ledger *ledger = NULL;
	struct enforcer *enforcer;

	world.really = true;
	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	for (int step = STOP; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(halted(ledger), 3);
	assert_string_equal(world.frozen, "freeze /agents");
	assert_int_equal(world.n_destroyed, 1); /* cut */
	enforcer_free(enforcer);
	assert_string_equal(world.frozen, "thaw /agents");
	assert_int_equal(world.signals[world.n_group_signals - 1], SIGCONT);
	wait_for_state(child, 'S');
	assert_int_equal(halted(ledger), 0);
	ledger_free(ledger);
	end(child);
}

/* The daemon is killed with a process stopped and a cgroup frozen; the next one finds them. */
static void the_next_daemon_lets_go_what_it_does_not_want(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct halted left[3] = { { .kind = HALTED_PROCESS, .tgid = (uint32_t)child },
				  { .kind = HALTED_FROZEN, .path = "/other" },
				  { .kind = HALTED_FROZEN, .path = "/agents" } };
	struct policy_verdict verdict = verdict_of(FREEZE);
	struct ledger *ledger = NULL;
	struct enforcer *enforcer;

	make_group("/agents", (uint32_t)child);
	left[0].start_ticks = process_start_time((uint32_t)child);
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(halted_add(ledger, &left[i]), 0);
	kill(child, SIGSTOP);
	wait_for_state(child, 'T');
	ledger_free(ledger);
	world.really = true;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0); /* restored from the sums */
	assert_string_equal(world.frozen, "freeze /agents");
	assert_int_equal(enforcer_recover(enforcer), 2);
	wait_for_state(child, 'S');
	assert_string_equal(world.frozen, "thaw /other");
	assert_int_equal(halted(ledger), 1);
	enforcer_free(enforcer);
	assert_string_equal(world.frozen, "thaw /agents");
	ledger_free(ledger);
	end(child);
}

static void a_frozen_cgroup_is_thawed_to_die(void **state)
{
	struct policy_verdict frozen = verdict_of(FREEZE), dead = verdict_of(KILL_CGROUP);
	pid_t child = sleeper("/bin/sleep");
	struct enforcer *enforcer = enforcer_of();

	steps[KILL_CGROUP].grace_ns = 0;
	make_group("/agents", (uint32_t)child);
	enforcer_apply(enforcer, &frozen, &subject, T0);
	enforcer_apply(enforcer, &dead, &subject, T0);
	steps[KILL_CGROUP].grace_ns = 10 * NS_PER_MS;
	assert_int_equal(world.signals[0], SIGKILL);
	assert_string_equal(world.frozen, "thaw /agents");
	enforcer_free(enforcer);
	end(child);
}

static void what_keeps_the_host_alive_never_stands(void **state)
{
	make_group("/agents", 1);
	assert_string_equal(refusal_of(1, STOP), "refused: protected (pid 1)");
	assert_string_equal(refusal_of(1, STOP_CGROUP), "refused: protected (pid 1)");
	assert_string_equal(refusal_of(1, FREEZE), "refused: protected (pid 1)");
	assert_int_equal(world.n_freezes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_stopped_process_goes_on_when_the_window_is_over),
		HELD(what_two_budgets_stop_goes_on_with_the_second),
		HELD(nothing_stands_after_a_clean_stop),
		HELD(the_next_daemon_lets_go_what_it_does_not_want),
		HELD(a_frozen_cgroup_is_thawed_to_die),
		HELD(what_keeps_the_host_alive_never_stands),
	};

	return cmocka_run_group_tests_name("act_halt", tests, NULL, NULL);
}
