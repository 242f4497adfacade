/* SPDX-License-Identifier: Apache-2.0 */
/* Messages for chats: Slack's blocks and the cards of Microsoft Teams. */
#include <stdio.h>
#include <string.h>

#include "base/fields.h"
#include "notify/body.h"
#include "notify/notice.h"

#define FIELD_MAX 1900 /* Slack takes 2,000 characters with the title */
#define TITLE_MAX 300
#define VALUE_MAX 700 /* of a card: 20 notices must fit into 28 kB */
#define LINE_LEN  4096

/* ---- Slack ---- */

/* The three characters that Slack's markup asks to be escaped, and the mark of code, which cannot be. */
static const char *escape(const char *value, char *buf, size_t size)
{
	size_t len = 0;

	for (; *value && len + 6 < size; value++) {
		const char *with = *value == '&' ? "&amp;" :
				   *value == '<' ? "&lt;" :
				   *value == '>' ? "&gt;" :
				   *value == '`' ? "'" :
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

static json_t *markdown(const char *text)
{
	return json_pack("{s:s, s:o}", "type", "mrkdwn", "text", json_string(text));
}

static void add_section(json_t *blocks, const char *text)
{
	json_array_append_new(blocks,
			      json_pack("{s:s, s:o}", "type", "section", "text", markdown(text)));
}

static void slack_one(json_t *blocks, const json_t *notice)
{
	char line[LINE_LEN], value[FIELD_MAX], commands[LINE_LEN] = "";
	json_t *fields = json_array();
	struct notice_fact fact;

	snprintf(line, sizeof(line), "*%s*",
		 escape(notice_get(notice, "title"), value, sizeof(value)));
	add_section(blocks, line);
	for (size_t at = 0; notice_fact(notice, &at, &fact);) {
		size_t len = strlen(commands);

		escape(fact.value, value, fact.is_command ? 1200 : sizeof(value));
		if (fact.is_command) {
			snprintf(commands + len, sizeof(commands) - len, "%s%s: `%s`",
				 len ? "\n" : "", fact.title, value);
			continue;
		}
		snprintf(line, sizeof(line), "*%s*\n%s", fact.title, value);
		json_array_append_new(fields, markdown(line));
	}
	json_array_append_new(blocks, json_pack("{s:s, s:o}", "type", "section", "fields", fields));
	if (*commands)
		add_section(blocks, commands);
}

static void slack_line(json_t *blocks, const json_t *notice)
{
	const char *release = notice_get(notice, "release");
	char line[LINE_LEN], title[1200], command[1200];

	escape(notice_get(notice, "title"), title, sizeof(title));
	if (*release)
		snprintf(line, sizeof(line), "%s\n`%s`", title,
			 escape(release, command, sizeof(command)));
	else
		snprintf(line, sizeof(line), "%s", title);
	add_section(blocks, line);
}

json_t *body_slack(const struct body_input *input)
{
	const json_t *first = input->notices[0];
	json_t *message = json_object(), *blocks = json_array();
	char raw[LINE_LEN], line[LINE_LEN], title[LINE_LEN - 16];
	bool is_digest = input->n + input->more > 1;

	/* What a notification shows, which has no room for blocks. */
	escape(is_digest ? body_digest_title(input, raw, sizeof(raw)) : notice_get(first, "title"),
	       title, sizeof(title));
	field_text(message, "text", title);
	if (is_digest) {
		snprintf(line, sizeof(line), "*%s*", title);
		add_section(blocks, line);
		for (size_t i = 0; i < input->n; i++)
			slack_line(blocks, input->notices[i]);
	} else {
		slack_one(blocks, first);
	}
	if (input->more) {
		snprintf(line, sizeof(line), "+%zu more: `aigress explain`", input->more);
		add_section(blocks, line);
	}
	if (*notice_get(first, "link")) {
		snprintf(line, sizeof(line), "<%s>", notice_get(first, "link"));
		json_array_append_new(blocks, json_pack("{s:s, s:[o]}", "type", "context",
							"elements", markdown(line)));
	}
	field_set(message, "blocks", blocks);
	return message;
}

/* ---- Teams ---- */

/* Text as it is: a TextBlock and a fact would read Markdown in it, and a tenant's name could be a link. */
static void add_runs(json_t *body, const char *title, const char *value, bool is_command)
{
	json_t *runs = json_array(), *run;

	if (title)
		json_array_append_new(runs,
				      json_pack("{s:s, s:o, s:s}", "type", "TextRun", "text",
						json_sprintf("%s: ", title), "weight", "Bolder"));
	run = json_pack("{s:s, s:o}", "type", "TextRun", "text", body_text(value, VALUE_MAX));
	if (is_command)
		json_object_set_new(run, "fontType", json_string("Monospace"));
	json_array_append_new(runs, run);
	json_array_append_new(body, json_pack("{s:s, s:s, s:o}", "type", "RichTextBlock", "spacing",
					      "Small", "inlines", runs));
}

static void add_title(json_t *body, const char *text, const char *severity)
{
	json_t *run = json_pack("{s:s, s:o, s:s}", "type", "TextRun", "text",
				body_text(text, TITLE_MAX), "weight", "Bolder");

	if (!strcmp(severity, "critical"))
		json_object_set_new(run, "color", json_string("Attention"));
	else if (!strcmp(severity, "warning"))
		json_object_set_new(run, "color", json_string("Warning"));
	json_array_append_new(body, json_pack("{s:s, s:s, s:[o]}", "type", "RichTextBlock",
					      "spacing", "Medium", "inlines", run));
}

static void teams_one(json_t *body, const json_t *notice)
{
	struct notice_fact fact;

	add_title(body, notice_get(notice, "title"),
		  strcmp(notice_get(notice, "state"), "ends") ? notice_get(notice, "severity") :
								"info");
	for (size_t at = 0; notice_fact(notice, &at, &fact);)
		add_runs(body, fact.title, fact.value, fact.is_command);
}

static void teams_all(json_t *body, const struct body_input *input)
{
	char line[LINE_LEN];

	add_title(body, body_digest_title(input, line, sizeof(line)), "info");
	for (size_t i = 0; i < input->n; i++) {
		const json_t *notice = input->notices[i];

		add_title(body, notice_get(notice, "title"),
			  strcmp(notice_get(notice, "state"), "ends") ?
				  notice_get(notice, "severity") :
				  "info");
		if (*notice_get(notice, "release"))
			add_runs(body, NULL, notice_get(notice, "release"), true);
	}
	if (input->more) {
		snprintf(line, sizeof(line), "+%zu more: aigress explain", input->more);
		add_runs(body, NULL, line, false);
	}
}

json_t *body_teams(const struct body_input *input)
{
	const char *link = notice_get(input->notices[0], "link");
	json_t *card, *body = json_array(), *actions = json_array();

	if (input->n + input->more > 1)
		teams_all(body, input);
	else
		teams_one(body, input->notices[0]);
	if (*link)
		json_array_append_new(actions, json_pack("{s:s, s:s, s:s}", "type", "Action.OpenUrl",
							 "title", "Look further", "url", link));
	card = json_pack("{s:s, s:s, s:s, s:{s:s}, s:o, s:o}", "$schema",
			 "http://adaptivecards.io/schemas/adaptive-card.json", "type",
			 "AdaptiveCard", "version", "1.4", "msteams", "width", "Full", "body", body,
			 "actions", actions);
	return json_pack("{s:s, s:[{s:s, s:n, s:o}]}", "type", "message", "attachments",
			 "contentType", "application/vnd.microsoft.card.adaptive", "contentUrl",
			 "content", card);
}
