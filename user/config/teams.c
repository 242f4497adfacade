/* SPDX-License-Identifier: Apache-2.0 */
/* teams: - { team: search, match: { namespace: "search-*" } } */
#include "config/teams.h"

#include <stddef.h>

#include "budget/match.h"
#include "budget/team.h"
#include "config/match.h"

#define TEAMS_MAX 256

static const struct config_key team_keys[] = {
	{ "team", offsetof(struct team_rule, team), .fn = config_name },
	{ "match", offsetof(struct team_rule, match), .fn = config_match_who },
	{ NULL },
};

static int read_one(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	struct team_rule *rule = field;
	static const struct policy_match nobody;
	int r = config_map(reader, node, team_keys, rule);

	if (r < 0)
		return r;
	if (!rule->team || match_is_same(&rule->match, &nobody))
		return config_fail(reader, node,
				   "lacks \"%s\"; give both, as { team: search, match: { namespace: "
				   "\"search-*\" } }",
				   rule->team ? "match" : "team");
	return 0;
}

int config_teams(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field)
{
	struct team_rules *rules = field;

	return config_list(reader, node, read_one, sizeof(*rules->rules), TEAMS_MAX,
			   (void **)&rules->rules, &rules->n);
}
