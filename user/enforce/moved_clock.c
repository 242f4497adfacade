/* SPDX-License-Identifier: Apache-2.0 */
/* What a wall clock that is set means to incidents: their ends are moments of it. */
#include "enforce/incident.h"

static void move(int64_t *us, int64_t by_us)
{
	if (*us && *us != INT64_MAX)
		*us += by_us;
}

static void incident_move_clock(struct incident *incident, const struct policy *policy,
				int64_t by_us, int64_t now_us)
{
	const struct policy_budget *budget = incident->key.budget;
	int64_t end_us;

	if (incident_is_allowance(incident))
		move(&incident->allowance.even_us, by_us);
	else if (incident->bucket) {
		move(&incident->pace.now_us, by_us);
		move(&incident->pace.moved_us, by_us);
	}
	if (incident->is_ordered)
		return; /* until a moment that an operator named */
	if (budget->window == POLICY_ROLLING) {
		move(&incident->until_us, by_us);
		move(&incident->evidence.until_us, by_us);
		move(&incident->evidence.window_start_us, by_us);
		return;
	}
	end_us = policy_window_end(policy, budget, now_us);
	if (end_us < incident->until_us)
		incident->until_us = incident->evidence.until_us = end_us;
}

void enforcer_clock_moved(struct enforcer *enforcer, struct policy *policy, int64_t by_us,
			  int64_t now_us)
{
	struct incident *incident, *next;

	HASH_ITER(hh, enforcer->incidents, incident, next)
		incident_move_clock(incident, policy, by_us, now_us);
	enforcer->next_us = INT64_MIN;
	enforcer_review(enforcer, policy, false, now_us);
	enforcer_expire(enforcer, now_us);
	enforcer_renew(enforcer);
}
