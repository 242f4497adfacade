/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds what: a gate, a stop or a freeze ends when the last step that wants it lets go. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"

static struct held_key key_of(const struct deed *deed)
{
	static const enum hold holds[POLICY_ACTIONS] = {
		[POLICY_FREEZE] = HOLD_FREEZE, [POLICY_STOP] = HOLD_STOP
	};

	return (struct held_key){ .hold = holds[deed->story->step->action], .target = deed->target };
}

static struct held *find(const struct act *act, struct held_key key)
{
	struct held *held;

	HASH_FIND(hh, act->held, &key, sizeof(key), held);
	return held;
}

int hold_take(struct act *act, struct deed *deed)
{
	struct held_key key = key_of(deed);
	struct held *held = find(act, key);

	if (deed->holds)
		return 0;
	if (!held) {
		held = calloc(1, sizeof(*held));
		if (!held)
			return -ENOMEM;
		held->key = key;
		HASH_ADD(hh, act->held, key, sizeof(held->key), held);
		if (!held->hh.tbl) {
			free(held);
			return -ENOMEM;
		}
	}
	LIST_INSERT_HEAD(&held->deeds, deed, holding);
	deed->holds = true;
	return 0;
}

bool hold_drop(struct act *act, struct deed *deed)
{
	struct held *held = find(act, key_of(deed));
	const struct deed *other;

	if (!deed->holds || !held)
		return false;
	deed->holds = deed->is_hard = false;
	LIST_REMOVE(deed, holding);
	LIST_FOREACH(other, &held->deeds, holding)
		if (!story_is_fuse(other->story))
			return false;
	if (!LIST_EMPTY(&held->deeds))
		return true;
	HASH_DEL(act->held, held);
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
 * A pace without a daemon would let nobody go: only a refusal outlives it, and a fuse, which lets go
 * what is left.
 */
static int64_t own_loss_us(const struct story *story)
{
	bool is_pace = story->step->action == POLICY_PACE && !story_is_fuse(story);

	return story->budget->on_loss == POLICY_LOSS_HOLD && !is_pace ? story->until_us : 0;
}

struct ctl_gate hold_gate(const struct act *act, uint64_t cgroup, int64_t *ret_loss_us)
{
	struct held *held =
		find(act, (struct held_key){ .hold = HOLD_GATE, .target = { .id = cgroup } });
	struct ctl_gate gate = { .state = CTL_OPEN };
	const struct deed *deed;

	*ret_loss_us = 0;
	if (!held)
		return gate;
	LIST_FOREACH(deed, &held->deeds, holding) {
		if (deed->is_hard)
			gate.state = CTL_REFUSE;
		else if (deed->story->step->action != POLICY_PACE && gate.state != CTL_REFUSE)
			gate.state = CTL_TURN_AWAY;
		else if (gate.state == CTL_OPEN)
			gate.state = CTL_PACE;
		if (own_loss_us(deed->story) > *ret_loss_us)
			*ret_loss_us = own_loss_us(deed->story);
		if (deed->story->bucket)
			add_bucket(&gate, deed->story->bucket);
		gate.has_rate |= deed->story->step->pace_per_hour > 0;
	}
	return gate;
}

bool hold_stands(const struct act *act, enum hold hold, struct target target)
{
	return find(act, (struct held_key){ .hold = hold, .target = target });
}
