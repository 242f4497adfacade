/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/waiters.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"
#include "tap/tap.h"

struct entry {
	UT_hash_handle hh;
	uint32_t bucket;
	struct ctl_allowance allowed;
	int64_t credit; /* for this look */
};

struct waiter {
	uint64_t cookie;
	struct ctl_hold hold;
};

struct waiters {
	struct tap *tap;
	bool (*reset)(void *arg, uint64_t cookie);
	void *reset_arg;
	struct entry *entries;
	struct waiter *waiters; /* room for CTL_HOLDS_MAX, made at the first pace */
	size_t n;
	struct waiters_stats stats;
};

int waiters_new(struct waiters **ret, struct tap *tap, bool (*reset)(void *arg, uint64_t cookie),
		void *arg)
{
	struct waiters *waiters = calloc(1, sizeof(*waiters));

	if (!waiters)
		return -ENOMEM;
	waiters->tap = tap;
	waiters->reset = reset;
	waiters->reset_arg = arg;
	*ret = waiters;
	return 0;
}

static struct entry *find(const struct waiters *waiters, uint32_t bucket)
{
	struct entry *entry;

	HASH_FIND(hh, waiters->entries, &bucket, sizeof(bucket), entry);
	return entry;
}

static int add(struct waiters *waiters, uint32_t bucket, struct entry **ret)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!waiters->waiters)
		waiters->waiters = calloc(CTL_HOLDS_MAX, sizeof(*waiters->waiters));
	if (!entry || !waiters->waiters) {
		free(entry);
		return -ENOMEM;
	}
	entry->bucket = bucket;
	HASH_ADD(hh, waiters->entries, bucket, sizeof(entry->bucket), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	*ret = entry;
	return 0;
}

static void drop(struct waiters *waiters, struct entry *entry)
{
	HASH_DEL(waiters->entries, entry);
	free(entry);
}

int waiters_allow(struct waiters *waiters, uint32_t bucket, const struct ctl_allowance *allowed)
{
	struct entry *entry = find(waiters, bucket);
	int err = 0;

	if (!allowed) {
		if (entry)
			drop(waiters, entry);
		return tap_allowance_clear(waiters->tap, bucket);
	}
	if (!entry)
		err = add(waiters, bucket, &entry);
	if (err)
		return err;
	entry->allowed = *allowed;
	return tap_allowance_set(waiters->tap, bucket, allowed);
}

static void collect(void *arg, uint64_t cookie, const struct ctl_hold *hold)
{
	struct waiters *waiters = arg;

	if (hold->bucket && waiters->n < CTL_HOLDS_MAX)
		waiters->waiters[waiters->n++] = (struct waiter){ .cookie = cookie, .hold = *hold };
}

static int by_patience(const void *a, const void *b)
{
	const struct waiter *first = a, *second = b;

	return (first->hold.since_ns > second->hold.since_ns) -
	       (first->hold.since_ns < second->hold.since_ns);
}

static void read_credits(struct waiters *waiters)
{
	struct entry *entry, *next;
	struct ctl_consumed take;

	HASH_ITER(hh, waiters->entries, entry, next) {
		if (tap_consumed_get(waiters->tap, entry->bucket, &take))
			take = (struct ctl_consumed){ .consumed_nanos =
							      entry->allowed.granted_nanos };
		entry->credit = (int64_t)(entry->allowed.granted_nanos - take.consumed_nanos -
					  take.streamed_nanos);
	}
}

static void wake(struct waiters *waiters, const struct waiter *waiter)
{
	if (tap_wake(waiter->cookie, &waiter->hold))
		waiters->stats.unwoken++;
	else
		waiters->stats.woken++;
}

size_t waiters_look(struct waiters *waiters, uint64_t now_ns)
{
	read_credits(waiters);
	waiters->stats.waiting = waiters->n;
	for (size_t i = 0; i < waiters->n; i++) {
		const struct waiter *waiter = &waiters->waiters[i];
		struct entry *entry = find(waiters, waiter->hold.bucket);

		if (!entry || entry->credit > 0) {
			if (entry)
				entry->credit -= (int64_t)entry->allowed.reserve_nanos;
			wake(waiters, waiter);
		} else if (now_ns - waiter->hold.since_ns > WAITERS_PATIENCE_NS && waiters->reset &&
			   waiters->reset(waiters->reset_arg, waiter->cookie)) {
			waiters->stats.turned_away++;
		}
	}
	return waiters->n;
}

void waiters_read(struct waiters *waiters)
{
	if (!waiters || !waiters->waiters)
		return;
	waiters->n = 0;
	(void)tap_holds(waiters->tap, collect, waiters);
	qsort(waiters->waiters, waiters->n, sizeof(*waiters->waiters), by_patience);
}

size_t waiters_waiting(const struct waiters *waiters, uint32_t bucket)
{
	size_t n = 0;

	for (size_t i = 0; i < waiters->n; i++)
		n += !bucket || waiters->waiters[i].hold.bucket == bucket;
	return n;
}

struct waiters *waiters_free(struct waiters *waiters)
{
	struct entry *entry, *next;

	if (!waiters)
		return NULL;
	for (size_t i = 0; i < waiters->n; i++)
		wake(waiters, &waiters->waiters[i]);
	HASH_ITER(hh, waiters->entries, entry, next)
		drop(waiters, entry);
	free(waiters->waiters);
	free(waiters);
	return NULL;
}

void waiters_stats(const struct waiters *waiters, struct waiters_stats *ret)
{
	*ret = waiters->stats;
}
