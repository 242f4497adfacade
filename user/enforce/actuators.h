/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hands of guard/act: gates through the tap, signals through pidfds and cgroup.procs. What may
 * be touched was decided before; here is only how it is done, and that a pid is still the process
 * that was meant.
 */
#ifndef ENFORCE_ACTUATORS_H
#define ENFORCE_ACTUATORS_H

#include "enforce/enforcer.h"
#include "who/who.h"

struct watchdog;
struct waiters;
struct pipeline;
struct tap;

struct actuators {
	struct tap *tap;
	struct who *who;
	struct pipeline *pipeline;
	struct watchdog *watchdog; /* NULL: what stands is not let go when this process dies */
	struct waiters *waiters;
	const char *cgroup_root;
	/* Something is paced: enforcer_pace() and waiters_look() are to be called in ENFORCER_PACE_NS. May be NULL. */
	void (*pacing)(void *arg);
	void *pacing_arg;
	/* Each action as it is written down; may be NULL. */
	void (*told)(void *arg, const struct ledger_action *action);
	void *told_arg;
};

/* Levers that act on this host; `levers` must outlive them. */
struct enforcer_ops actuators_of(struct actuators *actuators);

#endif
