/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of a configuration that select subjects. */
#ifndef CONFIG_MATCH_H
#define CONFIG_MATCH_H

#include "config/reader.h"

/* A `match:` into a struct policy_match; an empty one, which would fit everything, is an error. */
int config_match(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field);
/* The same without host, model and client, which a signal or a gate does not know. */
int config_match_who(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field);

#endif
