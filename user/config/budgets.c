/* SPDX-License-Identifier: Apache-2.0 */
#include "config/budgets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/zone.h"
#include "budget/policy.h"
#include "config/match.h"
#include "kube/annotations.h"

#define BUDGETS_MAX 1000
#define STEPS_MAX   16
#define PROTECT_MAX 256

#define DAY_NS   86400000000000ULL
#define GRACE_NS 10000000000ULL /* the default of docker-stop(1) */

static const char *const targets[] = { "process", "cgroup", NULL };
_Static_assert(POLICY_PROCESS == 0 && POLICY_CGROUP == 1, "in targets' order");

/* In the order of the enumerators. */
static const char *const actions[] = { "note", "pace", "refuse", "freeze", "stop", "kill", NULL };
_Static_assert(POLICY_KILL == 5 && POLICY_REFUSE == 2, "in actions' order");

const char *const config_losses[] = { "open", "hold", NULL };
_Static_assert(POLICY_LOSS_OPEN == 0 && POLICY_LOSS_HOLD == 1, "in config_losses' order");

static const char *const estimates[] = { "expected", "high", "none", NULL };
_Static_assert(POLICY_EXPECTED == 0 && POLICY_NONE == 2, "in estimates' order");

static int read_limit(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct policy_budget *budget = field;

	return config_limit(reader, node, &budget->limit_nanos, &budget->limit_tokens);
}

static int read_window(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
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

/* Added to a weekday's number, to tell it from a day of the month until read_budget() knows the window. */
#define WEEKDAY 100

static int read_starts(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	static const char *const weekdays[] = { "monday", "tuesday",  "wednesday", "thursday",
						"friday", "saturday", "sunday",    NULL };
	int weekday = config_index(node, weekdays);
	unsigned *start_day = field;
	char rest;

	if (weekday >= 0)
		*start_day = WEEKDAY + 1 + (unsigned)weekday;
	else if (node->type != YAML_SCALAR_NODE ||
		 sscanf((const char *)node->data.scalar.value, "%2u%c", start_day, &rest) != 1 ||
		 *start_day < 1 || *start_day > 31)
		return config_fail_value(reader, node,
					 "is not a day to start on; give monday to sunday for a week, "
					 "1 to 31 for a month");
	return 0;
}

static int read_healthy(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	struct policy_budget *budget = field;
	unsigned number;
	char unit, rest;
	int n = node->type != YAML_SCALAR_NODE ? 0 :
						 sscanf((const char *)node->data.scalar.value,
							"%4u%c%c", &number, &unit, &rest);

	if (n == 1 && number <= POLICY_MEMBERS) {
		budget->min_healthy = number;
		return 0;
	}
	if (n != 2 || unit != '%' || number > 100)
		return config_fail_value(reader, node,
					 "is not a number of members; give one, as 1, or a "
					 "share of those that run, as 50%");
	budget->min_healthy_permille = number * 10;
	return 0;
}

static int check_starts(struct config_reader *reader, yaml_node_t *node,
			struct policy_budget *budget)
{
	bool is_weekday = budget->start_day > WEEKDAY;

	if (!budget->start_day)
		return 0;
	if (budget->window != (is_weekday ? POLICY_WEEK : POLICY_MONTH))
		return config_fail(reader, node,
				   is_weekday ?
					   "starts on a weekday, which only a week does" :
					   "starts on a day of the month, which only a month does");
	budget->start_day -= is_weekday ? WEEKDAY : 0;
	return 0;
}

int config_zone(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
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

/* "2 USD/hour" or "500k tokens/hour" */
static int read_pace(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	struct policy_step *step = field;
	struct amount rate;

	if (config_rate_of(node, &rate) < 0)
		return config_fail_value(reader, node,
					 "is not a rate above 0; give one as 2 USD/hour or "
					 "500k tokens/hour");
	step->pace_in_tokens = rate.tokens;
	step->pace_per_hour = rate.tokens ? rate.tokens : rate.nanos;
	return 0;
}

static int read_evidence(struct config_reader *reader, yaml_node_t *node,
			 const struct config_key *key, void *field)
{
	static const char *const names[] = { "measured", "estimated", NULL };
	int r = config_index(node, names);

	if (r < 0)
		return config_fail_value(reader, node,
					 "is not what a step rests on; give measured or estimated");
	*(bool *)field = r;
	return 0;
}

static const struct config_key step_keys[] = {
	{ "at", offsetof(struct policy_step, at_permille), .fn = config_permille },
	{ "do", offsetof(struct policy_step, action), config_choice, actions, .noun = "an action" },
	{ "target", offsetof(struct policy_step, target), config_choice, targets,
	  .noun = "a target" },
	{ "grace", offsetof(struct policy_step, grace_ns), .fn = read_grace },
	{ "to", 0, .fn = read_pace },
	{ "cut", offsetof(struct policy_step, cut), .fn = config_bool },
	{ "whole", offsetof(struct policy_step, whole), .fn = config_bool },
	{ "evidence", offsetof(struct policy_step, by_estimates), .fn = read_evidence },
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
				   "lacks \"do\"; give note, pace, refuse, freeze, stop or kill");
	if (step->action != POLICY_PACE && config_has(reader, node, "to"))
		return config_fail(reader, node, "has a rate, which only pace takes");
	if (step->action == POLICY_PACE && !step->pace_per_hour)
		return config_fail(reader, node, "lacks \"to\"; give the rate, as 2 USD/hour");
	if (step->action != POLICY_KILL && config_has(reader, node, "grace"))
		return config_fail(reader, node, "has a grace, which only kill takes");
	if (step->action != POLICY_KILL && step->action != POLICY_STOP &&
	    config_has(reader, node, "target"))
		return config_fail(reader, node, "has a target, which only stop and kill take");
	if ((step->action != POLICY_KILL || step->target != POLICY_CGROUP) &&
	    config_has(reader, node, "whole"))
		return config_fail(reader, node,
				   "has a whole, which only kill with target: cgroup takes");
	if (step->action != POLICY_FREEZE && step->action != POLICY_STOP &&
	    step->action != POLICY_REFUSE && config_has(reader, node, "cut"))
		return config_fail(reader, node,
				   "has a cut, which only refuse, freeze and stop take");
	if (step->action < POLICY_FREEZE && config_has(reader, node, "evidence"))
		return config_fail(reader, node,
				   "has an evidence, which only freeze, stop and kill take");
	if (step->action == POLICY_REFUSE && config_has(reader, node, "cut")) {
		step->lets_end = !step->cut;
		step->cut = false;
	}
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
		return config_fail_value(
			reader, node,
			"is not a multiple of a past rate; give one as 8x of 24h, from "
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
	struct amount rate;

	if (config_rate_of(node, &rate) < 0 || rate.tokens)
		return config_fail_value(reader, node,
					 "is not a rate above 0; give one as 5 USD/hour");
	*(int64_t *)field = rate.nanos;
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
			return config_fail(reader, node,
					   "lacks \"limit\"; give one, as 50 USD or "
					   "2M tokens");
		return 0;
	}
	if (budget->limit_nanos || budget->limit_tokens || config_has(reader, node, "window"))
		return config_fail(reader, node,
				   "has a spike beside a limit or a window; make two "
				   "budgets of it");
	if (!budget->floor_nanos_per_hour)
		return config_fail(reader, node,
				   "lacks \"floor\", below which no spike matters; give "
				   "one, as 5 USD/hour");
	for (size_t i = 0; i < budget->n_steps; i++)
		if (budget->steps[i].at_permille != 1000)
			return config_fail(reader, node,
					   "has a step with \"at\", which only a limit "
					   "has shares of");
	return 0;
}

static const struct config_key budget_keys[] = {
	{ "name", offsetof(struct policy_budget, name), .fn = config_name },
	{ "match", offsetof(struct policy_budget, match), .fn = config_match },
	{ "per", offsetof(struct policy_budget, per), config_choice, policy_pers,
	  .noun = "what shares one counter" },
	{ "parts-apart", offsetof(struct policy_budget, parts_apart), .fn = config_bool },
	{ "limit", 0, .fn = read_limit },
	{ "window", 0, .fn = read_window },
	{ "zone", offsetof(struct policy_budget, zone), .fn = config_zone },
	{ "starts", offsetof(struct policy_budget, start_day), .fn = read_starts },
	{ "steps", 0, .fn = read_steps },
	{ "min-healthy", 0, .fn = read_healthy },
	{ "shared", offsetof(struct policy_budget, is_shared), .fn = config_bool },
	{ "default", offsetof(struct policy_budget, is_default), .fn = config_bool },
	{ "spike", 0, .fn = read_spike },
	{ "floor", offsetof(struct policy_budget, floor_nanos_per_hour), .fn = read_rate },
	{ "estimates", offsetof(struct policy_budget, estimates), config_choice, estimates,
	  .noun = "what is counted of an estimate" },
	{ "on-daemon-loss", offsetof(struct policy_budget, on_loss), config_choice, config_losses,
	  .noun = CONFIG_LOSS_NOUN },
	{ NULL },
};

static int read_budget(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	struct policy_budget *budget = field;
	int r;

	budget->window = POLICY_DAY;
	budget->on_loss = POLICY_LOSS_UNSAID;
	budget->line = config_line(node);
	r = config_map(reader, node, budget_keys, budget);
	if (r < 0)
		return r;
	if (!budget->name)
		return config_fail(reader, node,
				   "lacks \"name\"; actions and reports call it by that");
	r = check_kind(reader, node, budget);
	if (r < 0)
		return r;
	for (size_t i = 0; i < budget->n_steps; i++)
		if (budget->steps[i].action == POLICY_PACE &&
		    budget->steps[i].pace_in_tokens == policy_in_money(budget))
			return config_fail_line(reader, budget->steps[i].line,
						"has a step that paces in %s, but counts %s",
						policy_in_money(budget) ? "tokens" : "USD",
						policy_in_money(budget) ? "USD" : "tokens");
	if (!budget->n_steps)
		return config_fail(
			reader, node,
			"lacks \"steps\"; say what happens, as [ { at: 100%%, do: note } ]");
	if (budget->is_shared && (budget->spike_permille || budget->per == POLICY_PER_PROCESS))
		return config_fail(
			reader, node,
			budget->spike_permille ?
				"is shared, which a spike cannot be: it is measured against one's own "
				"past" :
				"is shared, which a counter per process cannot be");
	if (budget->zone && budget->window == POLICY_ROLLING)
		return config_fail(reader, node,
				   "has a zone, which only hour, day, week and month take");
	return check_starts(reader, node, budget);
}

int config_budgets(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
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

int config_protect(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		   void *field)
{
	struct policy_rules *rules = field;

	return config_list(reader, node, config_match_who, sizeof(*rules->protect), PROTECT_MAX,
			   (void **)&rules->protect, &rules->n_protect);
}

static int read_allow(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	struct annotations_config *config = field;

	return config_list(reader, node, config_match_who, sizeof(*config->allow), PROTECT_MAX,
			   (void **)&config->allow, &config->n_allow);
}

static int read_allowed_steps(struct config_reader *reader, yaml_node_t *node,
			      const struct config_key *key, void *field)
{
	struct annotations_config *config = field;
	int r = config_list(reader, node, read_step, sizeof(*config->steps), STEPS_MAX,
			    (void **)&config->steps, &config->n_steps);

	if (r == 0)
		sort_steps(config->steps, config->n_steps);
	return r;
}

static const struct config_key annotations_keys[] = {
	{ "allow", 0, .fn = read_allow },
	{ "steps", 0, .fn = read_allowed_steps },
	{ "zone", offsetof(struct annotations_config, zone), .fn = config_zone },
	{ NULL },
};

int config_annotations(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	struct annotations_config *config = field;
	int r = config_map(reader, node, annotations_keys, config);

	if (r < 0)
		return r;
	if (!config->n_allow)
		return config_fail(reader, node,
				   "lacks \"allow\"; say whose annotations count, as "
				   "[ { namespace: \"team-*\" } ]");
	if (!config->n_steps)
		return config_fail(
			reader, node,
			"lacks \"steps\"; say what happens, as [ { at: 100%%, do: note } ]");
	return 0;
}
