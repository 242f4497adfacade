/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds what: a gate, a stop or a freeze ends when the last step that wants it releases it. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"

static struct held_key key_of(const struct applied *applied)
{
	static const enum hold holds[POLICY_ACTIONS] = {
		[POLICY_FREEZE] = HOLD_FREEZE, [POLICY_STOP] = HOLD_STOP
	};

	return (struct held_key){ .hold = holds[applied->incident->key.step->action],
				  .target = applied->target };
}

static struct held *find(const struct enforcer *enforcer, struct held_key key)
{
	struct held *held;

	HASH_FIND(hh, enforcer->held, &key, sizeof(key), held);
	return held;
}

int hold_take(struct enforcer *enforcer, struct applied *applied)
{
	struct held_key key = key_of(applied);
	struct held *held = find(enforcer, key);

	if (applied->holds)
		return 0;
	if (!held) {
		held = calloc(1, sizeof(*held));
		if (!held)
			return -ENOMEM;
		held->key = key;
		HASH_ADD(hh, enforcer->held, key, sizeof(held->key), held);
		if (!held->hh.tbl) {
			free(held);
			return -ENOMEM;
		}
	}
	LIST_INSERT_HEAD(&held->applied_list, applied, holding);
	applied->holds = true;
	return 0;
}

bool hold_drop(struct enforcer *enforcer, struct applied *applied)
{
	struct held *held = find(enforcer, key_of(applied));
	const struct applied *other;

	if (!applied->holds || !held)
		return false;
	applied->holds = applied->is_hard = applied->is_around = false;
	LIST_REMOVE(applied, holding);
	LIST_FOREACH(other, &held->applied_list, holding)
		if (!incident_is_allowance(other->incident))
			return false;
	if (!LIST_EMPTY(&held->applied_list))
		return true;
	HASH_DEL(enforcer->held, held);
	free(held);
	return true;
}

/* A pace that names one bucket more; those beyond CTL_BUCKETS hold less than was wanted. */
static void add_bucket(struct ctl_gate *gate, uint32_t bucket)
{
	for (size_t i = 0; i < CTL_BUCKETS; i++) {
		if (gate->buckets[i] && gate->buckets[i] != bucket)
			continue;
		gate->buckets[i] = bucket;
		return;
	}
}

/*
 * A pace without a daemon would admit no request: only a refusal outlives it, and an allowance,
 * which admits what is left.
 */
static int64_t own_loss_us(const struct incident *incident)
{
	bool is_pace = incident->key.step->action == POLICY_PACE && !incident_is_allowance(incident);

	return incident->key.budget->on_loss == POLICY_LOSS_HOLD && !is_pace ? incident->until_us :
									       0;
}

struct ctl_gate hold_gate(const struct enforcer *enforcer, uint64_t cgroup, int64_t *ret_loss_us)
{
	struct held *held =
		find(enforcer, (struct held_key){ .hold = HOLD_GATE, .target = { .id = cgroup } });
	struct ctl_gate gate = { .state = CTL_OPEN };
	const struct applied *applied;

	*ret_loss_us = 0;
	if (!held)
		return gate;
	LIST_FOREACH(applied, &held->applied_list, holding) {
		if (applied->is_hard)
			gate.state = CTL_REFUSE;
		else if (applied->incident->key.step->action != POLICY_PACE &&
			 gate.state != CTL_REFUSE)
			gate.state = CTL_TURN_AWAY;
		else if (gate.state == CTL_OPEN)
			gate.state = CTL_PACE;
		if (own_loss_us(applied->incident) > *ret_loss_us)
			*ret_loss_us = own_loss_us(applied->incident);
		if (applied->incident->bucket)
			add_bucket(&gate, applied->incident->bucket);
		gate.has_rate |= applied->incident->key.step->pace_per_hour > 0;
	}
	return gate;
}

struct held *hold_find(const struct enforcer *enforcer, enum hold hold, struct target target)
{
	return find(enforcer, (struct held_key){ .hold = hold, .target = target });
}

bool hold_stands(const struct enforcer *enforcer, enum hold hold, struct target target)
{
	return hold_find(enforcer, hold, target);
}
