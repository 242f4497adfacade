/* SPDX-License-Identifier: Apache-2.0 */
/* Gates of cgroups, and what is reset behind them. */
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
	uint64_t now_ns = clock_mono_ns(), lease_ns = now_ns + ACT_LEASE_NS, more_ns;
	int64_t left_us;

	if (__builtin_sub_overflow(loss_us, clock_wall_us(), &left_us) || left_us <= 0)
		return lease_ns;
	if (__builtin_mul_overflow((uint64_t)left_us, 1000ULL, &more_ns) ||
	    __builtin_add_overflow(now_ns, more_ns, &more_ns))
		return UINT64_MAX;
	return more_ns > lease_ns ? more_ns : lease_ns;
}

int gate_pull(struct act *act, uint64_t cgroup)
{
	int64_t loss_us;
	struct ctl_gate gate = hold_gate(act, cgroup, &loss_us);

	if (!act->levers.gate)
		return -EOPNOTSUPP;
	if (gate.state != CTL_OPEN) {
		gate.lease_ns = lease_ns(loss_us);
		loop_soon(act->renewal, ACT_RENEW_NS);
	}
	return act->levers.gate(act->levers.arg, cgroup, &gate);
}

int gate_reset(struct act *act, uint64_t cgroup)
{
	return act->levers.destroy ? act->levers.destroy(act->levers.arg, cgroup) : -EOPNOTSUPP;
}

/* What may be done to a cgroup; a row tells, once, what may not. */
static void gate_one(struct act *act, struct story *story, uint64_t cgroup, const char *name,
		     const char *why_not, int64_t now_us,
		     void (*fn)(struct act *act, struct deed *deed, bool is_new, int64_t now_us))
{
	struct target target = { .id = cgroup };
	struct deed *deed = deed_find(story, target);
	bool is_new = !deed;

	if (is_new)
		deed = deed_new(act, story, target, name);
	if (!deed)
		return;
	if (!why_not && story_is_enforced(act, story))
		fn(act, deed, is_new, now_us);
	else if (is_new && why_not)
		deed_write(act, deed, now_us, "refused: protected (%s)", why_not);
	else if (is_new)
		deed_write(act, deed, now_us, "rehearsed");
}

void gate_each(struct act *act, struct story *story, const struct policy_verdict *verdict,
	       const struct policy_subject *subject, int64_t now_us,
	       void (*fn)(struct act *act, struct deed *deed, bool is_new, int64_t now_us))
{
	const char *path = subject->group->path, *why_not = NULL;
	char name[WHO_PATH_LEN + 16];

	if (verdict->is_protected)
		why_not = "by a rule";
	else if (!strcmp(path, "/"))
		why_not = "the root cgroup";
	snprintf(name, sizeof(name), "cgroup %s", path);
	if (verdict->cgroup)
		gate_one(act, story, verdict->cgroup, name, why_not, now_us, fn);
	/* What shares the counter is over the limit, too, and need not spend once more first. */
	for (size_t i = 0; i < verdict->n_cgroups; i++) {
		if (verdict->cgroups[i] == verdict->cgroup)
			continue;
		snprintf(name, sizeof(name), "cgroup id %llu",
			 (unsigned long long)verdict->cgroups[i]);
		gate_one(act, story, verdict->cgroups[i], name, NULL, now_us, fn);
	}
}

static void refuse(struct act *act, struct deed *deed, bool is_new, int64_t now_us)
{
	bool is_ahead = deed->story->is_ahead, held_before = deed->holds;
	bool is_soft = is_ahead || deed->story->step->lets_end;
	int err, destroyed = 0;

	/*
	 * What is in flight may still end below the line, and must be let end: the request whose cost
	 * is held may itself be half sent. Then only new connections are turned away.
	 */
	err = hold_take(act, deed);
	if (!err) {
		deed->is_hard |= !is_soft;
		err = gate_pull(act, deed->target.id);
		if (err && !held_before)
			(void)hold_drop(act, deed);
	}
	if (!err && !is_soft)
		destroyed = gate_reset(act, deed->target.id);
	if (!is_new && err == deed->error && deed->is_soft == is_ahead)
		return;
	deed->error = err;
	deed->is_soft = is_ahead;
	if (err)
		deed_write(act, deed, now_us, "failed: %s", strerror(-err));
	else if (is_ahead)
		deed_write(act, deed, now_us, "done: calls in flight will cross the line");
	else if (is_soft)
		deed_write(act, deed, now_us, "done: answers in flight may end");
	else if (destroyed < 0)
		deed_write(act, deed, now_us, "done, but live connections stay: %s",
			   strerror(-destroyed));
	else
		deed_write(act, deed, now_us, "done");
}

void refuse_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		  const struct policy_subject *subject, int64_t now_us)
{
	gate_each(act, story, verdict, subject, now_us, refuse);
}
