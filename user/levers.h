/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hands of guard/act: gates through the tap, signals through pidfds and cgroup.procs. What may
 * be touched was decided before; here is only how it is done, and that a pid is still the process
 * that was meant.
 */
#ifndef LEVERS_H
#define LEVERS_H

#include "guard/act.h"
#include "who/who.h"

struct keeper;
struct pipeline;
struct tap;

struct levers {
	struct tap *tap;
	struct who *who;
	struct pipeline *pipeline;
	struct keeper *keeper;	/* NULL: what stands is not let go when this process dies */
	const char *cgroup_root;
	/* Each action as it is written down; may be NULL. */
	void (*told)(void *arg, const struct ledger_action *action);
	void *told_arg;
};

/* Levers that act on this host; `levers` must outlive them. */
struct act_levers levers_of(struct levers *levers);

#endif
