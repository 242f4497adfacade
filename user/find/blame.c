/* SPDX-License-Identifier: Apache-2.0 */
#include "find/blame.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/deadline.h"
#include "base/log.h"

#define RECORDS_MAX 256

/* What a cgroup did before; direct-mapped: a colliding one takes the place. */
struct record {
	uint64_t cgroup;
	uint64_t until_ns; /* it is left alone; 0: never was */
	uint64_t rest_ns;  /* for how long it was, last */
	uint64_t slow_ns;  /* when n_slow began to count */
	unsigned int n_slow;
};

struct stuck {
	uint64_t ticket; /* 0: a free place */
	struct blame_who who;
	uint64_t since_ns;
	uint32_t tgid;
	bool is_told;
};

struct blame {
	bool has_records;
	struct record records[RECORDS_MAX];
	struct stuck stuck[DEADLINE_LEFT_MAX];
	size_t n_stuck;
};

struct blame *blame_new(void)
{
	return calloc(1, sizeof(struct blame));
}

struct blame *blame_free(struct blame *blame)
{
	free(blame);
	return NULL;
}

static const struct record *slot_of(const struct blame *blame, uint64_t cgroup)
{
	/* Fibonacci hashing: the top 8 bits of a product with 2^64 / phi */
	_Static_assert(RECORDS_MAX == 1 << 8, "the shift below");
	return &blame->records[cgroup * 0x9e3779b97f4a7c15ULL >> 56];
}

static struct record *record_of(struct blame *blame, uint64_t cgroup)
{
	struct record *record = (struct record *)slot_of(blame, cgroup);

	if (record->cgroup != cgroup)
		*record = (struct record){ .cgroup = cgroup };
	blame->has_records = true;
	return record;
}

bool blame_has_any(const struct blame *blame)
{
	return blame->n_stuck || blame->has_records;
}

enum blame_verdict blame_verdict(const struct blame *blame, struct blame_who who, uint64_t now_ns)
{
	const struct record *record = slot_of(blame, who.cgroup);
	size_t of_tenant = 0;

	if (record->cgroup == who.cgroup && record->until_ns > now_ns)
		return BLAME_RESTS;
	for (size_t i = 0; blame->n_stuck && i < DEADLINE_LEFT_MAX; i++) {
		const struct stuck *stuck = &blame->stuck[i];

		if (stuck->ticket && stuck->who.cgroup == who.cgroup)
			return BLAME_RESTS;
		of_tenant += stuck->ticket && who.tenant && stuck->who.tenant == who.tenant;
	}
	return of_tenant >= BLAME_TENANT_MAX ? BLAME_TENANT : BLAME_NONE;
}

void blame_stuck(struct blame *blame, uint64_t ticket, struct blame_who who, uint32_t tgid,
		 uint64_t now_ns)
{
	for (size_t i = 0; i < DEADLINE_LEFT_MAX; i++) {
		if (blame->stuck[i].ticket)
			continue;
		blame->stuck[i] = (struct stuck){
			.ticket = ticket, .who = who, .tgid = tgid, .since_ns = now_ns
		};
		blame->n_stuck++;
		return;
	}
}

static bool was_slow(struct blame *blame, uint64_t cgroup, uint64_t took_ns, uint64_t now_ns)
{
	struct record *record = record_of(blame, cgroup);

	if (took_ns >= BLAME_SLOW_NS)
		return false;
	if (!record->slow_ns || now_ns - record->slow_ns > BLAME_NS) {
		record->slow_ns = now_ns;
		record->n_slow = 0;
	}
	return record->n_slow++ < BLAME_SLOW_MAX;
}

bool blame_ended(struct blame *blame, uint64_t ticket, uint64_t took_ns, uint64_t now_ns)
{
	struct stuck *stuck = blame->stuck;
	struct record *record;

	while (stuck < blame->stuck + DEADLINE_LEFT_MAX && stuck->ticket != ticket)
		stuck++;
	if (stuck == blame->stuck + DEADLINE_LEFT_MAX)
		return false;
	stuck->ticket = 0;
	blame->n_stuck--;
	if (was_slow(blame, stuck->who.cgroup, took_ns, now_ns))
		return true;
	record = record_of(blame, stuck->who.cgroup);
	if (!record->rest_ns)
		record->rest_ns = BLAME_NS;
	else if (record->rest_ns < BLAME_MAX_NS)
		record->rest_ns *= 2;
	record->until_ns = now_ns + record->rest_ns;
	return false;
}

static void tell(const struct stuck *stuck)
{
	if (stuck->tgid)
		log_warn("a look at process %u or at one of its files got stuck (a mount that hangs?): "
			 "until it ends, and for a minute or more after that, the processes of its "
			 "cgroup (id %llu) are not looked at, and the calls of those that are not "
			 "probed yet are estimated",
			 stuck->tgid, (unsigned long long)stuck->who.cgroup);
	else
		log_warn("a look at all processes at once got stuck (a mount that hangs?): they are "
			 "looked at one by one");
}

uint64_t blame_tell(struct blame *blame, uint64_t now_ns)
{
	uint64_t next_ns = 0;

	for (size_t i = 0; blame->n_stuck && i < DEADLINE_LEFT_MAX; i++) {
		struct stuck *stuck = &blame->stuck[i];
		uint64_t due_ns = stuck->since_ns + BLAME_SLOW_NS;

		if (!stuck->ticket || stuck->is_told)
			continue;
		if (due_ns > now_ns) {
			if (!next_ns || due_ns - now_ns < next_ns)
				next_ns = due_ns - now_ns;
			continue;
		}
		stuck->is_told = true;
		tell(stuck);
	}
	return next_ns;
}
