/* SPDX-License-Identifier: Apache-2.0 */
/* How many members of a counter may be stopped, frozen or killed at once: `min-healthy`. */
#include <errno.h>

#include "guard/story.h"

/* Something is done to this cgroup, or to a process of it. */
static bool is_hurt(const struct act *act, uint64_t cgroup)
{
	const struct story *story;
	const struct deed *deed;

	for (story = act->stories; story; story = story->hh.next) {
		enum policy_action action = story->step->action;

		if (action != POLICY_FREEZE && action != POLICY_STOP && action != POLICY_KILL)
			continue;
		for (deed = story->deeds; deed; deed = deed->hh.next)
			if (deed->cgroup == cgroup && (deed->holds || deed->kill_ns))
				return true;
	}
	return false;
}

static bool is_live(const struct act *act, uint64_t cgroup)
{
	return !act->levers.is_live || act->levers.is_live(act->levers.arg, cgroup);
}

/* What would be left if the subject's cgroup were hurt, too. */
struct healthy {
	size_t members, healthy, least;
};

static bool do_suffice(const struct act *act, const struct policy_verdict *verdict,
		       struct healthy *ret)
{
	const struct policy_budget *budget = verdict->budget;
	bool has_own = false;

	*ret = (struct healthy){ 0 };
	for (size_t i = 0; i <= verdict->n_cgroups; i++) {
		uint64_t cgroup = i < verdict->n_cgroups ? verdict->cgroups[i] : verdict->cgroup;

		if (i == verdict->n_cgroups && has_own)
			break;
		has_own |= cgroup == verdict->cgroup;
		if (!is_live(act, cgroup))
			continue;
		ret->members++;
		/* the subject's own is about to be hurt */
		ret->healthy += cgroup != verdict->cgroup && !is_hurt(act, cgroup);
	}
	ret->least = budget->min_healthy_permille ?
			     (ret->members * budget->min_healthy_permille + 999) / 1000 :
			     budget->min_healthy;
	return ret->healthy >= ret->least || is_hurt(act, verdict->cgroup);
}

bool healthy_stay(struct act *act, struct deed *deed, const struct policy_verdict *verdict,
		  int64_t now_us)
{
	struct healthy healthy;

	if (do_suffice(act, verdict, &healthy))
		return true;
	if (deed->error != -EBUSY)
		deed_write(act, deed, now_us,
			   "refused: it would leave %zu of %zu members healthy, min-healthy is %zu",
			   healthy.healthy, healthy.members, healthy.least);
	deed->error = -EBUSY;	/* its next charge asks again */
	return false;
}
