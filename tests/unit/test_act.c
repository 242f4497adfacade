/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "guard/act.h"
#include "guard/override.h"
#include "guard/spare.h"
#include "guard/standing.h"
#include "guard/story.h"

#define T0 1790000000000000LL
#define MOST 64

/* The world, as the levers see it. */
static struct {
	uint64_t shut[MOST], opened[MOST], destroyed[MOST];
	size_t n_shut, n_opened, n_destroyed, n_signals, n_group_signals, n_rows;
	uint64_t lease_ns, dead;
	int signals[MOST];
	uint32_t pids[MOST];
	int error;
	char results[MOST][128], targets[MOST][128], calls[MOST][128], rules[MOST][64],
		actions[MOST][16];
	bool rehearsed[MOST];
	int64_t spent[MOST];
	size_t n_freezes;
	char frozen[WHO_PATH_LEN + 8];
	enum ctl_gate_state state;	/* of the last gate */
	struct ctl_gate gate;
	struct ctl_grant grants[MOST];	/* by bucket */
	struct ctl_take take;
	size_t n_ended;
	struct loop *loop;
	size_t stop_at_rows, n_pods;
	bool really;
} world;

static int lever_gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
{
	if (world.error)
		return world.error;
	world.state = gate->state;
	world.gate = *gate;
	if (gate->state != CTL_OPEN)
		world.shut[world.n_shut++ % MOST] = cgroup;
	else
		world.opened[world.n_opened++ % MOST] = cgroup;
	world.lease_ns = gate->lease_ns;
	return 0;
}

static int lever_grant(void *arg, uint32_t bucket, const struct ctl_grant *grant)
{
	assert_in_range(bucket, 1, MOST - 1);
	if (grant)
		world.grants[bucket] = *grant;
	else
		world.n_ended++;
	return 0;
}

static int lever_taken(void *arg, uint32_t bucket, struct ctl_take *ret)
{
	*ret = world.take;
	return 0;
}

static int lever_destroy(void *arg, uint64_t cgroup)
{
	world.destroyed[world.n_destroyed++ % MOST] = cgroup;
	return 0;
}

static int lever_signal(void *arg, uint32_t tgid, uint64_t start_ticks, int signal)
{
	world.pids[world.n_signals % MOST] = tgid;
	world.signals[world.n_signals++ % MOST] = signal;
	if (world.really && kill((pid_t)tgid, signal) < 0)
		return -errno;
	return world.error;
}

static int lever_signal_cgroup(void *arg, const struct who_group *group, int signal)
{
	world.signals[world.n_group_signals++ % MOST] = signal;
	return world.error;
}

static int lever_freeze(void *arg, const struct who_group *group, bool frozen)
{
	snprintf(world.frozen, sizeof(world.frozen), "%s %s", frozen ? "freeze" : "thaw",
		 group->path);
	world.n_freezes++;
	return world.error;
}

static bool lever_is_live(void *arg, uint64_t cgroup)
{
	return cgroup != world.dead;
}

/* Pods of one workload: the charged 7 and 8, which are one pod, and one that never called. */
static void lever_each_container(void *arg, void (*fn)(void *ctx, const struct who_group *group),
				 void *ctx)
{
	struct who_group group = { .path = "/pods", .namespace = "ns", .workload = "Deployment/a" };

	for (uint64_t at = 7; at < 7 + world.n_pods; at++) {
		group.cgroup = at;
		snprintf(group.pod_uid, sizeof(group.pod_uid), "pod-%d", at > 8);
		fn(ctx, &group);
	}
	snprintf(group.workload, sizeof(group.workload), "Deployment/b");
	group.cgroup = 100;
	snprintf(group.pod_uid, sizeof(group.pod_uid), "another");
	fn(ctx, &group);
}

static void told(void *arg, const struct ledger_action *action)
{
	size_t i = world.n_rows++ % MOST;

	snprintf(world.results[i], sizeof(world.results[i]), "%s", action->result);
	snprintf(world.targets[i], sizeof(world.targets[i]), "%s", action->target);
	snprintf(world.calls[i], sizeof(world.calls[i]), "%s", action->last_calls);
	snprintf(world.rules[i], sizeof(world.rules[i]), "%s", action->rule);
	snprintf(world.actions[i], sizeof(world.actions[i]), "%s", action->action);
	world.rehearsed[i] = action->is_rehearsed;
	world.spent[i] = action->spent_nanos;
	if (world.loop && world.n_rows >= world.stop_at_rows)
		loop_stop(world.loop);
}

static char root[64];
static struct act_levers levers = { .gate = lever_gate,
				    .grant = lever_grant,
				    .taken = lever_taken,
				    .destroy = lever_destroy,
				    .signal = lever_signal,
				    .signal_cgroup = lever_signal_cgroup,
				    .freeze = lever_freeze,
				    .is_live = lever_is_live,
				    .each_container = lever_each_container,
				    .told = told,
				    .cgroup_root = root };
static struct policy_step steps[] = {
	{ .at_permille = 500, .action = POLICY_NOTE, .line = 11 },
	{ .at_permille = 1000, .action = POLICY_REFUSE, .line = 12 },
	{ .at_permille = 1500, .action = POLICY_KILL, .target = POLICY_PROCESS, .line = 13 },
	{ .at_permille = 1500,
	  .action = POLICY_KILL,
	  .target = POLICY_CGROUP,
	  .grace_ns = 10 * NS_PER_MS,
	  .line = 14 },
	{ .at_permille = 1500, .action = POLICY_STOP, .target = POLICY_PROCESS, .line = 15 },
	{ .at_permille = 1500, .action = POLICY_STOP, .target = POLICY_CGROUP, .line = 16 },
	{ .at_permille = 1500, .action = POLICY_FREEZE, .cut = true, .line = 17 },
	{ .at_permille = 1000, .action = POLICY_PACE, .pace_per_hour = 36000, .line = 18 },
};
enum { NOTE, REFUSE, KILL, KILL_CGROUP, STOP, STOP_CGROUP, FREEZE, PACE };
static struct policy_budget budgets[2] = { { .name = "a", .limit_nanos = 5, .line = 10 },
					   { .name = "b", .limit_nanos = 5 } };
static struct policy_rules rules = {
	.enforce = true, .max_kills = 1000, .budgets = budgets, .n_budgets = 2, .file = "x.yaml"
};
static struct who_group group;
static struct who_process process;
static struct policy_subject subject = {
	.group = &group, .process = &process, .host = "", .model = ""
};

static int reset(void **state)
{
	memset(&world, 0, sizeof(world));
	group = (struct who_group){ .cgroup = 7, .path = "/agents" };
	process = (struct who_process){ .tgid = 0, .comm = "python3" };
	rules.enforce = true;
	steps[KILL].grace_ns = 0;
	snprintf(root, sizeof(root), "/tmp/test_act.XXXXXX");
	return mkdtemp(root) ? 0 : -1;
}

static int clean(void **state)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static struct policy_verdict verdict_of(int step)
{
	static uint64_t none[1];

	return (struct policy_verdict){ .budget = &budgets[0],
					.step = &steps[step],
					.key = "cgroup=/agents",
					.cgroup = group.cgroup,
					.tgid = process.tgid,
					.is_first = true,
					.spent_nanos = 6,
					.limit_nanos = 5,
					.window_start_us = T0 - 100,
					.window_end_us = T0 + 1000,
					.measured_permille = 900,
					.calls = { 9, 8 },
					.n_calls = 2,
					.cgroups = none };
}

static struct act *act_of(void)
{
	return act_new(NULL, NULL, &rules, &levers);
}

static pid_t sleeper(const char *exe)
{
	pid_t child = fork();

	if (child == 0) {
		execl(exe, exe, "60", NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000; i++) {	/* until the image is the new one */
		char path[64], target[256];
		ssize_t n;

		snprintf(path, sizeof(path), "/proc/%d/exe", child);
		n = readlink(path, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (strrchr(target, '/') && !strcmp(strrchr(target, '/'), strrchr(exe, '/')))
			break;
		usleep(1000);
	}
	return child;
}

static void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static void make_group(const char *path, uint32_t tgid)
{
	char name[256];
	FILE *file;

	snprintf(name, sizeof(name), "%s%s", root, path);
	mkdir(name, 0700);
	strcat(name, "/cgroup.procs");
	file = fopen(name, "w");
	fprintf(file, "%u\n", tgid);
	fclose(file);
}

static void a_note_comes_once_a_window_with_its_evidence(void **state)
{
	struct act *act = act_of();
	struct policy_verdict verdict = verdict_of(NOTE);

	act_apply(act, &verdict, &subject, T0);
	act_apply(act, &verdict, &subject, T0 + 1);
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.results[0], "done");
	assert_string_equal(world.rules[0], "x.yaml:11");
	assert_string_equal(world.calls[0], "[9,8]");
	assert_int_equal(world.spent[0], 6);
	act_expire(act, T0 + 1000);
	verdict.is_first = false;	/* after a restart: it was told before */
	act_apply(act, &verdict, &subject, T0 + 1001);
	assert_int_equal(world.n_rows, 1);
	verdict.is_first = true;
	act_apply(act, &verdict, &subject, T0 + 1001);
	assert_int_equal(world.n_rows, 2);
	/* The next window's comes even if nobody called act_expire() between. */
	verdict.window_end_us = T0 + 3000;
	act_apply(act, &verdict, &subject, T0 + 2000);
	assert_int_equal(world.n_rows, 3);
	act_free(act);
}

static void a_rehearsal_writes_rows_and_touches_nothing(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct act *act;

	rules.enforce = false;
	process.tgid = (uint32_t)child;
	act = act_of();
	make_group("/agents", (uint32_t)child);
	for (int step = NOTE; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		act_apply(act, &verdict, &subject, T0);
		act_apply(act, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_rows, 7);
	for (int i = 0; i < 7; i++) {
		assert_string_equal(world.results[i], "rehearsed");
		assert_true(world.rehearsed[i]);
	}
	act_renew(act);
	act_expire(act, T0 + 5000);
	act_free(act);
	assert_int_equal(world.n_shut + world.n_opened + world.n_destroyed + world.n_signals +
			 world.n_group_signals + world.n_freezes, 0);
	assert_int_equal(world.n_rows, 7);
	end(child);
}

static void a_gate_is_a_lease_renewed_and_ends_with_the_window(void **state)
{
	struct act *act = act_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	uint64_t now_ns = clock_mono_ns();

	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(world.shut[0], 7);
	assert_int_equal(world.destroyed[0], 7);
	assert_true(world.lease_ns >= now_ns + ACT_LEASE_NS &&
		    world.lease_ns < now_ns + ACT_LEASE_NS + NS_PER_S);
	verdict.is_first = false;
	act_apply(act, &verdict, &subject, T0 + 1);	/* set again, not told again */
	act_renew(act);
	assert_int_equal(world.n_shut, 3);
	assert_int_equal(world.n_rows, 1);
	act_expire(act, T0 + 999);
	assert_int_equal(world.n_opened, 0);
	act_expire(act, T0 + 1000);
	assert_int_equal(world.n_opened, 1);
	assert_string_equal(world.results[1], "ended: the window is over");
	act_renew(act);
	assert_int_equal(world.n_shut, 3);
	act_free(act);
}

static void all_members_are_gated_and_the_rule_protected_are_not(void **state)
{
	struct act *act = act_of();
	struct policy_verdict verdict = verdict_of(REFUSE);
	uint64_t members[] = { 8, 9 };

	verdict.cgroups = members;
	verdict.n_cgroups = 2;
	verdict.is_protected = true;
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 2);
	assert_int_equal(world.shut[0], 8);
	assert_int_equal(world.shut[1], 9);
	assert_string_equal(world.results[0], "refused: protected (by a rule)");
	verdict = verdict_of(REFUSE);
	verdict.key = "match";
	snprintf(group.path, sizeof(group.path), "/");
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_shut, 2);
	assert_string_equal(world.results[3], "refused: protected (the root cgroup)");
	act_free(act);
}

static void a_gate_that_two_budgets_hold_opens_with_the_second(void **state)
{
	struct act *act = act_of();
	struct policy_verdict one = verdict_of(REFUSE), two = verdict_of(REFUSE);

	two.budget = &budgets[1];
	two.window_end_us = T0 + 5000;
	act_apply(act, &one, &subject, T0);
	act_apply(act, &two, &subject, T0);
	act_expire(act, T0 + 1000);
	assert_int_equal(world.n_opened, 0);
	act_expire(act, T0 + 5000);
	assert_int_equal(world.n_opened, 1);
	act_free(act);
}

static void a_gate_outlives_the_daemon_as_long_as_a_budget_holds_it(void **state)
{
	int64_t now_us = clock_wall_us(), end_us = now_us + 3600 * US_PER_S;
	uint64_t before_ns = clock_mono_ns();
	struct policy_verdict holding = verdict_of(REFUSE), letting = verdict_of(REFUSE);
	struct act *act = act_of();

	holding.window_end_us = end_us;
	letting.budget = &budgets[1];
	letting.window_end_us = end_us + 3600 * US_PER_S;
	act_apply(act, &letting, &subject, now_us);
	assert_false(act_outlives(act));
	assert_in_range(world.lease_ns, before_ns, clock_mono_ns() + ACT_LEASE_NS);
	budgets[0].on_loss = POLICY_LOSS_HOLD;
	act_apply(act, &holding, &subject, now_us);
	assert_true(act_outlives(act));
	assert_true(act_holds_gate(act, 7));
	assert_false(act_holds_gate(act, 8));
	assert_in_range(world.lease_ns, before_ns + 3590 * NS_PER_S, clock_mono_ns() + 3600 * NS_PER_S);
	/* When the budget that holds it lets go, the other one's gate is a short lease again. */
	act_expire(act, end_us);
	assert_int_equal(world.n_opened, 0);
	act_renew(act);
	assert_false(act_outlives(act));
	assert_true(world.lease_ns <= clock_mono_ns() + ACT_LEASE_NS);
	budgets[0].on_loss = POLICY_LOSS_OPEN;
	act_free(act);
}

/* Gates of several steps on one cgroup: the hardest counts, and what is left when it goes. */
static void a_pace_names_its_bucket_and_yields_to_a_refusal(void **state)
{
	struct act *act = act_of();
	struct policy_verdict pace = verdict_of(PACE), refuse = verdict_of(REFUSE);
	struct policy_verdict other = verdict_of(PACE);

	act_apply(act, &pace, &subject, T0);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0], 1);
	assert_int_equal(world.gate.buckets[1], 0);
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.results[0], "done: 0.000036 USD/hour");
	assert_string_equal(world.actions[0], "pace");
	other.budget = &budgets[1];
	other.window_end_us = T0 + 3000;
	act_apply(act, &other, &subject, T0);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0] + world.gate.buckets[1], 3);
	refuse.budget = &budgets[1];
	refuse.window_end_us = T0 + 2000;
	act_apply(act, &refuse, &subject, T0);
	assert_int_equal(world.state, CTL_REFUSE);
	act_renew(act);
	assert_int_equal(world.state, CTL_REFUSE);
	world.take = (struct ctl_take){ .admitted = 5, .held = 3 };
	act_expire(act, T0 + 1000);	/* the first pace */
	assert_int_equal(world.state, CTL_REFUSE);
	assert_int_equal(world.n_ended, 1);
	act_expire(act, T0 + 2000);
	assert_int_equal(world.state, CTL_PACE);
	assert_int_equal(world.gate.buckets[0], 2);
	assert_int_equal(world.gate.buckets[1], 0);
	act_expire(act, T0 + 3000);
	assert_int_equal(world.state, CTL_OPEN);
	assert_int_equal(world.n_ended, 2);
	act_free(act);
}

static void a_pace_is_only_rehearsed_without_enforcement(void **state)
{
	struct act *act;
	struct policy_verdict pace = verdict_of(PACE);

	rules.enforce = false;
	act = act_of();
	act_apply(act, &pace, &subject, T0);
	assert_int_equal(world.n_shut, 0);
	assert_string_equal(world.results[0], "rehearsed");
	act_free(act);
}

/* Two members, of which one is to stay as it is; when it has died there is none to spare. */
static void no_fewer_members_stay_healthy_than_the_budget_says(void **state)
{
	static const uint64_t members[] = { 7, 8 };
	struct act *act = act_of();

	budgets[0].min_healthy_permille = 500;
	for (uint64_t at = 7; at <= 8; at++)
		for (int again = 0; again < 2; again++) {
			struct policy_verdict verdict = verdict_of(FREEZE);

			verdict.cgroup = group.cgroup = at;
			verdict.cgroups = members;
			verdict.n_cgroups = 2;
			act_apply(act, &verdict, &subject, T0);
		}
	assert_int_equal(world.n_freezes, 2);	/* the first, and it again */
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.results[0], "done");
	assert_string_equal(world.results[1], "refused: it would leave 0 of 2 members healthy, "
					      "min-healthy is 1");
	act_free(act);

	budgets[0].min_healthy_permille = 0;
	budgets[0].min_healthy = 1;
	memset(&world, 0, sizeof(world));
	world.dead = 8;
	act = act_of();
	for (int step = STOP_CGROUP; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		verdict.cgroup = group.cgroup = 7;
		verdict.cgroups = members;
		verdict.n_cgroups = 2;
		act_apply(act, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_freezes + world.n_signals + world.n_group_signals, 0);
	budgets[0].min_healthy = 0;
	act_free(act);
}

/* A pod counts once, whatever it holds, and before it has called anybody. */
static void pods_that_were_never_charged_are_members(void **state)
{
	static const uint64_t members[] = { 7, 8 };
	struct policy_verdict verdict = verdict_of(FREEZE);
	enum policy_per per = budgets[0].per;
	struct act *act = act_of();

	verdict.key = "workload=ns/Deployment/a";
	verdict.cgroup = group.cgroup = 7;
	verdict.cgroups = members;
	verdict.n_cgroups = 2;
	budgets[0].per = POLICY_PER_WORKLOAD;
	budgets[0].min_healthy = 1;
	world.n_pods = 2;
	act_apply(act, &verdict, &subject, T0);
	assert_string_equal(world.results[0], "refused: it would leave 0 of 1 members healthy, "
					      "min-healthy is 1");
	world.n_pods = 3;
	world.dead = 9;
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 0);
	world.dead = 0;
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 1);
	/* the other container of the pod that stands already: nothing gets worse */
	verdict.cgroup = group.cgroup = 8;
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_freezes, 2);
	budgets[0].min_healthy = 0;
	budgets[0].per = per;
	act_free(act);
}

static void a_failing_gate_is_tried_again_and_told_when_it_changes(void **state)
{
	struct act *act = act_of();
	struct policy_verdict verdict = verdict_of(REFUSE);

	world.error = -ENOSPC;
	act_apply(act, &verdict, &subject, T0);
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 1);
	assert_non_null(strstr(world.results[0], "failed: "));
	world.error = 0;
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.results[1], "done");
	act_free(act);
}

static void each_new_process_is_killed_once(void **state)
{
	pid_t first = sleeper("/bin/sleep"), second = sleeper("/bin/sleep");
	struct act *act = act_of();
	struct policy_verdict verdict;

	for (int i = 0; i < 4; i++) {
		process.tgid = (uint32_t)(i < 2 ? first : second);
		verdict = verdict_of(KILL);
		act_apply(act, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_signals, 2);
	assert_int_equal(world.pids[0], first);
	assert_int_equal(world.pids[1], second);
	assert_int_equal(world.signals[0], SIGKILL);
	assert_string_equal(world.results[1], "done: SIGKILL");
	assert_int_equal(world.n_rows, 2);
	end(first);
	process.tgid = (uint32_t)first;		/* its last charge comes after it */
	verdict = verdict_of(KILL);
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_signals, 2);
	act_free(act);
	end(second);
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
	struct act *act;
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
	act = act_new(loop, NULL, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	act_expire(act, T0 + 1000000);	/* the window's end does not spare it */
	run_until_rows(loop, 2);
	assert_string_equal(world.results[0], "done: SIGTERM, SIGKILL in 1 s");
	assert_string_equal(world.results[1], "done: SIGKILL after the grace");
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(world.signals[1], SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	act_free(act);
	loop_free(loop);
}

static void who_ends_in_the_grace_gets_no_second_signal(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict verdict;
	struct loop *loop;
	struct act *act;

	world.really = true;
	steps[KILL].grace_ns = 20 * NS_PER_MS;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	act = act_new(loop, NULL, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	waitpid(child, NULL, 0);
	run_until_rows(loop, 2);
	assert_int_equal(world.n_signals, 1);
	assert_string_equal(world.results[1], "done: it ended within the grace");
	act_free(act);
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
	struct act *act;
	int status;

	world.really = true;
	steps[KILL].grace_ns = 300 * NS_PER_MS;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL);
	assert_int_equal(loop_new(&loop), 0);
	act = act_new(loop, NULL, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	waitpid(child, NULL, 0);
	usleep(20000);	/* two ticks: start times count hundredths of a second */
	heir = fork_with_pid(child);
	run_until_rows(loop, 2);
	act_free(act);
	loop_free(loop);
	if (!heir)
		skip();
	assert_int_equal(waitpid(heir, &status, WNOHANG), 0);
	assert_int_equal(world.n_signals, 1);
	end(heir);
}

static const char *refusal_of(uint32_t tgid, int step)
{
	struct act *act = act_of();
	struct policy_verdict verdict;

	process.tgid = tgid;
	verdict = verdict_of(step);
	act_apply(act, &verdict, &subject, T0);
	act_free(act);
	assert_int_equal(world.n_signals + world.n_group_signals, 0);
	return world.results[(world.n_rows - 1) % MOST];
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
	struct act *act;

	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	verdict = verdict_of(KILL_CGROUP);
	assert_int_equal(loop_new(&loop), 0);
	act = act_new(loop, NULL, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_group_signals, 1);
	run_until_rows(loop, 2);
	assert_int_equal(world.n_group_signals, 2);
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(world.signals[1], SIGKILL);
	act_apply(act, &verdict, &subject, T0); /* the same process, before its end is seen */
	assert_int_equal(world.n_group_signals, 2);
	usleep(30000);	/* start times count hundredths of a second */
	later = sleeper("/bin/sleep");
	process.tgid = (uint32_t)later;
	verdict = verdict_of(KILL_CGROUP);
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_group_signals, 3);
	assert_int_equal(world.signals[2], SIGTERM);
	act_free(act);
	loop_free(loop);
	end(child);
	end(later);
}

static char state_of(pid_t pid)
{
	char path[64], line[512], state = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "r");
	if (file && fgets(line, sizeof(line), file) && strrchr(line, ')'))
		state = strrchr(line, ')')[2];
	if (file)
		fclose(file);
	return state;
}

/* A stop signal takes its effect when the process next looks. */
static void wait_for_state(pid_t pid, char state)
{
	for (int i = 0; i < 2000 && state_of(pid) != state; i++)
		usleep(1000);
	assert_int_equal(state_of(pid), state);
}

static void count_standing(void *arg, const struct standing *standing)
{
	++*(size_t *)arg;
}

static size_t standing(struct ledger *ledger)
{
	size_t n = 0;

	assert_int_equal(standing_each(ledger, count_standing, &n), 0);
	return n;
}

static void a_stopped_process_goes_on_when_the_window_is_over(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct ledger *ledger = NULL;
	struct policy_verdict verdict;
	struct act *act;

	world.really = true;
	process.tgid = (uint32_t)child;
	verdict = verdict_of(STOP);
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	act = act_new(NULL, ledger, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	wait_for_state(child, 'T');
	assert_int_equal(standing(ledger), 1);
	kill(child, SIGCONT);	/* another hand */
	wait_for_state(child, 'S');
	act_apply(act, &verdict, &subject, T0 + 1);
	wait_for_state(child, 'T');
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.results[0], "done");
	act_expire(act, T0 + 1000);
	wait_for_state(child, 'S');
	assert_int_equal(standing(ledger), 0);
	assert_string_equal(world.results[1], "ended: the window is over");
	act_free(act);
	ledger_free(ledger);
	end(child);
}

static void what_two_budgets_stop_goes_on_with_the_second(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict one, two;
	struct act *act = act_of();

	world.really = true;
	process.tgid = (uint32_t)child;
	one = two = verdict_of(STOP);
	two.budget = &budgets[1];
	two.window_end_us = T0 + 5000;
	act_apply(act, &one, &subject, T0);
	act_apply(act, &two, &subject, T0);
	act_expire(act, T0 + 1000);
	wait_for_state(child, 'T');
	act_expire(act, T0 + 5000);
	wait_for_state(child, 'S');
	act_free(act);
	end(child);
}

static void nothing_stands_after_a_clean_stop(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct ledger *ledger = NULL;
	struct act *act;

	world.really = true;
	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	act = act_new(NULL, ledger, &rules, &levers);
	for (int step = STOP; step <= FREEZE; step++) {
		struct policy_verdict verdict = verdict_of(step);

		act_apply(act, &verdict, &subject, T0);
	}
	assert_int_equal(standing(ledger), 3);
	assert_string_equal(world.frozen, "freeze /agents");
	assert_int_equal(world.n_destroyed, 1);	/* cut */
	act_free(act);
	assert_string_equal(world.frozen, "thaw /agents");
	assert_int_equal(world.signals[world.n_group_signals - 1], SIGCONT);
	wait_for_state(child, 'S');
	assert_int_equal(standing(ledger), 0);
	ledger_free(ledger);
	end(child);
}

/* The daemon is killed with a process stopped and a cgroup frozen; the next one finds them. */
static void the_next_daemon_lets_go_what_it_does_not_want(void **state)
{
	pid_t child = sleeper("/bin/sleep");
	struct standing left[3] = { { .kind = STANDING_PROCESS, .tgid = (uint32_t)child },
				    { .kind = STANDING_FROZEN, .path = "/other" },
				    { .kind = STANDING_FROZEN, .path = "/agents" } };
	struct policy_verdict verdict = verdict_of(FREEZE);
	struct ledger *ledger = NULL;
	struct act *act;

	make_group("/agents", (uint32_t)child);
	left[0].start_ticks = spare_start_time((uint32_t)child);
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(standing_add(ledger, &left[i]), 0);
	kill(child, SIGSTOP);
	wait_for_state(child, 'T');
	ledger_free(ledger);
	world.really = true;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	act = act_new(NULL, ledger, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);	/* restored from the sums */
	assert_string_equal(world.frozen, "freeze /agents");
	assert_int_equal(act_recover(act), 2);
	wait_for_state(child, 'S');
	assert_string_equal(world.frozen, "thaw /other");
	assert_int_equal(standing(ledger), 1);
	act_free(act);
	assert_string_equal(world.frozen, "thaw /agents");
	ledger_free(ledger);
	end(child);
}

static void a_frozen_cgroup_is_thawed_to_die(void **state)
{
	struct policy_verdict frozen = verdict_of(FREEZE), dead = verdict_of(KILL_CGROUP);
	pid_t child = sleeper("/bin/sleep");
	struct act *act = act_of();

	steps[KILL_CGROUP].grace_ns = 0;
	make_group("/agents", (uint32_t)child);
	act_apply(act, &frozen, &subject, T0);
	act_apply(act, &dead, &subject, T0);
	steps[KILL_CGROUP].grace_ns = 10 * NS_PER_MS;
	assert_int_equal(world.signals[0], SIGKILL);
	assert_string_equal(world.frozen, "thaw /agents");
	act_free(act);
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

/* A policy of two budgets of 5 nano-dollars, refuse at 100 %, for what act asks of one. */
static struct policy *policy_of(uint64_t spent)
{
	struct charge charge = { .source = CHARGE_USAGE, .budget_nanos = (int64_t)spent };
	struct policy *policy;

	budgets[0].steps = &steps[REFUSE];
	budgets[0].n_steps = 1;
	budgets[0].per = POLICY_PER_CGROUP;
	budgets[0].zone = "UTC";
	policy = policy_new(&rules);
	if (spent)
		policy_charge(policy, &subject, &charge, 1, T0);
	return policy;
}

static void apply_all(struct act *act, struct policy *policy)
{
	struct policy_verdict verdict;

	while (policy_next(policy, &verdict))
		act_apply(act, &verdict, &subject, T0);
}

static void a_gate_for_calls_in_flight_resets_nothing_and_opens_with_them(void **state)
{
	struct charge so_far = { .source = CHARGE_TEXT, .budget_nanos = 1 };
	struct policy *policy = policy_of(3);	/* the mean of the calls is 3 */
	struct act *act = act_of();

	policy_reserve(policy, &subject, 1, &so_far, T0);
	apply_all(act, policy);
	assert_int_equal(world.n_shut, 2);	/* and once more, with the fuse */
	assert_int_equal(world.state, CTL_TURN_AWAY);	/* the call itself may be half sent */
	assert_int_equal(world.n_destroyed, 0);
	assert_string_equal(world.results[0], "done: calls in flight will cross the line");
	act_renew(act);
	assert_int_equal(world.state, CTL_TURN_AWAY);
	act_review(act, policy, true, T0);
	assert_int_equal(world.n_opened, 0);
	policy_release(policy, 1);
	act_review(act, policy, true, T0);
	assert_int_equal(world.state, CTL_PACE);	/* the fuse stays */
	assert_int_equal(world.n_opened, 0);
	assert_string_equal(world.results[1], "ended: calls in flight cost less than was held");
	/* And where it was right, the streams go when the line is crossed. */
	policy_reserve(policy, &subject, 2, &so_far, T0);
	apply_all(act, policy);
	so_far.budget_nanos = 2;
	policy_reserve(policy, &subject, 2, &so_far, T0);
	apply_all(act, policy);
	assert_int_equal(world.state, CTL_REFUSE);
	assert_int_equal(world.n_destroyed, 1);
	assert_string_equal(world.results[3], "done");
	policy_release(policy, 2);
	act_review(act, policy, true, T0);
	assert_int_equal(world.n_opened, 0);	/* no longer a matter of reserves */
	act_free(act);
	policy_free(policy);
}

static struct policy_step pacing[] = { { .at_permille = 1000, .action = POLICY_PACE,
					 .pace_per_hour = 36000 } };

static void credit_follows_time_and_charges(void **state)
{
	struct policy_budget budget = { .name = "p", .limit_nanos = 5, .steps = pacing, .n_steps = 1 };
	struct policy_rules own = { .enforce = true, .budgets = &budget, .n_budgets = 1 };
	struct charge charge = { .source = CHARGE_USAGE, .budget_nanos = 6 };
	struct policy *policy = policy_new(&own);
	struct act *act = act_new(NULL, NULL, &own, &levers);
	size_t n_rows;

	assert_int_equal(act_pace(act, policy, T0), 0);
	policy_charge(policy, &subject, &charge, 1, T0);
	apply_all(act, policy);
	assert_int_equal(act_pace(act, policy, T0), 1);
	assert_int_equal(world.grants[1].granted_nanos, 0);
	assert_int_equal(world.grants[1].reserve_nanos, 6);
	assert_int_equal(act_pace(act, policy, T0 + 2 * US_PER_S), 1);
	assert_int_equal(world.grants[1].granted_nanos, 20);
	world.take = (struct ctl_take){ .taken_nanos = 6, .admitted = 1, .held = 4 };
	charge.budget_nanos = 16;
	policy_charge(policy, &subject, &charge, 2, T0);
	assert_int_equal(act_pace(act, policy, T0 + 2 * US_PER_S), 1);
	assert_int_equal(world.grants[1].granted_nanos, 20 + 6 - 16);
	assert_int_equal(world.grants[1].reserve_nanos, 11);
	n_rows = world.n_rows;
	act_expire(act, INT64_MAX);
	assert_int_equal(act_pace(act, policy, T0), 0);
	assert_string_equal(world.results[n_rows], "ended: the window is over (1 requests let go, 4 made to wait)");
	act_free(act);
	policy_free(policy);
}

static void an_order_opens_a_gate_at_once_and_it_shuts_when_the_order_ends(void **state)
{
	struct override open = { .kind = OVERRIDE_OPEN, .key = "cgroup=/agents", .until_us = T0 + 9 };
	struct policy *policy = policy_of(6);
	struct act *act = act_of();

	apply_all(act, policy);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(policy_order(policy, &open, 1), 0);
	act_review(act, policy, false, T0);
	assert_int_equal(world.n_opened, 1);
	policy_judge(policy, &subject, T0);
	apply_all(act, policy);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(policy_order(policy, NULL, 0), 0);
	policy_judge(policy, &subject, T0);
	apply_all(act, policy);
	assert_int_equal(world.n_shut, 2);
	act_free(act);
	policy_free(policy);
}

static void hold_one(void *arg, const struct policy_verdict *verdict)
{
	act_apply(arg, verdict, &subject, T0);
}

static void a_budget_may_be_rehearsed_alone(void **state)
{
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct act *act = act_of();

	budgets[0].is_rehearsed = true;
	act_apply(act, &verdict, &subject, T0);
	budgets[0].is_rehearsed = false;
	verdict.budget = &budgets[1];
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 2);
	assert_true(world.rehearsed[0]);
	assert_false(world.rehearsed[1]);
	act_free(act);
}

static void an_order_to_hold_is_carried_out_where_rules_are_rehearsed(void **state)
{
	struct override hold = { .kind = OVERRIDE_HOLD, .key = "a", .until_us = T0 + 1000 };
	struct policy *policy = policy_of(1);
	struct act *act;

	rules.enforce = false;
	act = act_of();
	assert_int_equal(policy_order(policy, &hold, 1), 0);
	policy_held(policy, T0, hold_one, act);
	assert_int_equal(world.n_shut, 1);
	assert_int_equal(world.shut[0], 7);
	assert_string_equal(world.rules[0], "aigress override");
	assert_false(world.rehearsed[0]);
	act_expire(act, T0 + 1000);
	assert_int_equal(world.n_opened, 1);
	act_free(act);
	policy_free(policy);
}

static void an_order_to_open_stops_a_kill_in_its_grace(void **state)
{
	struct override open = { .kind = OVERRIDE_OPEN, .key = "*", .until_us = T0 + 9 };
	pid_t child = sleeper("/bin/sleep");
	struct policy_verdict verdict;
	struct policy *policy;
	struct act *act = act_of();

	make_group("/agents", (uint32_t)child);
	process.tgid = (uint32_t)child;
	policy = policy_of(6);
	verdict = verdict_of(KILL_CGROUP);
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.signals[0], SIGTERM);
	assert_int_equal(policy_order(policy, &open, 1), 0);
	act_review(act, policy, false, T0);
	assert_string_equal(world.results[1], "ended: no SIGKILL will follow");
	usleep(20000);
	kill_on_grace(act);
	assert_int_equal(world.n_group_signals, 1);
	act_free(act);
	policy_free(policy);
	end(child);
}

static void what_other_rules_still_order_goes_on(void **state)
{
	struct policy_step others[] = { { .at_permille = 800, .action = POLICY_NOTE },
					{ .at_permille = 1000, .action = POLICY_REFUSE } };
	struct policy_budget new = { .name = "a", .limit_nanos = 5, .steps = others, .n_steps = 2 };
	struct policy_rules now = rules;
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct act *act = act_new(NULL, NULL, &now, &levers);

	act_apply(act, &verdict, &subject, T0);
	now.budgets = &new;
	now.n_budgets = 1;
	act_rules(act, true, T0);
	assert_int_equal(world.n_opened, 0);
	verdict.budget = &new;		/* the same gate, by the new rules: no row */
	verdict.step = &others[1];
	act_apply(act, &verdict, &subject, T0);
	assert_int_equal(world.n_rows, 1);
	others[1].at_permille = 1200;
	now.budgets = &(struct policy_budget){ .name = "a", .limit_nanos = 5,
					       .steps = &others[0], .n_steps = 1 };
	act_rules(act, true, T0);
	assert_int_equal(world.n_opened, 1);
	assert_string_equal(world.results[1], "ended: the rules have changed");
	act_free(act);
}

static void another_stance_lets_everything_go(void **state)
{
	struct policy_rules now = rules;
	struct policy_verdict verdict = verdict_of(REFUSE);
	struct act *act = act_new(NULL, NULL, &now, &levers);

	budgets[0].steps = steps;
	budgets[0].n_steps = 7;
	act_apply(act, &verdict, &subject, T0);
	act_rules(act, true, T0);
	assert_int_equal(world.n_opened, 0);
	act_rules(act, false, T0);
	assert_int_equal(world.n_opened, 1);
	act_free(act);
}

static void kills_in_an_hour_are_bounded_also_over_a_restart(void **state)
{
	struct ledger *ledger = NULL;
	struct policy_verdict verdict;
	pid_t child[3];
	struct act *act;

	rules.max_kills = 2;
	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	act = act_new(NULL, ledger, &rules, &levers);
	for (int i = 0; i < 3; i++)
		child[i] = sleeper("/bin/sleep");
	for (int i = 0; i < 4; i++) {
		process.tgid = (uint32_t)child[i < 3 ? i : 2];
		verdict = verdict_of(KILL);
		verdict.window_end_us = INT64_MAX;
		act_apply(act, &verdict, &subject, clock_wall_us());
	}
	assert_int_equal(world.n_signals, 2);
	assert_int_equal(world.n_rows, 3);
	assert_string_equal(world.results[2], "refused: 2 kills in an hour are the limit");
	act_free(act);
	act = act_new(NULL, ledger, &rules, &levers);
	act_apply(act, &verdict, &subject, clock_wall_us());
	assert_int_equal(world.n_signals, 2);
	rules.max_kills = 3;	/* and who was spared for it is killed when there is room */
	act_apply(act, &verdict, &subject, clock_wall_us());
	assert_int_equal(world.n_signals, 3);
	rules.max_kills = 1000;
	act_free(act);
	ledger_free(ledger);
	for (int i = 0; i < 3; i++)
		end(child[i]);
}

static void rows_are_limited_and_the_rest_counted(void **state)
{
	struct act *act = act_of();
	struct act_stats stats;

	for (uint64_t i = 1; i <= 100; i++) {
		struct policy_verdict verdict = verdict_of(REFUSE);

		verdict.cgroup = i;
		act_apply(act, &verdict, &subject, T0);
	}
	act_stats(act, &stats);
	assert_int_equal(world.n_shut, 100);	/* every gate is set all the same */
	assert_int_equal(stats.rows, ACT_ROWS_PER_MINUTE);
	assert_int_equal(stats.rows_unwritten, 100 - ACT_ROWS_PER_MINUTE);
	act_free(act);
}

static void targets_are_bounded(void **state)
{
	struct act *act = act_of();
	struct act_stats stats;

	for (uint64_t i = 1; i <= ACT_DEEDS + 100; i++) {
		struct policy_verdict verdict = verdict_of(REFUSE);

		verdict.cgroup = i;
		act_apply(act, &verdict, &subject, T0);
	}
	act_stats(act, &stats);
	assert_int_equal(stats.dropped, 100 + POLICY_MEMBERS);
	act_expire(act, T0 + 1000);
	assert_int_equal(world.n_opened, ACT_DEEDS - POLICY_MEMBERS);
	act_free(act);
}

static void count_gate(void *arg, const struct act_gate *gate)
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
	struct act *act;
	int seen = 0;

	assert_int_equal(ledger_open(&ledger, root, true, NULL), 0);
	act = act_new(NULL, ledger, &rules, &levers);
	act_apply(act, &verdict, &subject, T0);
	act_gates(act, count_gate, &seen);
	assert_int_equal(seen, 1);
	assert_int_equal(ledger_actions(ledger, 0, told, NULL), 0);
	assert_int_equal(world.n_rows, 2);
	assert_string_equal(world.actions[1], "refuse");
	assert_string_equal(world.targets[1], "cgroup /agents");
	assert_string_equal(world.calls[1], "[9,8]");
	assert_string_equal(world.rules[1], "x.yaml:12");
	assert_false(world.rehearsed[1]);
	act_free(act);
	ledger_free(ledger);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, reset, clean)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_note_comes_once_a_window_with_its_evidence),
		HELD(a_rehearsal_writes_rows_and_touches_nothing),
		HELD(a_gate_is_a_lease_renewed_and_ends_with_the_window),
		HELD(all_members_are_gated_and_the_rule_protected_are_not),
		HELD(a_gate_that_two_budgets_hold_opens_with_the_second),
		HELD(a_gate_outlives_the_daemon_as_long_as_a_budget_holds_it),
		HELD(a_pace_names_its_bucket_and_yields_to_a_refusal),
		HELD(a_pace_is_only_rehearsed_without_enforcement),
		HELD(no_fewer_members_stay_healthy_than_the_budget_says),
		HELD(pods_that_were_never_charged_are_members),
		HELD(a_failing_gate_is_tried_again_and_told_when_it_changes),
		HELD(each_new_process_is_killed_once),
		HELD(who_does_not_end_in_the_grace_is_killed),
		HELD(who_ends_in_the_grace_gets_no_second_signal),
		HELD(a_pid_in_other_hands_is_not_killed),
		HELD(what_keeps_the_host_alive_is_never_killed),
		HELD(a_cgroup_with_what_is_spared_below_it_is_never_killed),
		HELD(a_cgroup_is_killed_after_the_grace_and_again_for_newcomers),
		HELD(a_stopped_process_goes_on_when_the_window_is_over),
		HELD(what_two_budgets_stop_goes_on_with_the_second),
		HELD(nothing_stands_after_a_clean_stop),
		HELD(the_next_daemon_lets_go_what_it_does_not_want),
		HELD(a_frozen_cgroup_is_thawed_to_die),
		HELD(what_keeps_the_host_alive_never_stands),
		HELD(a_gate_for_calls_in_flight_resets_nothing_and_opens_with_them),
		HELD(credit_follows_time_and_charges),
		HELD(an_order_opens_a_gate_at_once_and_it_shuts_when_the_order_ends),
		HELD(a_budget_may_be_rehearsed_alone),
		HELD(an_order_to_hold_is_carried_out_where_rules_are_rehearsed),
		HELD(an_order_to_open_stops_a_kill_in_its_grace),
		HELD(what_other_rules_still_order_goes_on),
		HELD(another_stance_lets_everything_go),
		HELD(kills_in_an_hour_are_bounded_also_over_a_restart),
		HELD(rows_are_limited_and_the_rest_counted),
		HELD(targets_are_bounded),
		HELD(rows_reach_the_ledger_and_gates_are_told),
	};

	return cmocka_run_group_tests_name("act", tests, NULL, NULL);
}
