/* SPDX-License-Identifier: Apache-2.0 */
/* assume: - { command: wget, host: api.openai.com, model: gpt-4o-mini } */
#include "config/assume.h"

#include <string.h>

#include "base/cleanup.h"
#include "budget/policy.h"
#include "config/match.h"

#define ASSUME_MAX 256

static int read_one(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	struct policy_assume *assume = field;
	int r = config_match(reader, node, key, &assume->match);

	if (r < 0)
		return r;
	/* Here the model is not a pattern but the model that is assumed for the matching calls. */
	assume->model = take(assume->match.model);
	if (!assume->model)
		return config_fail(reader, node,
				   "lacks \"model\"; name one of the price file, as gpt-4o-mini");
	if (strpbrk(assume->model, "*?["))
		return config_fail(reader, node,
				   "has a pattern for a model; name one of the price file");
	return 0;
}

int config_assume(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		  void *field)
{
	struct policy_rules *rules = field;

	return config_list(reader, node, read_one, sizeof(*rules->assume), ASSUME_MAX,
			   (void **)&rules->assume, &rules->n_assume);
}
