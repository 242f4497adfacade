/* SPDX-License-Identifier: Apache-2.0 */
/* The two clocks: monotonic for order, leases and durations; wall for what is written down. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

#define NS_PER_S  1000000000ULL
#define NS_PER_MS 1000000ULL
#define US_PER_S  1000000LL

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/* Microseconds since the epoch: the ledger's time. */
static inline int64_t clock_wall_us(void)
{
	return (int64_t)(clock_ns(CLOCK_REALTIME) / 1000);
}

/*
 * From now to a moment of the wall clock, for a timer: at least 1 ns, and at most `most_ns`, since that
 * clock may be set meanwhile.
 */
static inline uint64_t clock_until_ns(int64_t wall_us, uint64_t most_ns)
{
	int64_t now_us = clock_wall_us();

	if (wall_us <= now_us)
		return 1;
	/* both are positive: no overflow */
	return (uint64_t)(wall_us - now_us) < most_ns / 1000 ? (uint64_t)(wall_us - now_us) * 1000 :
							       most_ns;
}

#endif
