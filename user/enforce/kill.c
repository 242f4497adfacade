/* SPDX-License-Identifier: Apache-2.0 */
/* SIGTERM, a grace, SIGKILL: of a process or of a cgroup. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/exempt.h"
#include "enforce/incident.h"

int signal_pull(struct act *act, const struct deed *deed, int signal)
{
	const struct act_levers *levers = &act->levers;

	if (deed->group)
		return levers->signal_cgroup ?
			       levers->signal_cgroup(levers->arg, deed->group, signal) :
			       -EOPNOTSUPP;
	return levers->signal ? levers->signal(levers->arg, (uint32_t)deed->target.tgid,
					       deed->target.id, signal) :
				-EOPNOTSUPP;
}

static void arm_grace(struct act *act)
{
	uint64_t now_ns = clock_mono_ns(), after_ns = 0;
	struct deed *deed;

	LIST_FOREACH(deed, &act->pending, pending) {
		uint64_t wait_ns = deed->kill_ns > now_ns ? deed->kill_ns - now_ns : 1;

		if (!after_ns || wait_ns < after_ns)
			after_ns = wait_ns;
	}
	if (act->grace)
		(void)loop_arm(act->grace, after_ns);
}

uint64_t ticks_now(void)
{
	return clock_ns(CLOCK_BOOTTIME) / (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Under the v1 freezer a SIGKILL waits for the thaw: freezer-subsystem.rst. */
static int kill_now(struct act *act, const struct deed *deed)
{
	int err = signal_pull(act, deed, SIGKILL);

	if (!err && deed->group && hold_stands(act, HOLD_FREEZE, deed->target) && act->levers.freeze)
		(void)act->levers.freeze(act->levers.arg, deed->group, false);
	return err;
}

static void finish_kill(struct act *act, struct deed *deed)
{
	int64_t now_us = clock_wall_us();
	int err;

	LIST_REMOVE(deed, pending);
	deed->kill_ns = 0;
	act_expire_at(act, INT64_MIN);
	/* Another process may have the pid by now. */
	if (!deed->group && spare_start_time((uint32_t)deed->target.tgid) != deed->target.id) {
		deed_write(act, deed, now_us, "done: it ended within the grace");
		return;
	}
	err = kill_now(act, deed);
	deed->done_ticks = deed->group ? ticks_now() : 0;
	if (err == -ESRCH || err == -ENOENT)
		deed_write(act, deed, now_us, "done: it ended within the grace");
	else if (err)
		deed_write(act, deed, now_us, "failed: SIGKILL: %s", strerror(-err));
	else
		deed_write(act, deed, now_us, "done: SIGKILL after the grace");
}

void kill_on_grace(void *arg)
{
	uint64_t now_ns = clock_mono_ns();
	struct act *act = arg;
	struct deed *deed, *next;

	for (deed = LIST_FIRST(&act->pending); deed; deed = next) {
		next = LIST_NEXT(deed, pending);
		if (deed->kill_ns <= now_ns)
			finish_kill(act, deed);
	}
	arm_grace(act);
}

static void start_kill(struct act *act, struct deed *deed, int64_t now_us)
{
	uint64_t grace_ns = deed->story->step->grace_ns;
	int err = grace_ns ? signal_pull(act, deed, SIGTERM) : kill_now(act, deed);

	if (err) {
		deed_write(act, deed, now_us, "failed: %s: %s", grace_ns ? "SIGTERM" : "SIGKILL",
			   strerror(-err));
		return;
	}
	if (!grace_ns) {
		deed->done_ticks = deed->group ? ticks_now() : 0;
		deed_write(act, deed, now_us, "done: SIGKILL");
		return;
	}
	deed->kill_ns = clock_mono_ns() + grace_ns;
	LIST_INSERT_HEAD(&act->pending, deed, pending);
	arm_grace(act);
	deed_write(act, deed, now_us, "done: SIGTERM, SIGKILL in %llu s",
		   (unsigned long long)((grace_ns + NS_PER_S - 1) / NS_PER_S));
}

#define HOUR_NS (3600 * NS_PER_S)

static void count_kill(struct act *act, uint64_t time_ns)
{
	act->kills_ns[act->n_kills++ % POLICY_KILLS] = time_ns;
}

/* True if one more would be too many in the hour that ends now. */
static bool is_too_many(const struct act *act)
{
	uint64_t now_ns = clock_mono_ns();
	size_t max = act->rules->max_kills, at;

	if (max > POLICY_KILLS)
		max = POLICY_KILLS;
	if (!max)
		return true;
	if (act->n_kills < max)
		return false;
	at = (act->n_kills - max) % POLICY_KILLS;
	/* A machine that is up for less than an hour may have a time "before" its start: wraps. */
	return (int64_t)(now_ns - act->kills_ns[at]) < (int64_t)HOUR_NS;
}

static void recall(void *arg, const struct ledger_action *action)
{
	int64_t ago_us = clock_wall_us() - action->time_us;

	/* "done: SIGKILL after the grace" is the second half of one. */
	if (strcmp(action->action, policy_action_name(POLICY_KILL)) || action->is_rehearsed ||
	    strncmp(action->result, "done: SIG", 9) || strstr(action->result, "after the grace"))
		return;
	count_kill(arg, clock_mono_ns() - (uint64_t)(ago_us > 0 ? ago_us : 0) * 1000);
}

void kill_recall(struct act *act)
{
	if (act->ledger)
		(void)ledger_actions(act->ledger, clock_wall_us() - 3600 * US_PER_S, recall, act);
}

void kill_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us)
{
	bool is_cgroup = story->step->target == POLICY_CGROUP, is_new;
	struct deed *deed = aim(act, story, verdict, subject, is_cgroup, &is_new, now_us);

	if (!deed)
		return;
	/* Who came into a cgroup after it was killed is killed again. */
	if (!is_new && deed->error != -EDQUOT && deed->error != -EBUSY &&
	    (!deed->done_ticks || spare_start_time(verdict->tgid) <= deed->done_ticks))
		return;
	if (!healthy_stay(act, deed, verdict, now_us))
		return;
	if (is_too_many(act)) {
		if (deed->error != -EDQUOT)
			deed_write(act, deed, now_us, "refused: %u kills in an hour are the limit",
				   act->rules->max_kills);
		deed->error = -EDQUOT; /* its next charge asks again */
		return;
	}
	deed->error = 0;
	deed->done_ticks = 0;
	count_kill(act, clock_mono_ns());
	start_kill(act, deed, now_us);
}
