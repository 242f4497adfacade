/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/deliver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/secret.h"
#include "notify/notice.h"

#define HEADERS  8
#define LINE_LEN 2048

/* RFC 5322; ".invalid" is nobody's (RFC 2606). Begin and end of an alert refer to the same, so they are one thread. */
static int send_mail(struct fetcher *fetcher, const struct body_input *input, const char *key,
		     struct fetch_request *request, struct fetch **ret)
{
	const struct webhook_rule *rule = input->rule;
	_cleanup_free_ char *subject = body_mail_subject(input);
	char lines[5][LINE_LEN], line[LINE_LEN + 16];
	const char *headers[HEADERS] = { "Auto-Submitted: auto-generated" };
	const char *to[WEBHOOK_TO_MAX + 1] = { NULL };
	struct fetch_mail mail = { .from = rule->from,
				   .to = to,
				   .user = rule->user,
				   .password_file = rule->password_file };
	time_t now = (time_t)(clock_wall_us() / US_PER_S);
	size_t len = 0;
	struct tm tm;

	if (!subject)
		return -ENOMEM;
	for (size_t i = 0; i < rule->n_to && i < WEBHOOK_TO_MAX; i++) {
		to[i] = rule->to[i];
		len += (size_t)snprintf(lines[0] + len, sizeof(lines[0]) - len, "%s%s",
					i ? ", " : "To: ", rule->to[i]);
		if (len >= sizeof(lines[0]))
			return -EINVAL;
	}
	snprintf(lines[1], sizeof(lines[1]), "From: %s", rule->from);
	strftime(lines[2], sizeof(lines[2]), "Date: %a, %d %b %Y %H:%M:%S +0000",
		 gmtime_r(&now, &tm));
	snprintf(lines[3], sizeof(lines[3]), "Message-ID: <%s@aigress.invalid>", key);
	snprintf(lines[4], sizeof(lines[4]), "References: <%s@aigress.invalid>",
		 notice_get(input->notices[0], "alert"));
	snprintf(line, sizeof(line), "Subject: %s", subject);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		headers[i + 1] = lines[i];
	headers[ARRAY_SIZE(lines) + 1] = line;
	request->headers = headers;
	request->mail = &mail;
	return fetch_start(fetcher, request, ret);
}

static int send_request(struct fetcher *fetcher, const struct body_input *input, const char *key,
			struct fetch_request *request, struct fetch **ret)
{
	const struct webhook_rule *rule = input->rule;
	_cleanup_free_ char *path = NULL, *whole = NULL;
	_cleanup_secret_ char *authorization = NULL;
	char line[LINE_LEN];
	const char *headers[HEADERS] = { "Content-Type: application/json", line };

	snprintf(line, sizeof(line), "Idempotency-Key: %s", key);
	if (rule->format == WEBHOOK_OPSGENIE) {
		path = body_opsgenie_path(input->notices[0]);
		if (!path || asprintf(&whole, "%s%s", request->url, path) < 0) {
			whole = NULL;
			return -ENOMEM;
		}
		if (input->secret &&
		    asprintf(&authorization, "Authorization: GenieKey %s", input->secret) < 0) {
			authorization = NULL;
			return -ENOMEM;
		}
		request->url = whole;
		headers[2] = authorization;
	}
	request->headers = headers;
	return fetch_start(fetcher, request, ret);
}

int deliver(struct fetcher *fetcher, const struct body_input *asked, const char *key,
	    void (*done)(void *arg, const struct fetch_answer *answer), void *arg,
	    struct fetch **ret)
{
	const struct webhook_rule *rule = asked->rule;
	_cleanup_secret_ char *url = NULL, *secret = NULL, *body = NULL;
	struct body_input input = *asked;
	struct fetch_request request = {
		.url = rule->url,
		.bearer_file = rule->bearer_file,
		.header_file = rule->header_file,
		.tls.ca_file = rule->ca_file,
		.proxy = rule->proxy,
		.timeout_ms = rule->timeout_ms ?: WEBHOOK_TIMEOUT_MS,
		.max_bytes = 65536,
		.done = done,
		.arg = arg,
	};
	int err = rule->url_file ? secret_read(rule->url_file, &url) : 0;

	if (!err && rule->key_file)
		err = secret_read(rule->key_file, &secret);
	if (err)
		return err;
	input.secret = secret;
	/* It may have the secret in it. */
	body = body_new(&input);
	if (!body)
		return -ENOMEM;
	request.url = url ? url : rule->url;
	request.body = body;
	request.body_len = strlen(body);
	return rule->format == WEBHOOK_EMAIL ? send_mail(fetcher, &input, key, &request, ret) :
					       send_request(fetcher, &input, key, &request, ret);
}
