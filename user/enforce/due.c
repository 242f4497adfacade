/* SPDX-License-Identifier: Apache-2.0 */
/* When something is due for a target: a SIGKILL, or a look at what came of it. */
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/incident.h"

void due_at(struct enforcer *enforcer, struct applied *applied, uint64_t at_ns)
{
	if (!applied->due_ns)
		LIST_INSERT_HEAD(&enforcer->pending, applied, pending);
	applied->due_ns = at_ns;
	due_arm(enforcer);
}

void due_drop(struct applied *applied)
{
	if (applied->due_ns)
		LIST_REMOVE(applied, pending);
	applied->due_ns = applied->look_until_ns = 0;
}

void due_arm(struct enforcer *enforcer)
{
	uint64_t now_ns = clock_mono_ns(), after_ns = 0;
	struct applied *applied;

	LIST_FOREACH(applied, &enforcer->pending, pending) {
		uint64_t wait_ns = applied->due_ns > now_ns ? applied->due_ns - now_ns : 1;

		if (!after_ns || wait_ns < after_ns)
			after_ns = wait_ns;
	}
	if (enforcer->grace)
		(void)loop_arm(enforcer->grace, after_ns);
}
