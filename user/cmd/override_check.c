/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/override_check.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "cmd/show.h"

#define NAMES_SHOWN  5   /* of budgets, in an error */
#define DISTANCE_MAX 128 /* bytes of a name that are compared */

/* A budget, with an empty counter, or one of its counters. */
struct place {
	const char *budget, *counter; /* in the scene's JSON */
	uint64_t nanos, tokens;       /* the configured limit; both 0: a spike */
};

struct override_scene {
	json_t *rules, *budgets;
	struct place *places; /* budgets come first */
	size_t n, n_budgets;
};

static json_t *fact(struct ledger *ledger, const char *key)
{
	_cleanup_free_ char *text = ledger_get(ledger, key);

	return text ? json_loads(text, 0, NULL) : NULL;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void add_budget(struct override_scene *scene, const json_t *row)
{
	struct place *place = &scene->places[scene->n++];
	uint64_t nanos = 0;

	(void)decimal_read(string(row, "limit_usd"), 9, &nanos);
	*place = (struct place){ .budget = string(row, "budget"),
				 .counter = "",
				 .nanos = nanos,
				 .tokens = (uint64_t)json_integer_value(
					 json_object_get(row, "limit_tokens")) };
	scene->n_budgets = scene->n;
}

/* One of a budget that was configured away is not there for an order. */
static void add_counter(struct override_scene *scene, const json_t *row)
{
	for (size_t i = 0; i < scene->n_budgets; i++) {
		if (strcmp(scene->places[i].budget, string(row, "budget")))
			continue;
		scene->places[scene->n] = scene->places[i];
		scene->places[scene->n++].counter = string(row, "key");
		return;
	}
}

struct override_scene *override_scene_new(struct ledger *ledger)
{
	struct override_scene *scene = calloc(1, sizeof(*scene));
	json_t *row;
	size_t i;

	if (!scene)
		return NULL;
	scene->rules = fact(ledger, "rules");
	scene->budgets = fact(ledger, "budgets");
	scene->places = calloc(json_array_size(scene->rules) + json_array_size(scene->budgets) + 1,
			       sizeof(*scene->places));
	if (!scene->places)
		return override_scene_free(scene);
	json_array_foreach(scene->rules, i, row) {
		add_budget(scene, row);
	}
	json_array_foreach(scene->budgets, i, row) {
		add_counter(scene, row);
	}
	return scene;
}

struct override_scene *override_scene_free(struct override_scene *scene)
{
	if (!scene)
		return NULL;
	json_decref(scene->rules);
	json_decref(scene->budgets);
	free(scene->places);
	free(scene);
	return NULL;
}

static bool fits(const struct override *override, const struct place *place)
{
	return override_fits(override, place->budget, place->counter);
}

/* ---- a key that names nothing ---- */

/* Levenshtein's: insertions, deletions and exchanges of bytes that make one of the other. */
static size_t distance(const char *a, const char *b)
{
	size_t row[DISTANCE_MAX + 1], len = strnlen(b, DISTANCE_MAX);

	for (size_t j = 0; j <= len; j++)
		row[j] = j;
	for (size_t i = 0; a[i] && i < DISTANCE_MAX; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < len; j++) {
			size_t cost = corner + (a[i] != b[j]);

			corner = row[j + 1];
			if (row[j] + 1 < cost)
				cost = row[j] + 1;
			if (corner + 1 < cost)
				cost = corner + 1;
			row[j + 1] = cost;
		}
	}
	return row[len];
}

/* The name that was probably meant; NULL: none is near. */
static const char *nearest(const struct override_scene *scene, const char *key)
{
	size_t best = strlen(key) / 3 + 1, far;
	const char *found = NULL;

	for (size_t i = 0; i < scene->n; i++) {
		const struct place *place = &scene->places[i];
		const char *name = *place->counter ? place->counter : place->budget;

		far = distance(key, name);
		/* A pod's name without "workload=", "agents" for "agents-daily". */
		if (strlen(key) >= 3 && strcasestr(name, key))
			far = !!far;
		if (far > best || (found && far == best))
			continue;
		best = far;
		found = name;
	}
	return found;
}

static void say_names(const struct override_scene *scene, FILE *err)
{
	char text[SHOW_TEXT_LEN(OVERRIDE_KEY_LEN)];
	size_t i;

	fprintf(err, "; budgets here:");
	for (i = 0; i < scene->n_budgets && i < NAMES_SHOWN; i++)
		fprintf(err, "%s %s", i ? "," : "",
			show_text(scene->places[i].budget, text, sizeof(text)));
	if (scene->n_budgets > i)
		fprintf(err, " and %zu more", scene->n_budgets - i);
}

static void say_unknown(const struct override_scene *scene, const char *key, FILE *err)
{
	const char *meant = nearest(scene, key);
	char text[SHOW_TEXT_LEN(OVERRIDE_KEY_LEN)];

	fprintf(err, "no budget and no counter is called \"%s\"",
		show_text(key, text, sizeof(text)));
	if (meant)
		fprintf(err, "; did you mean \"%s\"?", show_text(meant, text, sizeof(text)));
	else if (scene->n_budgets)
		say_names(scene, err);
	else
		fprintf(err, "; the configuration has no budget");
}

static bool names_something(const struct override_scene *scene, const struct override *override,
			    bool is_forced, FILE *err)
{
	for (size_t i = 0; i < scene->n; i++)
		if (fits(override, &scene->places[i]))
			return true;
	/* The emergency switch works without budgets, too. */
	if (!strcmp(override->key, "*")) {
		fprintf(err, "aigress override: the configuration has no budget\n");
		return true;
	}
	fprintf(err, "aigress override: ");
	say_unknown(scene, override->key, err);
	fprintf(err, "%s\n",
		is_forced ? ", proceeding" :
			    " (--force orders it for a counter that has yet to spend)");
	return is_forced;
}

/* ---- a raise that raises nothing ---- */

static bool is_raised(const struct place *place, const struct override *override, FILE *err)
{
	char text[SHOW_TEXT_LEN(OVERRIDE_KEY_LEN)], usd[SHOW_LEN], count[SHOW_LEN];
	bool in_money = override->limit_nanos > 0;
	uint64_t limit = in_money ? place->nanos : place->tokens;

	if (limit && (in_money ? (uint64_t) override->limit_nanos : override->limit_tokens) > limit)
		return true;
	fprintf(err, "aigress override: %s ", show_text(place->budget, text, sizeof(text)));
	if (!place->nanos && !place->tokens)
		fprintf(err, "has no limit (it is a spike)");
	else if (!limit)
		fprintf(err, "has a limit in %s", in_money ? "tokens" : "USD");
	else if (in_money)
		fprintf(err, "has a limit of %s USD already", show_usd((int64_t)limit, usd));
	else
		fprintf(err, "has a limit of %s tokens already", show_count(limit, count));
	fprintf(err, ": this raise changes nothing there\n");
	return false;
}

static bool raises_something(const struct override_scene *scene, const struct override *override,
			     FILE *err)
{
	size_t n_raised = 0, n = 0;

	for (size_t i = 0; i < scene->n_budgets; i++) {
		bool fitting = false;

		for (size_t k = 0; k < scene->n && !fitting; k++)
			fitting = !strcmp(scene->places[k].budget, scene->places[i].budget) &&
				  fits(override, &scene->places[k]);
		if (!fitting)
			continue;
		n++;
		n_raised += is_raised(&scene->places[i], override, err);
	}
	return n_raised || !n;
}

bool override_check(const struct override_scene *scene, const struct override *override,
		    bool is_forced, FILE *err)
{
	if (!scene->rules)
		return true;
	if (!names_something(scene, override, is_forced, err))
		return false;
	if (override->kind != OVERRIDE_RAISE || raises_something(scene, override, err))
		return true;
	fprintf(err, "aigress override: nothing was ordered\n");
	return false;
}

/* ---- which of several counts ---- */

/* Of the orders after one, the last that fits a place; NULL: none. */
static const struct override *later(const struct place *place, const struct override *list,
				    size_t n, size_t at)
{
	for (size_t i = n; i-- > at + 1;)
		if (fits(&list[i], place))
			return &list[i];
	return NULL;
}

char *override_rank(const struct override_scene *scene, const struct override *list, size_t n,
		    size_t at, char ret[OVERRIDE_RANK_LEN])
{
	char key[SHOW_TEXT_LEN(OVERRIDE_KEY_LEN)];
	const struct override *winner = NULL;
	bool counts = false;

	for (size_t i = 0; i < scene->n; i++) {
		const struct override *one;

		if (!fits(&list[at], &scene->places[i]))
			continue;
		one = later(&scene->places[i], list, n, at);
		winner = one ? one : winner;
		counts |= !one;
	}
	ret[0] = '\0';
	if (winner)
		snprintf(ret, OVERRIDE_RANK_LEN, "overruled %s by %s \"%s\"",
			 counts ? "in part" : "everywhere", override_kind_name(winner->kind),
			 show_text(winner->key, key, sizeof(key)));
	return ret;
}
