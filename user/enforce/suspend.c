/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stop and freeze. A target is written to the ledger before it is stopped, if it can be: the next daemon
 * resumes what this one and its watchdog could not.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"
#include "ledger/halted.h"

static struct halted halted_of(const struct applied *applied)
{
	struct halted halted = { .kind = HALTED_PROCESS };

	if (!applied->group) {
		halted.tgid = (uint32_t)applied->target.tgid;
		halted.start_ticks = applied->target.id;
		return halted;
	}
	halted.kind = applied->incident->key.step->action == POLICY_FREEZE ? HALTED_FROZEN :
									     HALTED_STOPPED;
	memcpy(halted.path, applied->group->path, sizeof(halted.path));
	return halted;
}

static int pull(const struct enforcer_ops *actuators, const struct halted *halted, uint64_t cgroup,
		bool is_halt)
{
	int signal = is_halt ? SIGSTOP : SIGCONT;
	struct who_group group = { .cgroup = cgroup };

	memcpy(group.path, halted->path, sizeof(group.path));
	switch (halted->kind) {
	case HALTED_PROCESS:
		return actuators->signal ? actuators->signal(actuators->arg, halted->tgid,
							     halted->start_ticks, signal) :
					   -EOPNOTSUPP;
	case HALTED_STOPPED:
		return actuators->signal_cgroup ?
			       actuators->signal_cgroup(actuators->arg, &group, signal) :
			       -EOPNOTSUPP;
	case HALTED_FROZEN:
		return actuators->freeze ? actuators->freeze(actuators->arg, &group, is_halt) :
					   -EOPNOTSUPP;
	}
	return -EINVAL;
}

/* Again each time, for what was forked since, or was resumed by somebody else. */
static int suspend(struct enforcer *enforcer, struct applied *applied)
{
	struct halted halted = halted_of(applied);
	int err;

	/* A disk that is full lets nobody go on; the watchdog knows of it in any case. Tried again each time. */
	if (!applied->is_listed && enforcer->ledger)
		applied->is_listed = !halted_add(enforcer->ledger, &halted);
	err = pull(&enforcer->actuators, &halted, applied->target.id, true);
	if (!err)
		err = hold_take(enforcer, applied);
	if (err && !applied->holds && applied->is_listed)
		applied->is_listed = halted_drop(enforcer->ledger, &halted) != 0;
	return err;
}

int suspend_undo(struct enforcer *enforcer, const struct applied *applied)
{
	struct halted halted = halted_of(applied);
	int err = pull(&enforcer->actuators, &halted, applied->target.id, false);

	if (err == -ESRCH || err == -ENOENT)
		err = 0; /* it has ended */
	if (!err && enforcer->ledger)
		(void)halted_drop(enforcer->ledger, &halted);
	return err;
}

void suspend_apply(struct enforcer *enforcer, struct incident *incident,
		   const struct policy_verdict *verdict, const struct policy_subject *subject,
		   int64_t now_us)
{
	const struct policy_step *step = incident->key.step;
	bool is_cgroup = step->action == POLICY_FREEZE || step->target == POLICY_CGROUP, is_new;
	struct applied *applied = find_targets(enforcer, incident, verdict, subject, is_cgroup,
					       &is_new, now_us);
	int err;

	if (!applied || (!applied->holds && !min_healthy_stay(enforcer, applied, verdict, now_us)))
		return;
	err = suspend(enforcer, applied);
	if (!is_new && err == applied->error)
		return;
	applied->error = err;
	applied->cut_error = !err && step->cut && verdict->cgroup ?
				     gate_reset(enforcer, verdict->cgroup) :
				     0;
	if (err)
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: %s",
			      strerror(-err));
	else
		effect_begin(enforcer, applied, now_us);
}

/* ---- after a restart ---- */

struct recovery {
	struct enforcer *enforcer;
	size_t n;
	int err;
};

/* True if a step of this daemon wants it halted. */
static bool is_wanted(struct enforcer *enforcer, const struct halted *halted)
{
	struct incident *incident, *next_incident;
	struct applied *applied, *next;

	HASH_ITER(hh, enforcer->incidents, incident, next_incident) {
		HASH_ITER(hh, incident->applied_list, applied, next) {
			struct halted other;

			if (!applied->holds || incident->key.step->action == POLICY_REFUSE ||
			    incident->key.step->action == POLICY_PACE)
				continue;
			other = halted_of(applied);
			if (halted_is_same(&other, halted))
				return true;
		}
	}
	return false;
}

static void recover_one(void *arg, const struct halted *halted)
{
	struct recovery *recovery = arg;
	int err;

	if (is_wanted(recovery->enforcer, halted))
		return;
	err = pull(&recovery->enforcer->actuators, halted, 0, false);
	if (err && err != -ESRCH && err != -ENOENT) {
		recovery->err = err;
		return;
	}
	recovery->n += !err;
	(void)halted_drop(recovery->enforcer->ledger, halted);
}

int enforcer_recover(struct enforcer *enforcer)
{
	struct recovery recovery = { .enforcer = enforcer };
	int err = enforcer->ledger ? halted_each(enforcer->ledger, recover_one, &recovery) : 0;

	if (!err)
		err = recovery.err;
	return err ? err : (int)recovery.n;
}
