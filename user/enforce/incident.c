/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/incident.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define KEY_LEN    (2 * sizeof(void *) + 2 * WHO_NAME_LEN + WHO_PATH_LEN)
#define RESULT_LEN 256

const char *story_name(const struct story *story)
{
	return story->key + 2 * sizeof(void *);
}

static void deed_free(struct act *act, struct deed *deed)
{
	HASH_DEL(deed->story->deeds, deed);
	if (deed->kill_ns)
		LIST_REMOVE(deed, pending);
	act->n_deeds--;
	free(deed->group);
	free(deed->name);
	free(deed);
}

void story_free(struct act *act, struct story *story)
{
	struct deed *deed, *next;

	HASH_ITER(hh, story->deeds, deed, next)
		deed_free(act, deed);
	bucket_close(act, story);
	act->n_ahead -= story->is_ahead;
	if (story->hh.tbl)
		HASH_DEL(act->stories, story);
	free(story);
}

static void learn(struct act *act, struct story *story, const struct policy_verdict *verdict)
{
	size_t len = 1;

	act->n_ahead += (size_t)verdict->is_ahead - (size_t)story->is_ahead;
	story->is_ahead = verdict->is_ahead;
	story->is_ordered = verdict->is_ordered;

	story->until_us = verdict->window_end_us;
	story->evidence = (struct ledger_action){
		.spent_nanos = verdict->spent_nanos,
		.limit_nanos = verdict->limit_nanos,
		.spent_tokens = verdict->spent_tokens,
		.limit_tokens = verdict->limit_tokens,
		.window_start_us = verdict->window_start_us,
		.measured_permille = verdict->measured_permille,
		.until_us = verdict->window_end_us == INT64_MAX ? 0 : verdict->window_end_us,
	};
	strcpy(story->calls, "[");
	for (size_t i = 0; i < verdict->n_calls; i++)
		len += (size_t)snprintf(story->calls + len, sizeof(story->calls) - len, "%s%lld",
					i ? "," : "", (long long)verdict->calls[i]);
	strcpy(story->calls + len, "]");
}

static struct story *find_or_make(struct act *act, const struct policy_verdict *verdict)
{
	struct story *story;
	char key[KEY_LEN];
	size_t len;

	memcpy(key, &verdict->budget, sizeof(void *));
	memcpy(key + sizeof(void *), &verdict->step, sizeof(void *));
	len = (size_t)snprintf(key + 2 * sizeof(void *), sizeof(key) - 2 * sizeof(void *), "%s",
			       verdict->key);
	len = len + 2 * sizeof(void *) + 1;
	if (len > sizeof(key))
		len = sizeof(key);
	HASH_FIND(hh, act->stories, key, len, story);
	if (story)
		return story;
	story = calloc(1, sizeof(*story) + len);
	if (!story)
		return NULL;
	memcpy(story->key, key, len);
	story->key_len = len;
	story->budget = verdict->budget;
	story->step = verdict->step;
	HASH_ADD(hh, act->stories, key, len, story);
	if (!story->hh.tbl) {
		free(story);
		return NULL;
	}
	return story;
}

int story_move(struct act *act, struct story *story, const struct policy_budget *budget,
	       const struct policy_step *step)
{
	HASH_DEL(act->stories, story);
	memcpy(story->key, &budget, sizeof(void *));
	memcpy(story->key + sizeof(void *), &step, sizeof(void *));
	story->budget = budget;
	story->step = step;
	HASH_ADD(hh, act->stories, key, story->key_len, story);
	return story->hh.tbl ? 0 : -ENOMEM;
}

struct story *story_get(struct act *act, const struct policy_verdict *verdict)
{
	struct story *story = find_or_make(act, verdict);

	if (!story)
		return NULL;
	learn(act, story, verdict);
	act_expire_at(act, story->until_us);
	return story;
}

struct deed *deed_find(struct story *story, struct target target)
{
	struct deed *deed;

	HASH_FIND(hh, story->deeds, &target, sizeof(target), deed);
	return deed;
}

struct deed *deed_new(struct act *act, struct story *story, struct target target, const char *name)
{
	struct deed *deed = calloc(1, sizeof(*deed));

	if (deed)
		deed->name = strdup(name);
	if (!deed || !deed->name) {
		free(deed);
		act->stats.dropped++;
		return NULL;
	}
	deed->story = story;
	deed->target = target;
	HASH_ADD(hh, story->deeds, target, sizeof(target), deed);
	if (!deed->hh.tbl) {
		free(deed->name);
		free(deed);
		act->stats.dropped++;
		return NULL;
	}
	act->n_deeds++;
	return deed;
}

bool story_is_enforced(const struct act *act, const struct story *story)
{
	return story->is_ordered || (act->rules->enforce && !story->budget->is_rehearsed);
}

/* ---- rows ---- */

static bool may_write(struct act *act, struct story *story)
{
	uint64_t now_ns = clock_mono_ns();

	if (now_ns - story->minute_ns >= 60 * NS_PER_S) {
		story->minute_ns = now_ns;
		story->rows = 0;
	}
	if (story->rows++ < ACT_ROWS_PER_MINUTE)
		return true;
	story->unwritten++;
	act->stats.rows_unwritten++;
	return false;
}

/* Whose pod it is done to; else whose call brought it about. */
static void find_pod(const struct act *act, const struct deed *deed, char uid[WHO_UID_LEN])
{
	static const char cgroup[] = "cgroup ";
	struct who_group group = { .pod_uid = "" };
	const struct who_group *from = deed->group ? deed->group : act->present;

	if (!strncmp(deed->name, cgroup, strlen(cgroup)))
		who_parse_path(deed->name + strlen(cgroup), &group);
	memcpy(uid, from && !group.pod_uid[0] ? from->pod_uid : group.pod_uid, WHO_UID_LEN);
}

void deed_write(struct act *act, const struct deed *deed, int64_t now_us, const char *format, ...)
{
	struct story *story = deed->story;
	struct ledger_action row = story->evidence;
	char rule[512], result[RESULT_LEN], pod_uid[WHO_UID_LEN];
	va_list args;
	size_t len;

	if (story_is_fuse(story) || !may_write(act, story))
		return;
	va_start(args, format);
	vsnprintf(result, sizeof(result), format, args);
	va_end(args);
	len = strlen(result);
	if (story->unwritten)
		snprintf(result + len, sizeof(result) - len, " (%u rows before it not written)",
			 story->unwritten);
	story->unwritten = 0;
	if (story->is_ordered)
		snprintf(rule, sizeof(rule), "aigress override");
	else
		snprintf(rule, sizeof(rule), "%s:%u", act->rules->file ?: "", story->step->line);
	row.time_us = now_us;
	row.budget = story->budget->name;
	row.rule = rule;
	row.action = policy_action_name(story->step->action);
	row.subject = story_name(story);
	row.target = deed->name;
	row.result = result;
	row.is_rehearsed = !story_is_enforced(act, story);
	row.last_calls = story->calls;
	find_pod(act, deed, pod_uid);
	row.pod_uid = pod_uid;
	act->stats.rows++;
	/* A row that the disk did not take is kept by the ledger; the log has it in any case. */
	if (act->ledger)
		(void)ledger_add_action(act->ledger, &row);
	if (act->levers.told)
		act->levers.told(act->levers.arg, &row);
}
