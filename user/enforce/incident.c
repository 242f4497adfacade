/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/incident.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

#define RESULT_LEN 1024 /* a family's names */

static void applied_free(struct enforcer *enforcer, struct applied *applied)
{
	HASH_DEL(applied->incident->applied_list, applied);
	due_drop(applied);
	enforcer->n_actions--;
	free(applied->group);
	free(applied->family);
	free(applied->who);
	free(applied->name);
	free(applied);
}

void incident_free(struct enforcer *enforcer, struct incident *incident)
{
	struct applied *applied, *next;

	HASH_ITER(hh, incident->applied_list, applied, next)
		applied_free(enforcer, applied);
	bucket_close(enforcer, incident);
	enforcer->n_unsettled -= incident_is_unsettled(incident);
	if (incident->hh.tbl)
		HASH_DEL(enforcer->incidents, incident);
	free(incident);
}

static void learn(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_verdict *verdict)
{
	size_t len = 1;

	enforcer->n_unsettled -= incident_is_unsettled(incident);
	incident->is_reserved = verdict->is_reserved;
	incident->is_running = verdict->is_running;
	enforcer->n_unsettled += incident_is_unsettled(incident);
	incident->is_ordered = verdict->is_ordered;

	incident->until_us = verdict->window_end_us;
	incident->evidence = (struct ledger_action){
		.spent_nanos = verdict->spent_nanos,
		.limit_nanos = verdict->limit_nanos,
		.spent_tokens = verdict->spent_tokens,
		.in_flight = verdict->in_flight,
		.limit_tokens = verdict->limit_tokens,
		.window_start_us = verdict->window_start_us,
		.measured_permille = verdict->measured_permille,
		.until_us = verdict->window_end_us == INT64_MAX ? 0 : verdict->window_end_us,
	};
	strcpy(incident->calls, "[");
	for (size_t i = 0; i < verdict->n_calls; i++)
		len += (size_t)snprintf(incident->calls + len, sizeof(incident->calls) - len,
					"%s%lld", i ? "," : "", (long long)verdict->calls[i]);
	strcpy(incident->calls + len, "]");
}

static size_t key_len(const struct incident_key *key)
{
	return offsetof(struct incident_key, name) + strlen(key->name) + 1;
}

/* 0 or -ENOMEM: it is in no table. */
static int add(struct enforcer *enforcer, struct incident *incident)
{
	HASH_ADD(hh, enforcer->incidents, key, key_len(&incident->key), incident);
	return incident->hh.tbl ? 0 : -ENOMEM;
}

static struct incident *find_or_make(struct enforcer *enforcer, const struct policy_verdict *verdict)
{
	struct incident_key key = { .budget = verdict->budget, .step = verdict->step };
	struct incident *incident;
	size_t len;

	snprintf(key.name, sizeof(key.name), "%s", verdict->key);
	len = key_len(&key);
	HASH_FIND(hh, enforcer->incidents, &key, len, incident);
	if (incident)
		return incident;
	incident = calloc(1, offsetof(struct incident, key) + len);
	if (!incident)
		return NULL;
	memcpy(&incident->key, &key, len);
	if (!add(enforcer, incident))
		return incident;
	free(incident);
	return NULL;
}

int incident_move(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_budget *budget, const struct policy_step *step)
{
	HASH_DEL(enforcer->incidents, incident);
	incident->key.budget = budget;
	incident->key.step = step;
	return add(enforcer, incident);
}

struct incident *incident_get(struct enforcer *enforcer, const struct policy_verdict *verdict)
{
	struct incident *incident = find_or_make(enforcer, verdict);

	if (!incident)
		return NULL;
	learn(enforcer, incident, verdict);
	enforcer_expire_at(enforcer, incident->until_us);
	return incident;
}

struct applied *applied_find(struct incident *incident, struct target target)
{
	struct applied *applied;

	HASH_FIND(hh, incident->applied_list, &target, sizeof(target), applied);
	return applied;
}

struct applied *applied_new(struct enforcer *enforcer, struct incident *incident,
			    struct target target, const char *name, const struct who_group *group,
			    int64_t now_us)
{
	struct applied *applied = calloc(1, sizeof(*applied));
	char who[WHO_LABEL_LEN] = "";
	bool is_whole = false;

	if (applied) {
		applied->name = strdup(name);
		applied->who = strdup(group ? who_label(group, who) : "");
		is_whole = applied->name && applied->who;
	}
	if (is_whole) {
		applied->incident = incident;
		applied->target = target;
		applied->decided_us = now_us;
		if (group)
			memcpy(applied->pod_uid, group->pod_uid, sizeof(applied->pod_uid));
		HASH_ADD(hh, incident->applied_list, target, sizeof(target), applied);
	}
	if (!is_whole || !applied->hh.tbl) {
		enforcer->stats.dropped++;
		if (!applied)
			return NULL;
		free(applied->who);
		free(applied->name);
		free(applied);
		return NULL;
	}
	enforcer->n_actions++;
	return applied;
}

bool incident_is_enforced(const struct enforcer *enforcer, const struct incident *incident)
{
	return incident->is_ordered ||
	       (enforcer->rules->enforce && !incident->key.budget->is_rehearsed);
}

/* ---- rows ---- */

static bool may_write(struct enforcer *enforcer, struct incident *incident)
{
	uint64_t now_ns = clock_mono_ns();

	if (now_ns - incident->minute_ns >= 60 * NS_PER_S) {
		incident->minute_ns = now_ns;
		incident->rows = 0;
	}
	if (incident->rows++ < ENFORCER_ROWS_PER_MINUTE)
		return true;
	incident->unwritten++;
	enforcer->stats.rows_unwritten++;
	return false;
}

void applied_write(struct enforcer *enforcer, const struct applied *applied, int64_t now_us,
		   enum action_result outcome, const char *format, ...)
{
	struct incident *incident = applied->incident;
	struct ledger_action row = incident->evidence;
	char rule[512], rule_text[POLICY_RULE_TEXT_LEN];
	char result[RESULT_LEN], plain[TEXT_LEN(RESULT_LEN)];
	char target[TEXT_LEN(WHO_PATH_LEN + 32)], who[TEXT_LEN(WHO_LABEL_LEN)];
	va_list args;
	size_t len;

	if (incident_is_allowance(incident) || !may_write(enforcer, incident))
		return;
	va_start(args, format);
	vsnprintf(result, sizeof(result), format, args);
	va_end(args);
	len = strlen(result);
	if (incident->unwritten)
		snprintf(result + len, sizeof(result) - len, " (%u rows before it not written)",
			 incident->unwritten);
	incident->unwritten = 0;
	if (incident->is_ordered)
		snprintf(rule, sizeof(rule), "aigress override");
	else
		snprintf(rule, sizeof(rule), "%s:%u", enforcer->rules->file ?: "",
			 incident->key.step->line);
	row.time_us = now_us;
	row.budget = incident->key.budget->name;
	row.rule = rule;
	row.rule_text = incident->is_ordered ?
				"refuse, by an operator's order" :
				policy_rule_text(incident->key.budget, incident->key.step,
						 rule_text, sizeof(rule_text));
	row.action = policy_action_name(incident->key.step->action);
	row.subject = incident->key.name;
	row.target = text_plain(applied->name, target, sizeof(target));
	row.result = text_plain(result, plain, sizeof(plain));
	row.outcome = outcome;
	row.is_rehearsed = !incident_is_enforced(enforcer, incident);
	row.last_calls = incident->calls;
	row.who = text_plain(applied->who, who, sizeof(who));
	row.decided_us = applied->decided_us;
	row.pod_uid = applied->pod_uid;
	enforcer->stats.rows++;
	/* A row that the disk did not take is kept by the ledger; the log has it in any case. */
	if (enforcer->ledger)
		(void)ledger_add_action(enforcer->ledger, &row);
	if (enforcer->actuators.on_action)
		enforcer->actuators.on_action(enforcer->actuators.arg, &row);
}
