/* SPDX-License-Identifier: Apache-2.0 */
/* Refuse: a gate that lets no new connection begin, and the reset of those that are open. What no gate holds says so. */
#include <string.h>

#include "base/clock.h"
#include "enforce/incident.h"

/* The cgroup relays for others, who are charged for their calls and obey their own gates. */
static void tell_others(struct enforcer *enforcer, struct applied *applied, int others,
			int64_t now_us)
{
	if (others <= 0 || applied->is_around)
		return;
	applied->is_around = true;
	applied_write(
		enforcer, applied, now_us, ACTION_NOT_ENFORCEABLE,
		"not enforceable: shared relay socket; %d of its connections carry calls of other "
		"cgroups and stay open",
		others);
}

static void refuse(struct enforcer *enforcer, struct applied *applied, bool is_new, int64_t now_us)
{
	bool is_reserved = applied->incident->is_reserved, held_before = applied->holds;
	bool is_soft = is_reserved || applied->incident->key.step->lets_end;
	int err, others = 0;

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
		others = gate_reset(enforcer, applied->target.id);
	if (!is_new && err == applied->error && applied->is_soft == is_reserved) {
		tell_others(enforcer, applied, others, now_us);
		return;
	}
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
	else if (others < 0)
		applied_write(enforcer, applied, now_us, ACTION_DONE,
			      "done, but live connections stay: %s", strerror(-others));
	else
		applied_write(enforcer, applied, now_us, ACTION_DONE, "done");
	tell_others(enforcer, applied, others, now_us);
}

void refuse_apply(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_verdict *verdict, const struct policy_subject *subject,
		  int64_t now_us)
{
	gate_each(enforcer, incident, verdict, subject, now_us, refuse);
}

/* What was on its way when the gate was shut may be answered still. */
#define AROUND_NS NS_PER_S

/*
 * Whether this answered call got around a pace: more were answered than requests were let go. Of those that leave
 * by a socket of their own that means nothing, for there the pace is asked: one request may be several calls of
 * HTTP/2.
 */
static bool outruns(const struct enforcer *enforcer, struct applied *applied, enum enforcer_way way)
{
	struct ctl_consumed take;

	if (way == ENFORCER_OWN_SOCKET || incident_is_allowance(applied->incident) ||
	    applied->incident->key.step->action != POLICY_PACE || !enforcer->actuators.taken ||
	    enforcer->actuators.taken(enforcer->actuators.arg, applied->incident->bucket, &take))
		return false;
	return ++applied->answered > take.admitted;
}

void enforcer_answered(struct enforcer *enforcer, const struct policy_subject *subject,
		       uint64_t start_ns, enum enforcer_way way, int64_t now_us)
{
	static const char *const whys[] = {
		[ENFORCER_OWN_SOCKET] = "its socket was not held",
		[ENFORCER_SHARED_SOCKET] = "shared relay socket",
		[ENFORCER_UNKNOWN_SOCKET] = "no socket is known that carries its connection",
	};
	struct held *held = hold_find(enforcer, HOLD_GATE,
				      (struct target){ .id = subject->group->cgroup });
	struct applied *applied;

	if (!held)
		return;
	LIST_FOREACH(applied, &held->applied_list, holding) {
		if (applied->is_around || start_ns < applied->shut_ns + AROUND_NS ||
		    (!applied->is_hard && !outruns(enforcer, applied, way)))
			continue;
		applied->is_around = true;
		applied_write(enforcer, applied, now_us, ACTION_NOT_ENFORCEABLE,
			      "not enforceable: %s; %s (%u) called %llu s after the gate was shut, "
			      "and was answered",
			      whys[way], subject->process->comm, subject->process->tgid,
			      (unsigned long long)((start_ns - applied->shut_ns) / NS_PER_S));
	}
}
