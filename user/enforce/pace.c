/* SPDX-License-Identifier: Apache-2.0 */
/* Pace: gates that let a request go when its bucket has credit, and the credit as time passes; fuses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"

static int allowed(struct enforcer *enforcer, struct incident *incident,
		   const struct ctl_allowance *allowed)
{
	return enforcer->actuators.allowed ? enforcer->actuators.allowed(enforcer->actuators.arg,
									 incident->bucket, allowed) :
					     -EOPNOTSUPP;
}

int bucket_open(struct enforcer *enforcer, struct incident *incident)
{
	const struct ctl_allowance none = { .reserve_nanos = 1, .cut_nanos = UINT64_MAX };
	int err;

	if (incident->bucket)
		return 0;
	if (enforcer->n_buckets >= CTL_BUCKETS_MAX)
		return -ENOSPC;
	incident->bucket = ++enforcer->buckets ?: ++enforcer->buckets; /* 0 is no bucket */
	if (incident_is_allowance(incident))
		incident->allowance = (struct allowance){ 0 };
	else
		bucket_begin(&incident->pace, incident->step->pace_per_hour);
	err = allowed(enforcer, incident, &none);
	if (err) {
		incident->bucket = 0;
		return err;
	}
	enforcer->n_buckets++;
	enforcer->n_allowances += incident_is_allowance(incident);
	return 0;
}

void bucket_close(struct enforcer *enforcer, struct incident *incident)
{
	if (!incident->bucket)
		return;
	(void)allowed(enforcer, incident, NULL);
	incident->bucket = 0;
	enforcer->n_buckets--;
	enforcer->n_allowances -= incident_is_allowance(incident);
}

#define RATE_LEN (MONEY_LEN + 16)

static const char *rate(const struct incident *incident, char text[RATE_LEN])
{
	char money[MONEY_LEN];
	int64_t per_hour = incident->step->pace_per_hour;

	if (policy_in_money(incident->budget))
		snprintf(text, RATE_LEN, "%s USD/hour", money_format(per_hour, money));
	else
		snprintf(text, RATE_LEN, "%lld tokens/hour", (long long)per_hour);
	return text;
}

static void pace(struct enforcer *enforcer, struct applied *applied, bool is_new, int64_t now_us)
{
	bool held_before = applied->holds;
	int err = bucket_open(enforcer, applied->incident);
	char text[RATE_LEN];

	if (!err)
		err = hold_take(enforcer, applied);
	if (!err)
		err = gate_pull(enforcer, applied->target.id);
	if (err && !held_before)
		(void)hold_drop(enforcer, applied);
	if (!is_new && err == applied->error)
		return;
	applied->error = err;
	if (err)
		applied_write(enforcer, applied, now_us, "failed: %s", strerror(-err));
	else
		applied_write(enforcer, applied, now_us, "done: %s", rate(applied->incident, text));
}

void pace_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us)
{
	gate_each(enforcer, incident, verdict, subject, now_us, pace);
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
		    !policy_stands(policy, incident->budget, incident->step,
				   incident_name(incident), false, now_us)) {
			incident_drop(enforcer, incident, NULL, now_us);
			continue;
		}
		if (!enforcer->actuators.taken ||
		    enforcer->actuators.taken(enforcer->actuators.arg, incident->bucket, &take) ||
		    !policy_usage_snapshot(policy, incident->budget, incident_name(incident),
					   &snapshot))
			continue;
		if (incident_is_allowance(incident))
			now = allowance_update(&incident->allowance, &snapshot, &take,
					       allowance_waiting(enforcer, incident), now_us);
		else
			now = bucket_update(&incident->pace, &snapshot, &take, now_us);
		n_busy += !incident_is_allowance(incident) || snapshot.n_flights;
		(void)allowed(enforcer, incident, &now);
	}
	return n_busy;
}

bool enforcer_has_allowance(const struct enforcer *enforcer)
{
	return enforcer->n_allowances;
}
