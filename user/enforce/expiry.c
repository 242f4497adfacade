/* SPDX-License-Identifier: Apache-2.0 */
/* When the first incident ends: one timer for all of them. */
#include "base/clock.h"
#include "base/loop.h"
#include "enforce/incident.h"

#define EXPIRY_MAX_NS (60 * NS_PER_S) /* the wall clock may be set meanwhile */

void expiry_arm(struct enforcer *enforcer)
{
	if (enforcer->expiry)
		(void)loop_arm(enforcer->expiry,
			       enforcer->next_us == INT64_MAX ?
				       0 :
				       clock_until_ns(enforcer->next_us, EXPIRY_MAX_NS));
}

void enforcer_expire_at(struct enforcer *enforcer, int64_t at_us)
{
	if (at_us >= enforcer->next_us)
		return;
	enforcer->next_us = at_us;
	expiry_arm(enforcer);
}
