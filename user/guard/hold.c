/* SPDX-License-Identifier: Apache-2.0 */
/* Who holds what: a gate, a stop or a freeze ends when the last step that wants it lets go. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "guard/story.h"

static struct held_key key_of(const struct deed *deed)
{
	static const enum hold holds[POLICY_ACTIONS] = { [POLICY_FREEZE] = HOLD_FREEZE,
							 [POLICY_STOP] = HOLD_STOP };

	return (struct held_key){ .hold = holds[deed->story->step->action],
				  .target = deed->target };
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
	held->steps++;
	deed->holds = true;
	return 0;
}

bool hold_is_hard(struct act *act, const struct deed *deed)
{
	struct held *held = find(act, key_of(deed));

	return held && held->is_hard;
}

void hold_harden(struct act *act, const struct deed *deed)
{
	struct held *held = find(act, key_of(deed));

	if (held)
		held->is_hard = true;
}

static int64_t own_loss_us(const struct story *story)
{
	return story->budget->on_loss == POLICY_LOSS_HOLD ? story->until_us : 0;
}

int64_t hold_loss_us(struct act *act, const struct deed *deed)
{
	struct held *held = find(act, key_of(deed));
	int64_t own_us = own_loss_us(deed->story);

	return held && held->loss_us > own_us ? held->loss_us : own_us;
}

void hold_recount(struct act *act)
{
	struct story *story, *next_story;
	struct held *held, *next_held;
	struct deed *deed, *next;

	HASH_ITER(hh, act->held, held, next_held)
		held->loss_us = 0;
	HASH_ITER(hh, act->stories, story, next_story) {
		if (!own_loss_us(story))
			continue;
		HASH_ITER(hh, story->deeds, deed, next) {
			held = deed->holds ? find(act, key_of(deed)) : NULL;
			if (held && held->key.hold == HOLD_GATE && held->loss_us < story->until_us)
				held->loss_us = story->until_us;
		}
	}
}

bool hold_drop(struct act *act, struct deed *deed)
{
	struct held *held = find(act, key_of(deed));

	deed->holds = false;
	if (!held || --held->steps)
		return false;
	HASH_DEL(act->held, held);
	free(held);
	return true;
}

bool hold_stands(const struct act *act, enum hold hold, struct target target)
{
	return find(act, (struct held_key){ .hold = hold, .target = target });
}
