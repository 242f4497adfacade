/* SPDX-License-Identifier: Apache-2.0 */
/* What the rules say by themselves, without a charge. */
#include <stdlib.h>

#include "budget/match.h"
#include "budget/policy.h"

const struct policy_step policy_hold = { .action = POLICY_REFUSE };
const struct policy_step policy_allowance = { .action = POLICY_PACE };

const char *policy_action_name(enum policy_action action)
{
	static const char *const names[POLICY_ACTIONS] = {
		[POLICY_NOTE] = "note",     [POLICY_PACE] = "pace", [POLICY_REFUSE] = "refuse",
		[POLICY_FREEZE] = "freeze", [POLICY_STOP] = "stop", [POLICY_KILL] = "kill",
	};

	return (unsigned)action < POLICY_ACTIONS ? names[action] : NULL;
}

const char *const policy_pers[] = { "match",  "namespace", "workload", "pod",     "container",
				    "cgroup", "unit",      "user",     "process", NULL };
_Static_assert(POLICY_PER_CONTAINER == 4 && POLICY_PER_PROCESS == 8, "in policy_pers' order");

void policy_rules_done(struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++) {
		struct policy_budget *budget = &rules->budgets[i];

		free(budget->name);
		free(budget->zone);
		free(budget->steps);
		match_done(&budget->match);
	}
	for (size_t i = 0; i < rules->n_assume; i++) {
		match_done(&rules->assume[i].match);
		free(rules->assume[i].model);
	}
	free(rules->assume);
	for (size_t i = 0; i < rules->n_protect; i++)
		match_done(&rules->protect[i]);
	free(rules->budgets);
	free(rules->protect);
	free(rules->file);
	*rules = (struct policy_rules){ 0 };
}

bool policy_rules_outlive(const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++)
		if (rules->budgets[i].on_loss == POLICY_LOSS_HOLD)
			return true;
	return false;
}

bool policy_rules_may_halt(const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++)
		for (size_t j = 0; j < rules->budgets[i].n_steps; j++)
			if (rules->budgets[i].steps[j].action == POLICY_STOP ||
			    rules->budgets[i].steps[j].action == POLICY_FREEZE)
				return true;
	return false;
}
