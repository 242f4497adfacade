/* SPDX-License-Identifier: Apache-2.0 */
/* Refuse: a gate that lets no new connection begin, and the reset of those that are open. */
#include <string.h>

#include "base/clock.h"
#include "enforce/incident.h"

static void refuse(struct enforcer *enforcer, struct applied *applied, bool is_new, int64_t now_us)
{
	bool is_reserved = applied->incident->is_reserved, held_before = applied->holds;
	bool is_soft = is_reserved || applied->incident->key.step->lets_end;
	int err, destroyed = 0;

	/*
	 * What is in flight may still end below the line, and must be let end: the request whose cost
	 * is held may itself be half sent. Then only new connections are turned away.
	 */
	err = hold_take(enforcer, applied);
	if (!err) {
		if (!is_soft && !applied->is_hard)
			applied->shut_ns = clock_mono_ns();
		applied->is_hard |= !is_soft;
		err = gate_pull(enforcer, applied->target.id);
		if (err && !held_before)
			(void)hold_drop(enforcer, applied);
	}
	if (!err && !is_soft)
		destroyed = gate_reset(enforcer, applied->target.id);
	if (!is_new && err == applied->error && applied->is_soft == is_reserved)
		return;
	applied->error = err;
	applied->is_soft = is_reserved;
	if (err)
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: %s",
			      strerror(-err));
	else if (is_reserved)
		applied_write(enforcer, applied, now_us, ACTION_DONE,
			      "done: calls in flight will cross the line");
	else if (is_soft)
		applied_write(enforcer, applied, now_us, ACTION_DONE,
			      "done: answers in flight may end");
	else if (destroyed < 0)
		applied_write(enforcer, applied, now_us, ACTION_DONE,
			      "done, but live connections stay: %s", strerror(-destroyed));
	else
		applied_write(enforcer, applied, now_us, ACTION_DONE, "done");
}

void refuse_apply(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_verdict *verdict, const struct policy_subject *subject,
		  int64_t now_us)
{
	gate_each(enforcer, incident, verdict, subject, now_us, refuse);
}

/* What was on its way when the gate was shut may be answered still. */
#define AROUND_NS NS_PER_S

void enforcer_answered(struct enforcer *enforcer, const struct policy_subject *subject,
		       uint64_t start_ns, const char *why, int64_t now_us)
{
	struct held *held = hold_find(enforcer, HOLD_GATE,
				      (struct target){ .id = subject->group->cgroup });
	struct applied *applied;

	if (!held)
		return;
	LIST_FOREACH(applied, &held->applied_list, holding) {
		if (!applied->is_hard || applied->is_around ||
		    start_ns < applied->shut_ns + AROUND_NS)
			continue;
		applied->is_around = true;
		applied_write(enforcer, applied, now_us, ACTION_NOT_ENFORCEABLE,
			      "not enforceable: %s; %s (%u) called %llu s after the gate was shut, "
			      "and was answered",
			      why, subject->process->comm, subject->process->tgid,
			      (unsigned long long)((start_ns - applied->shut_ns) / NS_PER_S));
	}
}
