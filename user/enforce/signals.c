/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to what an action was applied to: a process, or a cgroup. */
#include <errno.h>

#include "enforce/family.h"
#include "enforce/incident.h"

/* 0 if anybody was there to take it; else the first error. */
static int signal_family(const struct enforcer_ops *actuators, const struct family *family,
			 int signal)
{
	int err = -ESRCH;
	bool has_taken = false;

	if (!actuators->signal)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < family->n; i++) {
		const struct family_member *member = &family->members[i];
		int one = actuators->signal(actuators->arg, member->tgid, member->start_ticks,
					    signal);

		has_taken |= !one;
		if (one && one != -ESRCH && err == -ESRCH)
			err = one;
	}
	return has_taken ? 0 : err;
}

int signal_pull(struct enforcer *enforcer, const struct applied *applied, int signal)
{
	const struct enforcer_ops *actuators = &enforcer->actuators;

	if (applied->family)
		return signal_family(actuators, applied->family, signal);
	if (applied->group)
		return actuators->signal_cgroup ?
			       actuators->signal_cgroup(actuators->arg, applied->group, signal) :
			       -EOPNOTSUPP;
	return actuators->signal ? actuators->signal(actuators->arg, (uint32_t)applied->target.tgid,
						     applied->target.id, signal) :
				   -EOPNOTSUPP;
}
