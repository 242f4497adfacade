/* SPDX-License-Identifier: Apache-2.0 */
/* What came of a kill, a stop or a freeze: looked for, and only then written down. */
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "enforce/family.h"
#include "enforce/freezer.h"
#include "enforce/incident.h"
#include "enforce/members.h"
#include "who/process.h"

/* A process that sleeps in the kernel, on a hung file system for one, ends later or never. */
#define PATIENCE_NS (2 * NS_PER_S)
#define LOOK_NS     (5 * NS_PER_MS)
#define NAMES_LEN   800

static enum policy_action action_of(const struct applied *applied)
{
	return applied->incident->key.step->action;
}

static void add(struct family *left, uint32_t tgid)
{
	struct family_member member = { .tgid = tgid };

	if (left->n == FAMILY_MAX)
		return;
	family_name(tgid, member.exe);
	left->members[left->n++] = member;
}

static bool withstands(const struct applied *applied, uint32_t tgid)
{
	return process_start_time(tgid) &&
	       (action_of(applied) == POLICY_KILL || !process_is_stopped(tgid));
}

static void look_at_group(const struct enforcer *enforcer, const struct applied *applied,
			  struct family *left)
{
	const struct enforcer_ops *actuators = &enforcer->actuators;
	uint32_t tgids[MEMBERS_MAX];
	char dir[PATH_MAX];
	int n;

	/* The path may be another cgroup's by now. */
	if (actuators->is_live && !actuators->is_live(actuators->arg, applied->group->cgroup))
		return;
	snprintf(dir, sizeof(dir), "%s%s", enforcer_root(enforcer), applied->group->path);
	if (action_of(applied) == POLICY_FREEZE && freezer_is_frozen(dir))
		return;
	n = members_list(dir, tgids);
	for (int i = 0; i < n; i++)
		if (tgids[i] != (uint32_t)getpid() &&
		    (action_of(applied) == POLICY_FREEZE || withstands(applied, tgids[i])))
			add(left, tgids[i]);
}

/* Who lives, or runs, in spite of it. */
static void look(const struct enforcer *enforcer, const struct applied *applied, struct family *left)
{
	const struct family *family = applied->family;
	uint32_t tgid = (uint32_t)applied->target.tgid;

	left->n = left->n_spared = 0;
	if (applied->group)
		look_at_group(enforcer, applied, left);
	else if (!family && process_start_time(tgid) == applied->target.id &&
		 withstands(applied, tgid))
		add(left, tgid);
	for (size_t i = 0; family && i < family->n; i++)
		if (process_start_time(family->members[i].tgid) == family->members[i].start_ticks)
			add(left, family->members[i].tgid);
}

static void write_kill(struct enforcer *enforcer, const struct applied *applied,
		       const struct family *left, int64_t now_us)
{
	bool had_grace = applied->incident->key.step->grace_ns;
	const char *how = had_grace ? "SIGKILL after the grace" : "SIGKILL";
	/* Without a loop nobody has looked. */
	const char *whose = !enforcer->grace ? "" : applied->group ? ", all gone" : ", gone";
	char names[NAMES_LEN] = "";

	if (left->n) {
		applied_write(enforcer, applied, now_us, ACTION_FAILED,
			      "failed: %s was sent, but %d s later these live on: %s", how,
			      (int)(PATIENCE_NS / NS_PER_S),
			      family_text(left, names, sizeof(names)));
		return;
	}
	if (applied->family && !had_grace) {
		strcpy(names, ": ");
		family_text(applied->family, names + 2, sizeof(names) - 2);
	}
	applied_write(enforcer, applied, now_us, had_grace ? ACTION_FINISHED : ACTION_DONE,
		      "done: %s%s%s", how, whose, names);
}

static void write_halt(struct enforcer *enforcer, const struct applied *applied,
		       const struct family *left, int64_t now_us)
{
	char names[NAMES_LEN];

	if (left->n)
		applied_write(enforcer, applied, now_us, ACTION_FAILED,
			      "failed: %d s later these still run: %s",
			      (int)(PATIENCE_NS / NS_PER_S),
			      family_text(left, names, sizeof(names)));
	else if (applied->cut_error)
		applied_write(enforcer, applied, now_us, ACTION_DONE,
			      "done, but live connections stay: %s", strerror(-applied->cut_error));
	else
		applied_write(enforcer, applied, now_us, ACTION_DONE, "done");
}

static void write_effect(struct enforcer *enforcer, struct applied *applied,
			 const struct family *left, int64_t now_us)
{
	due_drop(applied);
	if (action_of(applied) == POLICY_KILL)
		write_kill(enforcer, applied, left, now_us);
	else
		write_halt(enforcer, applied, left, now_us);
}

void effect_look(struct enforcer *enforcer, struct applied *applied, bool is_last)
{
	struct family left = { 0 };

	look(enforcer, applied, &left);
	if (left.n && !is_last && clock_mono_ns() < applied->look_until_ns) {
		/* Again, for those who began meanwhile. */
		if (action_of(applied) != POLICY_FREEZE)
			(void)signal_pull(enforcer, applied,
					  action_of(applied) == POLICY_KILL ? SIGKILL : SIGSTOP);
		due_at(enforcer, applied, clock_mono_ns() + LOOK_NS);
		return;
	}
	write_effect(enforcer, applied, &left, clock_wall_us());
	enforcer_expire_at(enforcer, INT64_MIN); /* its incident may have waited for this */
}

void effect_begin(struct enforcer *enforcer, struct applied *applied, int64_t now_us)
{
	const struct family nobody = { 0 };

	if (!enforcer->grace) {
		write_effect(enforcer, applied, &nobody, now_us);
		return;
	}
	applied->look_until_ns = clock_mono_ns() + PATIENCE_NS;
	due_at(enforcer, applied, clock_mono_ns() + LOOK_NS);
}
