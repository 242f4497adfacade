/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuses: what is left of a budget that is nearly spent lies in a bucket of the kernel's (control.h),
 * which takes for each request and each answer's bytes and holds what begins when it is empty. What
 * calls truly cost refills it, each time this comes round, so it is only ever ahead of user space by
 * what that has not seen yet; and if user space is late, or gone, the kernel stops by itself.
 */
#include <errno.h>

#include "base/clock.h"
#include "enforce/incident.h"

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

/* Events of a call and its packets come this far apart at most, on a busy host. */
#define EVEN_US US_PER_S

/*
 * Calls that run: those that were seen to begin and do not wait, and those that the kernel let go and
 * nobody here has seen yet. What only one side has seen for a second, the other never will: requests
 * that are no calls, calls that left together on one HTTP/2 connection.
 */
static uint64_t running(struct fuse *fuse, const struct policy_pulse *pulse,
			const struct ctl_take *take, size_t waiting, int64_t now_us)
{
	int64_t seen = (int64_t)pulse->n_flights - (int64_t)waiting;
	int64_t unseen = (int64_t)(take->admitted - pulse->landed) - seen - fuse->apart;

	if (!unseen || !fuse->even_us || now_us < fuse->even_us || now_us - fuse->even_us > EVEN_US) {
		fuse->apart += unseen;
		fuse->even_us = now_us;
		unseen = 0;
	}
	if (unseen > 0)
		seen += unseen;
	return seen > 0 ? (uint64_t)seen : 0;
}

/* What n calls that run will still cost. */
static uint64_t still_to_cost(const struct policy_pulse *pulse, uint64_t n)
{
	if (n <= pulse->n_flights)
		return n ? pulse->ahead / pulse->n_flights * n : 0;
	return pulse->ahead + (n - pulse->n_flights) * pulse->mean;
}

struct ctl_grant fuse_update(struct fuse *fuse, const struct policy_pulse *pulse,
			     const struct ctl_take *take, size_t waiting, int64_t now_us)
{
	uint64_t ahead = still_to_cost(pulse, running(fuse, pulse, take, waiting, now_us));
	struct ctl_grant grant = {
		.granted_nanos = take->taken_nanos + take->streamed_nanos + (uint64_t)pulse->left -
				 ahead,
		.reserve_nanos = pulse->mean ?: 1,
		.per_kib_nanos = pulse->per_kib,
		.cut_nanos = UINT64_MAX,
	};

	if (!pulse->lets_flow)
		grant.cut_nanos = take->streamed_nanos + pulse->line / CUT_SHARE +
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
