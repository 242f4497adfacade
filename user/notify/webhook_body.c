/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of actions as others want them: Alertmanager's API v2 (an array of alerts, as in its
 * api/v2/openapi.yaml) and Slack's incoming webhooks (api.slack.com/messaging/webhooks, read
 * 2026-11: text of 40,000 characters, blocks of at most 10 fields of 2,000 characters).
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "budget/policy.h"
#include "notify/webhook.h"

#define MESSAGE_LEN 2048

static void set(json_t *object, const char *key, const char *value)
{
	json_object_set_new(object, key, text_json(value));
}

static json_t *when(int64_t time_us)
{
	time_t seconds = time_us / US_PER_S;
	char stamp[32], whole[48];
	struct tm tm;

	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &tm));
	snprintf(whole, sizeof(whole), "%s.%06dZ", stamp, (int)(time_us % US_PER_S));
	return json_string(whole);
}

static bool is_end(const struct ledger_action *action)
{
	return action->outcome == ACTION_ENDED;
}

static bool is_failure(const struct ledger_action *action)
{
	return action->outcome == ACTION_FAILED;
}

/* An operator's order, which belongs to no budget's row. */
static bool is_order(const struct ledger_action *action)
{
	return !strcmp(action->action, "override");
}

static const char *severity(const struct ledger_action *action)
{
	if (is_order(action) || !strcmp(action->action, policy_action_name(POLICY_NOTE)))
		return "info";
	if (!strcmp(action->action, policy_action_name(POLICY_PACE)))
		return "warning";
	return "critical";
}

/* "12.5 of 10 USD" */
static const char *spent(const struct ledger_action *action, char *buf, size_t size)
{
	char sum[MONEY_LEN], limit[MONEY_LEN];

	if (action->limit_tokens)
		snprintf(buf, size, "%llu of %llu tokens", (unsigned long long)action->spent_tokens,
			 (unsigned long long)action->limit_tokens);
	else if (action->limit_nanos)
		snprintf(buf, size, "%s of %s USD", money_format(action->spent_nanos, sum),
			 money_format(action->limit_nanos, limit));
	else
		snprintf(buf, size, "%s USD", money_format(action->spent_nanos, sum));
	return buf;
}

static const char *summary(const struct ledger_action *action, const char *node, char *buf,
			   size_t size)
{
	char sums[128];

	if (is_order(action)) {
		snprintf(buf, size, "override: %s %s %s (on %s)", action->target, action->subject,
			 action->result, node);
		return buf;
	}
	snprintf(buf, size, "%s%s%s%s: budget %s, %s spent %s (%s, on %s)",
		 action->is_rehearsed ? "rehearsed: " : "", action->action,
		 *action->target ? " " : "", action->target, action->budget, action->subject,
		 spent(action, sums, sizeof(sums)), action->result, node);
	return buf;
}

/* ---- Alertmanager ---- */

/*
 * Labels are the alert's identity: what ends it must have the same. Only what is done in earnest is
 * ever ended, whatever the rules say by then.
 */
static json_t *labels(const struct ledger_action *action, const char *node)
{
	json_t *labels = json_object();
	bool is_rehearsed = action->is_rehearsed && !is_end(action);

	set(labels, "alertname", is_order(action) ? "AigressOverride" : "AigressBudget");
	set(labels, "severity", severity(action));
	set(labels, "node", node);
	set(labels, "budget", action->budget);
	set(labels, "action", action->action);
	set(labels, "subject", action->subject);
	if (*action->target)
		set(labels, "target", action->target);
	set(labels, "rehearsed", is_rehearsed ? "true" : "false");
	if (is_failure(action))
		set(labels, "failed", "true");
	return labels;
}

static json_t *annotations(const struct ledger_action *action, const char *node,
			   const char *identity)
{
	json_t *notes = json_object();
	char buf[MESSAGE_LEN], number[32];

	set(notes, "summary", summary(action, node, buf, sizeof(buf)));
	set(notes, "result", action->result);
	set(notes, "rule", action->rule);
	set(notes, "spent", spent(action, buf, sizeof(buf)));
	snprintf(number, sizeof(number), "%u.%u %%", action->measured_permille / 10,
		 action->measured_permille % 10);
	set(notes, "measured", number);
	set(notes, "last_calls", action->last_calls);
	snprintf(buf, sizeof(buf), "aigress explain action %lld", (long long)action->id);
	set(notes, "explain", buf);
	snprintf(buf, sizeof(buf), "%s-%lld", identity, (long long)action->id);
	set(notes, "action_key", buf);
	return notes;
}

static json_t *alertmanager(const struct webhook_rule *rule, const char *node, const char *identity,
			    const struct ledger_action *action)
{
	json_t *alert = json_object(), *alerts = json_array();

	json_object_set_new(alert, "labels", labels(action, node));
	json_object_set_new(alert, "annotations", annotations(action, node, identity));
	json_object_set_new(alert, "startsAt", when(action->time_us));
	/* It is in force until the window ends; without an end Alertmanager would end it in minutes. */
	if (is_end(action))
		json_object_set_new(alert, "endsAt", when(action->time_us));
	else if (action->until_us > action->time_us)
		json_object_set_new(alert, "endsAt", when(action->until_us));
	if (rule->link)
		set(alert, "generatorURL", rule->link);
	json_array_append_new(alerts, alert);
	return alerts;
}

/* ---- Slack ---- */

/* The three characters that Slack's markup asks to be escaped. */
static const char *escape(const char *value, char *buf, size_t size)
{
	size_t len = 0;

	for (; *value && len + 6 < size; value++) {
		const char *with = *value == '&' ? "&amp;" :
				   *value == '<' ? "&lt;" :
				   *value == '>' ? "&gt;" :
						   NULL;

		if (with)
			len += (size_t)snprintf(buf + len, size - len, "%s", with);
		else
			buf[len++] = *value;
	}
	/* A character cut in two is none. */
	while (*value && len && (buf[len - 1] & 0xc0) == 0x80)
		len--;
	if (*value && len && (buf[len - 1] & 0x80))
		len--;
	buf[len] = '\0';
	return buf;
}

static void add_field(json_t *fields, const char *name, const char *value)
{
	char line[MESSAGE_LEN], escaped[MESSAGE_LEN - 64];

	snprintf(line, sizeof(line), "*%s*\n%s", name, escape(value, escaped, sizeof(escaped)));
	json_array_append_new(fields,
			      json_pack("{s:s, s:o}", "type", "mrkdwn", "text", text_json(line)));
}

static json_t *slack(const struct webhook_rule *rule, const char *node, const char *identity,
		     const struct ledger_action *action)
{
	json_t *fields = json_array(), *message = json_object(), *blocks = json_array();
	char buf[MESSAGE_LEN], escaped[MESSAGE_LEN], line[256 + MESSAGE_LEN], measured[64];

	set(message, "text",
	    escape(summary(action, node, buf, sizeof(buf)), escaped, sizeof(escaped)));
	snprintf(line, sizeof(line), "*%s%s* %s", action->is_rehearsed ? "rehearsed: " : "",
		 action->action, escape(action->target, escaped, sizeof(escaped)));
	json_array_append_new(blocks, json_pack("{s:s, s:{s:s, s:o}}", "type", "section", "text",
						"type", "mrkdwn", "text", text_json(line)));
	add_field(fields, "Budget", action->budget);
	add_field(fields, "Whose", action->subject);
	add_field(fields, "Spent", spent(action, buf, sizeof(buf)));
	snprintf(measured, sizeof(measured), "%u.%u %%", action->measured_permille / 10,
		 action->measured_permille % 10);
	add_field(fields, "Measured", measured);
	add_field(fields, "Result", action->result);
	add_field(fields, "Rule", action->rule);
	json_array_append_new(blocks, json_pack("{s:s, s:o}", "type", "section", "fields", fields));
	snprintf(buf, sizeof(buf), "%s, `aigress explain action %lld`%s%s", node,
		 (long long)action->id, rule->link ? ", " : "", rule->link ? rule->link : "");
	json_array_append_new(blocks,
			      json_pack("{s:s, s:[{s:s, s:o}]}", "type", "context", "elements",
					"type", "mrkdwn", "text", text_json(buf)));
	json_object_set_new(message, "blocks", blocks);
	return message;
}

char *webhook_body(const struct webhook_rule *rule, const char *node, const char *identity,
		   const struct ledger_action *action)
{
	json_t *root = rule->format == WEBHOOK_SLACK ? slack(rule, node, identity, action) :
						       alertmanager(rule, node, identity, action);
	char *body = root ? json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) :
			    NULL;

	json_decref(root);
	return body;
}
