/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/notice.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/fields.h"
#include "base/text.h"
#include "budget/policy.h"
#include "ledger/overrides.h"

#define LINE_LEN 2048
#define KEY_LEN  48

/* The name of each value, and its title in a table for people; NULL: it is in none. */
static const struct {
	const char *key, *title;
	bool is_command;
} keys[] = {
	{ "title", NULL, false },
	{ "who", "Who", false },
	{ "done", "What was done", false },
	{ "spent", "Spent", false },
	{ "rate", "Rate", false },
	{ "calls", "Last calls", false },
	{ "until", "Until", false },
	{ "release", "To release", true },
	{ "explain", "To explain", true },
	{ "rule", "Rule", false },
	{ "counter", "Counter", false },
	{ "node", "Node", false },
	{ "link", NULL, false },
	{ "state", NULL, false },
	{ "severity", NULL, false },
	{ "alert", NULL, false },
	{ "key", NULL, false },
	{ "time", NULL, false },
	{ "id", NULL, false },
	{ "budget", NULL, false },
	{ "action", NULL, false },
	{ "target", NULL, false },
	{ "result", NULL, false },
	{ "outcome", NULL, false },
	{ "rehearsed", NULL, false },
	{ "measured", NULL, false },
	{ "model", NULL, false },
	{ "command", NULL, false },
};

const char *notice_key(size_t index)
{
	return index < ARRAY_SIZE(keys) ? keys[index].key : NULL;
}

const char *notice_get(const json_t *notice, const char *key)
{
	const char *value = json_string_value(json_object_get(notice, key));

	return value ? value : "";
}

bool notice_fact(const json_t *notice, size_t *at, struct notice_fact *ret)
{
	for (; *at < ARRAY_SIZE(keys); ++*at) {
		const char *value = notice_get(notice, keys[*at].key);

		if (!keys[*at].title || !*value)
			continue;
		*ret = (struct notice_fact){ .title = keys[*at].title,
					     .value = value,
					     .is_command = keys[*at].is_command };
		++*at;
		return true;
	}
	return false;
}

/* In the order of severity() of actions: what is done to somebody, and what would be. */
static const struct {
	const char *is, *would_be, *severity;
} words[] = {
	[POLICY_NOTE] = { "has reached a step of its budget", "has reached a step of its budget",
			  "info" },
	[POLICY_PACE] = { "is paced", "would be paced", "warning" },
	[POLICY_REFUSE] = { "is refused AI calls", "would be refused AI calls", "critical" },
	[POLICY_FREEZE] = { "is frozen", "would be frozen", "critical" },
	[POLICY_STOP] = { "is stopped", "would be stopped", "critical" },
	[POLICY_KILL] = { "is killed", "would be killed", "critical" },
};
_Static_assert(ARRAY_SIZE(words) == POLICY_ACTIONS, "each action has its words");

/* An operator's order, which belongs to no budget's row, has the words of none. */
static int action_of(const char *name)
{
	for (int i = 0; i < POLICY_ACTIONS; i++)
		if (!strcmp(policy_action_name(i), name))
			return i;
	return -1;
}

const char *notice_severity(const char *action)
{
	int i = action_of(action);

	return i < 0 ? "info" : words[i].severity;
}

/* "12.500000 of 10.000000 USD (125 %)" */
static void put_spent(json_t *notice, const struct ledger_action *action)
{
	bool in_money = action->limit_nanos || !action->limit_tokens;
	__int128 part = in_money ? (__int128)action->spent_nanos * 100 :
				   (__int128)action->spent_tokens * 100;
	__int128 whole = in_money ? action->limit_nanos : (__int128)action->limit_tokens;
	char sum[MONEY_LEN], limit[MONEY_LEN], text[192], measured[32];
	uint64_t percent;

	snprintf(measured, sizeof(measured), "%u.%u %%", action->measured_permille / 10,
		 action->measured_permille % 10);
	field_text(notice, "measured", measured);
	if (action_of(action->action) < 0)
		return;
	percent = whole ? (uint64_t)((part + whole / 2) / whole) : 0;
	if (!in_money)
		snprintf(text, sizeof(text), "%" PRIu64 " of %" PRIu64 " tokens (%" PRIu64 " %%)",
			 action->spent_tokens, action->limit_tokens, percent);
	else if (whole)
		snprintf(text, sizeof(text), "%s of %s USD (%" PRIu64 " %%)",
			 money_format(action->spent_nanos, sum),
			 money_format(action->limit_nanos, limit), percent);
	else
		snprintf(text, sizeof(text), "%s USD", money_format(action->spent_nanos, sum));
	if (action->in_flight) {
		size_t len = strlen(text);

		if (in_money)
			snprintf(text + len, sizeof(text) - len, ", %s in flight",
				 money_format((int64_t)action->in_flight, sum));
		else
			snprintf(text + len, sizeof(text) - len, ", %" PRIu64 " in flight",
				 action->in_flight);
	}
	field_text(notice, "spent", text);
}

static void put_calls(json_t *notice, const struct last_calls *calls)
{
	char text[LINE_LEN];
	int64_t rate = last_calls_rate(calls);

	if (!calls->n)
		return;
	field_text(notice, "model", calls->model);
	field_text(notice, "command", calls->command);
	snprintf(text, sizeof(text), "%s at %s by %s (pid %u)",
		 *calls->model ? calls->model : "a model that is not known", calls->host,
		 calls->command, calls->pid);
	field_text(notice, "calls", text);
	if (!rate)
		return;
	/* To a cent: a rate of some calls is not known better. */
	rate = (rate + NANOS_PER_USD / 200) / (NANOS_PER_USD / 100) * (NANOS_PER_USD / 100);
	if (rate)
		snprintf(text, sizeof(text), "%.2f USD/hour over the last %zu calls",
			 (double)rate / (double)NANOS_PER_USD, calls->n);
	else
		snprintf(text, sizeof(text), "less than 0.01 USD/hour over the last %zu calls",
			 calls->n);
	field_text(notice, "rate", text);
}

/* The same for what begins and what ends something: of who, where and what it was done to. */
static void put_alert(json_t *notice, const struct ledger_action *action,
		      const struct notice_context *context)
{
	const char *const parts[] = { context->node, action->budget, action->action,
				      action->subject, action->target };
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[KEY_LEN] = "aigress-";
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	unsigned len = 0;
	bool is_good = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL);

	for (size_t i = 0; is_good && i < ARRAY_SIZE(parts); i++)
		is_good = EVP_DigestUpdate(hash, parts[i], strlen(parts[i]) + 1);
	is_good = is_good && EVP_DigestFinal_ex(hash, digest, &len);
	EVP_MD_CTX_free(hash);
	if (!is_good)
		return;
	text_hex(digest, 16, text + strlen(text));
	field_text(notice, "alert", text);
}

static void put_title(json_t *notice, const struct ledger_action *action, const char *who)
{
	int i = action_of(action->action);
	const char *spent = notice_get(notice, "spent");
	char text[LINE_LEN];

	if (i < 0)
		snprintf(text, sizeof(text), "%s: %s, %s", action->action, action->target,
			 action->result);
	else if (action->outcome == ACTION_FINISHED)
		/* not a second kill */
		snprintf(text, sizeof(text), "%s: what came of the %s: %s, budget %s", who,
			 action->action, action_done(action), action->budget);
	else if (action->outcome == ACTION_ENDED)
		snprintf(text, sizeof(text), "%s: %s has ended", who, action->action);
	else if (action->outcome == ACTION_FAILED || action->outcome == ACTION_REFUSED ||
		 action->outcome == ACTION_INEFFECTIVE)
		snprintf(text, sizeof(text), "%s: %s %s, %s, budget %s", who, action->action,
			 action->outcome == ACTION_FAILED  ? "failed" :
			 action->outcome == ACTION_REFUSED ? "was not allowed" :
							     "had no effect",
			 spent, action->budget);
	else
		snprintf(text, sizeof(text), "%s%s %s: %s, budget %s",
			 action->is_rehearsed ? "rehearsal: " : "", who,
			 action->is_rehearsed ? words[i].would_be : words[i].is, spent,
			 action->budget);
	field_text(notice, "title", text);
}

static void put_done(json_t *notice, const struct ledger_action *action)
{
	char text[LINE_LEN];

	snprintf(text, sizeof(text), "%s%s%s: %s", action->action, *action->target ? " " : "",
		 action->target,
		 action->is_rehearsed && action->outcome != ACTION_ENDED ?
			 "nothing, enforcement is off" :
			 action->result);
	field_text(notice, "done", text);
}

/* What holds until somebody or something ends it. */
static bool is_in_force(const struct ledger_action *action)
{
	return action->outcome == ACTION_DONE && !action->is_rehearsed &&
	       action_of(action->action) > POLICY_NOTE;
}

static void put_force(json_t *notice, const struct ledger_action *action)
{
	char text[OVERRIDE_COMMAND_LEN + 64], open[OVERRIDE_COMMAND_LEN], stamp[TEXT_TIME_LEN];

	snprintf(text, sizeof(text), "aigress explain action %" PRId64, action->id);
	field_text(notice, "explain", text);
	if (action->until_us > action->time_us && action->outcome != ACTION_ENDED)
		field_text(notice, "until", text_time(action->until_us, stamp));
	if (!is_in_force(action))
		return;
	snprintf(text, sizeof(text), "%s --for 1h --reason '...'",
		 override_open_command(action->subject, open));
	field_text(notice, "release", text);
}

static const char *state_of(const struct ledger_action *action)
{
	if (action->outcome == ACTION_ENDED)
		return "ends";
	return action_of(action->action) < 0 ? "order" : "begins";
}

json_t *notice_new(const struct ledger_action *action, const struct last_calls *calls,
		   const struct notice_context *context)
{
	json_t *notice = json_object();
	const char *who = action->who && *action->who ? action->who :
			  calls->n                    ? calls->who :
			  *action->target             ? action->target :
							action->subject;
	char text[LINE_LEN], stamp[TEXT_TIME_LEN];

	/* Each key is there, so that a template never names one that is not. */
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		field_text(notice, keys[i].key, "");
	put_spent(notice, action);
	put_calls(notice, calls);
	put_alert(notice, action, context);
	put_title(notice, action, who);
	put_done(notice, action);
	put_force(notice, action);
	field_text(notice, "who", who);
	snprintf(text, sizeof(text), "%s%s%s%s", action->rule_text ? action->rule_text : "",
		 action->rule_text && *action->rule_text ? " (" : "", action->rule,
		 action->rule_text && *action->rule_text ? ")" : "");
	field_text(notice, "rule", text);
	field_text(notice, "counter", action->subject);
	field_text(notice, "node", context->node);
	field_text(notice, "link", context->link ? context->link : "");
	field_text(notice, "state", state_of(action));
	field_text(notice, "severity", notice_severity(action->action));
	snprintf(text, sizeof(text), "%s-%" PRId64, context->identity, action->id);
	field_text(notice, "key", text);
	snprintf(text, sizeof(text), "%" PRId64, action->id);
	field_text(notice, "id", text);
	field_text(notice, "time", text_time(action->time_us, stamp));
	field_text(notice, "budget", action->budget);
	field_text(notice, "action", action->action);
	field_text(notice, "target", action->target);
	field_text(notice, "result", action->result);
	field_text(notice, "outcome", action_result_name(action->outcome));
	field_text(notice, "rehearsed", action->is_rehearsed ? "true" : "false");
	if (json_object_size(notice) < ARRAY_SIZE(keys)) {
		json_decref(notice);
		return NULL;
	}
	return notice;
}
