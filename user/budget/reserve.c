/* SPDX-License-Identifier: Apache-2.0 */
/* Calls in flight: what each has cost so far and will probably cost, reserved of its counters. */
#include <stdlib.h>
#include <string.h>

#include "budget/policy_internal.h"

#define FLOW_BYTES 512 /* of an answer, between two looks at what it costs: two or three events */

static void land(struct policy *policy, uint64_t id, bool is_over)
{
	struct flight *flight;

	HASH_FIND(hh, policy->flights, &id, sizeof(id), flight);
	if (!flight)
		return;
	HASH_DEL(policy->flights, flight);
	for (size_t i = 0; i < flight->n; i++)
		counter_release(flight->reservations[i].counters, flight->reservations[i].counter,
				flight->reservations[i].so_far, flight->reservations[i].reserved,
				is_over);
	free(flight);
}

void policy_release(struct policy *policy, uint64_t id)
{
	land(policy, id, true);
}

/* The last mark of a call: two marks give the cost of its answer per byte. */
static struct mark mark_of(const struct policy *policy, uint64_t id)
{
	const struct flight *flight;

	HASH_FIND(hh, policy->flights, &id, sizeof(id), flight);
	return flight ? flight->mark : (struct mark){ 0 };
}

/* What a KiB of it has cost since the mark, and the next mark. False: too little has come since. */
static bool flows(struct mark *mark, const struct counter_charge *cost, uint64_t bytes,
		  struct mark *ret_per_kib)
{
	struct mark now = { .bytes = bytes, .nanos = cost->nanos, .tokens = cost->tokens },
		    old = *mark;

	if (old.bytes && bytes < old.bytes + FLOW_BYTES)
		return false;
	*mark = now;
	if (!old.bytes || now.nanos < old.nanos || now.tokens < old.tokens)
		return false;
	*ret_per_kib =
		(struct mark){ .nanos = (now.nanos - old.nanos) * 1024 / (bytes - old.bytes),
			       .tokens = (now.tokens - old.tokens) * 1024 / (bytes - old.bytes) };
	return true;
}

/* A call in flight with room for what it reserves of n counters. NULL: no room in POLICY_FLIGHTS, or no memory. */
static struct flight *flight_new(struct policy *policy, uint64_t id, size_t n)
{
	struct flight *flight;

	if (HASH_COUNT(policy->flights) >= POLICY_FLIGHTS)
		return NULL;
	flight = calloc(1, sizeof(*flight) + n * sizeof(flight->reservations[0]));
	if (!flight)
		return NULL;
	flight->id = id;
	HASH_ADD(hh, policy->flights, id, sizeof(flight->id), flight);
	if (flight->hh.tbl)
		return flight;
	free(flight);
	return NULL;
}

/* Reserves of one counter what the call has cost so far and will probably cost. False: no memory. */
static bool reserve_of(struct policy *policy, const struct subject_entry *entry,
		       struct membership *membership, const struct policy_subject *subject,
		       const struct counter_charge costs[POLICY_ESTIMATES], struct reservation *ret)
{
	struct counters *counters = membership->counters;
	struct counter *counter = policy_counter_of(policy, membership, subject, true);
	const struct counter_charge *cost;

	if (!counter)
		return false;
	/* Others may have spent it all: what they say comes while this call runs. */
	if (counters->is_shared && !entry->is_protected && strcmp(subject->group->path, "/"))
		counter_join(counter, subject->group->cgroup);
	cost = &costs[counter->estimates];
	ret->counters = counters;
	ret->counter = counter;
	ret->so_far = counter_reserve(counters, counter,
				      counters->is_in_money ? cost->nanos : cost->tokens,
				      &ret->reserved);
	return true;
}

void policy_reserve(struct policy *policy, const struct policy_subject *subject, uint64_t id,
		    const struct charge *so_far, int64_t now_us, struct verdict_iter *ret)
{
	struct mark mark = mark_of(policy, id), per_kib;
	struct counter_charge costs[POLICY_ESTIMATES];
	const struct counter_charge *cost = &costs[POLICY_EXPECTED];
	struct flight *flight;
	struct subject_entry *entry;
	bool is_flowing;

	land(policy, id, false);
	entry = policy_recall(policy, subject, ret);
	if (!entry || !entry->n_memberships)
		return;
	flight = flight_new(policy, id, entry->n_memberships);
	if (!flight) {
		policy->unreserved++;
		return;
	}
	policy_read(so_far, 0, costs);
	is_flowing = flows(&mark, cost, so_far->response_bytes, &per_kib);
	flight->mark = mark;
	for (size_t i = 0; i < entry->n_memberships; i++) {
		struct reservation *reservation = &flight->reservations[flight->n];
		struct membership *membership = &entry->memberships[i];

		counters_roll(membership->counters, now_us);
		if (!reserve_of(policy, entry, membership, subject, costs, reservation))
			continue;
		if (is_flowing)
			counter_flow(reservation->counter, membership->counters->is_in_money ?
								   per_kib.nanos :
								   per_kib.tokens);
		policy_fill_verdict(policy, i, reservation->counter);
		flight->n++;
	}
}
