/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/enforcer.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/incident.h"

#define EXPIRY_MAX_NS (60 * NS_PER_S)

/* The clock may have been set forward: a gate whose window is over need not wait for its timer. */
static void on_renewal(void *arg)
{
	act_expire(arg, clock_wall_us());
	act_renew(arg);
}

static void arm_expiry(struct act *act)
{
	if (act->expiry)
		(void)loop_arm(act->expiry, act->next_us == INT64_MAX ?
						    0 :
						    clock_until_ns(act->next_us, EXPIRY_MAX_NS));
}

static void on_expiry(void *arg)
{
	act_expire(arg, clock_wall_us());
	arm_expiry(arg);
}

void act_expire_at(struct act *act, int64_t at_us)
{
	if (at_us >= act->next_us)
		return;
	act->next_us = at_us;
	arm_expiry(act);
}

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
	act->next_us = INT64_MAX;
	LIST_INIT(&act->pending);
	kill_recall(act);
	if (!loop)
		return act;
	if (loop_add_timer(loop, 0, on_renewal, act, &act->renewal) < 0 ||
	    loop_add_timer(loop, 0, on_expiry, act, &act->expiry) < 0 ||
	    loop_add_timer(loop, 0, kill_on_grace, act, &act->grace) < 0)
		return act_free(act);
	return act;
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
		deed_write(act, deed, now_us, story_is_enforced(act, story) ? "done" : "rehearsed");
}

/* ---- the contract ---- */

static void carry_out(struct act *act, const struct policy_verdict *verdict,
		      const struct policy_subject *subject, int64_t now_us)
{
	struct story *story;

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
	case POLICY_PACE:
		if (story_is_fuse(story))
			fuse_apply(act, story, verdict, subject, now_us);
		else
			pace_apply(act, story, verdict, subject, now_us);
		break;
	case POLICY_REFUSE:
		refuse_apply(act, story, verdict, subject, now_us);
		break;
	case POLICY_FREEZE:
	case POLICY_STOP:
		halt_apply(act, story, verdict, subject, now_us);
		break;
	case POLICY_KILL:
		kill_apply(act, story, verdict, subject, now_us);
		break;
	default:
		break;
	}
}

void act_apply(struct act *act, const struct policy_verdict *verdict,
	       const struct policy_subject *subject, int64_t now_us)
{
	act->present = subject->group;
	carry_out(act, verdict, subject, now_us);
	act->present = NULL;
}

static bool holds_gate(const struct policy_step *step)
{
	return step->action == POLICY_REFUSE || step->action == POLICY_PACE;
}

/* Undoes what is held and no other step wants. */
static void let_go(struct act *act, struct deed *deed, const char *why, int64_t now_us)
{
	bool is_gate = holds_gate(deed->story->step);
	int err;

	if (!deed->holds)
		return;
	if (!hold_drop(act, deed)) {
		if (is_gate) /* what is left may want less */
			(void)gate_pull(act, deed->target.id);
		return;
	}
	if (is_gate) {
		err = gate_pull(act, deed->target.id);
		err = err == -ENOENT ? 0 : err;
	} else {
		err = halt_undo(act, deed);
	}
	if (err)
		deed_write(act, deed, now_us, "failed: it is not let go: %s", strerror(-err));
	else if (deed->story->bucket)
		deed_write(act, deed, now_us, "ended: %s (%llu requests let go, %llu made to wait)",
			   why, (unsigned long long)deed->story->pace.take.admitted,
			   (unsigned long long)deed->story->pace.take.held);
	else
		deed_write(act, deed, now_us, "ended: %s", why);
}

static void end_story(struct act *act, struct story *story, const char *why, int64_t now_us)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next)
		let_go(act, deed, why, now_us);
}

static bool has_pending(const struct story *story)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next)
		if (deed->kill_ns)
			return true;
	return false;
}

static void cancel_kills(struct story *story, int64_t now_us, struct act *act)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next) {
		if (!deed->kill_ns)
			continue;
		LIST_REMOVE(deed, pending);
		deed->kill_ns = 0;
		deed_write(act, deed, now_us, "ended: no SIGKILL will follow");
	}
}

void story_drop(struct act *act, struct story *story, const char *why, int64_t now_us)
{
	cancel_kills(story, now_us, act);
	end_story(act, story, why, now_us);
	story_free(act, story);
}

void act_review(struct act *act, struct policy *policy, bool ahead_only, int64_t now_us)
{
	struct story *story, *next;

	if (ahead_only && !act->n_ahead)
		return;
	HASH_ITER(hh, act->stories, story, next) {
		if ((ahead_only && !story->is_ahead) ||
		    policy_stands(policy, story->budget, story->step, story_name(story),
				  story->is_ahead, now_us))
			continue;
		story_drop(act, story,
			   ahead_only ? "calls in flight cost less than was held" :
					"what ordered it no longer does",
			   now_us);
	}
}

static const struct policy_step *same_step(const struct policy_budget *budget,
					   const struct policy_step *step)
{
	if (step == &policy_hold || step == &policy_fuse)
		return step;
	for (size_t i = 0; i < budget->n_steps; i++) {
		const struct policy_step *other = &budget->steps[i];

		if (other->action == step->action && other->target == step->target &&
		    other->at_permille == step->at_permille && other->cut == step->cut &&
		    other->lets_end == step->lets_end && other->grace_ns == step->grace_ns &&
		    other->pace_per_hour == step->pace_per_hour)
			return other;
	}
	return NULL;
}

static const struct policy_budget *same_budget(const struct policy_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->n_budgets; i++)
		if (!strcmp(rules->budgets[i].name, name))
			return &rules->budgets[i];
	return NULL;
}

void act_rules(struct act *act, bool same_stance, int64_t now_us)
{
	size_t n = HASH_COUNT(act->stories), i = 0;
	struct story **all = calloc(n + 1, sizeof(*all)), *story, *next;

	/* Listed first: a story that moves comes round again at the end of the table. */
	HASH_ITER(hh, act->stories, story, next) {
		if (all)
			all[i++] = story;
		else
			story_drop(act, story, "the rules have changed", now_us);
	}
	for (i = 0; all && i < n; i++) {
		const struct policy_budget *budget = same_budget(act->rules, all[i]->budget->name);
		const struct policy_step *step = budget ? same_step(budget, all[i]->step) : NULL;

		if (!step || !same_stance || story_move(act, all[i], budget, step))
			story_drop(act, all[i], "the rules have changed", now_us);
	}
	free(all);
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
		end_story(act, story, "the window is over", now_us);
		/* finish_kill() looks here again. */
		if (!has_pending(story))
			story_free(act, story);
	}
	act->next_us = next_us;
	arm_expiry(act);
}

void act_renew(struct act *act)
{
	struct held *held, *next;

	HASH_ITER(hh, act->held, held, next)
		if (held->key.hold == HOLD_GATE)
			(void)gate_pull(act, held->key.target.id);
}

bool act_holds_gate(const struct act *act, uint64_t cgroup)
{
	return hold_stands(act, HOLD_GATE, (struct target){ .id = cgroup });
}

bool act_outlives(struct act *act)
{
	struct held *held, *next;
	int64_t loss_us;

	HASH_ITER(hh, act->held, held, next) {
		if (held->key.hold != HOLD_GATE)
			continue;
		(void)hold_gate(act, held->key.target.id, &loss_us);
		if (loss_us)
			return true;
	}
	return false;
}

void act_gates(const struct act *act, void (*fn)(void *arg, const struct act_gate *gate), void *arg)
{
	struct story *story, *next_story;
	struct deed *deed, *next;

	HASH_ITER(hh, act->stories, story, next_story) {
		if (story_is_fuse(story))
			continue;
		HASH_ITER(hh, story->deeds, deed, next) {
			struct act_gate gate = { .cgroup = deed->group || !deed->target.tgid ?
								   deed->target.id :
								   0,
						 .action = policy_action_name(story->step->action),
						 .budget = story->budget->name,
						 .key = story_name(story),
						 .target = deed->name,
						 .until_us = story->until_us,
						 .in_money = policy_in_money(story->budget) };

			if (story->bucket) {
				gate.pace_per_hour = story->pace.per_hour;
				gate.admitted = story->pace.take.admitted;
				gate.held = story->pace.take.held;
			}

			if (deed->holds)
				fn(arg, &gate);
		}
	}
}

void act_stats(const struct act *act, struct act_stats *ret)
{
	*ret = act->stats;
	ret->fuses = act->n_fuses;
}

struct act *act_free(struct act *act)
{
	struct story *story, *next;
	struct held *held, *next_held;

	if (!act)
		return NULL;
	HASH_ITER(hh, act->stories, story, next) {
		/* Gates end by their lease, or outlive this; a process that stands would stand for ever. */
		if (!holds_gate(story->step))
			end_story(act, story, "aigress stopped", clock_wall_us());
		story_free(act, story);
	}
	HASH_ITER(hh, act->held, held, next_held) {
		HASH_DEL(act->held, held);
		free(held);
	}
	loop_remove(act->renewal);
	loop_remove(act->expiry);
	loop_remove(act->grace);
	free(act);
	return NULL;
}
