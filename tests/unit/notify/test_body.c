/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every format of a notice is what its receiver's documents ask for, whatever tenants call themselves. The limits are those
 * of notify/body.h.
 */
#include "noticed.h"

#include "notify/body.h"

static const struct webhook_rule rules[WEBHOOK_FORMATS] = {
	[WEBHOOK_ALERTMANAGER] = { .format = WEBHOOK_ALERTMANAGER },
	[WEBHOOK_SLACK] = { .format = WEBHOOK_SLACK },
	[WEBHOOK_TEAMS] = { .format = WEBHOOK_TEAMS },
	[WEBHOOK_PAGERDUTY] = { .format = WEBHOOK_PAGERDUTY },
	[WEBHOOK_OPSGENIE] = { .format = WEBHOOK_OPSGENIE },
	[WEBHOOK_JSON] = { .format = WEBHOOK_JSON },
	[WEBHOOK_EMAIL] = { .format = WEBHOOK_EMAIL },
};

static size_t length(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* A text of the object of 1 to `max` characters. */
static const char *text_of(const json_t *object, const char *key, size_t max)
{
	const char *value = get(object, key);

	if (!*value || length(value) > max)
		fail_msg("\"%s\" has %zu characters, not 1 to %zu", key, length(value), max);
	return value;
}

static bool is_one_of(const char *word, const char *words)
{
	const char *at = strstr(words, word);

	return at && (at == words || at[-1] == ' ') &&
	       (at[strlen(word)] == ' ' || !at[strlen(word)]);
}

/* The body of so many equal notices, and of `more`. */
static char *text_body(enum webhook_format format, const struct ledger_action *action, size_t n,
		       size_t more)
{
	json_t *notice = notice_new(action, &calls, &context);
	const json_t *notices[BODY_NOTICES];
	const struct body_input input = {
		.rule = &rules[format], .notices = notices, .n = n, .more = more, .secret = "R0UT1NG"
	};
	char *body;

	assert_non_null(notice);
	for (size_t i = 0; i < n; i++)
		notices[i] = notice;
	body = body_new(&input);
	assert_non_null(body);
	json_decref(notice);
	return body;
}

static json_t *body_of(enum webhook_format format, const struct ledger_action *action)
{
	_cleanup_free_ char *body = text_body(format, action, 1, 0);
	json_t *root = json_loads(body, 0, NULL);

	assert_non_null(root);
	return root;
}

static void an_alert_ends_with_the_labels_it_began_with(void **state)
{
	struct ledger_action over = ended(), rehearsed = begun;
	json_t *begin = body_of(WEBHOOK_ALERTMANAGER, &begun);
	json_t *end = body_of(WEBHOOK_ALERTMANAGER, &over), *third;
	json_t *alert = json_array_get(begin, 0), *last = json_array_get(end, 0);
	const json_t *notes = json_object_get(alert, "annotations");

	assert_true(json_equal(json_object_get(alert, "labels"), json_object_get(last, "labels")));
	assert_string_equal(get(alert, "startsAt"), "2023-11-14T22:13:20.123Z");
	assert_string_equal(get(alert, "endsAt"), "2023-11-14T23:13:20Z");
	assert_string_equal(get(last, "endsAt"), "2023-11-14T22:13:25.123Z");
	assert_string_equal(get(alert, "generatorURL"), "https://wiki.example/aigress");
	assert_string_equal(get(json_object_get(alert, "labels"), "budget"), "daily");
	assert_string_equal(get(json_object_get(alert, "labels"), "subject"), "cgroup=/a<b>");
	assert_string_equal(get(json_object_get(alert, "labels"), "node"), "node-1");
	assert_string_equal(get(notes, "spent"), "12.500000 of 10.000000 USD (125 %)");
	assert_string_equal(get(notes, "action_key"), "abc-7");
	rehearsed.is_rehearsed = true;
	rehearsed.until_us = rehearsed.time_us - 123456; /* an end before its begin is refused */
	third = body_of(WEBHOOK_ALERTMANAGER, &rehearsed);
	assert_null(json_object_get(json_array_get(third, 0), "endsAt"));
	assert_string_equal(get(json_object_get(json_array_get(third, 0), "labels"), "rehearsed"),
			    "true");
	json_decref(begin);
	json_decref(end);
	json_decref(third);
}

static void check_slack_text(const json_t *text, size_t max)
{
	const char *value;

	assert_string_equal(get(text, "type"), "mrkdwn");
	value = text_of(text, "text", max);
	/* <!channel> of a tenant would call everybody */
	assert_null(strstr(value, "<!"));
	for (const char *at = value; (at = strchr(at, '<')); at++)
		assert_int_equal(strncmp(at, "<https://wiki.example/aigress>", 30), 0);
}

static void check_slack(const json_t *message)
{
	const json_t *blocks = json_object_get(message, "blocks");
	size_t i, j;
	json_t *block, *one;

	text_of(message, "text", 40000);
	assert_null(strchr(get(message, "text"), '<'));
	assert_in_range(json_array_size(blocks), 1, 50);
	json_array_foreach(blocks, i, block) {
		const json_t *fields = json_object_get(block, "fields");
		const json_t *elements = json_object_get(block, "elements");

		assert_true(is_one_of(get(block, "type"), "section context"));
		assert_true(!!fields + !!elements + !!json_object_get(block, "text") == 1);
		if (json_object_get(block, "text"))
			check_slack_text(json_object_get(block, "text"), 3000);
		assert_true(json_array_size(fields) <= 10 && json_array_size(elements) <= 10);
		json_array_foreach(fields, j, one)
			check_slack_text(one, 2000);
		json_array_foreach(elements, j, one)
			check_slack_text(one, 2000);
	}
}

static void slack_takes_it(void **state)
{
	struct ledger_action bad = hostile(), over = ended();
	const struct ledger_action *const actions[] = { &begun, &bad, &over };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		json_t *message = body_of(WEBHOOK_SLACK, actions[i]);
		_cleanup_free_ char *text = text_body(WEBHOOK_SLACK, actions[i], BODY_NOTICES, 236);
		json_t *digest = json_loads(text, 0, NULL);

		check_slack(message);
		check_slack(digest);
		assert_string_equal(get(digest, "text"), "256 actions of budgets on node-1");
		assert_non_null(strstr(text, "+236 more"));
		json_decref(message);
		json_decref(digest);
	}
}

/* Only what shows its text as it is: no element that would read Markdown. */
static void check_card(const json_t *message)
{
	const json_t *attachment = json_array_get(json_object_get(message, "attachments"), 0);
	const json_t *card = json_object_get(attachment, "content"), *body;
	size_t i, j;
	json_t *element, *run;

	assert_string_equal(get(message, "type"), "message");
	assert_string_equal(get(attachment, "contentType"),
			    "application/vnd.microsoft.card.adaptive");
	assert_true(json_is_null(json_object_get(attachment, "contentUrl")));
	assert_string_equal(get(card, "type"), "AdaptiveCard");
	assert_string_equal(get(card, "version"), "1.4");
	body = json_object_get(card, "body");
	assert_true(json_array_size(body) > 0);
	json_array_foreach(body, i, element) {
		assert_string_equal(get(element, "type"), "RichTextBlock");
		assert_true(is_one_of(get(element, "spacing"), "Small Medium"));
		assert_true(json_array_size(json_object_get(element, "inlines")) > 0);
		json_array_foreach(json_object_get(element, "inlines"), j, run) {
			assert_string_equal(get(run, "type"), "TextRun");
			text_of(run, "text", 700);
			if (json_object_get(run, "color"))
				assert_true(is_one_of(get(run, "color"), "Attention Warning"));
		}
	}
	json_array_foreach(json_object_get(card, "actions"), i, element) {
		assert_string_equal(get(element, "type"), "Action.OpenUrl");
		assert_string_equal(get(element, "url"), "https://wiki.example/aigress");
		text_of(element, "title", 50);
	}
}

static void teams_takes_it(void **state)
{
	struct ledger_action bad = hostile(), over = ended();
	const struct ledger_action *const actions[] = { &begun, &bad, &over };

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		json_t *message = body_of(WEBHOOK_TEAMS, actions[i]);
		_cleanup_free_ char *text = text_body(WEBHOOK_TEAMS, actions[i], BODY_NOTICES, 3);
		json_t *digest = json_loads(text, 0, NULL);

		check_card(message);
		check_card(digest);
		assert_true(strlen(text) < 28 * 1024);
		json_decref(message);
		json_decref(digest);
	}
}

static void pagerduty_takes_it(void **state)
{
	struct ledger_action bad = hostile(), over = ended();
	json_t *begin = body_of(WEBHOOK_PAGERDUTY, &begun), *end = body_of(WEBHOOK_PAGERDUTY, &over);
	json_t *worst = body_of(WEBHOOK_PAGERDUTY, &bad);
	json_t *const events[] = { begin, worst };

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		const json_t *payload = json_object_get(events[i], "payload");

		assert_string_equal(get(events[i], "routing_key"), "R0UT1NG");
		assert_string_equal(get(events[i], "event_action"), "trigger");
		text_of(events[i], "dedup_key", 255);
		text_of(payload, "summary", 1024);
		text_of(payload, "source", 255);
		assert_true(is_one_of(get(payload, "severity"), "critical error warning info"));
		assert_string_equal(get(payload, "timestamp"), "2023-11-14T22:13:20.123Z");
		assert_true(json_is_object(json_object_get(payload, "custom_details")));
		assert_string_equal(
			get(json_array_get(json_object_get(events[i], "links"), 0), "href"),
			"https://wiki.example/aigress");
	}
	assert_non_null(
		strstr(get(json_object_get(json_object_get(begin, "payload"), "custom_details"),
			   "To release"),
		       "aigress override open"));
	assert_string_equal(get(end, "event_action"), "resolve");
	assert_string_equal(get(end, "routing_key"), "R0UT1NG");
	assert_string_equal(get(end, "dedup_key"), get(begin, "dedup_key"));
	assert_null(json_object_get(end, "payload"));
	json_decref(begin);
	json_decref(end);
	json_decref(worst);
}

static void opsgenie_takes_it(void **state)
{
	struct ledger_action bad = hostile(), over = ended();
	json_t *begin = body_of(WEBHOOK_OPSGENIE, &begun), *worst = body_of(WEBHOOK_OPSGENIE, &bad);
	json_t *end = body_of(WEBHOOK_OPSGENIE, &over);
	json_t *const alerts[] = { begin, worst };
	json_t *a = notice_new(&begun, &calls, &context), *b = notice_new(&over, &calls, &context);
	_cleanup_free_ char *create = body_opsgenie_path(a), *closes = body_opsgenie_path(b);
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(alerts); i++) {
		const json_t *details = json_object_get(alerts[i], "details");
		const char *key;
		json_t *value;
		size_t len = 0;

		text_of(alerts[i], "message", 130);
		text_of(alerts[i], "alias", 512);
		text_of(alerts[i], "description", 15000);
		text_of(alerts[i], "entity", 512);
		text_of(alerts[i], "source", 100);
		assert_true(is_one_of(get(alerts[i], "priority"), "P1 P2 P3 P4 P5"));
		assert_in_range(json_array_size(json_object_get(alerts[i], "tags")), 1, 20);
		json_object_foreach((json_t *)details, key, value) {
			assert_true(json_is_string(value));
			len += strlen(key) + length(json_string_value(value));
		}
		assert_in_range(len, 1, 8000);
	}
	text_of(end, "source", 100);
	text_of(end, "note", 25000);
	assert_string_equal(create, "");
	snprintf(path, sizeof(path), "/%s/close?identifierType=alias", get(begin, "alias"));
	assert_string_equal(closes, path);
	json_decref(begin);
	json_decref(end);
	json_decref(worst);
	json_decref(a);
	json_decref(b);
}

static void json_is_the_notice(void **state)
{
	json_t *body = body_of(WEBHOOK_JSON, &begun);
	json_t *notice = notice_new(&begun, &calls, &context);

	assert_true(json_equal(body, notice));
	json_decref(body);
	json_decref(notice);
}

static void a_mail_is_text(void **state)
{
	struct ledger_action bad = hostile();
	_cleanup_free_ char *text = text_body(WEBHOOK_EMAIL, &begun, 1, 0);
	_cleanup_free_ char *digest = text_body(WEBHOOK_EMAIL, &bad, 2, 5);
	json_t *notice = notice_new(&bad, &calls, &context);
	const json_t *notices[] = { notice };
	const struct body_input input = { .rule = &rules[WEBHOOK_EMAIL], .notices = notices, .n = 1 };
	_cleanup_free_ char *subject = body_mail_subject(&input);

	assert_non_null(strstr(text, "\nTo release     aigress override open 'cgroup=/a<b>'"));
	assert_non_null(strstr(text, "\nRate           60.00 USD/hour"));
	assert_non_null(strstr(text, "https://wiki.example/aigress\r\n"));
	assert_non_null(strstr(digest, "7 actions of budgets on node-1"));
	assert_non_null(strstr(digest, "+5 more"));
	/* One line of a head, in ASCII. */
	assert_true(strlen(subject) < 200);
	assert_int_equal(strncmp(subject, "[aigress] ", 10), 0);
	for (const char *at = subject; *at; at++)
		assert_in_range(*at, 0x20, 0x7e);
	json_decref(notice);
}

static void names_need_not_be_utf8(void **state)
{
	struct ledger_action action = begun;
	json_t *root;

	action.target = "process 1 (\xff\xfe)";
	root = body_of(WEBHOOK_ALERTMANAGER, &action);
	assert_string_equal(get(json_object_get(json_array_get(root, 0), "labels"), "target"),
			    "process 1 (\\xff\\xfe)");
	json_decref(root);
	for (int i = 0; i < WEBHOOK_FORMATS; i++)
		free(text_body((enum webhook_format)i, &action, 1, 0));
}

static void long_texts_are_cut_at_a_character(void **state)
{
	json_t *text = body_text("\xc3\xa4\xc3\xb6\xc3\xbc", 3);

	assert_string_equal(json_string_value(text), "\xc3\xa4\xc3\xb6\xc3\xbc");
	json_decref(text);
	text = body_text("\xc3\xa4\xc3\xb6\xc3\xbc.", 3);
	assert_string_equal(json_string_value(text), "\xc3\xa4\xc3\xb6\xe2\x80\xa6");
	json_decref(text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_alert_ends_with_the_labels_it_began_with),
		cmocka_unit_test(slack_takes_it),
		cmocka_unit_test(teams_takes_it),
		cmocka_unit_test(pagerduty_takes_it),
		cmocka_unit_test(opsgenie_takes_it),
		cmocka_unit_test(json_is_the_notice),
		cmocka_unit_test(a_mail_is_text),
		cmocka_unit_test(names_need_not_be_utf8),
		cmocka_unit_test(long_texts_are_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
