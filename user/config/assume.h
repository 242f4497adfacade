/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CONFIG_ASSUME_H
#define CONFIG_ASSUME_H

#include "config/reader.h"

/* `assume:` into a struct policy_rules. */
int config_assume(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		  void *field);

#endif
