/* SPDX-License-Identifier: Apache-2.0 */
/* The credit of buckets as time passes and charges arrive: of what is paced, and of allowances. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "enforce/incident.h"

/*
 * What is dropped on its way in is repeated after a fifth of a second at the earliest. So answers are
 * cut here only where user space, which resets connections, is late by more than this share of the limit.
 */
#define CUT_SHARE 200

size_t allowance_waiting(const struct enforcer *enforcer, const struct incident *incident)
{
	const struct enforcer_ops *actuators = &enforcer->actuators;
	uint32_t buckets[CTL_BUCKETS] = { 0 };
	size_t n = 0, sum = 0;
	int64_t loss_us;

	if (!actuators->waiting || !actuators->waiting(actuators->arg, 0))
		return 0;
	for (const struct applied *applied = incident->applied_list; applied;
	     applied = applied->hh.next) {
		struct ctl_gate gate = hold_gate(enforcer, applied->target.id, &loss_us);

		for (size_t i = 0; i < CTL_BUCKETS && gate.buckets[i]; i++) {
			bool is_known = false;

			for (size_t j = 0; j < n; j++)
				is_known |= buckets[j] == gate.buckets[i];
			if (is_known || n == CTL_BUCKETS)
				continue;
			buckets[n++] = gate.buckets[i];
			sum += actuators->waiting(actuators->arg, gate.buckets[i]);
		}
	}
	return sum;
}

/* Events of a call and its packets come this far apart at most, on a busy host. */
#define EVEN_US US_PER_S

/*
 * Calls that run: those that were seen to begin and do not wait, and those that the kernel admitted
 * and whose events have not arrived yet. What only one side has seen for a second, the other never will: requests
 * that are no calls, calls that left together on one HTTP/2 connection.
 */
static uint64_t running(struct allowance *allowance, const struct policy_usage_snapshot *snapshot,
			const struct ctl_consumed *take, size_t waiting, int64_t now_us)
{
	int64_t seen = (int64_t)snapshot->n_flights - (int64_t)waiting;
	int64_t unseen = (int64_t)(take->admitted - snapshot->landed) - seen - allowance->apart;

	if (!unseen || !allowance->even_us || now_us < allowance->even_us ||
	    now_us - allowance->even_us > EVEN_US) {
		allowance->apart += unseen;
		allowance->even_us = now_us;
		unseen = 0;
	}
	if (unseen > 0)
		seen += unseen;
	return seen > 0 ? (uint64_t)seen : 0;
}

/* What n calls that run will still cost. */
static uint64_t still_to_cost(const struct policy_usage_snapshot *snapshot, uint64_t n)
{
	if (n <= snapshot->n_flights)
		return n ? snapshot->reserved / snapshot->n_flights * n : 0;
	return snapshot->reserved + (n - snapshot->n_flights) * snapshot->mean;
}

struct ctl_allowance allowance_update(struct allowance *allowance,
				      const struct policy_usage_snapshot *snapshot,
				      const struct ctl_consumed *take, size_t waiting,
				      int64_t now_us)
{
	uint64_t reserved = still_to_cost(snapshot,
					  running(allowance, snapshot, take, waiting, now_us));
	struct ctl_allowance allowed = {
		.granted_nanos = take->consumed_nanos + take->streamed_nanos +
				 (uint64_t)snapshot->left - reserved,
		.reserve_nanos = snapshot->mean ?: 1,
		.per_kib_nanos = snapshot->per_kib,
		.cut_nanos = UINT64_MAX,
	};

	if (!snapshot->lets_flow)
		allowed.cut_nanos = take->streamed_nanos + snapshot->line / CUT_SHARE +
				    (snapshot->left > 0 ? (uint64_t)snapshot->left : 0);
	return allowed;
}

size_t enforcer_pace(struct enforcer *enforcer, struct policy *policy, int64_t now_us)
{
	struct incident *incident, *next;
	struct policy_usage_snapshot snapshot;
	struct ctl_allowance now;
	struct ctl_consumed take;
	size_t n_busy = 0;

	if (!enforcer->n_buckets)
		return 0;
	HASH_ITER(hh, enforcer->incidents, incident, next) {
		if (!incident->bucket)
			continue;
		if (incident_is_allowance(incident) &&
		    !policy_stands(policy, incident->key.budget, incident->key.step,
				   incident->key.name, false, now_us)) {
			incident_drop(enforcer, incident, NULL, now_us);
			continue;
		}
		if (!enforcer->actuators.taken ||
		    enforcer->actuators.taken(enforcer->actuators.arg, incident->bucket, &take) ||
		    !policy_usage_snapshot(policy, incident->key.budget, incident->key.name,
					   &snapshot))
			continue;
		if (incident_is_allowance(incident))
			now = allowance_update(&incident->allowance, &snapshot, &take,
					       allowance_waiting(enforcer, incident), now_us);
		else
			now = bucket_update(&incident->pace, &snapshot, &take, now_us);
		n_busy += !incident_is_allowance(incident) || snapshot.n_flights;
		(void)bucket_allow(enforcer, incident, &now);
	}
	return n_busy;
}

bool enforcer_has_allowance(const struct enforcer *enforcer)
{
	return enforcer->n_allowances;
}
