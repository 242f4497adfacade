/* SPDX-License-Identifier: Apache-2.0 */
#include "config/match.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "budget/policy.h"

#define LABELS_MAX 16

/* One of "{ team: search }": the name is literal, the value a glob. */
static int read_label(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct policy_label *label = field;

	label->name = strdup(key->name);
	return label->name ? config_glob(reader, node, key, &label->value) : -ENOMEM;
}

static int read_labels(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	struct policy_match *match = field;

	return config_pairs(reader, node, read_label, sizeof(*match->labels), LABELS_MAX,
			    (void **)&match->labels, &match->n_labels);
}

/*
 * Keys that identify a subject. protect takes only these, because a signal or a gate has no host and no model, and a
 * client is but what a caller says it is.
 */
#define WHO_KEYS                                                                               \
	{ "namespace", offsetof(struct policy_match, namespace), .fn = config_glob },          \
		{ "workload", offsetof(struct policy_match, workload), .fn = config_glob },    \
		{ "pod", offsetof(struct policy_match, pod), .fn = config_glob },              \
		{ "container", offsetof(struct policy_match, container), .fn = config_glob },  \
		{ "image", offsetof(struct policy_match, image), .fn = config_dotted_glob },   \
		{ "label", 0, .fn = read_labels },                                             \
		{ "cgroup", offsetof(struct policy_match, cgroup), .fn = config_dotted_glob }, \
		{ "unit", offsetof(struct policy_match, unit), .fn = config_dotted_glob },     \
		{ "user", offsetof(struct policy_match, user), .fn = config_glob },            \
		{ "command", offsetof(struct policy_match, command), .fn = config_glob },      \
	{                                                                                      \
		"exe", offsetof(struct policy_match, exe), .fn = config_dotted_glob            \
	}

static const struct config_key match_keys[] = {
	WHO_KEYS,
	{ "host", offsetof(struct policy_match, host), .fn = config_dotted_glob },
	{ "model", offsetof(struct policy_match, model), .fn = config_dotted_glob },
	{ "client", offsetof(struct policy_match, client), .fn = config_dotted_glob },
	{ NULL },
};

static const struct config_key protect_keys[] = { WHO_KEYS, { NULL } };

static int refuse_empty(struct config_reader *reader, const yaml_node_t *map)
{
	if (map->data.mapping.pairs.start < map->data.mapping.pairs.top)
		return 0;
	return config_fail(reader, map, "is empty and would fit everything; name what it is for");
}

int config_match(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field)
{
	int r = config_map(reader, node, match_keys, field);

	return r < 0 ? r : refuse_empty(reader, node);
}

int config_match_who(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	int r = config_map(reader, node, protect_keys, field);

	return r < 0 ? r : refuse_empty(reader, node);
}
