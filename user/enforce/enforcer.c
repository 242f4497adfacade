/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/enforcer.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/incident.h"

/* The clock may have been set forward: a gate whose window is over need not wait for its timer. */
static void on_renewal(void *arg)
{
	enforcer_expire(arg, clock_wall_us());
	enforcer_renew(arg);
}

static void on_expiry(void *arg)
{
	enforcer_expire(arg, clock_wall_us());
	expiry_arm(arg);
}

struct enforcer *enforcer_new(struct loop *loop, struct ledger *ledger,
			      const struct policy_rules *rules, const struct enforcer_ops *actuators)
{
	struct enforcer *enforcer = calloc(1, sizeof(*enforcer));

	if (!enforcer)
		return NULL;
	enforcer->loop = loop;
	enforcer->ledger = ledger;
	enforcer->rules = rules;
	enforcer->actuators = *actuators;
	enforcer->next_us = INT64_MAX;
	LIST_INIT(&enforcer->pending);
	kill_recall(enforcer);
	if (!loop)
		return enforcer;
	if (loop_add_timer(loop, 0, on_renewal, enforcer, &enforcer->renewal) < 0 ||
	    loop_add_timer(loop, 0, on_expiry, enforcer, &enforcer->expiry) < 0 ||
	    loop_add_timer(loop, 0, kill_on_grace, enforcer, &enforcer->grace) < 0)
		return enforcer_free(enforcer);
	return enforcer;
}

/* ---- note ---- */

static void note(struct enforcer *enforcer, struct incident *incident,
		 const struct policy_verdict *verdict, int64_t now_us)
{
	enum action_result outcome = incident_is_enforced(enforcer, incident) ? ACTION_DONE :
										ACTION_REHEARSED;
	struct applied *applied;

	/* One that is not the first was noted before this daemon started, or in this window. */
	if (!verdict->is_first || applied_find(incident, (struct target){ 0 }))
		return;
	applied = applied_new(enforcer, incident, (struct target){ 0 }, incident->key.name,
			      enforcer->present, now_us);
	if (applied)
		applied_write(enforcer, applied, now_us, outcome, "%s", action_result_name(outcome));
}

/* ---- what lacks evidence ---- */

/* Once a window: the row says what would have been done, and why it was not. */
static void wait_for_evidence(struct enforcer *enforcer, struct incident *incident,
			      const struct policy_verdict *verdict, int64_t now_us)
{
	const char *deed = policy_action_name(verdict->step->action);
	struct applied *applied;

	if (applied_find(incident, (struct target){ 0 }))
		return;
	applied = applied_new(enforcer, incident, (struct target){ 0 }, incident->key.name,
			      enforcer->present, now_us);
	if (applied && verdict->measured_permille == 1000)
		applied_write(
			enforcer, applied, now_us, ACTION_REFUSED,
			"refused: calls in flight are no evidence for a %s before they are measured (evidence: estimated)",
			deed);
	else if (applied)
		applied_write(
			enforcer, applied, now_us, ACTION_REFUSED,
			"refused: %u.%u %% of what was spent is measured and not unconfirmed, and the "
			"rest is no evidence for a %s (evidence: estimated)",
			verdict->measured_permille / 10, verdict->measured_permille % 10, deed);
}

/* ---- the contract ---- */

/* What is done to processes, unlike a gate, which bears on calls alone. */
static bool needs_call(enum policy_action action)
{
	return action == POLICY_FREEZE || action == POLICY_STOP || action == POLICY_KILL;
}

bool enforcer_defers(const struct enforcer *enforcer, const struct policy_verdict *verdict)
{
	return needs_call(verdict->step->action) && enforcer->rules->enforce &&
	       !verdict->budget->is_rehearsed && !verdict->is_protected;
}

static void carry_out(struct enforcer *enforcer, const struct policy_verdict *verdict,
		      const struct policy_subject *subject, int64_t now_us)
{
	struct incident *incident;

	if (needs_call(verdict->step->action) &&
	    (!subject->is_calling || enforcer->rules->is_restored))
		return;
	/* So that what was done in a window that is over does not count as done in this one. */
	enforcer_expire(enforcer, now_us);
	incident = enforcer->n_actions + POLICY_MEMBERS >= ENFORCER_DEEDS ?
			   NULL :
			   incident_get(enforcer, verdict);
	if (!incident) {
		enforcer->stats.dropped++;
		return;
	}
	if (verdict->is_unproven)
		return wait_for_evidence(enforcer, incident, verdict, now_us);
	switch (verdict->step->action) {
	case POLICY_NOTE:
		note(enforcer, incident, verdict, now_us);
		break;
	case POLICY_PACE:
		if (incident_is_allowance(incident))
			allowance_apply(enforcer, incident, verdict, subject, now_us);
		else
			pace_apply(enforcer, incident, verdict, subject, now_us);
		break;
	case POLICY_REFUSE:
		refuse_apply(enforcer, incident, verdict, subject, now_us);
		break;
	case POLICY_FREEZE:
	case POLICY_STOP:
		suspend_apply(enforcer, incident, verdict, subject, now_us);
		break;
	case POLICY_KILL:
		kill_apply(enforcer, incident, verdict, subject, now_us);
		break;
	default:
		break;
	}
}

void enforcer_apply(struct enforcer *enforcer, const struct policy_verdict *verdict,
		    const struct policy_subject *subject, int64_t now_us)
{
	enforcer->present = subject->group;
	carry_out(enforcer, verdict, subject, now_us);
	enforcer->present = NULL;
}

void enforcer_apply_all(struct enforcer *enforcer, struct verdict_iter *verdicts,
			const struct policy_subject *subject, int64_t now_us)
{
	struct policy_verdict verdict;

	while (verdict_next(verdicts, &verdict))
		enforcer_apply(enforcer, &verdict, subject, now_us);
}

static bool has_pending(const struct incident *incident)
{
	struct applied *applied, *next;

	HASH_ITER(hh, incident->applied_list, applied, next)
		if (applied->due_ns)
			return true;
	return false;
}

void enforcer_review(struct enforcer *enforcer, struct policy *policy, bool in_flight_only,
		     int64_t now_us)
{
	struct incident *incident, *next;

	if (in_flight_only && !enforcer->n_unsettled)
		return;
	HASH_ITER(hh, enforcer->incidents, incident, next) {
		if ((in_flight_only && !incident_is_unsettled(incident)) ||
		    policy_stands(policy, incident->key.budget, incident->key.step,
				  incident->key.name, incident->is_reserved, now_us))
			continue;
		incident_drop(enforcer, incident,
			      in_flight_only ? "calls in flight cost less than was held" :
					       "what ordered it no longer does",
			      now_us);
	}
}

static const struct policy_step *same_step(const struct policy_budget *budget,
					   const struct policy_step *step)
{
	if (step == &policy_hold || step == &policy_allowance)
		return step;
	for (size_t i = 0; i < budget->n_steps; i++) {
		const struct policy_step *other = &budget->steps[i];

		if (other->action == step->action && other->target == step->target &&
		    other->at_permille == step->at_permille && other->cut == step->cut &&
		    other->lets_end == step->lets_end && other->whole == step->whole &&
		    other->by_estimates == step->by_estimates &&
		    other->grace_ns == step->grace_ns && other->pace_per_hour == step->pace_per_hour)
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

void enforcer_rules(struct enforcer *enforcer, bool same_stance, int64_t now_us)
{
	size_t n = HASH_COUNT(enforcer->incidents), i = 0;
	struct incident **all = calloc(n + 1, sizeof(*all)), *incident, *next;

	/* Listed first: an incident that moves is met again at the end of the table. */
	HASH_ITER(hh, enforcer->incidents, incident, next) {
		if (all)
			all[i++] = incident;
		else
			incident_drop(enforcer, incident, "the rules have changed", now_us);
	}
	n = i;
	for (i = 0; i < n; i++) {
		const struct policy_budget *budget = same_budget(enforcer->rules,
								 all[i]->key.budget->name);
		const struct policy_step *step = budget ? same_step(budget, all[i]->key.step) : NULL;

		if (!step || !same_stance || incident_move(enforcer, all[i], budget, step))
			incident_drop(enforcer, all[i], "the rules have changed", now_us);
	}
	free(all);
}

void enforcer_expire(struct enforcer *enforcer, int64_t now_us)
{
	int64_t next_us = INT64_MAX;
	struct incident *incident, *next;

	if (now_us < enforcer->next_us)
		return;
	HASH_ITER(hh, enforcer->incidents, incident, next) {
		if (incident->until_us > now_us) {
			next_us = incident->until_us < next_us ? incident->until_us : next_us;
			continue;
		}
		incident_end(enforcer, incident, "the window is over", now_us);
		/* finish_kill() looks here again. */
		if (!has_pending(incident))
			incident_free(enforcer, incident);
	}
	enforcer->next_us = next_us;
	expiry_arm(enforcer);
}

void enforcer_renew(struct enforcer *enforcer)
{
	struct held *held, *next;

	HASH_ITER(hh, enforcer->held, held, next)
		if (held->key.hold == HOLD_GATE)
			(void)gate_pull(enforcer, held->key.target.id);
}

bool enforcer_holds_gate(const struct enforcer *enforcer, uint64_t cgroup)
{
	return hold_stands(enforcer, HOLD_GATE, (struct target){ .id = cgroup });
}

bool enforcer_outlives(struct enforcer *enforcer)
{
	struct held *held, *next;
	int64_t loss_us;

	HASH_ITER(hh, enforcer->held, held, next) {
		if (held->key.hold != HOLD_GATE)
			continue;
		(void)hold_gate(enforcer, held->key.target.id, &loss_us);
		if (loss_us)
			return true;
	}
	return false;
}

void enforcer_gates(const struct enforcer *enforcer,
		    void (*fn)(void *arg, const struct enforcer_gate *gate), void *arg)
{
	struct incident *incident, *next_incident;
	struct applied *applied, *next;

	HASH_ITER(hh, enforcer->incidents, incident, next_incident) {
		if (incident_is_allowance(incident))
			continue;
		HASH_ITER(hh, incident->applied_list, applied, next) {
			struct enforcer_gate gate = {
				.cgroup = applied->group || !applied->target.tgid ?
						  applied->target.id :
						  0,
				.is_around = applied->is_around,
				.action = policy_action_name(incident->key.step->action),
				.budget = incident->key.budget->name,
				.key = incident->key.name,
				.target = applied->name,
				.who = applied->who,
				.decided_us = applied->decided_us,
				.until_us = incident->until_us,
				.in_money = policy_in_money(incident->key.budget)
			};

			if (incident->bucket) {
				gate.pace_per_hour = incident->pace.per_hour;
				gate.admitted = incident->pace.take.admitted;
				gate.held = incident->pace.take.held;
			}

			if (applied->holds)
				fn(arg, &gate);
		}
	}
}

void enforcer_stats(const struct enforcer *enforcer, struct enforcer_stats *ret)
{
	*ret = enforcer->stats;
	ret->allowances = enforcer->n_allowances;
}

struct enforcer *enforcer_free(struct enforcer *enforcer)
{
	struct incident *incident, *next;
	struct held *held, *next_held;

	if (!enforcer)
		return NULL;
	HASH_ITER(hh, enforcer->incidents, incident, next) {
		/* Gates end by their lease, or outlive this; a stopped process would stay so for ever. */
		if (!incident_holds_gate(incident))
			incident_end(enforcer, incident, "aigress stopped", clock_wall_us());
		incident_free(enforcer, incident);
	}
	HASH_ITER(hh, enforcer->held, held, next_held) {
		HASH_DEL(enforcer->held, held);
		free(held);
	}
	loop_remove(enforcer->renewal);
	loop_remove(enforcer->expiry);
	loop_remove(enforcer->grace);
	free(enforcer);
	return NULL;
}
