/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/body.h"

#include <stdlib.h>
#include <string.h>

#include "base/fields.h"
#include "notify/notice.h"
#include "notify/template.h"

/* ---- Alertmanager ---- */

/*
 * Labels are the alert's identity: what ends it must have the same. Only what is done in earnest is
 * ever ended, whatever the rules say by then.
 */
static json_t *labels(const json_t *notice)
{
	static const char *const same[] = { "severity", "node", "budget", "action" };
	json_t *labels = json_object();
	bool is_end = !strcmp(notice_get(notice, "state"), "ends");
	bool is_order = !strcmp(notice_get(notice, "state"), "order");

	field_text(labels, "alertname", is_order ? "AigressOverride" : "AigressBudget");
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		field_text(labels, same[i], notice_get(notice, same[i]));
	field_text(labels, "subject", notice_get(notice, "counter"));
	if (*notice_get(notice, "target"))
		field_text(labels, "target", notice_get(notice, "target"));
	field_text(labels, "rehearsed", is_end ? "false" : notice_get(notice, "rehearsed"));
	if (!strcmp(notice_get(notice, "outcome"), "failed"))
		field_text(labels, "failed", "true");
	return labels;
}

static json_t *annotations(const json_t *notice)
{
	static const char *const same[] = { "who",  "result", "rule",  "spent",   "measured",
					    "rate", "model",  "calls", "release", "explain" };
	json_t *notes = json_object();

	field_text(notes, "summary", notice_get(notice, "title"));
	for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++)
		if (*notice_get(notice, same[i]))
			field_text(notes, same[i], notice_get(notice, same[i]));
	field_text(notes, "action_key", notice_get(notice, "key"));
	return notes;
}

json_t *body_alertmanager(const struct body_input *input)
{
	json_t *alerts = json_array();

	for (size_t i = 0; i < input->n; i++) {
		const json_t *notice = input->notices[i];
		json_t *alert = json_object();
		bool is_end = !strcmp(notice_get(notice, "state"), "ends");
		/* It is in force until the window ends; without an end Alertmanager would end it in minutes. */
		const char *end = notice_get(notice, is_end ? "time" : "until");

		field_set(alert, "labels", labels(notice));
		field_set(alert, "annotations", annotations(notice));
		field_text(alert, "startsAt", notice_get(notice, "time"));
		if (is_end || strcmp(end, notice_get(notice, "time")) > 0)
			field_text(alert, "endsAt", end);
		if (*notice_get(notice, "link"))
			field_text(alert, "generatorURL", notice_get(notice, "link"));
		json_array_append_new(alerts, alert);
	}
	return alerts;
}

char *body_new(const struct body_input *input)
{
	static json_t *(*const makers[WEBHOOK_FORMATS])(const struct body_input *input) = {
		[WEBHOOK_ALERTMANAGER] = body_alertmanager,
		[WEBHOOK_SLACK] = body_slack,
		[WEBHOOK_TEAMS] = body_teams,
		[WEBHOOK_PAGERDUTY] = body_pagerduty,
		[WEBHOOK_OPSGENIE] = body_opsgenie,
	};
	const struct webhook_rule *rule = input->rule;

	if (rule->format == WEBHOOK_EMAIL)
		return body_mail(input);
	if (rule->format == WEBHOOK_JSON && rule->template)
		return template_fill(rule->template, input->notices[0]);
	return fields_line(makers[rule->format] ? makers[rule->format](input) :
						  json_deep_copy(input->notices[0]));
}
