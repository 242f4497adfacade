/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a caller is, for reports: by the operator's rules, else by its pod's annotation aigress.dev/team, else by a label of it. */
#ifndef BUDGET_TEAM_H
#define BUDGET_TEAM_H

#include "budget/policy.h"

#define TEAM_LABEL "team" /* where no other is named */

struct team_rule {
	struct policy_match match; /* without host and model */
	char *team;
};

struct team_rules {
	struct team_rule *rules; /* the first that fits decides */
	size_t n;
	char *label; /* NULL: TEAM_LABEL */
};

/* The team's name, or "". */
void team_of(const struct team_rules *rules, const struct who_group *group,
	     const struct who_process *process, char *ret, size_t size);
void team_rules_done(struct team_rules *rules);

#endif
