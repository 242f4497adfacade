/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reports of Anthropic's Usage & Cost API and OpenAI's organization reports, in their documented shapes, from a server
 * of the test's own: one scripted answer for each request, in order.
 */
#include "billed.h"
#include "peer.h"

#define KEY "sk-admin-0123456789"

struct step {
	const char *asked; /* what the request's head has, or NULL */
	const char *head;  /* NULL: 200 */
	const char *body;
};

struct script {
	const struct step *steps;
	size_t n;
	char heads[16][1024]; /* of the requests that came */
	atomic_int n_asked;
};

static char dir[UNIT_FOLDER_LEN], key_file[UNIT_FOLDER_LEN + 8], base[64];
static struct peer peer;
static struct script script;

static void serve(struct peer *own)
{
	struct script *told = own->arg;
	char head[1024] = "", line[256];
	size_t len = 0, at = (size_t)atomic_load(&told->n_asked);
	const struct step *step = at < told->n ? &told->steps[at] : NULL;
	ssize_t n;

	while (len + 1 < sizeof(head) && !strstr(head, "\r\n\r\n")) {
		n = peer_read(own, head + len, sizeof(head) - len - 1);
		if (n <= 0)
			return;
		head[len += (size_t)n] = '\0';
	}
	if (at < ARRAY_SIZE(told->heads))
		memcpy(told->heads[at], head, sizeof(head));
	atomic_fetch_add(&told->n_asked, 1);
	if (!step) {
		peer_say(own, "HTTP/1.1 418 Not In The Script\r\nContent-Length: 0\r\n\r\n");
		return;
	}
	snprintf(line, sizeof(line),
		 "HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
		 step->head ? step->head : "200 OK", strlen(step->body));
	peer_say(own, line);
	peer_say(own, step->body);
}

static int start(void **state)
{
	if (unit_folder(dir))
		return -1;
	snprintf(key_file, sizeof(key_file), "%s/key", dir);
	unit_write(key_file, KEY "\n", strlen(KEY) + 1);
	peer = (struct peer){ .serve = serve, .arg = &script };
	peer_start(&peer, NULL, 0);
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", peer.port);
	return 0;
}

static int stop(void **state)
{
	peer_stop(&peer);
	return unit_remove(dir);
}

typedef int reader(struct bill *bill, const struct bill_api *api, char **ret_error);

/* What the reader gives; each step's request came, and no other. */
static int ask(reader *read_report, const struct step *steps, size_t n, char **ret_error)
{
	const struct bill_api api = { .base = base, .key_file = key_file, .wait_ms = 1 };
	int err;

	script.steps = steps;
	script.n = n;
	atomic_store(&script.n_asked, 0);
	*ret_error = NULL;
	err = read_report(&bill, &api, ret_error);
	assert_int_equal(atomic_load(&script.n_asked), n);
	for (size_t i = 0; i < n; i++)
		if (steps[i].asked && !strstr(script.heads[i], steps[i].asked))
			fail_msg("request %zu has no \"%s\": %s", i, steps[i].asked,
				 script.heads[i]);
	if (*ret_error)
		assert_null(strstr(*ret_error, KEY));
	return err;
}

static void take_all(reader *read_report, const struct step *steps, size_t n)
{
	_cleanup_free_ char *error = NULL;
	int err = ask(read_report, steps, n, &error);

	if (err)
		fail_msg("%d: %s", err, error ? error : "");
}

#define EMPTY "{\"data\": [], \"has_more\": false, \"next_page\": null}"

/* Shapes of platform.claude.com/docs/en/api/admin: cents with decimals as strings, tokens by class. */
static void anthropic_has_tokens_and_cents(void **state)
{
	static const struct step steps[] = {
		{ "GET /v1/organizations/usage_report/messages?starting_at=2026-11-01T00:00:00Z&"
		  "ending_at=2026-12-01T00:00:00Z&bucket_width=1d&limit=31&group_by[]=model",
		  NULL,
		  "{\"data\": [{\"starting_at\": \"2026-11-23T00:00:00Z\", \"ending_at\": "
		  "\"2026-11-24T00:00:00Z\", \"results\": [{\"uncached_input_tokens\": 100, "
		  "\"cache_creation\": {\"ephemeral_1h_input_tokens\": 20, "
		  "\"ephemeral_5m_input_tokens\": 3}, \"cache_read_input_tokens\": 1000, "
		  "\"output_tokens\": 7, \"server_tool_use\": {\"web_search_requests\": 3}, "
		  "\"model\": \"claude-haiku-4-5-20251001\", \"service_tier\": \"batch\", "
		  "\"workspace_id\": \"wrkspc_1\", \"context_window\": null}]}], "
		  "\"has_more\": true, \"next_page\": \"page_/+= 1\"}" },
		/* the mark of a page is escaped */
		{ "&group_by[]=workspace_id&page=page_%2F%2B%3D%201 HTTP", NULL,
		  "{\"data\": [{\"starting_at\": \"2026-11-23T00:00:00Z\", \"results\": "
		  "[{\"uncached_input_tokens\": 5, \"output_tokens\": 1, \"model\": "
		  "\"claude-haiku-4-5-20251001\", \"service_tier\": \"batch\", \"workspace_id\": "
		  "\"wrkspc_1\"}]}], \"has_more\": false, \"next_page\": null}" },
		{ "GET /v1/organizations/cost_report?starting_at=", NULL,
		  "{\"data\": [{\"starting_at\": \"2026-11-23T00:00:00Z\", \"results\": ["
		  "{\"currency\": \"USD\", \"amount\": \"123.78912\", \"workspace_id\": "
		  "\"wrkspc_1\", \"description\": \"x\", \"cost_type\": \"tokens\", \"model\": "
		  "\"claude-haiku-4-5-20251001\", \"service_tier\": \"batch\"},"
		  "{\"currency\": \"USD\", \"amount\": \"-23.78912\", \"workspace_id\": "
		  "\"wrkspc_1\", \"cost_type\": \"tokens\", \"model\": \"claude-haiku-4-5\", "
		  "\"service_tier\": \"batch\"},"
		  "{\"currency\": \"USD\", \"amount\": \"3.0\", \"workspace_id\": null, "
		  "\"cost_type\": \"web_search\", \"model\": null, \"service_tier\": null},"
		  "{\"currency\": \"USD\", \"amount\": null, \"cost_type\": \"code_execution\"},"
		  "{\"currency\": \"EUR\", \"amount\": \"9\", \"cost_type\": \"tokens\"}]},"
		  /* one nano-dollar is 10^-7 cents; half of it is rounded up */
		  "{\"starting_at\": \"2026-11-24T00:00:00Z\", \"results\": [{\"amount\": "
		  "\"0.00000005\", \"model\": \"claude-opus-4-8\", \"service_tier\": "
		  "\"standard\"}]}], \"has_more\": false}" },
	};
	const struct bill_cell *haiku;

	take_all(bill_read_anthropic, steps, ARRAY_SIZE(steps));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_non_null(strstr(script.heads[i], "x-api-key: " KEY "\r\n"));
		assert_non_null(strstr(script.heads[i], "anthropic-version: 2023-06-01\r\n"));
	}
	haiku = cell(DAY(23), "anthropic", "claude-haiku-4-5", "batch", "wrkspc_1");
	assert_int_equal(haiku->billed_input, 1128);
	assert_int_equal(haiku->billed_output, 8);
	assert_nanos(haiku->billed_nanos, USD);
	assert_nanos(cell(DAY(23), "anthropic", "web_search", "", "")->billed_nanos,
		     30 * USD / 1000);
	assert_nanos(cell(DAY(23), "anthropic", "code_execution", "", "")->billed_nanos, 0);
	assert_nanos(cell(DAY(24), "anthropic", "claude-opus-4-8", "", "")->billed_nanos, 1);
	assert_int_equal(HASH_COUNT(bill.cells), 4);
	assert_int_equal(bill.n_foreign, 1);
	assert_true(bill.has_tokens);
	assert_string_equal(bill.providers[0], "anthropic");
}

/* Shapes of platform.openai.com/docs/api-reference/usage: days as seconds, dollars as numbers, line items. */
static void openai_has_tokens_and_line_items(void **state)
{
	static const struct step steps[] = {
		{ "GET /v1/organization/usage/completions?start_time=1793491200&end_time=1796083200&"
		  "bucket_width=1d&limit=31&group_by=model&group_by=project_id&group_by=batch HTTP",
		  NULL,
		  "{\"object\": \"page\", \"data\": [{\"object\": \"bucket\", \"start_time\": "
		  "1795392000, \"end_time\": 1795478400, \"results\": [{\"object\": "
		  "\"organization.usage.completions.result\", \"input_tokens\": 1000, "
		  "\"output_tokens\": 500, \"input_cached_tokens\": 800, \"input_audio_tokens\": 0, "
		  "\"num_model_requests\": 5, \"project_id\": \"proj_a\", \"user_id\": null, "
		  "\"model\": \"gpt-4o-mini-2024-07-18\", \"batch\": false},"
		  "{\"input_tokens\": 10, \"output_tokens\": 5, \"project_id\": \"proj_a\", "
		  "\"model\": \"gpt-4o-mini-2024-07-18\", \"batch\": true}]}], "
		  "\"has_more\": false, \"next_page\": null}" },
		/* buckets that do not begin at midnight, and the older name of their results */
		{ "/usage/embeddings?", NULL,
		  "{\"data\": [{\"start_time\": 1795395600, \"result\": [{\"input_tokens\": 8, "
		  "\"project_id\": null, \"model\": \"text-embedding-3-small\"}]}], "
		  "\"has_more\": false}" },
		{ "/costs?start_time=1793491200&end_time=1796083200&bucket_width=1d&limit=31&"
		  "group_by=line_item&group_by=project_id HTTP",
		  NULL,
		  "{\"data\": [{\"start_time\": 1795392000, \"results\": ["
		  "{\"amount\": {\"value\": 0.06, \"currency\": \"usd\"}, \"line_item\": "
		  "\"gpt-4o-mini-2024-07-18, input\", \"project_id\": \"proj_a\"},"
		  "{\"amount\": {\"value\": \"4e-2\", \"currency\": \"usd\"}, \"line_item\": "
		  "\"gpt-4o-mini-2024-07-18, cached input\", \"project_id\": \"proj_a\"},"
		  "{\"amount\": {\"value\": 0.5, \"currency\": \"usd\"}, \"line_item\": "
		  "\"gpt-4o-mini-2024-07-18, batch input\", \"project_id\": \"proj_a\"},"
		  "{\"amount\": {\"value\": -1, \"currency\": \"usd\"}, \"line_item\": "
		  "\"web search tool calls, all models\", \"project_id\": null},"
		  "{\"amount\": {\"value\": 2, \"currency\": \"usd\"}, \"line_item\": null},"
		  "{\"amount\": {\"value\": 9, \"currency\": \"eur\"}, \"line_item\": "
		  "\"gpt-4o, input\"}]}], \"has_more\": false}" },
	};
	const struct bill_cell *mini;

	take_all(bill_read_openai, steps, ARRAY_SIZE(steps));
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		assert_non_null(strstr(script.heads[i], "Authorization: Bearer " KEY "\r\n"));
	mini = cell(DAY(23), "openai", "gpt-4o-mini", "", "proj_a");
	assert_int_equal(mini->billed_input, 1000);
	assert_int_equal(mini->billed_output, 500);
	assert_nanos(mini->billed_nanos, USD / 10);
	mini = cell(DAY(23), "openai", "gpt-4o-mini", "batch", "proj_a");
	assert_int_equal(mini->billed_input, 10);
	assert_nanos(mini->billed_nanos, USD / 2);
	assert_int_equal(cell(DAY(23), "openai", "text-embedding-3-small", "", "")->billed_input, 8);
	assert_nanos(
		cell(DAY(23), "openai", "web search tool calls, all models", "", "")->billed_nanos,
		-USD);
	assert_nanos(cell(DAY(23), "openai", "", "", "")->billed_nanos, 2 * USD);
	assert_int_equal(HASH_COUNT(bill.cells), 5);
	assert_int_equal(bill.n_foreign, 1);
	assert_string_equal(bill.providers[0], "openai");
}

static void an_empty_report_covers_its_provider(void **state)
{
	static const struct step steps[] = { { NULL, NULL, EMPTY }, { NULL, NULL, EMPTY } };

	take_all(bill_read_anthropic, steps, ARRAY_SIZE(steps));
	assert_null(bill.cells);
	assert_int_equal(bill.n_providers, 1);
}

static void what_is_refused_for_now_is_asked_again(void **state)
{
	static const struct step steps[] = {
		{ "usage_report", "429 Slow Down", "{}" },
		{ "usage_report", "529 Overloaded", "{}" },
		{ "usage_report", "503 No", "" },
		{ "usage_report", NULL, EMPTY },
		{ "cost_report", "500 No\r\nRetry-After: 1", "" },
		{ "cost_report", NULL, EMPTY },
	};

	take_all(bill_read_anthropic, steps, ARRAY_SIZE(steps));
}

static void what_is_refused_for_good_is_said(void **state)
{
	static const struct step busy[] = {
		{ NULL, "429 No", "" },
		{ NULL, "429 No", "" },
		{ NULL, "429 No", "" },
		{ NULL, "429 No", "" },
	};
	static const struct {
		struct step step;
		int err;
		const char *words;
	} ones[] = {
		{ { NULL, "401 No", "{\"error\": {\"message\": \"" KEY "\"}}" },
		  -EACCES,
		  "admin key" },
		{ { NULL, "403 No", "" }, -EACCES, "admin key" },
		{ { NULL, "404 No", "" }, -EIO, "status 404" },
		{ { NULL, "302 Moved\r\nLocation: http://127.0.0.1:1/", "" }, -EIO, "status 302" },
	};
	char *error;

	for (size_t i = 0; i < ARRAY_SIZE(ones); i++) {
		assert_int_equal(ask(bill_read_openai, &ones[i].step, 1, &error), ones[i].err);
		assert_non_null(error);
		assert_non_null(strstr(error, ones[i].words));
		free(error);
	}
	assert_int_equal(ask(bill_read_openai, busy, 4, &error), -EIO);
	assert_string_equal(error, "status 429");
	free(error);
	assert_int_equal(bill.n_providers, 0);
}

/* A part of a report, or one whose figures cannot be read, must not pass for a small bill. */
static void what_lost_its_shape_is_no_report(void **state)
{
#define COST(fields)                                                      \
	"{\"data\": [{\"start_time\": 1795392000, \"results\": [{" fields \
	"}]}], \"has_more\": false}"
	static const char *const bodies[] = {
		"<html>sign in</html>",
		"",
		"{\"data\": []}",
		"{\"data\": [], \"has_more\": false",
		"{\"has_more\": false, \"data\": [{\"start_time\": 1795392000, \"results\": [",
		"{\"data\": [], \"has_more\": true}",
		"{\"data\": [], \"has_more\": true, \"next_page\": null}",
		"{\"data\": [{\"start_time\": null, \"results\": []}], \"has_more\": false}",
		"{\"data\": [{\"start_time\": \"yesterday\"}], \"has_more\": false}",
		COST("\"input_tokens\": \"many\""),
		COST("\"input_tokens\": -1"),
		COST("\"output_tokens\": 1.5"),
		COST("\"amount\": {\"value\": \"free\"}"),
		COST("\"amount\": {\"value\": 1e30}"),
		COST("\"amount\": {\"value\": {}}"),
		COST("\"amount\": {\"value\": \"--1\"}"),
	};
	char *error;

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		const struct step step = { NULL, NULL, bodies[i] };

		if (ask(bill_read_openai, &step, 1, &error) != -EBADMSG)
			fail_msg("taken: %s", bodies[i]);
		assert_string_equal(error, "the answer is no report");
		free(error);
	}
}

static void a_day_that_is_none_is_no_report(void **state)
{
	static const struct step step = {
		NULL, NULL,
		"{\"data\": [{\"starting_at\": \"2026-02-30\", \"results\": []}], \"has_more\": false}"
	};
	char *error;

	assert_int_equal(ask(bill_read_anthropic, &step, 1, &error), -EBADMSG);
	free(error);
}

/* Else it would be asked for ever. */
static void a_page_that_is_its_own_next_is_no_report(void **state)
{
	static const struct step steps[] = {
		{ NULL, NULL, "{\"data\": [], \"has_more\": true, \"next_page\": \"p\"}" },
		{ "&page=p ", NULL, "{\"data\": [], \"has_more\": true, \"next_page\": \"p\"}" },
	};
	char *error;

	assert_int_equal(ask(bill_read_openai, steps, ARRAY_SIZE(steps), &error), -EBADMSG);
	free(error);
}

static void a_server_that_is_not_there_is_said(void **state)
{
	const struct bill_api api = { .base = "http://127.0.0.1:1", .key_file = key_file };
	_cleanup_free_ char *error = NULL;

	assert_int_equal(bill_read_openai(&bill, &api, &error), -ECONNREFUSED);
	assert_non_null(error);
}

static void a_key_that_cannot_be_read_is_an_error(void **state)
{
	const struct bill_api api = { .base = base, .key_file = "/proc/self/nothing/key" };
	char *error = NULL;

	assert_int_equal(bill_read_anthropic(&bill, &api, &error), -ENOENT);
	assert_int_equal(bill_read_openai(&bill, &api, &error), -ENOENT);
	free(error);
	assert_int_equal(bill.n_providers, 0);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(anthropic_has_tokens_and_cents),
		TEST(openai_has_tokens_and_line_items),
		TEST(an_empty_report_covers_its_provider),
		TEST(what_is_refused_for_now_is_asked_again),
		TEST(what_is_refused_for_good_is_said),
		TEST(what_lost_its_shape_is_no_report),
		TEST(a_day_that_is_none_is_no_report),
		TEST(a_page_that_is_its_own_next_is_no_report),
		TEST(a_server_that_is_not_there_is_said),
		TEST(a_key_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
