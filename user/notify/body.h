/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices (notify/notice.h) as the receivers want them, by their documents as of 2026-11:
 *
 *	Alertmanager's API v2: an array of alerts (its api/v2/openapi.yaml)
 *	Slack's incoming webhooks and Block Kit (docs.slack.dev/reference/block-kit): at most 50 blocks, a section of at
 *	most 3,000 characters and 10 fields of 2,000
 *	Microsoft Teams: an Adaptive Card 1.4 as an attachment (adaptivecards.io/explorer), 28 kB with all
 *	PagerDuty's Events API v2 (developer.pagerduty.com): summary of 1,024 characters, dedup_key of 255, 512 kB in all
 *	Opsgenie's Alert API (docs.opsgenie.com/docs/alert-api): message of 130 characters, alias of 512, description of 15,000,
 *	details of 8,000 in all, entity of 512, source of 100
 */
#ifndef NOTIFY_BODY_H
#define NOTIFY_BODY_H

#include <jansson.h>

#include "notify/webhook.h"

#define BODY_NOTICES 20 /* that a message for people has; the others it counts */

/* What a body is made of. */
struct body_input {
	const struct webhook_rule *rule;
	const json_t *const *notices; /* n of them, 1 to BODY_NOTICES; one where the format is for programs */
	size_t n, more;               /* further ones that are only counted */
	const char *secret;           /* the text of key_file; NULL: none */
};

/* The caller's reference; NULL: no memory. */
json_t *body_alertmanager(const struct body_input *input);
json_t *body_slack(const struct body_input *input);
json_t *body_teams(const struct body_input *input);
json_t *body_pagerduty(const struct body_input *input);
json_t *body_opsgenie(const struct body_input *input);
/* What is to be added to the URL of Opsgenie's alerts, to be freed; NULL: no memory. */
char *body_opsgenie_path(const json_t *notice);
/* A mail's text and its subject, to be freed. NULL: no memory. */
char *body_mail(const struct body_input *input);
char *body_mail_subject(const struct body_input *input);

/* The whole body, whatever the format, to be freed; NULL: no memory. */
char *body_new(const struct body_input *input);

/* For the files of the bodies: a text of at most `max` characters, of which the last is then an ellipsis. */
json_t *body_text(const char *text, size_t max);
/* "7 actions of budgets on node-1", for more than one notice; returns buf. */
char *body_digest_title(const struct body_input *input, char *buf, size_t size);

#endif
