/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stop and freeze. What stands is written to the ledger before it is made to stand: the next
 * daemon lets go what this one could not.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"
#include "ledger/halted.h"

static struct standing standing_of(const struct deed *deed)
{
	struct standing standing = { .kind = STANDING_PROCESS };

	if (!deed->group) {
		standing.tgid = (uint32_t)deed->target.tgid;
		standing.start_ticks = deed->target.id;
		return standing;
	}
	standing.kind = deed->story->step->action == POLICY_FREEZE ? STANDING_FROZEN :
								     STANDING_STOPPED;
	memcpy(standing.path, deed->group->path, sizeof(standing.path));
	return standing;
}

static int pull(const struct act_levers *levers, const struct standing *standing, uint64_t cgroup,
		bool stand)
{
	int signal = stand ? SIGSTOP : SIGCONT;
	struct who_group group = { .cgroup = cgroup };

	memcpy(group.path, standing->path, sizeof(group.path));
	switch (standing->kind) {
	case STANDING_PROCESS:
		return levers->signal ? levers->signal(levers->arg, standing->tgid,
						       standing->start_ticks, signal) :
					-EOPNOTSUPP;
	case STANDING_STOPPED:
		return levers->signal_cgroup ? levers->signal_cgroup(levers->arg, &group, signal) :
					       -EOPNOTSUPP;
	case STANDING_FROZEN:
		return levers->freeze ? levers->freeze(levers->arg, &group, stand) : -EOPNOTSUPP;
	}
	return -EINVAL;
}

/* Each time anew, for what was forked since, or was let go by another hand. */
static int halt(struct act *act, struct deed *deed)
{
	struct standing standing = standing_of(deed);
	int err = deed->holds || !act->ledger ? 0 : standing_add(act->ledger, &standing);

	if (!err)
		err = pull(&act->levers, &standing, deed->target.id, true);
	if (!err)
		err = hold_take(act, deed);
	if (err && !deed->holds && act->ledger)
		(void)standing_drop(act->ledger, &standing);
	return err;
}

int halt_undo(struct act *act, const struct deed *deed)
{
	struct standing standing = standing_of(deed);
	int err = pull(&act->levers, &standing, deed->target.id, false);

	if (err == -ESRCH || err == -ENOENT)
		err = 0; /* it has ended */
	if (!err && act->ledger)
		(void)standing_drop(act->ledger, &standing);
	return err;
}

void halt_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us)
{
	const struct policy_step *step = story->step;
	bool is_cgroup = step->action == POLICY_FREEZE || step->target == POLICY_CGROUP, is_new;
	struct deed *deed = aim(act, story, verdict, subject, is_cgroup, &is_new, now_us);
	int err, cut = 0;

	if (!deed || (!deed->holds && !healthy_stay(act, deed, verdict, now_us)))
		return;
	err = halt(act, deed);
	if (!is_new && err == deed->error)
		return;
	deed->error = err;
	if (!err && step->cut && verdict->cgroup)
		cut = gate_reset(act, verdict->cgroup);
	if (err)
		deed_write(act, deed, now_us, "failed: %s", strerror(-err));
	else if (cut)
		deed_write(act, deed, now_us, "done, but live connections stay: %s", strerror(-cut));
	else
		deed_write(act, deed, now_us, "done");
}

/* ---- after a restart ---- */

struct recovery {
	struct act *act;
	size_t n;
	int err;
};

/* True if a step of this daemon wants it to stand. */
static bool is_wanted(struct act *act, const struct standing *standing)
{
	struct story *story, *next_story;
	struct deed *deed, *next;

	HASH_ITER(hh, act->stories, story, next_story) {
		HASH_ITER(hh, story->deeds, deed, next) {
			struct standing other;

			if (!deed->holds || story->step->action == POLICY_REFUSE ||
			    story->step->action == POLICY_PACE)
				continue;
			other = standing_of(deed);
			if (standing_is_same(&other, standing))
				return true;
		}
	}
	return false;
}

static void recover_one(void *arg, const struct standing *standing)
{
	struct recovery *recovery = arg;
	int err;

	if (is_wanted(recovery->act, standing))
		return;
	err = pull(&recovery->act->levers, standing, 0, false);
	if (err && err != -ESRCH && err != -ENOENT) {
		recovery->err = err;
		return;
	}
	recovery->n += !err;
	(void)standing_drop(recovery->act->ledger, standing);
}

int act_recover(struct act *act)
{
	struct recovery recovery = { .act = act };
	int err = act->ledger ? standing_each(act->ledger, recover_one, &recovery) : 0;

	if (!err)
		err = recovery.err;
	return err ? err : (int)recovery.n;
}
