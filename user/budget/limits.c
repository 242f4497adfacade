/* SPDX-License-Identifier: Apache-2.0 */
/* Where the steps of a counter lie, and what counts towards them besides its own sum. */
#include "base/cleanup.h"
#include "budget/counter_internal.h"

uint64_t limits_part(uint64_t limit, uint32_t permille)
{
	unsigned __int128 part = ((unsigned __int128)limit * permille + 999) / 1000;

	/* No limit at all is never reached. */
	return !limit || part > INT64_MAX ? INT64_MAX : (uint64_t)part;
}

uint64_t limits_own(const struct policy_budget *budget)
{
	return policy_in_money(budget) ? (uint64_t)budget->limit_nanos : budget->limit_tokens;
}

uint64_t counter_limit(const struct counters *counters, const struct counter *counter, uint32_t step)
{
	return counter->raised ?
		       limits_part(counter->raised, counters->budget->steps[step].at_permille) :
		       counters->limits[step];
}

void counter_read_limit(const struct counters *counters, const struct counter *counter,
			int64_t *ret_nanos, uint64_t *ret_tokens)
{
	uint64_t limit = counter->raised ? counter->raised : limits_own(counters->budget);

	*ret_nanos = counters->is_in_money ? (int64_t)limit : 0;
	*ret_tokens = counters->is_in_money ? 0 : limit;
}

uint64_t counter_remote(const struct counters *counters, const struct counter *counter)
{
	uint64_t own = in_unit(counters, &counter->sum);
	uint64_t since = own > counter->remote.own ? own - counter->remote.own : 0;
	unsigned __int128 all = (unsigned __int128)since * counter->remote.others +
				counter->remote.spent;

	return all > INT64_MAX ? INT64_MAX : (uint64_t)all;
}

/* Does every call of a cgroup count here, regardless of its process, host, model and client? */
static bool is_of_cgroups(const struct policy_budget *budget)
{
	const struct policy_match *match = &budget->match;
	const char *const narrower[] = { match->user, match->command, match->exe,
					 match->host, match->model,   match->client };

	if (budget->per == POLICY_PER_USER || budget->per == POLICY_PER_PROCESS)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(narrower); i++)
		if (narrower[i] && *narrower[i])
			return false;
	return true;
}

/*
 * The first step that stops calls. A gate applies to a cgroup, so it can replace a step that means a process
 * only if everything that the cgroup's processes spend counts here.
 */
uint32_t counter_allowance_step(const struct policy_budget *budget)
{
	uint32_t i;

	for (i = 0; i < budget->n_steps; i++) {
		const struct policy_step *step = &budget->steps[i];
		bool means_process = step->target == POLICY_PROCESS &&
				     (step->action == POLICY_STOP || step->action == POLICY_KILL);

		if (step->action > POLICY_PACE && (!means_process || is_of_cgroups(budget)))
			break;
	}
	return i;
}
