/* SPDX-License-Identifier: Apache-2.0 */
/* Rules, levers that write down what they are told, and verdicts; for the tests of enforce/enforcer.h. */
#ifndef UNIT_DEEDS_H
#define UNIT_DEEDS_H

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/loop.h"
#include "enforce/enforcer.h"
#include "enforce/freezer.h"
#include "enforce/incident.h"
#include "ledger/halted.h"
#include "ledger/overrides.h"
#include "who/process.h"

#define T0   1790000000000000LL
#define MOST 64

static char root[64]; /* of the cgroups */

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
	enum ctl_gate_state state; /* of the last gate */
	struct ctl_gate gate;
	struct ctl_allowance grants[MOST]; /* by bucket */
	struct ctl_consumed take;
	size_t n_ended, n_others; /* others: connections that a reset spares */
	struct loop *loop;
	size_t stop_at_rows, n_pods;
	bool really;
} world;

static inline int lever_gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
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

static inline int lever_grant(void *arg, uint32_t bucket, const struct ctl_allowance *allowed)
{
	assert_in_range(bucket, 1, MOST - 1);
	if (allowed)
		world.grants[bucket] = *allowed;
	else
		world.n_ended++;
	return 0;
}

static inline int lever_taken(void *arg, uint32_t bucket, struct ctl_consumed *ret)
{
	*ret = world.take;
	return 0;
}

static inline int lever_destroy(void *arg, uint64_t cgroup)
{
	world.destroyed[world.n_destroyed++ % MOST] = cgroup;
	return (int)world.n_others;
}

static inline int lever_signal(void *arg, uint32_t tgid, uint64_t start_ticks, int signal)
{
	world.pids[world.n_signals % MOST] = tgid;
	world.signals[world.n_signals++ % MOST] = signal;
	if (world.really && kill((pid_t)tgid, signal) < 0)
		return -errno;
	return world.error;
}

static inline int lever_signal_cgroup(void *arg, const struct who_group *group, int signal)
{
	char dir[sizeof(root) + WHO_PATH_LEN];

	world.signals[world.n_group_signals++ % MOST] = signal;
	if (world.really) {
		snprintf(dir, sizeof(dir), "%s%s", root, group->path);
		return freezer_signal(dir, signal);
	}
	return world.error;
}

static inline int lever_freeze(void *arg, const struct who_group *group, bool frozen)
{
	snprintf(world.frozen, sizeof(world.frozen), "%s %s", frozen ? "freeze" : "thaw",
		 group->path);
	world.n_freezes++;
	return world.error;
}

static inline bool lever_is_live(void *arg, uint64_t cgroup)
{
	return cgroup != world.dead;
}

/* Pods of one workload: the charged 7 and 8, which are one pod, and one that never called. */
static inline void lever_each_container(void *arg,
					void (*fn)(void *ctx, const struct who_group *group),
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

static inline void told(void *arg, const struct ledger_action *action)
{
	const char *word = action_result_word(action->outcome);
	size_t i = world.n_rows++ % MOST;

	/* The sentence and the word beside it agree. */
	assert_int_not_equal(action->outcome, ACTION_UNKNOWN);
	assert_int_equal(strncmp(action->result, word, strlen(word)), 0);
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

static struct enforcer_ops actuators = { .gate = lever_gate,
					 .allowed = lever_grant,
					 .taken = lever_taken,
					 .destroy = lever_destroy,
					 .signal = lever_signal,
					 .signal_cgroup = lever_signal_cgroup,
					 .freeze = lever_freeze,
					 .is_live = lever_is_live,
					 .each_container = lever_each_container,
					 .on_action = told,
					 .cgroup_root = root };
static struct policy_step steps[] = {
	{ .at_permille = 500, .action = POLICY_NOTE, .line = 11 },
	{ .at_permille = 1000, .action = POLICY_REFUSE, .line = 12 },
	{ .at_permille = 1500, .action = POLICY_KILL, .target = POLICY_PROCESS, .line = 13 },
	{ .at_permille = 1500,
	  .action = POLICY_KILL,
	  .target = POLICY_CGROUP,
	  .whole = true,
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
static struct policy_rules rules = { .enforce = true,
				     .max_kills = 1000,
				     .budgets = budgets,
				     .n_budgets = 2,
				     .file = "x.yaml" };
static struct verdict_iter verdicts; /* of the last charge or judgement */
static struct who_group group;
static struct who_process process;
static struct policy_subject subject = { .group = &group,
					 .process = &process,
					 .host = "",
					 .model = "",
					 .is_calling = true };

static inline int reset(void **state)
{
	memset(&world, 0, sizeof(world));
	group = (struct who_group){ .cgroup = 7, .path = "/agents" };
	process = (struct who_process){ .tgid = 0, .comm = "python3" };
	rules.enforce = true;
	steps[KILL].grace_ns = 0;
	return unit_folder(root);
}

static inline int clean(void **state)
{
	return unit_remove(root);
}

static inline struct policy_verdict verdict_of(int step)
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

static inline struct enforcer *enforcer_of(void)
{
	return enforcer_new(NULL, NULL, &rules, &actuators);
}

static inline pid_t sleeper(const char *exe)
{
	pid_t child = fork();

	if (child == 0) {
		execl(exe, exe, "60", NULL);
		_exit(127);
	}
	for (int i = 0; i < 2000; i++) { /* until the image is the new one */
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

static inline char state_of(pid_t pid)
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

static inline void end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

static inline void make_group(const char *path, uint32_t tgid)
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

static inline const char *refusal_of(uint32_t tgid, int step)
{
	struct enforcer *enforcer = enforcer_of();
	struct policy_verdict verdict;

	process.tgid = tgid;
	verdict = verdict_of(step);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_free(enforcer);
	assert_int_equal(world.n_signals + world.n_group_signals, 0);
	return world.results[(world.n_rows - 1) % MOST];
}

/* A policy of two budgets of 5 nano-dollars, refuse at 100 %, for what act asks of one. */
static inline struct policy *policy_of(uint64_t spent)
{
	struct charge charge = { .source = CHARGE_USAGE, .budget_nanos = (int64_t)spent };
	struct policy *policy;

	budgets[0].steps = &steps[REFUSE];
	budgets[0].n_steps = 1;
	budgets[0].per = POLICY_PER_CGROUP;
	budgets[0].zone = "UTC";
	policy = policy_new(&rules);
	if (spent)
		policy_charge(policy, &subject, &charge, 1, T0, &verdicts);
	return policy;
}

static inline void apply_all(struct enforcer *enforcer, struct policy *policy)
{
	struct policy_verdict verdict;

	while (verdict_next(&verdicts, &verdict))
		enforcer_apply(enforcer, &verdict, &subject, T0);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, reset, clean)

#endif
