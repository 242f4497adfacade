/* SPDX-License-Identifier: Apache-2.0 */
/* What a notice says, and what a template makes of it. */
#include "noticed.h"

#include "notify/template.h"

static void a_notice_answers_what_people_ask(void **state)
{
	json_t *notice = notice_new(&begun, &calls, &context);
	static const char *const expected[][2] = {
		{ "title", "shop/web-1 app is refused AI calls: 12.500000 of 10.000000 USD (125 %), "
			   "budget daily" },
		{ "who", "shop/web-1 app" },
		{ "done", "refuse cgroup /a: done" },
		{ "spent", "12.500000 of 10.000000 USD (125 %)" },
		{ "rate", "60.00 USD/hour over the last 5 calls" },
		{ "calls", "claude-opus-4-8 at api.anthropic.com by python3 (pid 77)" },
		{ "until", "2023-11-14T23:13:20Z" },
		{ "release", "aigress override open 'cgroup=/a<b>' --for 1h --reason '...'" },
		{ "explain", "aigress explain action 7" },
		{ "rule", "at 100% of 10 USD a day: refuse (f:3)" },
		{ "node", "node-1" },
		{ "link", "https://wiki.example/aigress" },
		{ "state", "begins" },
		{ "severity", "critical" },
		{ "key", "abc-7" },
		{ "time", "2023-11-14T22:13:20.123Z" },
		{ "measured", "99.5 %" },
		{ "rehearsed", "false" },
		{ "outcome", "done" },
	};
	const char *key;

	for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
		assert_string_equal(notice_get(notice, expected[i][0]), expected[i][1]);
	for (size_t i = 0; (key = notice_key(i)); i++)
		assert_non_null(json_object_get(notice, key));
	assert_string_equal(notice_get(notice, "nothing"), "");
	json_decref(notice);
}

static void each_state_has_its_words(void **state)
{
	static const struct {
		const char *action;
		enum action_result outcome;
		bool is_rehearsed;
		const char *title, *severity, *state;
		bool releases;
	} rows[] = {
		{ "note", ACTION_DONE, false,
		  "shop/web-1 app has reached a step of its budget: ", "info", "begins", false },
		{ "pace", ACTION_DONE, false, "shop/web-1 app is paced: ", "warning", "begins",
		  true },
		{ "freeze", ACTION_DONE, false, "shop/web-1 app is frozen: ", "critical", "begins",
		  true },
		{ "stop", ACTION_REHEARSED, true,
		  "rehearsal: shop/web-1 app would be stopped: ", "critical", "begins", false },
		{ "kill", ACTION_FINISHED, false,
		  "shop/web-1 app: what came of the kill: done, budget ", "critical", "begins",
		  false },
		{ "kill", ACTION_FAILED, false, "shop/web-1 app: kill failed, ", "critical",
		  "begins", false },
		{ "kill", ACTION_REFUSED, false, "shop/web-1 app: kill was not allowed, ",
		  "critical", "begins", false },
		{ "kill", ACTION_INEFFECTIVE, false, "shop/web-1 app: kill had no effect, ",
		  "critical", "begins", false },
		{ "refuse", ACTION_ENDED, false, "shop/web-1 app: refuse has ended", "critical",
		  "ends", false },
		{ "override", ACTION_ORDERED, false, "override: cgroup /a, done", "info", "order",
		  false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct ledger_action action = begun;
		json_t *notice;

		action.action = rows[i].action;
		action.outcome = rows[i].outcome;
		action.is_rehearsed = rows[i].is_rehearsed;
		notice = notice_new(&action, &calls, &context);
		if (strncmp(notice_get(notice, "title"), rows[i].title, strlen(rows[i].title)))
			fail_msg("\"%s\", not \"%s\"", notice_get(notice, "title"), rows[i].title);
		assert_string_equal(notice_get(notice, "severity"), rows[i].severity);
		assert_string_equal(notice_get(notice, "state"), rows[i].state);
		assert_int_equal(!!*notice_get(notice, "release"), rows[i].releases);
		json_decref(notice);
	}
}

/* What the ledger has no calls of, a limit in tokens, and one call alone, which has no rate. */
static void what_is_not_known_is_blank(void **state)
{
	struct ledger_action action = begun;
	struct last_calls none = { .n = 0 }, one = calls, slow = calls;
	json_t *notice;

	action.limit_nanos = 0;
	action.in_flight = 30;
	action.spent_tokens = 2500;
	action.limit_tokens = 2000;
	action.until_us = 0;
	action.rule_text = NULL;
	notice = notice_new(&action, &none, &context);
	assert_string_equal(notice_get(notice, "who"), "cgroup /a");
	assert_string_equal(notice_get(notice, "spent"),
			    "2500 of 2000 tokens (125 %), 30 in flight");
	assert_string_equal(notice_get(notice, "rule"), "f:3");
	assert_string_equal(notice_get(notice, "until"), "");
	assert_string_equal(notice_get(notice, "rate"), "");
	assert_string_equal(notice_get(notice, "calls"), "");
	json_decref(notice);
	one.n = 1;
	notice = notice_new(&action, &one, &context);
	assert_string_equal(notice_get(notice, "rate"), "");
	json_decref(notice);
	slow.nanos = 1;
	slow.to_us = 3600000000;
	action.limit_tokens = 0;
	action.in_flight = USD / 4;
	notice = notice_new(&action, &slow, &context);
	assert_string_equal(notice_get(notice, "rate"),
			    "less than 0.01 USD/hour over the last 5 calls");
	assert_string_equal(notice_get(notice, "spent"), "12.500000 USD, 0.250000 in flight");
	json_decref(notice);
}

/* The command is pasted into a shell, and its word is a pattern. */
static void what_releases_is_one_word_of_the_shell(void **state)
{
	struct ledger_action action = begun;
	json_t *notice;

	action.subject = "cgroup=/*'; rm -rf ~ #\n";
	notice = notice_new(&action, &calls, &context);
	assert_string_equal(notice_get(notice, "release"),
			    "aigress override open 'cgroup=/\\*'\\''; rm -rf ~ #\\\\x0a' --for 1h "
			    "--reason '...'");
	json_decref(notice);
}

static void begin_and_end_have_the_same_alert(void **state)
{
	struct ledger_action over = ended(), other = begun;
	json_t *a = notice_new(&begun, &calls, &context), *b = notice_new(&over, &calls, &context),
	       *c;

	assert_string_equal(notice_get(a, "alert"), notice_get(b, "alert"));
	assert_string_not_equal(notice_get(a, "key"), notice_get(b, "key"));
	/* fields are told apart, not only what they are together */
	other.subject = "cgroup=/a<b>cgroup ";
	other.target = "/a";
	c = notice_new(&other, &calls, &context);
	assert_string_not_equal(notice_get(a, "alert"), notice_get(c, "alert"));
	json_decref(a);
	json_decref(b);
	json_decref(c);
}

/* ---- templates ---- */

static void a_template_is_filled(void **state)
{
	struct ledger_action bad = hostile();
	json_t *notice = notice_new(&bad, &calls, &context), *filled;
	static const char text[] =
		"{\"text\": \"{{who}}: {{ done }}\", \"n\": [1, {}], \"{{id}}\": \"}}\"}";
	_cleanup_free_ char *wrong = template_check(text), *body = template_fill(text, notice);
	char expected[16384];

	assert_null(wrong);
	filled = json_loads(body, 0, NULL);
	assert_non_null(filled);
	snprintf(expected, sizeof(expected), "%s: %s", notice_get(notice, "who"),
		 notice_get(notice, "done"));
	assert_string_equal(get(filled, "text"), expected);
	assert_string_equal(get(filled, "7"), "}}");
	json_decref(filled);
	json_decref(notice);
}

static void a_wrong_template_is_told(void **state)
{
	static const char *const wrongs[][2] = {
		{ "{\"a\": \"{{whom}}\"}", "\"{{whom}}\" is no value" },
		{ "{\"a\": \"{{who}\"}", "is no value" },
		{ "{\"a\": \"{{\"}", "is no value" },
		{ "{\"a\": {{who}}}", "is no JSON" },
		{ "{\"a\": 1{{who}}}", "is no JSON" },
		{ "{\"a\": \"{{who}}\"", "is no JSON" },
		{ "text", "is no JSON" },
		{ "", "is no JSON" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		_cleanup_free_ char *wrong = template_check(wrongs[i][0]);

		if (!wrong || !strstr(wrong, wrongs[i][1]))
			fail_msg("%s: \"%s\"", wrongs[i][0], wrong ? wrong : "");
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_notice_answers_what_people_ask),
		cmocka_unit_test(each_state_has_its_words),
		cmocka_unit_test(what_is_not_known_is_blank),
		cmocka_unit_test(what_releases_is_one_word_of_the_shell),
		cmocka_unit_test(begin_and_end_have_the_same_alert),
		cmocka_unit_test(a_template_is_filled),
		cmocka_unit_test(a_wrong_template_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
