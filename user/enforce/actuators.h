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

struct keeper;
struct pacer;
struct pipeline;
struct tap;

struct levers {
	struct tap *tap;
	struct who *who;
	struct pipeline *pipeline;
	struct keeper *keeper; /* NULL: what stands is not let go when this process dies */
	struct pacer *pacer;
	const char *cgroup_root;
	/* Something is paced: act_pace() and pacer_look() are to be called in ACT_PACE_NS. May be NULL. */
	void (*pacing)(void *arg);
	void *pacing_arg;
	/* Each action as it is written down; may be NULL. */
	void (*told)(void *arg, const struct ledger_action *action);
	void *told_arg;
};

/* Levers that act on this host; `levers` must outlive them. */
struct act_levers levers_of(struct levers *levers);

#endif
