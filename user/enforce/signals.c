/* SPDX-License-Identifier: Apache-2.0 */
/* Signals to what an action was applied to: a process, or a cgroup. */
#include <errno.h>

#include "enforce/incident.h"

int signal_pull(struct enforcer *enforcer, const struct applied *applied, int signal)
{
	const struct enforcer_ops *actuators = &enforcer->actuators;

	if (applied->group)
		return actuators->signal_cgroup ?
			       actuators->signal_cgroup(actuators->arg, applied->group, signal) :
			       -EOPNOTSUPP;
	return actuators->signal ? actuators->signal(actuators->arg, (uint32_t)applied->target.tgid,
						     applied->target.id, signal) :
				   -EOPNOTSUPP;
}
