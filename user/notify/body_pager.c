/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts that wake people: one that begins and the one that ends it have the same key. */
#include <stdio.h>
#include <string.h>

#include "base/fields.h"
#include "notify/body.h"
#include "notify/notice.h"

static bool is_end(const json_t *notice)
{
	return !strcmp(notice_get(notice, "state"), "ends");
}

/* The table for people as an object; each value at most `max` characters. */
static json_t *details(const json_t *notice, size_t max)
{
	json_t *object = json_object();
	struct notice_fact fact;

	for (size_t at = 0; notice_fact(notice, &at, &fact);)
		field_set(object, fact.title, body_text(fact.value, max));
	return object;
}

/*
 * The most that PagerDuty takes of a summary; of a dedup_key, which is a hash here, it takes 255 (its documentation of the
 * Events API v2, "Send an Alert Event", parameters; its schema, PagerDuty/api-schema, names no lengths).
 */
#define SUMMARY_MAX 1024

json_t *body_pagerduty(const struct body_input *input)
{
	const json_t *notice = input->notices[0];
	const char *link = notice_get(notice, "link");
	json_t *event = json_object(), *payload;

	field_text(event, "routing_key", input->secret ? input->secret : "");
	field_text(event, "event_action", is_end(notice) ? "resolve" : "trigger");
	field_text(event, "dedup_key", notice_get(notice, "alert"));
	if (is_end(notice))
		return event;
	payload = json_object();
	field_set(payload, "summary", body_text(notice_get(notice, "title"), SUMMARY_MAX));
	field_text(payload, "source", notice_get(notice, "node"));
	field_text(payload, "severity", notice_get(notice, "severity"));
	field_text(payload, "timestamp", notice_get(notice, "time"));
	field_text(payload, "component", "aigress");
	field_set(payload, "group", body_text(notice_get(notice, "budget"), 256));
	field_text(payload, "class", notice_get(notice, "action"));
	field_set(payload, "custom_details", details(notice, 4096));
	field_set(event, "payload", payload);
	field_text(event, "client", "aigress");
	if (*link) {
		field_text(event, "client_url", link);
		field_set(event, "links",
			  json_pack("[{s:s, s:s}]", "href", link, "text", "Look further"));
	}
	return event;
}

/* P1 wakes everybody, which is for the operator's rules at Opsgenie to say. */
static const char *priority(const json_t *notice)
{
	const char *severity = notice_get(notice, "severity");

	return !strcmp(severity, "critical") ? "P2" : !strcmp(severity, "warning") ? "P3" : "P5";
}

static json_t *closing(const json_t *notice)
{
	json_t *object = json_object();

	field_text(object, "source", "aigress");
	field_set(object, "note", body_text(notice_get(notice, "done"), 20000));
	return object;
}

json_t *body_opsgenie(const struct body_input *input)
{
	const json_t *notice = input->notices[0];
	json_t *alert, *tags;

	if (is_end(notice))
		return closing(notice);
	alert = json_object();
	tags = json_array();
	field_set(alert, "message", body_text(notice_get(notice, "title"), 130));
	field_text(alert, "alias", notice_get(notice, "alert"));
	field_set(alert, "description", body_text(notice_get(notice, "title"), 15000));
	/* 8,000 characters in all */
	field_set(alert, "details", details(notice, 600));
	field_set(alert, "entity", body_text(notice_get(notice, "who"), 512));
	field_set(alert, "source", body_text(notice_get(notice, "node"), 100));
	json_array_append_new(tags, json_string("aigress"));
	json_array_append_new(tags, json_string(notice_get(notice, "action")));
	field_set(alert, "tags", tags);
	field_text(alert, "priority", priority(notice));
	return alert;
}

char *body_opsgenie_path(const json_t *notice)
{
	char *path = NULL;

	if (asprintf(&path, is_end(notice) ? "/%s/close?identifierType=alias" : "%s",
		     is_end(notice) ? notice_get(notice, "alert") : "") < 0)
		return NULL;
	return path;
}
