/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/bucket.h"

#include "base/clock.h"

#define HOUR_US (3600 * US_PER_S)

void bucket_begin(struct bucket *bucket, int64_t per_hour)
{
	*bucket = (struct bucket){ .per_hour = per_hour };
}

/* Money of so much time, to the last nano-dollar over the years. */
static uint64_t earn(struct bucket *bucket, int64_t us)
{
	__int128 sum;

	if (us <= 0)
		return 0;
	if (us > 2 * BUCKET_KEEP_US)
		us = 2 * BUCKET_KEEP_US;
	sum = (__int128)bucket->per_hour * us + bucket->rest;
	bucket->rest = (int64_t)(sum % HOUR_US);
	return (uint64_t)(sum / HOUR_US);
}

/* n calls are settled: what was held for them, which is the mean, goes back. */
static void settle(struct bucket *bucket, uint64_t n)
{
	uint64_t back = bucket->outstanding;

	if (!bucket->n_outstanding)
		return;
	if (n < bucket->n_outstanding)
		back = (uint64_t)((unsigned __int128)back * n / bucket->n_outstanding);
	else
		n = bucket->n_outstanding;
	bucket->n_outstanding -= n;
	bucket->outstanding -= back;
	bucket->granted += back;
}

static void take_in(struct bucket *bucket, const struct policy_usage_snapshot *snapshot,
		    const struct ctl_consumed *take, int64_t now_us)
{
	uint64_t taken = take->consumed_nanos - bucket->take.consumed_nanos;
	uint64_t settled = 0;

	bucket->outstanding += taken;
	bucket->n_outstanding += take->admitted - bucket->take.admitted;
	/* Fewer than before: the counter was dropped and created again. */
	if (snapshot->epoch == bucket->snapshot.epoch && snapshot->calls >= bucket->snapshot.calls &&
	    snapshot->charged >= bucket->snapshot.charged) {
		settled = snapshot->calls - bucket->snapshot.calls;
		bucket->granted -= snapshot->charged - bucket->snapshot.charged;
	}
	settle(bucket, settled);
	if (taken || settled || snapshot->n_flights || now_us < bucket->moved_us)
		bucket->moved_us = now_us;
	if (now_us - bucket->moved_us >= BUCKET_QUIET_US)
		settle(bucket, bucket->n_outstanding);
	bucket->take = *take;
	bucket->snapshot = *snapshot;
}

struct ctl_allowance bucket_update(struct bucket *bucket,
				   const struct policy_usage_snapshot *snapshot,
				   const struct ctl_consumed *take, int64_t now_us)
{
	int64_t kept = bucket->per_hour / (HOUR_US / BUCKET_KEEP_US), credit;

	if (!bucket->now_us) {
		bucket->snapshot = *snapshot;
		bucket->now_us = bucket->moved_us = now_us;
	}
	bucket->granted += earn(bucket, now_us - bucket->now_us);
	bucket->now_us = now_us;
	take_in(bucket, snapshot, take, now_us);
	credit = (int64_t)(bucket->granted - take->consumed_nanos);
	if (credit > (kept > 0 ? kept : 1))
		bucket->granted -= (uint64_t)(credit - (kept > 0 ? kept : 1));
	return (struct ctl_allowance){ .granted_nanos = bucket->granted,
				       .reserve_nanos = snapshot->mean ? snapshot->mean :
							kept > 0       ? (uint64_t)kept :
									 1,
				       .cut_nanos = UINT64_MAX };
}
