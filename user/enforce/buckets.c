/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's buckets (control.h) that incidents have: pace and allowance. */
#include <errno.h>

#include "enforce/incident.h"

int bucket_allow(struct enforcer *enforcer, struct incident *incident,
		 const struct ctl_allowance *allowed)
{
	const struct enforcer_ops *ops = &enforcer->actuators;

	return ops->allowed ? ops->allowed(ops->arg, incident->bucket, allowed) : -EOPNOTSUPP;
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
		bucket_begin(&incident->pace, incident->key.step->pace_per_hour);
	err = bucket_allow(enforcer, incident, &none);
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
	(void)bucket_allow(enforcer, incident, NULL);
	incident->bucket = 0;
	enforcer->n_buckets--;
	enforcer->n_allowances -= incident_is_allowance(incident);
}
