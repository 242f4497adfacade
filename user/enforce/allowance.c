/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allowances: what is left of a budget that is nearly spent lies in a bucket of the kernel's
 * (control.h), which charges each request and each answer's bytes to it and holds what begins when
 * it is empty. credit.c refills it with what calls truly cost, so the kernel is ahead of user space
 * only by what that has not seen yet; and if user space is late, or gone, the kernel stops by itself.
 */
#include "enforce/incident.h"

/* No row: it stops no call before its budget is spent; what stops one then is written down. */
static void allowance(struct enforcer *enforcer, struct applied *applied, bool is_new,
		      int64_t now_us)
{
	int err;

	if (applied->holds)
		return;
	err = bucket_open(enforcer, applied->incident);
	if (!err)
		err = hold_take(enforcer, applied);
	if (!err)
		err = gate_pull(enforcer, applied->target.id);
	if (err)
		(void)hold_drop(enforcer, applied);
	applied->error = err;
}

void allowance_apply(struct enforcer *enforcer, struct incident *incident,
		     const struct policy_verdict *verdict, const struct policy_subject *subject,
		     int64_t now_us)
{
	gate_each(enforcer, incident, verdict, subject, now_us, allowance);
}
