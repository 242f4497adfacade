/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/act.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "guard/spare.h"
#include "guard/story.h"

static void on_renewal(void *arg)
{
	act_renew(arg);
}

static void on_grace(void *arg);

struct act *act_new(struct loop *loop, struct ledger *ledger, const struct policy_rules *rules,
		    const struct act_levers *levers)
{
	struct act *act = calloc(1, sizeof(*act));

	if (!act)
		return NULL;
	act->loop = loop;
	act->ledger = ledger;
	act->rules = rules;
	act->levers = *levers;
	LIST_INIT(&act->pending);
	if (!loop)
		return act;
	if (loop_add_timer(loop, ACT_RENEW_NS, on_renewal, act, &act->renewal) < 0 ||
	    loop_add_timer(loop, NS_PER_S, on_grace, act, &act->grace) < 0 ||
	    loop_arm(act->grace, 0) < 0)
		return act_free(act);
	return act;
}

struct act *act_free(struct act *act)
{
	struct story *story, *next;
	struct held *held, *next_held;

	if (!act)
		return NULL;
	HASH_ITER(hh, act->stories, story, next)
		story_free(act, story);
	HASH_ITER(hh, act->held, held, next_held) {
		HASH_DEL(act->held, held);
		free(held);
	}
	loop_remove(act->renewal);
	loop_remove(act->grace);
	free(act);
	return NULL;
}

/* ---- levers ---- */

static int pull_gate(struct act *act, uint64_t cgroup, bool refuse)
{
	if (!act->levers.gate)
		return -EOPNOTSUPP;
	return act->levers.gate(act->levers.arg, cgroup, refuse,
				refuse ? clock_mono_ns() + ACT_LEASE_NS : 0);
}

static int pull_destroy(struct act *act, uint64_t cgroup)
{
	return act->levers.destroy ? act->levers.destroy(act->levers.arg, cgroup) : -EOPNOTSUPP;
}

static int pull_signal(struct act *act, const struct deed *deed, int signal)
{
	if (deed->group)
		return act->levers.signal_cgroup
			       ? act->levers.signal_cgroup(act->levers.arg, deed->group, signal)
			       : -EOPNOTSUPP;
	return act->levers.signal
		       ? act->levers.signal(act->levers.arg, (uint32_t)deed->target.tgid, signal)
		       : -EOPNOTSUPP;
}

/* ---- note ---- */

static void note(struct act *act, struct story *story, const struct policy_verdict *verdict,
		 int64_t now_us)
{
	struct deed *deed;

	/* One that is not the first was told before this daemon started, or in this window. */
	if (!verdict->is_first || deed_find(story, (struct target){ 0 }))
		return;
	deed = deed_new(act, story, (struct target){ 0 }, story_name(story));
	if (deed)
		deed_write(act, deed, now_us, act->rules->enforce ? "done" : "rehearsed");
}

/* ---- refuse ---- */

static int hold(struct act *act, struct deed *deed)
{
	struct held *held;

	HASH_FIND(hh, act->held, &deed->target.id, sizeof(held->cgroup), held);
	if (!held) {
		held = calloc(1, sizeof(*held));
		if (!held)
			return -ENOMEM;
		held->cgroup = deed->target.id;
		HASH_ADD(hh, act->held, cgroup, sizeof(held->cgroup), held);
		if (!held->hh.tbl) {
			free(held);
			return -ENOMEM;
		}
	}
	held->steps++;
	deed->holds_gate = true;
	return 0;
}

/* True when no other step, of whatever budget, wants the gate shut. */
static bool let_go(struct act *act, struct deed *deed)
{
	struct held *held;

	deed->holds_gate = false;
	HASH_FIND(hh, act->held, &deed->target.id, sizeof(held->cgroup), held);
	if (!held || --held->steps)
		return false;
	HASH_DEL(act->held, held);
	free(held);
	return true;
}

static void refuse(struct act *act, struct story *story, uint64_t cgroup, const char *name,
		   const char *why_not, int64_t now_us)
{
	struct target target = { .id = cgroup };
	struct deed *deed = deed_find(story, target);
	bool is_new = !deed;
	int err, destroyed;

	if (is_new)
		deed = deed_new(act, story, target, name);
	if (!deed)
		return;
	if (why_not || !act->rules->enforce) {
		if (is_new && why_not)
			deed_write(act, deed, now_us, "refused: protected (%s)", why_not);
		else if (is_new)
			deed_write(act, deed, now_us, "rehearsed");
		return;
	}
	err = pull_gate(act, cgroup, true);
	destroyed = err ? 0 : pull_destroy(act, cgroup);
	if (!err && !deed->holds_gate)
		err = hold(act, deed);
	if (!is_new && err == deed->gate_error)
		return;
	deed->gate_error = err;
	if (err)
		deed_write(act, deed, now_us, "failed: %s", strerror(-err));
	else if (destroyed < 0)
		deed_write(act, deed, now_us, "done, but live connections stay: %s",
			   strerror(-destroyed));
	else
		deed_write(act, deed, now_us, "done");
}

static void refuse_all(struct act *act, struct story *story, const struct policy_verdict *verdict,
		       const struct policy_subject *subject, int64_t now_us)
{
	const char *path = subject->group->path, *why_not = NULL;
	char name[WHO_PATH_LEN + 16];

	if (verdict->is_protected)
		why_not = "by a rule";
	else if (!strcmp(path, "/"))
		why_not = "the root cgroup";
	snprintf(name, sizeof(name), "cgroup %s", path);
	if (verdict->cgroup)
		refuse(act, story, verdict->cgroup, name, why_not, now_us);
	/* What shares the counter is over the limit, too, and need not spend once more first. */
	for (size_t i = 0; i < verdict->n_cgroups; i++) {
		if (verdict->cgroups[i] == verdict->cgroup)
			continue;
		snprintf(name, sizeof(name), "cgroup id %llu",
			 (unsigned long long)verdict->cgroups[i]);
		refuse(act, story, verdict->cgroups[i], name, NULL, now_us);
	}
}

/* ---- kill ---- */

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

/* Now, as /proc/PID/stat counts when a process started. */
static uint64_t now_ticks(void)
{
	return clock_ns(CLOCK_BOOTTIME) / (NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK));
}

static void finish_kill(struct act *act, struct deed *deed)
{
	int64_t now_us = clock_wall_us();
	int err;

	LIST_REMOVE(deed, pending);
	deed->kill_ns = 0;
	act->next_us = INT64_MIN;
	/* Another process may have the pid by now. */
	if (!deed->group && spare_start_time((uint32_t)deed->target.tgid) != deed->target.id) {
		deed_write(act, deed, now_us, "done: it ended within the grace");
		return;
	}
	err = pull_signal(act, deed, SIGKILL);
	deed->done_ticks = deed->group ? now_ticks() : 0;
	if (err == -ESRCH || err == -ENOENT)
		deed_write(act, deed, now_us, "done: it ended within the grace");
	else if (err)
		deed_write(act, deed, now_us, "failed: SIGKILL: %s", strerror(-err));
	else
		deed_write(act, deed, now_us, "done: SIGKILL after the grace");
}

static void on_grace(void *arg)
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
	int signal = grace_ns ? SIGTERM : SIGKILL;
	int err = pull_signal(act, deed, signal);

	if (err) {
		deed_write(act, deed, now_us, "failed: %s: %s", grace_ns ? "SIGTERM" : "SIGKILL",
			   strerror(-err));
		return;
	}
	if (!grace_ns) {
		deed->done_ticks = deed->group ? now_ticks() : 0;
		deed_write(act, deed, now_us, "done: SIGKILL");
		return;
	}
	deed->kill_ns = clock_mono_ns() + grace_ns;
	LIST_INSERT_HEAD(&act->pending, deed, pending);
	arm_grace(act);
	deed_write(act, deed, now_us, "done: SIGTERM, SIGKILL in %llu s",
		  (unsigned long long)((grace_ns + NS_PER_S - 1) / NS_PER_S));
}

static void kill_one(struct act *act, struct story *story, const struct policy_verdict *verdict,
		     const struct policy_subject *subject, int64_t now_us)
{
	bool is_cgroup = story->step->target == POLICY_CGROUP;
	const char *root = act->levers.cgroup_root ?: "/sys/fs/cgroup";
	char name[WHO_PATH_LEN + 16], buf[256];
	const char *why_not;
	struct target target = { .id = verdict->cgroup };
	struct deed *deed;

	if (!is_cgroup)
		target = (struct target){ verdict->tgid, spare_start_time(verdict->tgid) };
	/* Gone already: its last charge often comes after it. */
	if (!target.id)
		return;
	deed = deed_find(story, target);
	if (deed) {
		/* Who came into a cgroup after it was killed is killed again. */
		if (deed->done_ticks && spare_start_time(verdict->tgid) > deed->done_ticks) {
			deed->done_ticks = 0;
			start_kill(act, deed, now_us);
		}
		return;
	}
	if (is_cgroup)
		snprintf(name, sizeof(name), "cgroup %s", subject->group->path);
	else
		snprintf(name, sizeof(name), "process %u (%s)", verdict->tgid,
			 subject->process->comm);
	deed = deed_new(act, story, target, name);
	if (!deed)
		return;
	why_not = verdict->is_protected ? "by a rule" :
		  is_cgroup ? spare_group(root, subject->group->path, buf, sizeof(buf)) :
		  spare_process(verdict->tgid, buf, sizeof(buf));
	if (why_not) {
		deed_write(act, deed, now_us, "refused: protected (%s)", why_not);
		return;
	}
	if (!act->rules->enforce) {
		deed_write(act, deed, now_us, "rehearsed");
		return;
	}
	if (is_cgroup) {
		deed->group = malloc(sizeof(*deed->group));
		if (!deed->group) {
			deed_write(act, deed, now_us, "failed: %s", strerror(ENOMEM));
			return;
		}
		*deed->group = *subject->group;
	}
	start_kill(act, deed, now_us);
}

/* ---- the contract ---- */

void act_apply(struct act *act, const struct policy_verdict *verdict,
	       const struct policy_subject *subject, int64_t now_us)
{
	struct story *story;
	struct deed *deed;

	/* So that what was done in a window that is over does not count as done in this one. */
	act_expire(act, now_us);
	story = act->n_deeds + POLICY_MEMBERS >= ACT_DEEDS ? NULL : story_get(act, verdict);
	if (!story) {
		act->stats.dropped++;
		return;
	}
	switch (verdict->step->action) {
	case POLICY_NOTE:
		note(act, story, verdict, now_us);
		break;
	case POLICY_REFUSE:
		refuse_all(act, story, verdict, subject, now_us);
		break;
	case POLICY_KILL:
		kill_one(act, story, verdict, subject, now_us);
		break;
	default:
		if (deed_find(story, (struct target){ 0 }))
			break;
		deed = deed_new(act, story, (struct target){ 0 }, story_name(story));
		if (deed)
			deed_write(act, deed, now_us, "failed: %s", strerror(EOPNOTSUPP));
	}
}

static void end_story(struct act *act, struct story *story, int64_t now_us)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next) {
		int err;

		if (!deed->holds_gate || !let_go(act, deed))
			continue;
		err = pull_gate(act, deed->target.id, false);
		if (err && err != -ENOENT)
			deed_write(act, deed, now_us, "failed: the gate does not open: %s",
				   strerror(-err));
		else
			deed_write(act, deed, now_us, "ended: the window is over");
	}
}

static bool has_pending(const struct story *story)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next)
		if (deed->kill_ns)
			return true;
	return false;
}

void act_expire(struct act *act, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct story *story, *next;

	if (now_us < act->next_us)
		return;
	HASH_ITER(hh, act->stories, story, next) {
		if (story->until_us > now_us) {
			next_us = story->until_us < next_us ? story->until_us : next_us;
			continue;
		}
		end_story(act, story, now_us);
		/* finish_kill() looks here again. */
		if (!has_pending(story))
			story_free(act, story);
	}
	act->next_us = next_us;
}

void act_renew(struct act *act)
{
	struct held *held, *next;

	HASH_ITER(hh, act->held, held, next)
		(void)pull_gate(act, held->cgroup, true);
}

void act_gates(const struct act *act, void (*fn)(void *arg, const struct act_gate *gate), void *arg)
{
	struct story *story, *next_story;
	struct deed *deed, *next;

	HASH_ITER(hh, act->stories, story, next_story) {
		HASH_ITER(hh, story->deeds, deed, next) {
			struct act_gate gate = { .cgroup = deed->target.id,
						 .budget = story->budget->name,
						 .key = story_name(story),
						 .target = deed->name,
						 .until_us = story->until_us };

			if (deed->holds_gate)
				fn(arg, &gate);
		}
	}
}

void act_stats(const struct act *act, struct act_stats *ret)
{
	*ret = act->stats;
}
