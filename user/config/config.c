/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks libyaml's document by tables of keys. libcyaml would fill the structs as well, but version 1.3.1
 * (Debian 12) gives the position of a value only in its log, and not for errors in the meaning of a value, such
 * as an unknown action "refus". Here each node still has its line when its meaning is read.
 */
#include "config/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "config/assume.h"
#include "config/budgets.h"
#include "config/kube.h"
#include "config/reader.h"
#include "config/receivers.h"
#include "config/places.h"
#include "config/serve.h"
#include "config/teams.h"
#include "provider/api.h"

#define FILE_MAX  (1u << 20)
#define HOSTS_MAX 256

#define DAY_NS        86400000000000ULL
#define KEEP_DAYS     90
#define KEEP_MAX_DAYS 3650
#define MAX_KILLS     20 /* in an hour: more means that a rule is wrong */

static const char *const modes[] = { "on-sight", "everyone", "never", NULL };
_Static_assert(FIND_ON_SIGHT == 0 && FIND_EVERYONE == 1 && FIND_NEVER == 2, "in modes' order");

static const char *const returns[] = { "auto", "never", NULL };
_Static_assert(FIND_RETURN_PROBES == 0 && FIND_RETURN_INSTRUCTIONS == 1, "in returns' order");

static const char *const first_calls[] = { "hold", "estimate", NULL };
_Static_assert(CONFIG_HOLD == 0 && CONFIG_ESTIMATE == 1, "in first_calls' order");

static int read_pattern(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	int r = config_host_pattern(reader, node, key, field);

	if (r == 0 && !api_is_pattern(*(char **)field))
		return config_fail_value(reader, node,
					 "is not a host; a * stands for its first part, and two more "
					 "follow, as *.corp.example; a port is a number from 1 to "
					 "65535");
	return r;
}

static int read_like(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	int r = config_name(reader, node, key, field);

	if (r == 0 && !api_is_provider(*(char **)field))
		return config_fail_unknown(reader, node, "a provider", api_provider_name);
	return r;
}

static const struct config_key host_keys[] = {
	{ "pattern", offsetof(struct config_host, pattern), .fn = read_pattern },
	{ "like", offsetof(struct config_host, provider), .fn = read_like },
	{ NULL },
};

static int read_host(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	struct config_host *host = field;
	int r = config_map(reader, node, host_keys, host);

	if (r < 0)
		return r;
	if (!host->pattern || !host->provider)
		return config_fail(reader, node,
				   "lacks \"%s\"; give both, as { pattern: llm.corp.example, "
				   "like: openai }",
				   host->pattern ? "like" : "pattern");
	return 0;
}

static int read_hosts(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct config *config = field;

	return config_list(reader, node, read_host, sizeof(*config->hosts), HOSTS_MAX,
			   (void **)&config->hosts, &config->n_hosts);
}

static int read_keep(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns < 3600 * 1000000000ULL ||
	    ns > KEEP_MAX_DAYS * DAY_NS)
		return config_fail_value(reader, node, "is not a time from 1h to 3650d, as 90d");
	*(int64_t *)field = (int64_t)(ns / 1000);
	return 0;
}

/* "10/hour" */
static int read_max_kills(struct config_reader *reader, yaml_node_t *node,
			  const struct config_key *key, void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";
	unsigned n;
	int end = 0;

	if (*text < '0' || *text > '9' || sscanf(text, "%4u/hour%n", &n, &end) != 1 || !end ||
	    text[end] || n > POLICY_KILLS)
		return config_fail_value(reader, node,
					 "is not a number an hour up to 1000, as 10/hour");
	*(unsigned *)field = n;
	return 0;
}

static int read_prices(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	struct config *config = field;

	config->prices_line = config_line(node);
	return config_path(reader, node, key, &config->prices);
}

/* "true" for a key of this host's own, or the file of one that a fleet shares. */
static int read_fingerprint(struct config_reader *reader, yaml_node_t *node,
			    const struct config_key *key, void *field)
{
	static const char *const words[] = { "false", "true", NULL };
	int index = config_index(node, words);
	char **file = field;

	if (node->type == YAML_SCALAR_NODE && *(const char *)node->data.scalar.value == '/')
		return config_path(reader, node, key, file);
	if (index < 0)
		return config_fail_value(
			reader, node,
			"is none of true, false and the full path of a key's file; write one of them");
	*file = index ? strdup("") : NULL;
	return index && !*file ? -ENOMEM : 0;
}

static int read_serve(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct config *config = field;

	config->serve_line = config_line(node);
	return config_serve(reader, node, key, &config->serve);
}

static const struct config_key file_keys[] = {
	{ "enforce", offsetof(struct config, rules.enforce), .fn = config_bool },
	{ "attach", offsetof(struct config, find.mode), config_choice, modes,
	  .noun = "a way to attach" },
	{ "return-probes", offsetof(struct config, find.returns), config_choice, returns,
	  .noun = "a way to see returns" },
	{ "first-call", offsetof(struct config, first_call), config_choice, first_calls,
	  .noun = "a way with first calls" },
	{ "resolve", offsetof(struct config, resolve), .fn = config_bool },
	{ "name-servers", 0, .fn = config_name_servers },
	{ "proxies", 0, .fn = config_proxies },
	{ "zone", offsetof(struct config, zone), .fn = config_zone },
	{ "keep", offsetof(struct config, keep_us), .fn = read_keep },
	{ "on-daemon-loss", offsetof(struct config, rules.on_loss), config_choice, config_losses,
	  .noun = CONFIG_LOSS_NOUN },
	{ "max-kills", offsetof(struct config, rules.max_kills), .fn = read_max_kills },
	{ "prices", 0, .fn = read_prices },
	{ "api-key-fingerprint", offsetof(struct config, fingerprint_key), .fn = read_fingerprint },
	{ "hosts", 0, .fn = read_hosts },
	{ "serve", 0, .fn = read_serve },
	{ "otlp", offsetof(struct config, otlp), .fn = config_otlp },
	{ "budgets", offsetof(struct config, rules), .fn = config_budgets },
	{ "node", offsetof(struct config, node), .fn = config_name },
	{ "shared", offsetof(struct config, shared), .fn = config_shared },
	{ "webhooks", offsetof(struct config, webhooks), .fn = config_webhooks },
	{ "protect", offsetof(struct config, rules), .fn = config_protect },
	{ "assume", offsetof(struct config, rules), .fn = config_assume },
	{ "teams", offsetof(struct config, teams), .fn = config_teams },
	{ "team-label", offsetof(struct config, teams.label), .fn = config_name },
	{ "annotations", offsetof(struct config, annotations), .fn = config_annotations },
	{ "kubernetes", offsetof(struct config, kube), .fn = config_kube },
	{ NULL },
};

static const struct config defaults = {
	.resolve = true,
	.keep_us = KEEP_DAYS * (int64_t)(DAY_NS / 1000),
	.rules = { .max_kills = MAX_KILLS },
};

static int read_file(const char *path, char **ret_text, size_t *ret_len)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	_cleanup_free_ char *text = malloc(FILE_MAX + 1);

	if (!file)
		return -errno;
	if (!text)
		return -ENOMEM;
	errno = 0;
	*ret_len = fread(text, 1, FILE_MAX + 1, file);
	if (ferror(file))
		return errno ? -errno : -EIO;
	if (*ret_len > FILE_MAX)
		return -EFBIG;
	*ret_text = take(text);
	return 0;
}

static int fill_zone(char **zone, const char *of_file)
{
	if (!*zone && of_file)
		*zone = strdup(of_file);
	return *zone || !of_file ? 0 : -ENOMEM;
}

/* Budgets and annotations inherit what they do not set from the file. Returns 0 or -ENOMEM. */
static int fill_in(struct config *config)
{
	int err = fill_zone(&config->annotations.zone, config->zone);

	for (size_t i = 0; i < config->rules.n_budgets && !err; i++) {
		struct policy_budget *budget = &config->rules.budgets[i];

		if (budget->on_loss == POLICY_LOSS_UNSAID)
			budget->on_loss = config->rules.on_loss;
		if (budget->window != POLICY_ROLLING)
			err = fill_zone(&budget->zone, config->zone);
	}
	return err;
}

static int parse(struct config *ret, const char *name, const char *text, size_t len, bool collects,
		 char **ret_error)
{
	struct config config = defaults;
	struct config_reader reader = { .file = name, .collects = collects };
	yaml_node_t *root = NULL;
	int r;

	r = config_open(&reader, text, len, &root);
	if (r == 0 && root)
		r = config_map(&reader, root, file_keys, &config);
	if (r == 0)
		r = fill_in(&config);
	for (size_t i = 0; r == 0 && !config.shared.url && i < config.rules.n_budgets; i++)
		if (config.rules.budgets[i].is_shared)
			r = config_fail_line(
				&reader, config.rules.budgets[i].line,
				"budget \"%s\" is shared, and there is no server to share "
				"it by; give one, as shared: { server: "
				"valkey://10.0.0.1:6379 }",
				config.rules.budgets[i].name);
	if (r == 0) {
		config.rules.file = strdup(name);
		r = config.rules.file ? 0 : -ENOMEM;
	}
	if (r < 0) {
		config_done(&config);
		*ret_error = config_take_error(&reader);
	} else {
		*ret = config;
		ret->warnings = take(reader.warnings);
	}
	config_close(&reader);
	return r;
}

int config_parse(struct config *ret, const char *name, const char *text, size_t len,
		 char **ret_error)
{
	return parse(ret, name, text, len, false, ret_error);
}

static int load(struct config *ret, const char *path, bool collects, char **ret_error)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	if (!path) {
		*ret = defaults;
		return 0;
	}
	r = read_file(path, &text, &len);
	if (r < 0) {
		if (asprintf(ret_error,
			     "%s: %s; name a configuration file that this user can read and "
			     "that is no longer than 1 MiB, with --config",
			     path, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	return parse(ret, path, text, len, collects, ret_error);
}

int config_load(struct config *ret, const char *path, char **ret_error)
{
	return load(ret, path, false, ret_error);
}

int config_load_strictly(struct config *ret, const char *path, char **ret_errors)
{
	return load(ret, path, true, ret_errors);
}

void config_done(struct config *config)
{
	for (size_t i = 0; i < config->n_hosts; i++) {
		free(config->hosts[i].pattern);
		free(config->hosts[i].provider);
	}
	free(config->hosts);
	config_places_done(config->name_servers, config->n_name_servers);
	config_places_done(config->proxies, config->n_proxies);
	team_rules_done(&config->teams);
	free(config->prices);
	free(config->fingerprint_key);
	free(config->warnings);
	free(config->node);
	free(config->zone);
	webhook_rules_done(&config->webhooks);
	names_config_done(&config->kube.names);
	annotations_config_done(&config->annotations);
	config_serve_done(&config->serve);
	otlp_config_done(&config->otlp);
	shared_config_done(&config->shared);
	policy_rules_done(&config->rules);
	*config = (struct config){ 0 };
}
