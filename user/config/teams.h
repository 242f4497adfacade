/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_TEAMS_H
#define CONFIG_TEAMS_H

#include "config/reader.h"

/* `teams:` into a struct team_rules. */
int config_teams(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field);

#endif
