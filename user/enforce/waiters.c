/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/waiters.h"

#include <errno.h>
#include <stdlib.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "pipeline/pipeline.h"
#include "tap/tap.h"

struct entry {
	UT_hash_handle hh;
	uint32_t bucket;
	struct ctl_grant grant;
	int64_t credit; /* for this look */
};

struct waiter {
	uint64_t cookie;
	struct ctl_hold hold;
};

struct pacer {
	struct tap *tap;
	struct pipeline *pipeline;
	struct entry *entries;
	struct waiter *waiters; /* room for CTL_HOLDS_MAX, made at the first pace */
	size_t n;
	struct pacer_stats stats;
};

int pacer_new(struct pacer **ret, struct tap *tap)
{
	struct pacer *pacer = calloc(1, sizeof(*pacer));

	if (!pacer)
		return -ENOMEM;
	pacer->tap = tap;
	*ret = pacer;
	return 0;
}

void pacer_join(struct pacer *pacer, struct pipeline *pipeline)
{
	pacer->pipeline = pipeline;
}

static struct entry *find(const struct pacer *pacer, uint32_t bucket)
{
	struct entry *entry;

	HASH_FIND(hh, pacer->entries, &bucket, sizeof(bucket), entry);
	return entry;
}

static int add(struct pacer *pacer, uint32_t bucket, struct entry **ret)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!pacer->waiters)
		pacer->waiters = calloc(CTL_HOLDS_MAX, sizeof(*pacer->waiters));
	if (!entry || !pacer->waiters) {
		free(entry);
		return -ENOMEM;
	}
	entry->bucket = bucket;
	HASH_ADD(hh, pacer->entries, bucket, sizeof(entry->bucket), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	*ret = entry;
	return 0;
}

static void drop(struct pacer *pacer, struct entry *entry)
{
	HASH_DEL(pacer->entries, entry);
	free(entry);
}

int pacer_grant(struct pacer *pacer, uint32_t bucket, const struct ctl_grant *grant)
{
	struct entry *entry = find(pacer, bucket);
	int err = 0;

	if (!grant) {
		if (entry)
			drop(pacer, entry);
		return tap_grant_clear(pacer->tap, bucket);
	}
	if (!entry)
		err = add(pacer, bucket, &entry);
	if (err)
		return err;
	entry->grant = *grant;
	return tap_grant_set(pacer->tap, bucket, grant);
}

static void collect(void *arg, uint64_t cookie, const struct ctl_hold *hold)
{
	struct pacer *pacer = arg;

	if (hold->bucket && pacer->n < CTL_HOLDS_MAX)
		pacer->waiters[pacer->n++] = (struct waiter){ .cookie = cookie, .hold = *hold };
}

static int by_patience(const void *a, const void *b)
{
	const struct waiter *first = a, *second = b;

	return (first->hold.since_ns > second->hold.since_ns) -
	       (first->hold.since_ns < second->hold.since_ns);
}

static void read_credits(struct pacer *pacer)
{
	struct entry *entry, *next;
	struct ctl_take take;

	HASH_ITER(hh, pacer->entries, entry, next) {
		if (tap_take_get(pacer->tap, entry->bucket, &take))
			take = (struct ctl_take){ .taken_nanos = entry->grant.granted_nanos };
		entry->credit = (int64_t)(entry->grant.granted_nanos - take.taken_nanos -
					  take.streamed_nanos);
	}
}

static void wake(struct pacer *pacer, const struct waiter *waiter)
{
	if (tap_wake(waiter->cookie, &waiter->hold))
		pacer->stats.unwoken++;
	else
		pacer->stats.woken++;
}

size_t pacer_look(struct pacer *pacer, uint64_t now_ns)
{
	read_credits(pacer);
	pacer->stats.waiting = pacer->n;
	for (size_t i = 0; i < pacer->n; i++) {
		const struct waiter *waiter = &pacer->waiters[i];
		struct entry *entry = find(pacer, waiter->hold.bucket);

		if (!entry || entry->credit > 0) {
			if (entry)
				entry->credit -= (int64_t)entry->grant.reserve_nanos;
			wake(pacer, waiter);
		} else if (now_ns - waiter->hold.since_ns > PACER_PATIENCE_NS && pacer->pipeline &&
			   pipeline_reset(pacer->pipeline, waiter->cookie)) {
			pacer->stats.turned_away++;
		}
	}
	return pacer->n;
}

void pacer_read(struct pacer *pacer)
{
	if (!pacer || !pacer->waiters)
		return;
	pacer->n = 0;
	(void)tap_holds(pacer->tap, collect, pacer);
	qsort(pacer->waiters, pacer->n, sizeof(*pacer->waiters), by_patience);
}

size_t pacer_waiting(const struct pacer *pacer, uint32_t bucket)
{
	size_t n = 0;

	for (size_t i = 0; i < pacer->n; i++)
		n += !bucket || pacer->waiters[i].hold.bucket == bucket;
	return n;
}

struct pacer *pacer_free(struct pacer *pacer)
{
	struct entry *entry, *next;

	if (!pacer)
		return NULL;
	for (size_t i = 0; i < pacer->n; i++)
		wake(pacer, &pacer->waiters[i]);
	HASH_ITER(hh, pacer->entries, entry, next)
		drop(pacer, entry);
	free(pacer->waiters);
	free(pacer);
	return NULL;
}

void pacer_stats(const struct pacer *pacer, struct pacer_stats *ret)
{
	*ret = pacer->stats;
}
