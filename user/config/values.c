/* SPDX-License-Identifier: Apache-2.0 */
/* Single values: words, money, durations, shares. Decimals are read exactly, never as floats. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "config/reader.h"
#include "usage/charge.h"

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

int config_bool(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	/* yes, on and y are not accepted: YAML 1.1 reads them as true, other versions as text. */
	static const char *const words[] = { "false", "true", NULL };
	int index = config_index(node, words);

	if (index < 0)
		return config_fail_value(reader, node,
					 "is neither true nor false; write one of them");
	*(bool *)field = index;
	return 0;
}

int config_string(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		  void *field)
{
	char *copy;

	if (node->type != YAML_SCALAR_NODE)
		return config_fail_value(reader, node, "");
	if (!node->data.scalar.length)
		return config_fail(reader, node, "is empty; give a value or take the key away");
	if (node->data.scalar.length > CONFIG_TEXT_MAX)
		return config_fail(reader, node, "is longer than %d bytes", CONFIG_TEXT_MAX);
	for (size_t i = 0; i < node->data.scalar.length; i++)
		if (node->data.scalar.value[i] < 0x20 || node->data.scalar.value[i] == 0x7f)
			return config_fail_value(reader, node,
						 "holds a control character; take it out");
	copy = strdup(text_of(node));
	if (!copy)
		return -ENOMEM;
	*(char **)field = copy;
	return 0;
}

static int read_of(struct config_reader *reader, yaml_node_t *node, void *field,
		   const char *letters, size_t max, const char *wrong)
{
	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length &&
	    (node->data.scalar.length > max ||
	     strspn(text_of(node), letters) != node->data.scalar.length))
		return config_fail_value(reader, node, wrong);
	return config_string(reader, node, NULL, field);
}

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"

int config_name(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	return read_of(reader, node, field, LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-", 64,
		       "is not a name; use at most 64 letters, digits, dots, dashes and underscores");
}

int config_host_pattern(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	return read_of(
		reader, node, field, LOWER ".-_*:[]", 259,
		"is not a host; write it in lower case and without scheme, as llm.corp.example, "
		"*.corp.example or litellm.svc:4000");
}

int config_glob(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	int r = config_string(reader, node, key, field);

	if (r == 0)
		config_warn_of_regex(reader, node, /* has_dots= */ false);
	return r;
}

int config_dotted_glob(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	int r = config_string(reader, node, key, field);

	if (r == 0)
		config_warn_of_regex(reader, node, /* has_dots= */ true);
	return r;
}

int config_path(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	if (node->type == YAML_SCALAR_NODE && node->data.scalar.length && text_of(node)[0] != '/')
		return config_fail_value(reader, node, "is not a full path; begin it with /");
	return config_string(reader, node, key, field);
}

int config_permille(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	const char *end;
	int64_t value;

	end = node->type == YAML_SCALAR_NODE ? decimal_prefix(text_of(node), 1, &value) : NULL;
	if (!end || strcmp(end, "%") || value < 1 || value > 10000)
		return config_fail_value(
			reader, node,
			"is not a share of the limit; give one from 0.1% to 1000%, as 80%");
	*(uint32_t *)field = (uint32_t)value;
	return 0;
}

int config_limit(struct config_reader *reader, yaml_node_t *node, int64_t *ret_nanos,
		 uint64_t *ret_tokens)
{
	struct amount amount;
	const char *end;

	end = node->type == YAML_SCALAR_NODE ? amount_read(text_of(node), &amount) : NULL;
	if (!end || *end)
		return config_fail_value(
			reader, node, "is not a limit; give one above 0, as 50 USD or 2M tokens");
	*ret_nanos = amount.nanos;
	*ret_tokens = (uint64_t)amount.tokens;
	return 0;
}

static int read_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = { { "ms", 1000000ULL },
		      { "s", 1000000000ULL },
		      { "m", 60000000000ULL },
		      { "h", 3600000000000ULL },
		      { "d", 86400000000000ULL } };
	int64_t value;
	const char *end = decimal_prefix(text, 0, &value);

	for (size_t i = 0; end && i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(end, units[i].unit))
			return __builtin_mul_overflow((uint64_t)value, units[i].ns, ret_ns) ?
				       -EINVAL :
				       0;
	return -EINVAL;
}

int config_duration_of(const yaml_node_t *node, uint64_t *ret_ns)
{
	return node->type == YAML_SCALAR_NODE ? read_duration(text_of(node), ret_ns) : -EINVAL;
}

int config_rate_of(const yaml_node_t *node, struct amount *ret_per_hour)
{
	const char *end;

	end = node->type == YAML_SCALAR_NODE ? amount_read(text_of(node), ret_per_hour) : NULL;
	return end && (!strcmp(end, "/hour") || !strcmp(end, "/h")) ? 0 : -EINVAL;
}

int config_spike_of(const yaml_node_t *node, uint64_t *ret_permille, uint64_t *ret_ns)
{
	const char *end;
	int64_t value;

	end = node->type == YAML_SCALAR_NODE ? decimal_prefix(text_of(node), 3, &value) : NULL;
	if (!end || strncmp(end, "x of ", 5))
		return -EINVAL;
	*ret_permille = (uint64_t)value;
	return read_duration(end + 5, ret_ns);
}
