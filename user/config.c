/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's document, walked by tables of keys. libcyaml would fill the structs too, but 1.3.1 (Debian
 * 12) says where a value stands only in its log, and not at all once the text is a value: "refus" is
 * an action's name to it, or nothing. Here each node still knows its line when its meaning is read.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "config_read.h"
#include "guard/zone.h"

#define FILE_MAX (1u << 20)
#define HOSTS_MAX 256
#define BUDGETS_MAX 1000
#define STEPS_MAX 16
#define PROTECT_MAX 256

#define DAY_NS 86400000000000ULL
#define KEEP_DAYS 90
#define KEEP_MAX_DAYS 3650
#define MAX_KILLS 20			/* in an hour: more is a rule gone wrong */
#define GRACE_NS 10000000000ULL		/* docker-stop(1) waits as long */

static const char *const modes[] = { "on-sight", "everyone", "never", NULL };
_Static_assert(FIND_ON_SIGHT == 0 && FIND_EVERYONE == 1 && FIND_NEVER == 2, "in modes' order");

static const char *const first_calls[] = { "estimate", "hold", NULL };
_Static_assert(CONFIG_ESTIMATE == 0 && CONFIG_HOLD == 1, "in first_calls' order");

static const char *const targets[] = { "process", "cgroup", NULL };
_Static_assert(POLICY_PROCESS == 0 && POLICY_CGROUP == 1, "in targets' order");

/* Names are the enumerators' order; what is listed in not_yet is known and refused. */
static const char *const actions[] = { "note", "pace", "refuse", "freeze", "stop", "kill", NULL };
static const bool actions_not_yet[] = { false, true, false, false, false, false };
_Static_assert(POLICY_KILL == 5 && POLICY_REFUSE == 2, "in actions' order");

static const char *const pers[] = { "match", "namespace", "workload", "pod", "container", "cgroup",
				    "unit", "user", "process", NULL };
static const bool pers_not_yet[] = { false, true, true, true, false, false, false, false, false };
_Static_assert(POLICY_PER_CONTAINER == 4 && POLICY_PER_PROCESS == 8, "in pers' order");

/* Kubernetes names do not reach who yet: such a rule would never fit, and nobody would know. */
static const struct config_key match_keys[] = {
	{ "container", offsetof(struct policy_match, container), .fn = config_glob },
	{ "cgroup", offsetof(struct policy_match, cgroup), .fn = config_glob },
	{ "unit", offsetof(struct policy_match, unit), .fn = config_glob },
	{ "user", offsetof(struct policy_match, user), .fn = config_glob },
	{ "command", offsetof(struct policy_match, command), .fn = config_glob },
	{ "exe", offsetof(struct policy_match, exe), .fn = config_glob },
	{ "host", offsetof(struct policy_match, host), .fn = config_glob },
	{ "model", offsetof(struct policy_match, model), .fn = config_glob },
	{ "namespace", 0, .fn = config_not_yet },
	{ "workload", 0, .fn = config_not_yet },
	{ "pod", 0, .fn = config_not_yet },
	{ "label", 0, .fn = config_not_yet },
	{ NULL },
};

static int refuse_empty(struct config_reader *reader, const yaml_node_t *map)
{
	if (map->data.mapping.pairs.start < map->data.mapping.pairs.top)
		return 0;
	return config_fail(reader, map, "is empty and would fit everything; name what it is for");
}

static int read_match(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	int r = config_map(reader, node, match_keys, field);

	return r < 0 ? r : refuse_empty(reader, node);
}

static int read_limit(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct policy_budget *budget = field;

	return config_limit(reader, node, &budget->limit_nanos, &budget->limit_tokens);
}

static int read_window(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		       void *field)
{
	static const char *const names[] = { "hour", "day", "week", "month", NULL };
	struct policy_budget *budget = field;
	uint64_t ns;
	int r;

	_Static_assert(POLICY_HOUR == 0 && POLICY_MONTH == 3, "in names' order");
	r = config_index(node, names);
	if (r >= 0) {
		budget->window = (enum policy_window)r;
		return 0;
	}
	if (config_duration_of(node, &ns) < 0 || ns < 60 * 1000000000ULL ||
	    ns > 366 * 86400 * 1000000000ULL)
		return config_fail_value(reader, node,
					 "is not a window; give hour, day, week or month, or a length "
					 "from 1m to 366d, as 10m or 24h");
	budget->window = POLICY_ROLLING;
	budget->window_us = (int64_t)(ns / 1000);
	return 0;
}

static int read_zone(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	struct zone *zone = NULL;
	int r = config_string(reader, node, key, field);

	if (r < 0)
		return r;
	if (zone_load(&zone, *(char **)field) < 0)
		return config_fail_value(reader, node,
					 "is not a time zone of this host; give a name such as "
					 "Europe/Berlin, and install tzdata");
	zone_free(zone);
	return 0;
}

static int read_grace(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns > 3600 * 1000000000ULL)
		return config_fail_value(reader, node, "is not a time up to 1h, as 30s or 5m");
	*(uint64_t *)field = ns;
	return 0;
}

static const struct config_key step_keys[] = {
	{ "at", offsetof(struct policy_step, at_permille), .fn = config_permille },
	{ "do", offsetof(struct policy_step, action), config_choice, actions, actions_not_yet,
	  .noun = "an action" },
	{ "target", offsetof(struct policy_step, target), config_choice, targets,
	  .noun = "a target" },
	{ "grace", offsetof(struct policy_step, grace_ns), .fn = read_grace },
	{ "to", 0, .fn = config_not_yet },
	{ "cut", offsetof(struct policy_step, cut), .fn = config_bool },
	{ NULL },
};

static int read_step(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	struct policy_step *step = field;
	int r;

	*step = (struct policy_step){ .at_permille = 1000, .grace_ns = GRACE_NS };
	step->line = config_line(node);
	r = config_map(reader, node, step_keys, step);
	if (r < 0)
		return r;
	if (!config_has(reader, node, "do"))
		return config_fail(reader, node,
				   "lacks \"do\"; give note, refuse, freeze, stop or kill");
	if (step->action != POLICY_KILL && config_has(reader, node, "grace"))
		return config_fail(reader, node, "has a grace, which only kill takes");
	if (step->action != POLICY_KILL && step->action != POLICY_STOP &&
	    config_has(reader, node, "target"))
		return config_fail(reader, node, "has a target, which only stop and kill take");
	if (step->action != POLICY_FREEZE && step->action != POLICY_STOP &&
	    config_has(reader, node, "cut"))
		return config_fail(reader, node, "has a cut, which only freeze and stop take: refuse "
				   "always ends live streams, note never does");
	return 0;
}

/* Steps in order of their share; equal shares keep the order of the file. */
static void sort_steps(struct policy_step *steps, size_t n)
{
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j && steps[j].at_permille < steps[j - 1].at_permille; j--) {
			struct policy_step step = steps[j];

			steps[j] = steps[j - 1];
			steps[j - 1] = step;
		}
}

static int read_steps(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct policy_budget *budget = field;
	int r;

	r = config_list(reader, node, read_step, sizeof(*budget->steps), STEPS_MAX,
			(void **)&budget->steps, &budget->n_steps);
	if (r == 0)
		sort_steps(budget->steps, budget->n_steps);
	return r;
}

/* "8x of 24h": 1.5 to 1000 times, of a past from 1h to 366d */
static int read_spike(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct policy_budget *budget = field;
	uint64_t permille, ns;

	if (config_spike_of(node, &permille, &ns) < 0 || permille < 1500 || permille > 1000000 ||
	    ns < 3600 * 1000000000ULL || ns > 366 * DAY_NS)
		return config_fail_value(reader, node,
					 "is not so many times of a past; give one as 8x of 24h, from "
					 "1.5x to 1000x, of 1h to 366d");
	budget->spike_permille = (uint32_t)permille;
	budget->window = POLICY_ROLLING;
	budget->window_us = (int64_t)(ns / 1000);
	return 0;
}

/* "5 USD/hour" */
static int read_rate(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	if (config_rate_of(node, field) < 0)
		return config_fail_value(reader, node, "is not a rate above 0; give one as 5 USD/hour");
	return 0;
}

/* A budget has a limit in a window, or a spike with a floor. */
static int check_kind(struct config_reader *reader, yaml_node_t *node,
		      const struct policy_budget *budget)
{
	if (!budget->spike_permille) {
		if (budget->floor_nanos_per_hour)
			return config_fail(reader, node, "has a floor, which only a spike takes");
		if (!budget->limit_nanos && !budget->limit_tokens)
			return config_fail(reader, node, "lacks \"limit\"; give one, as 50 USD or "
					   "2000000 tokens");
		return 0;
	}
	if (budget->limit_nanos || budget->limit_tokens || config_has(reader, node, "window"))
		return config_fail(reader, node, "has a spike beside a limit or a window; make two "
				   "budgets of it");
	if (!budget->floor_nanos_per_hour)
		return config_fail(reader, node, "lacks \"floor\", below which no spike matters; give "
				   "one, as 5 USD/hour");
	for (size_t i = 0; i < budget->n_steps; i++)
		if (budget->steps[i].at_permille != 1000)
			return config_fail(reader, node, "has a step with \"at\", which only a limit "
					   "has shares of");
	return 0;
}

static const struct config_key budget_keys[] = {
	{ "name", offsetof(struct policy_budget, name), .fn = config_name },
	{ "match", offsetof(struct policy_budget, match), .fn = read_match },
	{ "per", offsetof(struct policy_budget, per), config_choice, pers, pers_not_yet,
	  .noun = "what shares one counter" },
	{ "limit", 0, .fn = read_limit },
	{ "window", 0, .fn = read_window },
	{ "zone", offsetof(struct policy_budget, zone), .fn = read_zone },
	{ "steps", 0, .fn = read_steps },
	{ "default", offsetof(struct policy_budget, is_default), .fn = config_bool },
	{ "spike", 0, .fn = read_spike },
	{ "floor", offsetof(struct policy_budget, floor_nanos_per_hour), .fn = read_rate },
	{ "shared", 0, .fn = config_not_yet },
	{ NULL },
};

static int read_budget(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		       void *field)
{
	struct policy_budget *budget = field;
	int r;

	budget->window = POLICY_DAY;
	budget->line = config_line(node);
	r = config_map(reader, node, budget_keys, budget);
	if (r < 0)
		return r;
	if (!budget->name)
		return config_fail(reader, node, "lacks \"name\"; actions and reports call it by that");
	r = check_kind(reader, node, budget);
	if (r < 0)
		return r;
	if (!budget->n_steps)
		return config_fail(reader, node,
				   "lacks \"steps\"; say what happens, as [ { at: 100%%, do: note } ]");
	if (budget->zone && budget->window == POLICY_ROLLING)
		return config_fail(reader, node, "has a zone, which only hour, day, week and month take");
	return 0;
}

/* Who is protected, not what for: a signal or a gate knows no host and no model. */
static const struct config_key protect_keys[] = {
	{ "container", offsetof(struct policy_match, container), .fn = config_glob },
	{ "cgroup", offsetof(struct policy_match, cgroup), .fn = config_glob },
	{ "unit", offsetof(struct policy_match, unit), .fn = config_glob },
	{ "user", offsetof(struct policy_match, user), .fn = config_glob },
	{ "command", offsetof(struct policy_match, command), .fn = config_glob },
	{ "exe", offsetof(struct policy_match, exe), .fn = config_glob },
	{ "namespace", 0, .fn = config_not_yet },
	{ "workload", 0, .fn = config_not_yet },
	{ "pod", 0, .fn = config_not_yet },
	{ "label", 0, .fn = config_not_yet },
	{ NULL },
};

static int read_protected(struct config_reader *reader, yaml_node_t *node,
			  const struct config_key *key, void *field)
{
	int r = config_map(reader, node, protect_keys, field);

	return r < 0 ? r : refuse_empty(reader, node);
}

static int read_budgets(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
			void *field)
{
	struct policy_rules *rules = field;
	int r;

	r = config_list(reader, node, read_budget, sizeof(*rules->budgets), BUDGETS_MAX,
			(void **)&rules->budgets, &rules->n_budgets);
	for (size_t i = 1; r == 0 && i < rules->n_budgets; i++)
		for (size_t j = 0; r == 0 && j < i; j++) {
			if (strcmp(rules->budgets[i].name, rules->budgets[j].name))
				continue;
			snprintf(reader->path, sizeof(reader->path), "budgets[%zu].name", i);
			r = config_fail_line(reader, rules->budgets[i].line,
					     "\"%s\" is taken, by line %u; give another",
					     rules->budgets[i].name, rules->budgets[j].line);
		}
	return r;
}

static int read_protect(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
			void *field)
{
	struct policy_rules *rules = field;

	return config_list(reader, node, read_protected, sizeof(*rules->protect), PROTECT_MAX,
			   (void **)&rules->protect, &rules->n_protect);
}

static const struct config_key host_keys[] = {
	{ "pattern", offsetof(struct config_host, pattern), .fn = config_host_pattern },
	{ "like", offsetof(struct config_host, provider), .fn = config_name },
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
		return config_fail(reader, node, "lacks \"%s\"; give both, as { pattern: llm.corp.example, "
				   "like: openai }", host->pattern ? "like" : "pattern");
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
	const char *text = node->type == YAML_SCALAR_NODE ?
				   (const char *)node->data.scalar.value : "";
	unsigned n;
	int end = 0;

	if (*text < '0' || *text > '9' || sscanf(text, "%4u/hour%n", &n, &end) != 1 || !end ||
	    text[end] || n > POLICY_KILLS)
		return config_fail_value(reader, node, "is not a number an hour up to 1000, as 10/hour");
	*(unsigned *)field = n;
	return 0;
}

static const struct config_key file_keys[] = {
	{ "enforce", offsetof(struct config, rules.enforce), .fn = config_bool },
	{ "attach", offsetof(struct config, find.mode), config_choice, modes, .noun = "a way to attach" },
	{ "first-call", offsetof(struct config, first_call), config_choice, first_calls,
	  .noun = "a way with first calls" },
	{ "keep", offsetof(struct config, keep_us), .fn = read_keep },
	{ "max-kills", offsetof(struct config, rules.max_kills), .fn = read_max_kills },
	{ "prices", offsetof(struct config, prices), .fn = config_path },
	{ "hosts", 0, .fn = read_hosts },
	{ "budgets", offsetof(struct config, rules), .fn = read_budgets },
	{ "protect", offsetof(struct config, rules), .fn = read_protect },
	{ NULL },
};

static const struct config defaults = {
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

int config_parse(struct config *ret, const char *name, const char *text, size_t len,
		 char **ret_error)
{
	struct config config = defaults;
	struct config_reader reader = { .file = name };
	yaml_node_t *root = NULL;
	int r;

	r = config_open(&reader, text, len, &root);
	if (r == 0 && root)
		r = config_map(&reader, root, file_keys, &config);
	if (r == 0) {
		config.rules.file = strdup(name);
		r = config.rules.file ? 0 : -ENOMEM;
	}
	if (r < 0) {
		config_done(&config);
		*ret_error = config_take_error(&reader);
	} else {
		*ret = config;
	}
	config_close(&reader);
	return r;
}

int config_load(struct config *ret, const char *path, char **ret_error)
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
		if (asprintf(ret_error, "%s: %s; name a configuration file that this user can read and "
			     "that is no longer than 1 MiB, with --config", path, strerror(-r)) < 0)
			*ret_error = NULL;
		return r;
	}
	return config_parse(ret, path, text, len, ret_error);
}

void config_done(struct config *config)
{
	for (size_t i = 0; i < config->n_hosts; i++) {
		free(config->hosts[i].pattern);
		free(config->hosts[i].provider);
	}
	free(config->hosts);
	free(config->prices);
	policy_rules_done(&config->rules);
	*config = (struct config){ 0 };
}
