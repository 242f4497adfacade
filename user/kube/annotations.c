/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/annotations.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/amount.h"
#include "base/hash.h"
#include "base/log.h"
#include "budget/match.h"

#define SUBJECT_LEN (2 * WHO_NAME_LEN)
#define STATE_LEN   160
#define TOKENS_MAX  (1LL << 53)

struct wish {
	UT_hash_handle hh;         /* in the order of the last change */
	char subject[SUBJECT_LEN]; /* "NAMESPACE", or "NAMESPACE/Kind/name" */
	struct who_group group;    /* matched against `allow` */
	struct who_wish is;
	char state[STATE_LEN];
};

struct annotations {
	struct wish *wishes;
};

struct annotations *annotations_new(void)
{
	return calloc(1, sizeof(struct annotations));
}

static void drop(struct annotations *annotations, struct wish *wish)
{
	HASH_DEL(annotations->wishes, wish);
	free(wish);
}

struct annotations *annotations_free(struct annotations *annotations)
{
	struct wish *wish, *next;

	if (!annotations)
		return NULL;
	HASH_ITER(hh, annotations->wishes, wish, next)
		drop(annotations, wish);
	free(annotations);
	return NULL;
}

void annotations_config_done(struct annotations_config *config)
{
	for (size_t i = 0; i < config->n_allow; i++)
		match_done(&config->allow[i]);
	free(config->allow);
	free(config->steps);
	free(config->zone);
	*config = (struct annotations_config){ 0 };
}

/* ---- reading ---- */

static const char *read_mode(const char *mode, struct annotations_wish *ret)
{
	ret->is_rehearsed = !strcmp(mode, "rehearse");
	ret->is_off = !strcmp(mode, "off");
	if (!*mode || ret->is_rehearsed || ret->is_off || !strcmp(mode, "enforce"))
		return NULL;
	return "its mode is not enforce, rehearse or off";
}

const char *annotations_read(const struct who_wish *wish, struct annotations_wish *ret)
{
	static const char wrong[] = "it is not a budget, as 20 USD/day or 2M tokens/hour";
	static const char *const windows[] = { "hour", "day", "week", "month" };
	_Static_assert(POLICY_HOUR == 0 && POLICY_MONTH == 3, "in windows' order");
	struct amount limit;
	const char *slash = amount_read(wish->budget, &limit);

	*ret = (struct annotations_wish){ 0 };
	if (!slash || *slash != '/' || limit.tokens > TOKENS_MAX)
		return wrong;
	ret->limit_nanos = limit.nanos;
	ret->limit_tokens = (uint64_t)limit.tokens;
	for (size_t i = 0; i < ARRAY_SIZE(windows); i++)
		if (!strcmp(slash + 1, windows[i])) {
			ret->window = (enum policy_window)i;
			return read_mode(wish->mode, ret);
		}
	return wrong;
}

/* ---- learning ---- */

static bool learn(struct annotations *annotations, const char *subject,
		  const struct who_group *group, const struct who_wish *is)
{
	struct wish *wish;

	HASH_FIND_STR(annotations->wishes, subject, wish);
	if (wish && !strcmp(wish->is.budget, is->budget) && !strcmp(wish->is.mode, is->mode)) {
		wish->group = *group;
		return false;
	}
	if (!is->budget[0]) {
		if (wish)
			drop(annotations, wish);
		return wish;
	}
	if (wish)
		HASH_DEL(annotations->wishes, wish);
	else if (HASH_COUNT(annotations->wishes) >= ANNOTATIONS_MAX)
		drop(annotations, annotations->wishes);
	if (!wish)
		wish = calloc(1, sizeof(*wish));
	if (!wish)
		return false;
	snprintf(wish->subject, sizeof(wish->subject), "%s", subject);
	wish->group = *group;
	wish->is = *is;
	wish->state[0] = '\0';
	HASH_ADD_STR(annotations->wishes, subject, wish);
	if (wish->hh.tbl)
		return true;
	free(wish);
	return false;
}

bool annotations_pod(struct annotations *annotations, const struct who_pod *pod)
{
	struct who_group group = { .path = "/" };
	char subject[SUBJECT_LEN];

	memcpy(group.namespace, pod->namespace, sizeof(group.namespace));
	memcpy(group.workload, pod->workload, sizeof(group.workload));
	memcpy(group.pod, pod->name, sizeof(group.pod));
	memcpy(group.labels, pod->labels, sizeof(group.labels));
	if (!pod->namespace[0] || !pod->workload[0])
		return false;
	snprintf(subject, sizeof(subject), "%.63s/%s", pod->namespace, pod->workload);
	return learn(annotations, subject, &group, &pod->wish);
}

bool annotations_namespace(struct annotations *annotations, const char *name,
			   const struct who_wish *wish)
{
	struct who_group group = { .path = "/" };

	snprintf(group.namespace, sizeof(group.namespace), "%s", name);
	return learn(annotations, group.namespace, &group, wish);
}

/* ---- budgets ---- */

static bool is_allowed(const struct annotations_config *config, const struct who_group *group)
{
	const struct who_process nobody = { .comm = "" };
	const struct policy_subject subject = {
		.group = group, .process = &nobody, .host = "", .model = ""
	};

	for (size_t i = 0; i < config->n_allow; i++)
		if (match_fits(&config->allow[i], &subject))
			return true;
	return false;
}

/* A budget of its own strings and steps, as policy_rules_done() expects. 0 or -ENOMEM. */
static int fill(struct policy_budget *budget, const struct wish *wish,
		const struct annotations_wish *meant, const struct annotations_config *config)
{
	bool is_namespace = !wish->group.workload[0];

	*budget = (struct policy_budget){
		.per = POLICY_PER_MATCH,
		.limit_nanos = meant->limit_nanos,
		.limit_tokens = meant->limit_tokens,
		.window = meant->window,
		.is_rehearsed = meant->is_rehearsed,
	};
	if (asprintf(&budget->name, "annotation:%s", wish->subject) < 0)
		budget->name = NULL;
	budget->match.namespace = strdup(wish->group.namespace);
	budget->match.workload = is_namespace ? NULL : strdup(wish->group.workload);
	budget->zone = config->zone ? strdup(config->zone) : NULL;
	budget->steps = calloc(config->n_steps, sizeof(*budget->steps));
	if (!budget->name || !budget->match.namespace || !budget->steps ||
	    (!is_namespace && !budget->match.workload) || (config->zone && !budget->zone))
		return -ENOMEM;
	memcpy(budget->steps, config->steps, config->n_steps * sizeof(*budget->steps));
	budget->n_steps = config->n_steps;
	return 0;
}

static int add(struct policy_rules *rules, const struct wish *wish,
	       const struct annotations_wish *meant, const struct annotations_config *config)
{
	struct policy_budget *budgets = reallocarray(rules->budgets, rules->n_budgets + 1,
						     sizeof(*budgets));
	int r;

	if (!budgets)
		return -ENOMEM;
	rules->budgets = budgets;
	/* Counted even if half filled, so that it is freed with the rules. */
	r = fill(&budgets[rules->n_budgets++], wish, meant, config);
	budgets[rules->n_budgets - 1].on_loss = rules->on_loss;
	return r;
}

static void set_state(struct wish *wish, const char *state, bool is_refused)
{
	if (!strcmp(wish->state, state))
		return;
	snprintf(wish->state, sizeof(wish->state), "%s", state);
	if (is_refused)
		log_warn("annotation of %s is not honoured: %s", wish->subject, state);
}

int annotations_add(struct annotations *annotations, const struct annotations_config *config,
		    struct policy_rules *rules)
{
	struct annotations_wish meant;
	struct wish *wish, *next;
	const char *wrong;
	int err = 0, r;

	HASH_ITER(hh, annotations->wishes, wish, next) {
		wrong = annotations_read(&wish->is, &meant);
		if (wrong) {
			set_state(wish, wrong, true);
		} else if (!config->n_steps || !is_allowed(config, &wish->group)) {
			set_state(wish, "the configuration allows none there", true);
		} else if (meant.is_off) {
			set_state(wish, "off", false);
		} else {
			r = add(rules, wish, &meant, config);
			set_state(wish, meant.is_rehearsed ? "rehearsed" : "in force", false);
			err = r < 0 ? r : err;
		}
	}
	return err;
}

void annotations_each(const struct annotations *annotations,
		      void (*fn)(void *arg, const char *subject, const struct who_wish *wish,
				 const char *state),
		      void *arg)
{
	for (const struct wish *wish = annotations->wishes; wish; wish = wish->hh.next)
		fn(arg, wish->subject, &wish->is, wish->state);
}
