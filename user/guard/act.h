/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts to deeds: sets gates, sends signals, and writes each deed down with its evidence,
 * rehearsed or real. What no rule named is never touched; pid 1, this process, the kubelet, the
 * container runtime and what `protect:` names are refused here again, whatever a verdict says.
 */
#ifndef GUARD_ACT_H
#define GUARD_ACT_H

#include "guard/ledger.h"
#include "guard/policy.h"

struct act;
struct loop;
struct tap;

/* What act does to the world, so that a test can stand in for it. All return 0 or -errno. */
struct act_levers {
	int (*gate)(void *arg, uint64_t cgroup, bool refuse, uint64_t lease_ns);
	int (*destroy)(void *arg, uint64_t cgroup);	/* live AI connections of a cgroup */
	int (*signal)(void *arg, uint32_t tgid, int signal);
	int (*signal_cgroup)(void *arg, const struct who_group *group, int signal);
	void *arg;
};

/* NULL: no memory. The loop carries the grace timers and the renewal of leases. */
struct act *act_new(struct loop *loop, struct ledger *ledger, const struct policy_rules *rules,
		    const struct act_levers *levers);
struct act *act_free(struct act *act);

/* Carries out (or rehearses) one verdict; a step already in force for that target is not repeated. */
void act_apply(struct act *act, const struct policy_verdict *verdict,
	       const struct policy_subject *subject, int64_t now_us);
/* Ends gates whose window is over. */
void act_expire(struct act *act, int64_t now_us);

#endif
