/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/team.h"

#include <stdio.h>
#include <stdlib.h>

#include "budget/match.h"

void team_of(const struct team_rules *rules, const struct who_group *group,
	     const struct who_process *process, char *ret, size_t size)
{
	const struct policy_subject subject = {
		.group = group, .process = process, .host = "", .model = ""
	};

	for (size_t i = 0; i < rules->n; i++)
		if (match_fits(&rules->rules[i].match, &subject)) {
			snprintf(ret, size, "%s", rules->rules[i].team);
			return;
		}
	if (!match_label(group->labels, WHO_TEAM_ANNOTATION, ret, size) &&
	    !match_label(group->labels, rules->label ? rules->label : TEAM_LABEL, ret, size))
		*ret = '\0';
}

void team_rules_done(struct team_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		match_done(&rules->rules[i].match);
		free(rules->rules[i].team);
	}
	free(rules->rules);
	free(rules->label);
	*rules = (struct team_rules){ 0 };
}
