/* SPDX-License-Identifier: Apache-2.0 */
#include "config/serve.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/cleanup.h"

static int read_listen(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";

	if (serve_parse_address(text, field) < 0)
		return config_fail_value(reader, node,
					 "is not an address and port; give one as 127.0.0.1:24473, "
					 "0.0.0.0:24473 or [::]:24473");
	return 0;
}

static int read_series(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";
	char *end = NULL;
	unsigned long n = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 0;

	if (!end || *end || n < 10 || n > METRICS_SERIES_MAX)
		return config_fail_value(reader, node,
					 "is not a number from 10 to 20000; the default is 2000");
	*(uint64_t *)field = n;
	return 0;
}
_Static_assert(METRICS_SERIES_MAX == 20000 && METRICS_SERIES == 2000, "as the sentence says");

static const struct config_key serve_keys[] = {
	{ "listen", offsetof(struct serve_config, listen), .fn = read_listen },
	{ "token-file", offsetof(struct serve_config, token_file), .fn = config_path },
	{ "public-metrics", offsetof(struct serve_config, public_metrics), .fn = config_bool },
	{ "max-series", offsetof(struct serve_config, max_series), .fn = read_series },
	{ NULL },
};

int config_serve(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		 void *field)
{
	struct serve_config *serve = field;
	int r = 0;

	serve->is_on = true;
	serve->max_series = METRICS_SERIES;
	(void)serve_parse_address("127.0.0.1", &serve->listen);
	/* `serve:` with nothing after it: all defaults. */
	if (node->type != YAML_SCALAR_NODE || node->data.scalar.length)
		r = config_map(reader, node, serve_keys, serve);
	if (r < 0)
		return r;
	if (!serve->token_file && !serve->public_metrics && !serve_is_loopback(&serve->listen))
		return config_fail(reader, node,
				   "listens beyond this host without a token; give token-file, or "
				   "public-metrics: true if everybody there may read /metrics");
	return 0;
}

void config_serve_done(struct serve_config *serve)
{
	free(serve->token_file);
	*serve = (struct serve_config){ 0 };
}

bool config_serve_is_same(const struct serve_config *a, const struct serve_config *b)
{
	if (a->is_on != b->is_on || a->public_metrics != b->public_metrics ||
	    memcmp(&a->listen, &b->listen, sizeof(a->listen)) || !a->token_file != !b->token_file)
		return false;
	return !a->token_file || !strcmp(a->token_file, b->token_file);
}
