/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arithmetic of one bucket of control.h: what a paced counter has earned, paid and holds for
 * requests in flight. No clock, no map: time, charges and takes are parameters.
 */
#ifndef ENFORCE_BUCKET_H
#define ENFORCE_BUCKET_H

#include <stdint.h>

#include "control.h"
#include "budget/policy.h"

/* What is not spent is kept for so long: after a pause no more than a minute's money at once. */
#define BUCKET_KEEP_US 60000000LL
/* Credit taken for calls that never appear is returned after this long without a call in flight. */
#define BUCKET_QUIET_US 30000000LL

struct bucket {
	int64_t per_hour;     /* nano-dollars or tokens */
	int64_t now_us;       /* of the last update; 0: none yet */
	int64_t rest;         /* of the division by an hour */
	int64_t moved_us;     /* when something was last taken or settled */
	uint64_t granted;     /* as control.h has it; may lie below 0, as two's complement */
	uint64_t outstanding; /* taken and not settled */
	uint64_t n_outstanding;
	struct policy_usage_snapshot snapshot; /* as of the last update */
	struct ctl_consumed take;
};

/* Begins at no credit: the first request waits for the first update after it. */
void bucket_begin(struct bucket *bucket, int64_t per_hour);
/*
 * Brings it up to date with the charges of its counter and what the kernel has taken; returns what
 * the kernel is to be given. A clock that goes back earns nothing; one that jumps forward no more
 * than what is kept. Charges of another epoch than the last begin a new count.
 */
struct ctl_allowance bucket_update(struct bucket *bucket,
				   const struct policy_usage_snapshot *snapshot,
				   const struct ctl_consumed *take, int64_t now_us);

#endif
