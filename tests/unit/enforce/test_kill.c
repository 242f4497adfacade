/* SPDX-License-Identifier: Apache-2.0 */
#include "deeds.h"

#include <pthread.h>

static void each_new_process_is_killed_once(void **state)
{
	pid_t first = sleeper("/bin/sleep"), second = sleeper("/bin/sleep");
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict;

	for (int i = 0; i < 4; i++) {
		process.tgid = (uint32_t)(i < 2 ? first : second);
		verdict = verdict_of(KILL);
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_signals, 2);
	assert_int_equal(world.pids[0], first);
	assert_int_equal(world.pids[1], second);
	assert_int_equal(world.signals[0], SIGKILL);
	assert_string_equal(world.results[1], "done: SIGKILL");
	assert_int_equal(world.n_rows, 2);
	end(first);
	process.tgid = (uint32_t)first; /* its last charge comes after it */
	verdict = verdict_of(KILL);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_signals, 2);
	enforcer_free(enforcer);
	end(second);
}

/* As at a start, at a reload that turns enforcement on, or when a cgroup appears. */
static void who_makes_no_call_is_not_touched(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct enforcer *enforcer = enforcer_of();
	static const int destructive[] = { KILL, KILL_CGROUP, STOP, FREEZE };
	struct policy_verdict verdict;

	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	subject.is_calling = false;
	for (size_t i = 0; i < ARRAY_SIZE(destructive); i++) {
		verdict = verdict_of(destructive[i]);
		assert_true(enforcer_defers(enforcer, &verdict));
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_signals + world.n_group_signals + world.n_freezes, 0);
	assert_int_equal(world.n_rows, 0);
	/* A gate bears on calls alone, so it is shut at once. */
	verdict = verdict_of(REFUSE);
	assert_false(enforcer_defers(enforcer, &verdict));
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 1);
	/* Its next call. */
	subject.is_calling = true;
	verdict = verdict_of(KILL);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_signals, 1);
	enforcer_free(enforcer);
	end(child);
}

/* It is said once, and done when the evidence is there. */
static void nobody_is_killed_for_an_estimate(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict;

	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	verdict.is_unproven = true;
	verdict.measured_permille = 123;
	for (int i = 0; i < 3; i++)
		enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_signals, 0);
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(
		world.results[0],
		"refused: 12.3 % of what was spent is measured and not unconfirmed, and the "
		"rest is no evidence for a kill (evidence: estimated)");
	/* Of another counter all that was spent is measured: it is calls in flight that are not. */
	verdict.key = "cgroup=/another";
	verdict.measured_permille = 1000;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(
		world.results[1],
		"refused: calls in flight are no evidence for a kill before they are measured (evidence: estimated)");
	verdict = verdict_of(KILL);
	verdict.is_unproven = false;
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_signals, 1);
	assert_string_equal(world.results[2], "done: SIGKILL");
	enforcer_free(enforcer);
	end(child);
}

/* Runs the loop until so many rows were told. */
static void run_until_rows(struct loop *loop, size_t rows)
{
	world.loop = loop;
	world.stop_at_rows = rows;
	alarm(20);
	if (world.n_rows < rows)
		assert_int_equal(loop_run(loop), 0);
	alarm(0);
}

static void who_does_not_end_in_the_grace_is_killed(void **state)
{
	struct policy_verdict verdict;
	struct loop *loop;
	struct enforcer *enforcer;
	int ready[2], status;
	pid_t child;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		signal(SIGTERM, SIG_IGN);
		(void)!write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &status, 1), 1);
	close(ready[0]);
	close(ready[1]);
	world.really = true;
	steps[KILL].grace_ns = 20 * NS_PER_MS;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_expire(enforcer, T0 + 1000000); /* the window's end does not spare it */
	run_until_rows(loop, 2);
	assert_string_equal(world.results[0], "done: SIGTERM, SIGKILL in 1 s");
	assert_string_equal(world.results[1], "done: SIGKILL after the grace, gone");
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(world.signals[1], SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	enforcer_free(enforcer);
	loop_free(loop);
}

static void who_ends_in_the_grace_gets_no_second_signal(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict verdict;
	struct loop *loop;
	struct enforcer *enforcer;

	world.really = true;
	steps[KILL].grace_ns = 3600 * NS_PER_S; /* its end is noticed, not waited out */
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	waitpid(child, NULL, 0);
	run_until_rows(loop, 2);
	assert_int_equal(world.n_signals, 1);
	assert_string_equal(world.results[1], "done: it ended within the grace");
	enforcer_free(enforcer);
	loop_free(loop);
}

/* Takes a pid again by writing ns_last_pid, so that a real other process has it. */
static pid_t fork_with_pid(pid_t pid)
{
	FILE *file;
	pid_t child;

	for (int i = 0; i < 50; i++) {
		file = fopen("/proc/sys/kernel/ns_last_pid", "w");
		if (!file)
			return 0;
		fprintf(file, "%d", pid - 1);
		if (fclose(file))
			return 0;
		child = fork();
		if (child == 0) {
			pause();
			_exit(0);
		}
		if (child == pid)
			return child;
		end(child);
	}
	return 0;
}

static void a_pid_in_other_hands_is_not_killed(void **state)
{
	pid_t child = sleeper("/bin/sleep"), heir;
	struct policy_verdict verdict;
	struct loop *loop;
	struct enforcer *enforcer;
	int status;

	world.really = true;
	steps[KILL].grace_ns = 300 * NS_PER_MS;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	waitpid(child, NULL, 0);
	usleep(20000); /* two ticks: start times count hundredths of a second */
	heir = fork_with_pid(child);
	run_until_rows(loop, 2);
	enforcer_free(enforcer);
	loop_free(loop);
	if (!heir)
		skip();
	assert_int_equal(waitpid(heir, &status, WNOHANG), 0);
	assert_int_equal(world.n_signals, 1);
	end(heir);
}

static void what_keeps_the_host_alive_is_never_killed(void **state)
{
	char path[96], command[256];
	pid_t child;

	assert_string_equal(refusal_of(1, KILL), "refused: protected (pid 1)");
	assert_string_equal(refusal_of((uint32_t)getpid(), KILL),
			    "refused: protected (aigress itself)");
	snprintf(path, sizeof(path), "%s/kubelet", root);
	snprintf(command, sizeof(command), "cp /bin/sleep %s", path);
	assert_int_equal(system(command), 0);
	child = sleeper(path);
	assert_string_equal(refusal_of((uint32_t)child, KILL), "refused: protected (kubelet)");
	end(child);
}

static void a_cgroup_with_what_is_spared_below_it_is_never_killed(void **state)
{
	pid_t child = sleeper("/bin/sleep");

	make_group("/agents", (uint32_t)child);
	make_group("/agents/inner", 1);
	assert_string_equal(refusal_of((uint32_t)child, KILL_CGROUP), "refused: protected (pid 1)");
	make_group("/agents/inner", (uint32_t)getpid());
	assert_string_equal(refusal_of((uint32_t)child, KILL_CGROUP),
			    "refused: protected (aigress itself)");
	snprintf(group.path, sizeof(group.path), "/");
	assert_string_equal(refusal_of((uint32_t)child, KILL_CGROUP),
			    "refused: protected (the root cgroup)");
	snprintf(group.path, sizeof(group.path), "/agents/../x");
	assert_string_equal(refusal_of((uint32_t)child, KILL_CGROUP),
			    "refused: protected (the root cgroup)");
	end(child);
}

static void a_cgroup_is_killed_after_the_grace_and_again_for_newcomers(void **state)
{
	pid_t child = sleeper("/bin/sleep"), later;
	struct policy_verdict verdict;
	struct loop *loop;
	struct enforcer *enforcer;

	world.really = true;
	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL_CGROUP);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_group_signals, 1);
	run_until_rows(loop, 2);
	assert_int_equal(world.n_group_signals, 2);
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(world.signals[1], SIGKILL);
	assert_string_equal(world.results[1], "done: SIGKILL after the grace, all gone");
	world.really = false;
	enforcer_apply(enforcer, &verdict, &subject,
		       T0); /* the same process, before its end is seen */
	assert_int_equal(world.n_group_signals, 2);
	usleep(30000); /* start times count hundredths of a second */
	later = sleeper("/bin/sleep");
	process.tgid = (uint32_t)later;
	verdict = verdict_of(KILL_CGROUP);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_group_signals, 3);
	assert_int_equal(world.signals[2], SIGTERM);
	enforcer_free(enforcer);
	loop_free(loop);
	end(child);
	end(later);
}

/* Its signals are lost: somebody who may not be killed, or who sleeps in the kernel. */
static void who_lives_on_is_named(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict verdict;
	struct enforcer *enforcer;
	struct loop *loop;
	char said[128];

	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 0); /* nothing is known yet */
	run_until_rows(loop, 1);
	snprintf(said, sizeof(said),
		 "failed: SIGKILL was sent, but 2 s later these live on: sleep (%d)", child);
	assert_string_equal(world.results[0], said);
	enforcer_free(enforcer);
	loop_free(loop);
	end(child);
}

static void *outlives(void *arg)
{
	(void)!write(*(int *)arg, "x", 1);
	for (;;)
		pause();
	return NULL;
}

/* It is shown as a zombie then (proc(5)), and its other threads call on. */
static void a_process_whose_first_thread_has_ended_is_killed(void **state)
{
	struct policy_verdict verdict;
	struct enforcer *enforcer;
	struct loop *loop;
	pthread_t thread;
	int ready[2];
	pid_t child;
	char word;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		pthread_create(&thread, NULL, outlives, &ready[1]);
		pthread_exit(NULL);
	}
	assert_int_equal(read(ready[0], &word, 1), 1);
	for (int i = 0; i < 2000 && state_of(child) != 'Z'; i++)
		usleep(1000);
	assert_int_equal(state_of(child), 'Z');
	assert_int_not_equal(process_start_time((uint32_t)child), 0);
	assert_false(process_is_stopped((uint32_t)child));
	world.really = true;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	enforcer = enforcer_new(loop, NULL, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	run_until_rows(loop, 1);
	assert_string_equal(world.results[0], "done: SIGKILL, gone");
	enforcer_free(enforcer);
	loop_free(loop);
	close(ready[0]);
	close(ready[1]);
	waitpid(child, NULL, 0);
}

static void kills_in_an_hour_are_bounded_also_over_a_restart(void **state)
{
	struct ledger *ledger = NULL;
	struct policy_verdict verdict;
	pid_t child[3];
	struct enforcer *enforcer;

	rules.max_kills = 2;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	for (int i = 0; i < 3; i++)
		child[i] = sleeper("/bin/sleep");
	for (int i = 0; i < 4; i++) {
		process.tgid = (uint32_t)child[i < 3 ? i : 2];
		verdict = verdict_of(KILL);
		verdict.window_end_us = INT64_MAX;
		enforcer_apply(enforcer, &verdict, &subject, clock_wall_us());
	}
	assert_int_equal(world.n_signals, 2);
	assert_int_equal(world.n_rows, 3);
	assert_string_equal(world.results[2], "refused: 2 kills in an hour are the limit");
	enforcer_free(enforcer);
	/* The end of a kill that had a grace is no kill of its own. */
	assert_int_equal(
		ledger_add_action(ledger, &(struct ledger_action){ .time_us = clock_wall_us(),
								   .action = "kill",
								   .outcome = ACTION_FINISHED }),
		0);
	enforcer = enforcer_new(NULL, ledger, &rules, &actuators);
	enforcer_apply(enforcer, &verdict, &subject, clock_wall_us());
	assert_int_equal(world.n_signals, 2);
	rules.max_kills = 3; /* and who was spared for it is killed when there is room */
	enforcer_apply(enforcer, &verdict, &subject, clock_wall_us());
	assert_int_equal(world.n_signals, 3);
	rules.max_kills = 1000;
	enforcer_free(enforcer);
	ledger_free(ledger);
	for (int i = 0; i < 3; i++)
		end(child[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(each_new_process_is_killed_once),
		HELD(who_makes_no_call_is_not_touched),
		HELD(nobody_is_killed_for_an_estimate),
		HELD(who_does_not_end_in_the_grace_is_killed),
		HELD(who_ends_in_the_grace_gets_no_second_signal),
		HELD(a_pid_in_other_hands_is_not_killed),
		HELD(what_keeps_the_host_alive_is_never_killed),
		HELD(a_cgroup_with_what_is_spared_below_it_is_never_killed),
		HELD(a_cgroup_is_killed_after_the_grace_and_again_for_newcomers),
		HELD(who_lives_on_is_named),
		HELD(a_process_whose_first_thread_has_ended_is_killed),
		HELD(kills_in_an_hour_are_bounded_also_over_a_restart),
	};

	return cmocka_run_group_tests_name("act_kill", tests, NULL, NULL);
}
