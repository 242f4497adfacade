/* SPDX-License-Identifier: Apache-2.0 */
/* SIGTERM, a grace, SIGKILL: of a process or of a cgroup. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/family.h"
#include "enforce/incident.h"
#include "who/process.h"

#define EFFECT_NS (60 * NS_PER_S)   /* a call within this shows that a kill did not help */
#define WHOM_LEN  800               /* of a row's result */
#define ROUNDS    8                 /* of stopping a family that forks */
#define GRACE_NS  (100 * NS_PER_MS) /* between looks at a process that was asked to end */

static uint64_t ticks_now(void)
{
	return clock_ns(CLOCK_BOOTTIME) / (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/*
 * Stops a family, so that none of it forks while it is being listed: whoever was begun before that is found in
 * the next round, as a child of one who stands.
 */
static void hold_still(struct enforcer *enforcer, struct family *family, uint32_t caller)
{
	const struct enforcer_ops *actuators = &enforcer->actuators;
	size_t stopped = 0;

	for (int round = 0; actuators->signal && round < ROUNDS && stopped < family->n; round++) {
		for (; stopped < family->n; stopped++)
			(void)actuators->signal(actuators->arg, family->members[stopped].tgid,
						family->members[stopped].start_ticks, SIGSTOP);
		(void)family_find(family, enforcer_root(enforcer), caller);
	}
}

/* Under the v1 freezer a SIGKILL waits for the thaw: freezer-subsystem.rst. */
static int kill_now(struct enforcer *enforcer, const struct applied *applied)
{
	const struct who_group *group = applied->family ? &applied->family->group : applied->group;
	struct target frozen = { .id = applied->cgroup };
	int err;

	if (applied->family)
		hold_still(enforcer, applied->family, (uint32_t)applied->target.tgid);
	err = signal_pull(enforcer, applied, SIGKILL);

	if (!err && group && hold_stands(enforcer, HOLD_FREEZE, frozen) && enforcer->actuators.freeze)
		(void)enforcer->actuators.freeze(enforcer->actuators.arg, group, false);
	return err;
}

/* From now on who begins in its place shows that it did not help. */
static void note_end(struct applied *applied)
{
	applied->done_ticks = applied->group || applied->family ? ticks_now() : 0;
	applied->ended_ns = applied->family ? clock_mono_ns() : 0;
}

/* One process, asked to end, which has: another may have its pid by now. */
static bool has_ended(const struct applied *applied)
{
	return !applied->group && !applied->family &&
	       process_start_time((uint32_t)applied->target.tgid) != applied->target.id;
}

static void finish_kill(struct enforcer *enforcer, struct applied *applied)
{
	int64_t now_us = clock_wall_us();
	int err;

	due_drop(applied);
	enforcer_expire_at(enforcer, INT64_MIN);
	/* What the living ones have begun meanwhile. */
	if (applied->family)
		(void)family_find(applied->family, enforcer_root(enforcer),
				  (uint32_t)applied->target.tgid);
	if (has_ended(applied)) {
		applied_write(enforcer, applied, now_us, ACTION_FINISHED,
			      "done: it ended within the grace");
		return;
	}
	err = kill_now(enforcer, applied);
	note_end(applied);
	if (err == -ESRCH || err == -ENOENT)
		applied_write(enforcer, applied, now_us, ACTION_FINISHED,
			      "done: it ended within the grace");
	else if (err)
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: SIGKILL: %s",
			      strerror(-err));
	else
		effect_begin(enforcer, applied, now_us);
}

/* Its end is written down when it comes, not when the grace is over. */
static void go_on(struct enforcer *enforcer, struct applied *applied, uint64_t now_ns)
{
	uint64_t next_ns = now_ns + GRACE_NS;

	if (now_ns >= applied->kill_at_ns || has_ended(applied))
		finish_kill(enforcer, applied);
	else
		due_at(enforcer, applied,
		       next_ns < applied->kill_at_ns ? next_ns : applied->kill_at_ns);
}

void kill_on_grace(void *arg)
{
	uint64_t now_ns = clock_mono_ns();
	struct enforcer *enforcer = arg;
	struct applied *applied, *next;

	for (applied = LIST_FIRST(&enforcer->pending); applied; applied = next) {
		next = LIST_NEXT(applied, pending);
		if (applied->due_ns > now_ns)
			continue;
		if (applied->look_until_ns)
			effect_look(enforcer, applied, false);
		else
			go_on(enforcer, applied, now_ns);
	}
	due_arm(enforcer);
}

static void start_kill(struct enforcer *enforcer, struct applied *applied, int64_t now_us)
{
	uint64_t grace_ns = applied->incident->key.step->grace_ns;
	char whom[WHOM_LEN] = "";
	int err = 0;

	if (applied->family) {
		err = family_find(applied->family, enforcer_root(enforcer),
				  (uint32_t)applied->target.tgid);
		strcpy(whom, ": ");
		family_text(applied->family, whom + 2, sizeof(whom) - 2);
	}
	if (!err)
		err = grace_ns ? signal_pull(enforcer, applied, SIGTERM) :
				 kill_now(enforcer, applied);
	if (err) {
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: %s: %s",
			      grace_ns ? "SIGTERM" : "SIGKILL", strerror(-err));
		return;
	}
	if (!grace_ns) {
		note_end(applied);
		effect_begin(enforcer, applied, now_us);
		return;
	}
	applied->kill_at_ns = clock_mono_ns() + grace_ns;
	applied_write(enforcer, applied, now_us, ACTION_DONE, "done: SIGTERM, SIGKILL in %llu s%s",
		      (unsigned long long)((grace_ns + NS_PER_S - 1) / NS_PER_S), whom);
	go_on(enforcer, applied, clock_mono_ns()); /* it may have ended already */
}

#define HOUR_NS (3600 * NS_PER_S)

static void count_kill(struct enforcer *enforcer, uint64_t time_ns)
{
	enforcer->kills_ns[enforcer->n_kills++ % POLICY_KILLS] = time_ns;
}

/* True if one more would be too many in the hour that ends now. */
static bool is_too_many(const struct enforcer *enforcer)
{
	uint64_t now_ns = clock_mono_ns();
	size_t max = enforcer->rules->max_kills, at;

	if (max > POLICY_KILLS)
		max = POLICY_KILLS;
	if (!max)
		return true;
	if (enforcer->n_kills < max)
		return false;
	at = (enforcer->n_kills - max) % POLICY_KILLS;
	/* A machine that is up for less than an hour may have a time "before" its start: wraps. */
	return (int64_t)(now_ns - enforcer->kills_ns[at]) < (int64_t)HOUR_NS;
}

static void recall(void *arg, const struct ledger_action *action)
{
	int64_t ago_us = clock_wall_us() - action->time_us;

	if (strcmp(action->action, policy_action_name(POLICY_KILL)) || action->is_rehearsed ||
	    action->outcome != ACTION_DONE)
		return;
	count_kill(arg, clock_mono_ns() - (uint64_t)(ago_us > 0 ? ago_us : 0) * 1000);
}

void kill_recall(struct enforcer *enforcer)
{
	if (enforcer->ledger)
		(void)ledger_actions(enforcer->ledger, clock_wall_us() - 3600 * US_PER_S, recall,
				     enforcer);
}

/*
 * A caller of the same cgroup that began after a family was ended shows that somebody outside the family
 * begins it again: an init that was spared, or a runtime.
 */
static void judge_effect(struct enforcer *enforcer, struct incident *incident,
			 const struct policy_verdict *verdict, const struct policy_subject *subject,
			 int64_t now_us)
{
	uint64_t now_ns = clock_mono_ns(), start_ticks = process_start_time(verdict->tgid);
	struct applied *applied, *next;

	HASH_ITER(hh, incident->applied_list, applied, next) {
		uint64_t ago_ns = now_ns - applied->ended_ns;

		if (!applied->ended_ns || applied->cgroup != verdict->cgroup ||
		    start_ticks <= applied->done_ticks || ago_ns > EFFECT_NS)
			continue;
		applied->ended_ns = 0;
		applied_write(enforcer, applied, now_us, ACTION_INEFFECTIVE,
			      "ineffective: %s (%u) of the same cgroup calls %llu s later; `whole: "
			      "true` in this step ends all of the cgroup",
			      subject->process->comm, verdict->tgid,
			      (unsigned long long)(ago_ns / NS_PER_S));
	}
}

void kill_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us)
{
	bool is_cgroup = incident->key.step->target == POLICY_CGROUP, is_new;
	struct applied *applied = find_targets(enforcer, incident, verdict, subject, is_cgroup,
					       &is_new, now_us);

	if (!applied || applied->due_ns)
		return;
	if (is_new && applied->family)
		judge_effect(enforcer, incident, verdict, subject, now_us);
	/* Who came into a cgroup after it was killed is killed again. */
	if (!is_new && applied->error != -EDQUOT && applied->error != -EBUSY &&
	    (!applied->done_ticks || process_start_time(verdict->tgid) <= applied->done_ticks))
		return;
	if (!min_healthy_stay(enforcer, applied, verdict, now_us))
		return;
	if (is_too_many(enforcer)) {
		if (applied->error != -EDQUOT)
			applied_write(enforcer, applied, now_us, ACTION_REFUSED,
				      "refused: %u kills in an hour are the limit",
				      enforcer->rules->max_kills);
		applied->error = -EDQUOT; /* its next charge asks again */
		return;
	}
	applied->error = 0;
	applied->done_ticks = 0;
	applied->decided_us = now_us;
	count_kill(enforcer, clock_mono_ns());
	start_kill(enforcer, applied, now_us);
}
