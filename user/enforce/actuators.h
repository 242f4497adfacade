/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The enforcer's operations on this host: gates through the tap, signals through pidfds and
 * cgroup.procs. The enforcer has decided what may be touched; here is only how it is done, and the
 * check that a pid is still the process that was meant.
 */
#ifndef ENFORCE_ACTUATORS_H
#define ENFORCE_ACTUATORS_H

#include "enforce/enforcer.h"
#include "who/who.h"

struct watchdog;
struct waiters;
struct tap;

/* What rooms above this one contribute; a NULL member is not called. */
struct actuators_hooks {
	/*
	 * Resets the live AI connections of the cgroup at `path` and of those below it; returns how many stay
	 * because they carry other cgroups' calls.
	 */
	size_t (*destroy)(void *arg, const char *path);
	/* Something is paced: enforcer_pace() and waiters_look() are due in ENFORCER_PACE_NS. */
	void (*pacing)(void *arg);
	/* Each action as it is written down. */
	void (*on_action)(void *arg, const struct ledger_action *action);
	void *arg;
};

struct actuators {
	struct tap *tap;
	struct who *who;
	struct watchdog *watchdog; /* NULL: stopped processes stay stopped if this one dies */
	struct waiters *waiters;
	const char *cgroup_root;
	struct actuators_hooks hooks;
};

/* Operations that act on this host; `actuators` must outlive them. */
struct enforcer_ops actuators_ops(struct actuators *actuators);

#endif
