/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuses: what is left of a budget that is nearly spent lies in a bucket of the kernel's (control.h),
 * which takes for each request and each answer's bytes and holds what begins when it is empty. What
 * calls truly cost refills it, each time this comes round, so it is only ever ahead of user space by
 * what that has not seen yet; and if user space is late, or gone, the kernel stops by itself.
 */
#include <errno.h>

#include "guard/story.h"

/*
 * What is dropped on its way in is repeated after a fifth of a second at the earliest. So answers are
 * cut here only where user space, which resets connections, is late by more than this share of the limit.
 */
#define CUT_SHARE 200

size_t fuse_waiting(const struct act *act, const struct story *story)
{
	const struct act_levers *levers = &act->levers;
	uint32_t buckets[CTL_BUCKETS] = { 0 };
	size_t n = 0, sum = 0;
	int64_t loss_us;

	if (!levers->waiting || !levers->waiting(levers->arg, 0))
		return 0;
	for (const struct deed *deed = story->deeds; deed; deed = deed->hh.next) {
		struct ctl_gate gate = hold_gate(act, deed->target.id, &loss_us);

		for (size_t i = 0; i < CTL_BUCKETS && gate.buckets[i]; i++) {
			bool is_known = false;

			for (size_t j = 0; j < n; j++)
				is_known |= buckets[j] == gate.buckets[i];
			if (is_known || n == CTL_BUCKETS)
				continue;
			buckets[n++] = gate.buckets[i];
			sum += levers->waiting(levers->arg, gate.buckets[i]);
		}
	}
	return sum;
}

struct ctl_grant fuse_update(const struct policy_pulse *pulse, const struct ctl_take *take,
			     size_t waiting)
{
	uint64_t late = pulse->line / CUT_SHARE, ahead = (uint64_t)(pulse->left - pulse->room);
	uint64_t theirs = waiting >= pulse->n_flights ? ahead : ahead / pulse->n_flights * waiting;
	struct ctl_grant grant = {
		.granted_nanos = take->taken_nanos + take->streamed_nanos + (uint64_t)pulse->room +
				 theirs,
		.reserve_nanos = pulse->mean ?: 1,
		.per_kib_nanos = pulse->per_kib,
		.cut_nanos = UINT64_MAX,
	};

	if (!pulse->lets_flow)
		grant.cut_nanos = take->streamed_nanos + late +
				  (pulse->left > 0 ? (uint64_t)pulse->left : 0);
	return grant;
}

/* No row: it stops nobody before its budget is spent, and what stops somebody then is written down. */
static void fuse(struct act *act, struct deed *deed, bool is_new, int64_t now_us)
{
	int err;

	if (deed->holds)
		return;
	err = bucket_open(act, deed->story);
	if (!err)
		err = hold_take(act, deed);
	if (!err)
		err = gate_pull(act, deed->target.id);
	if (err)
		(void)hold_drop(act, deed);
	deed->error = err;
}

void fuse_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us)
{
	gate_each(act, story, verdict, subject, now_us, fuse);
}
