/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/preview.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/fields.h"
#include "base/hash.h"
#include "cmd/show.h"

#define MEMBERS_SHOWN 4

/* Cgroups by numbers of our own: ids do not outlive them, and those that are gone count, too. */
struct cgroup {
	UT_hash_handle hh;
	char path[WHO_PATH_LEN], who[WHO_LABEL_LEN];
	uint64_t number;
};

struct preview {
	struct policy *policy;
	struct cgroup *cgroups;
	FILE *out;
	json_t *rows; /* NULL: sentences */
	size_t n_over;
};

/* 0: no memory, and then the call has no member. */
static uint64_t number_of(struct preview *preview, const struct who_group *group)
{
	const char *path = group->path;
	struct cgroup *cgroup;

	HASH_FIND_STR(preview->cgroups, path, cgroup);
	if (cgroup) {
		/* its name may have come late */
		who_label(group, cgroup->who);
		return cgroup->number;
	}
	cgroup = calloc(1, sizeof(*cgroup));
	if (!cgroup)
		return 0;
	snprintf(cgroup->path, sizeof(cgroup->path), "%s", path);
	who_label(group, cgroup->who);
	cgroup->number = HASH_COUNT(preview->cgroups) + 1;
	HASH_ADD_STR(preview->cgroups, path, cgroup);
	if (cgroup->hh.tbl)
		return cgroup->number;
	free(cgroup);
	return 0;
}

static const struct cgroup *find_cgroup(const struct preview *preview, uint64_t number)
{
	static const struct cgroup none;
	const struct cgroup *cgroup;

	for (cgroup = preview->cgroups; cgroup; cgroup = cgroup->hh.next)
		if (cgroup->number == number)
			return cgroup;
	return &none;
}

static void add_call(void *arg, const struct ledger_call *call)
{
	struct preview *preview = arg;
	struct who_group group = *call->group;
	const struct policy_subject subject = { .group = &group,
						.process = call->process,
						.host = call->charge->host,
						.model = call->charge->model,
						.client = call->charge->client,
						.via = call->charge->via };

	group.cgroup = number_of(preview, &group);
	policy_charge(preview->policy, &subject, call->charge, call->id,
		      call->start_us + (int64_t)(call->charge->duration_ns / 1000), NULL);
}

static void print_sum(const struct policy_counter *counter, FILE *out)
{
	char spent[SHOW_LEN], limit[SHOW_LEN];

	if (policy_in_money(counter->budget))
		fprintf(out, "%s", show_usd(counter->spent_nanos, spent));
	else
		fprintf(out, "%s", show_count(counter->spent_tokens, spent));
	if (counter->limit_nanos)
		fprintf(out, " of %s USD", show_usd(counter->limit_nanos, limit));
	else if (counter->limit_tokens)
		fprintf(out, " of %s tokens", show_count(counter->limit_tokens, limit));
	else
		fprintf(out, " USD");
}

static const char *when_of(const struct policy_step *step)
{
	switch (step->action) {
	case POLICY_NOTE:
		return "nothing is done but to note it";
	case POLICY_PACE:
		return "at once: their calls wait for their turn";
	case POLICY_REFUSE:
		return "at once: their calls are refused";
	default:
		return "at the next AI call of a member; who makes none is not touched";
	}
}

static void add_json(struct preview *preview, const struct policy_counter *counter)
{
	const struct policy_step *step = counter->reached;
	json_t *row = json_object(), *members = json_array();

	field_text(row, "budget", counter->budget->name);
	field_text(row, "counter", counter->key);
	if (policy_in_money(counter->budget)) {
		field_money(row, "spent_usd", counter->spent_nanos);
		field_money(row, "limit_usd", counter->limit_nanos);
	} else {
		field_number(row, "spent_tokens", counter->spent_tokens);
		field_number(row, "limit_tokens", counter->limit_tokens);
	}
	field_text(row, "action", policy_action_name(step->action));
	field_number(row, "line", step->line);
	field_text(row, "when", when_of(step));
	field_bool(row, "rehearsed", counter->budget->is_rehearsed);
	for (size_t i = 0; i < counter->n_cgroups; i++) {
		const struct cgroup *cgroup = find_cgroup(preview, counter->cgroups[i]);
		json_t *member = json_object();

		field_text(member, "who", cgroup->who);
		field_text(member, "cgroup", cgroup->path);
		json_array_append_new(members, member);
	}
	field_set(row, "members", members);
	json_array_append_new(preview->rows, row);
}

static void print_member(const struct preview *preview, uint64_t number)
{
	const struct cgroup *cgroup = find_cgroup(preview, number);
	char who[SHOW_TEXT_LEN(WHO_LABEL_LEN)], path[SHOW_TEXT_LEN(WHO_PATH_LEN)];

	show_text(cgroup->who, who, sizeof(who));
	show_text(cgroup->path, path, sizeof(path));
	if (!*who || !strcmp(who, path))
		fprintf(preview->out, "    member: %s\n", path);
	else
		fprintf(preview->out, "    member: %s (%s)\n", who, path);
}

static void print_counter(void *arg, const struct policy_counter *counter)
{
	const struct policy_step *step = counter->reached;
	struct preview *preview = arg;
	char budget[SHOW_TEXT_LEN(256)], key[SHOW_TEXT_LEN(512)];

	if (!step)
		return;
	preview->n_over++;
	if (preview->rows) {
		add_json(preview, counter);
		return;
	}
	fprintf(preview->out, "%s", show_text(counter->budget->name, budget, sizeof(budget)));
	if (strcmp(counter->key, counter->budget->name))
		fprintf(preview->out, ", %s", show_text(counter->key, key, sizeof(key)));
	fprintf(preview->out, ": ");
	print_sum(counter, preview->out);
	fprintf(preview->out, "\n    %s (line %u): %s%s\n", policy_action_name(step->action),
		step->line, when_of(step),
		counter->budget->is_rehearsed ? " (this budget is only rehearsed: nothing)" : "");
	for (size_t i = 0; i < counter->n_cgroups && i < MEMBERS_SHOWN; i++)
		print_member(preview, counter->cgroups[i]);
	if (counter->n_cgroups > MEMBERS_SHOWN)
		fprintf(preview->out, "    and %zu more\n", counter->n_cgroups - MEMBERS_SHOWN);
}

int preview_print(struct ledger *ledger, const struct policy_rules *rules, int64_t now_us,
		  enum table_format format, FILE *out)
{
	struct preview preview = { .policy = policy_new(rules),
				   .out = out,
				   .rows = format == TABLE_JSON ? json_array() : NULL };
	struct cgroup *cgroup, *next;
	int err = preview.policy ? 0 : -ENOMEM;

	if (!err)
		err = ledger_replay(ledger, policy_since(preview.policy, now_us), add_call,
				    &preview);
	if (!err)
		policy_counters(preview.policy, now_us, print_counter, &preview);
	if (!err && preview.rows) {
		json_t *root = json_pack("{s:O}", "rows", preview.rows);

		json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		fputc('\n', out);
		json_decref(root);
	} else if (!err && !preview.n_over)
		fprintf(out, "No budget has reached a step: nothing would be done now.\n");
	HASH_ITER(hh, preview.cgroups, cgroup, next) {
		HASH_DEL(preview.cgroups, cgroup);
		free(cgroup);
	}
	json_decref(preview.rows);
	policy_free(preview.policy);
	return err;
}

/* ---- what differs ---- */

static const struct policy_budget *find(const struct policy_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->n_budgets; i++)
		if (!strcmp(rules->budgets[i].name, name))
			return &rules->budgets[i];
	return NULL;
}

static const json_t *find_row(const json_t *rows, const char *name)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		const char *budget = json_string_value(json_object_get(row, "budget"));

		if (budget && !strcmp(budget, name))
			return row;
	}
	return NULL;
}

static void print_limit(const struct policy_rules *rules, const struct policy_budget *budget,
			const json_t *row, FILE *out)
{
	const char *usd = json_string_value(json_object_get(row, "limit_usd"));
	json_int_t tokens = json_integer_value(json_object_get(row, "limit_tokens"));
	bool was_enforced = json_is_true(json_object_get(row, "enforced"));
	bool is_enforced = rules->enforce && !budget->is_rehearsed;
	bool in_money = policy_in_money(budget);
	uint64_t before = 0, now = in_money ? (uint64_t)budget->limit_nanos : budget->limit_tokens;
	char name[SHOW_TEXT_LEN(256)], from[SHOW_LEN], to[SHOW_LEN];

	show_text(budget->name, name, sizeof(name));
	if (in_money)
		(void)decimal_read(usd ? usd : "0", 9, &before);
	else
		before = (uint64_t)tokens;
	if (before && now && before != now)
		fprintf(out, "  %s %s: %s to %s%s\n", now < before ? "tightened" : "raised", name,
			in_money ? show_usd((int64_t)before, from) : show_count(before, from),
			in_money ? show_usd((int64_t)now, to) : show_count(now, to),
			in_money ? " USD" : " tokens");
	else if (!before != !now)
		fprintf(out, "  changed %s: its limit is of another kind\n", name);
	if (was_enforced != is_enforced)
		fprintf(out, "  %s %s\n",
			is_enforced ? "enforced from now on:" : "only rehearsed:", name);
}

void preview_print_changes(struct ledger *ledger, const struct policy_rules *rules, FILE *out)
{
	_cleanup_free_ char *text = ledger_get(ledger, "rules"), *said = NULL;
	json_t *rows = text ? json_loads(text, 0, NULL) : NULL;
	char name[SHOW_TEXT_LEN(256)];
	FILE *changes = NULL;
	const json_t *row;
	size_t i, size;

	if (rows)
		changes = open_memstream(&said, &size);
	if (!changes) {
		json_decref(rows);
		return;
	}
	for (i = 0; i < rules->n_budgets; i++) {
		row = find_row(rows, rules->budgets[i].name);
		if (row)
			print_limit(rules, &rules->budgets[i], row, changes);
		else
			fprintf(changes, "  added %s\n",
				show_text(rules->budgets[i].name, name, sizeof(name)));
	}
	json_array_foreach(rows, i, row) {
		const char *budget = json_string_value(json_object_get(row, "budget"));

		if (budget && !find(rules, budget))
			fprintf(changes, "  removed %s\n", show_text(budget, name, sizeof(name)));
	}
	json_decref(rows);
	fclose(changes);
	fprintf(out, "Against the rules in force:\n%s",
		*said ? said : "  no budget, limit or mode changes\n");
}
