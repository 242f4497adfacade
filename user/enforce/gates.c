/* SPDX-License-Identifier: Apache-2.0 */
/* Gates of cgroups: shut and opened as the actions that hold them want, and reset behind. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/incident.h"

/* The lease of a gate: short, or to the end of what it is to outlive the daemon for. */
static uint64_t lease_ns(int64_t loss_us)
{
	uint64_t now_ns = clock_mono_ns(), lease_ns = now_ns + ENFORCER_LEASE_NS, more_ns;
	int64_t left_us;

	if (__builtin_sub_overflow(loss_us, clock_wall_us(), &left_us) || left_us <= 0)
		return lease_ns;
	if (__builtin_mul_overflow((uint64_t)left_us, 1000ULL, &more_ns) ||
	    __builtin_add_overflow(now_ns, more_ns, &more_ns))
		return UINT64_MAX;
	return more_ns > lease_ns ? more_ns : lease_ns;
}

int gate_pull(struct enforcer *enforcer, uint64_t cgroup)
{
	int64_t loss_us;
	struct ctl_gate gate = hold_gate(enforcer, cgroup, &loss_us);

	if (!enforcer->actuators.gate)
		return -EOPNOTSUPP;
	if (gate.state != CTL_OPEN) {
		gate.lease_ns = lease_ns(loss_us);
		loop_soon(enforcer->renewal, ENFORCER_RENEW_NS);
	}
	return enforcer->actuators.gate(enforcer->actuators.arg, cgroup, &gate);
}

int gate_reset(struct enforcer *enforcer, uint64_t cgroup)
{
	return enforcer->actuators.destroy ?
		       enforcer->actuators.destroy(enforcer->actuators.arg, cgroup) :
		       -EOPNOTSUPP;
}

/* Applies fn to a cgroup where that is allowed; else a row says once why not. */
static void gate_one(struct enforcer *enforcer, struct incident *incident, uint64_t cgroup,
		     const struct who_group *group, const char *why_not, int64_t now_us,
		     void (*fn)(struct enforcer *enforcer, struct applied *applied, bool is_new,
				int64_t now_us))
{
	struct target target = { .id = cgroup };
	struct applied *applied = applied_find(incident, target);
	bool is_new = !applied;
	char name[WHO_PATH_LEN + 32];

	if (is_new) {
		if (group)
			snprintf(name, sizeof(name), "cgroup %s", group->path);
		else
			snprintf(name, sizeof(name), "cgroup id %llu", (unsigned long long)cgroup);
		applied = applied_new(enforcer, incident, target, name, group, now_us);
	}
	if (!applied)
		return;
	if (!why_not && incident_is_enforced(enforcer, incident))
		fn(enforcer, applied, is_new, now_us);
	else if (is_new && why_not)
		applied_write(enforcer, applied, now_us, ACTION_REFUSED, "refused: protected (%s)",
			      why_not);
	else if (is_new)
		applied_write(enforcer, applied, now_us, ACTION_REHEARSED, "rehearsed");
}

void gate_each(struct enforcer *enforcer, struct incident *incident,
	       const struct policy_verdict *verdict, const struct policy_subject *subject,
	       int64_t now_us,
	       void (*fn)(struct enforcer *enforcer, struct applied *applied, bool is_new,
			  int64_t now_us))
{
	const char *why_not = NULL;

	if (verdict->is_protected)
		why_not = "by a rule";
	else if (!strcmp(subject->group->path, "/"))
		why_not = "the root cgroup";
	if (verdict->cgroup)
		gate_one(enforcer, incident, verdict->cgroup, subject->group, why_not, now_us, fn);
	/* What shares the counter is over the limit, too, and need not spend once more first. */
	for (size_t i = 0; i < verdict->n_cgroups; i++) {
		struct who_group group;

		if (verdict->cgroups[i] == verdict->cgroup)
			continue;
		if (enforcer->actuators.group)
			enforcer->actuators.group(enforcer->actuators.arg, verdict->cgroups[i],
						  &group);
		gate_one(enforcer, incident, verdict->cgroups[i],
			 enforcer->actuators.group ? &group : NULL, NULL, now_us, fn);
	}
}
