/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: charges in, verdicts out. No clock, no file, no signal in here: the time is a parameter,
 * so a year of charges is a loop in a test. Counters live in memory and are rebuilt from the
 * ledger's calls at start.
 */
#ifndef GUARD_POLICY_H
#define GUARD_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "meter/charge.h"
#include "who/who.h"

enum policy_action {
	POLICY_NOTE,
	POLICY_PACE,
	POLICY_REFUSE,
	POLICY_FREEZE,
	POLICY_STOP,
	POLICY_KILL,
	POLICY_ACTIONS
};
const char *policy_action_name(enum policy_action action);

enum policy_per {	/* what shares one counter */
	POLICY_PER_MATCH, POLICY_PER_NAMESPACE, POLICY_PER_WORKLOAD, POLICY_PER_POD,
	POLICY_PER_CONTAINER, POLICY_PER_CGROUP, POLICY_PER_UNIT, POLICY_PER_USER,
	POLICY_PER_PROCESS,
};

enum policy_window {
	POLICY_HOUR, POLICY_DAY, POLICY_WEEK, POLICY_MONTH,	/* calendar, in the budget's time zone */
	POLICY_ROLLING,						/* the last window_us microseconds */
};

/* Glob patterns (fnmatch); NULL or empty matches all. All that are given must fit. */
struct policy_match {
	char *namespace, *workload, *pod, *container, *cgroup, *unit, *user, *command, *exe, *host,
		*model, *label;
};

enum policy_target { POLICY_PROCESS, POLICY_CGROUP };	/* of stop and kill */

struct policy_step {
	uint32_t at_permille;		/* of the limit: 800 is 80 % */
	enum policy_action action;
	enum policy_target target;
	uint64_t grace_ns;		/* kill: between SIGTERM and SIGKILL */
	int64_t pace_nanos_per_hour;	/* pace */
	bool cut;			/* end streams in flight, too */
	unsigned line;			/* in the configuration file */
};

struct policy_budget {
	char *name;
	struct policy_match match;
	enum policy_per per;
	int64_t limit_nanos;		/* 0: a limit in tokens */
	uint64_t limit_tokens;
	enum policy_window window;
	int64_t window_us;		/* POLICY_ROLLING */
	char *zone;			/* time zone name; NULL: the host's */
	struct policy_step *steps;	/* ascending by at_permille */
	size_t n_steps;
	unsigned line;
};

struct policy_rules {
	bool enforce;
	struct policy_budget *budgets;
	size_t n_budgets;
	struct policy_match *protect;
	size_t n_protect;
	char *file;			/* where the lines count; NULL: none */
};
void policy_rules_done(struct policy_rules *rules);

struct policy;

/* The rules stay the caller's and must outlive the policy. NULL: no memory. */
struct policy *policy_new(const struct policy_rules *rules);
struct policy *policy_free(struct policy *policy);

/* Whose money and which call. host and model may be empty where nothing was called yet. */
struct policy_subject {
	const struct who_group *group;
	const struct who_process *process;
	const char *host, *model;
};

/* A step that has been reached by a counter, for one member of its scope. */
struct policy_verdict {
	const struct policy_budget *budget;
	const struct policy_step *step;
	const char *key;		/* the counter's name: "cgroup=/a/b" */
	uint64_t cgroup;		/* of the subject that is judged */
	uint32_t tgid;
	bool is_protected;		/* a protect rule names it: nothing may be done */
	bool is_first;			/* the counter reached this step with this charge */
	int64_t spent_nanos, window_start_us, window_end_us;
	uint64_t spent_tokens;
	uint32_t measured_permille;
};

/*
 * Adds a charge to every counter that it falls under. Verdicts are then pulled with policy_next():
 * per budget, the steps that this subject's counter has reached in the present window (all of them
 * newly reached, else the highest). Pulling stops at false.
 */
void policy_charge(struct policy *policy, const struct policy_subject *subject,
		   const struct charge *charge, int64_t call_id, int64_t now_us);
/* The same without a charge: for a cgroup or a connection that has just appeared. */
void policy_judge(struct policy *policy, const struct policy_subject *subject, int64_t now_us);
bool policy_next(struct policy *policy, struct policy_verdict *ret);

/* The oldest time that a window in force reaches back to: where a replay must begin. */
int64_t policy_since(const struct policy *policy, int64_t now_us);
/* When the next window ends and its gates with it; INT64_MAX: never. */
int64_t policy_next_reset(const struct policy *policy, int64_t now_us);

/* Every counter, for `top`, metrics and gates at start. */
struct policy_counter {
	const struct policy_budget *budget;
	const char *key;
	int64_t spent_nanos, window_start_us, window_end_us;
	uint64_t spent_tokens;
	const struct policy_step *reached;	/* the highest step; NULL: none */
	const uint64_t *cgroups;		/* that were charged to it, bounded */
	size_t n_cgroups;
};
void policy_counters(struct policy *policy, int64_t now_us,
		     void (*fn)(void *arg, const struct policy_counter *counter), void *arg);

#endif
