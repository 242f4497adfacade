/* SPDX-License-Identifier: Apache-2.0 */
/* Whole answers of each provider, and what is no call. */
#include "exchange.h"

static void assert_usage(const struct charge *charge, struct usage expected)
{
	assert_int_equal(charge->usage.input, expected.input);
	assert_int_equal(charge->usage.cache_read, expected.cache_read);
	assert_int_equal(charge->usage.cache_write_5m, expected.cache_write_5m);
	assert_int_equal(charge->usage.cache_write_1h, expected.cache_write_1h);
	assert_int_equal(charge->usage.output, expected.output);
	assert_int_equal(charge->usage.reasoning, expected.reasoning);
	assert_int_equal(charge->usage.audio_input, expected.audio_input);
	assert_int_equal(charge->usage.audio_output, expected.audio_output);
	assert_int_equal(charge->usage.web_searches, expected.web_searches);
}

/* Whole answers: what each provider sends, and the disjoint classes it must become. */
static const struct {
	struct exchange exchange;
	struct usage usage;
	const char *model;
	enum charge_source source;
	int64_t nanos; /* 0: not looked at */
} wholes[] = {
	{ { "api.anthropic.com", "/v1/messages", "anthropic/request.json", "anthropic/answer.json",
	    .content = JSON },
	  { .input = 2095,
	    .cache_read = 1800,
	    .cache_write_5m = 248,
	    .cache_write_1h = 100,
	    .output = 503,
	    .web_searches = 1 },
	  "claude-opus-4-8",
	  CHARGE_USAGE,
	  2095 * 5000LL + 1800 * 500 + 248 * 6250 + 100 * 10000 + 503 * 25000 + 10000000 },
	{ { "api.anthropic.com", "/v1/messages", "anthropic/request.json", "anthropic/stream.sse",
	    .content = SSE },
	  { .input = 25, .cache_read = 4000, .output = 15 },
	  "claude-opus-4-8",
	  CHARGE_USAGE,
	  25 * 5000LL + 4000 * 500 + 15 * 25000 },
	{ { "api.anthropic.com", "/v1/messages", "anthropic/request.json",
	    "anthropic/iterations.json", .content = JSON },
	  { .input = 220 + 55196, .output = 100 + 3500 },
	  "claude-opus-4-8",
	  CHARGE_USAGE,
	  (220 + 55196) * 5000LL + 3600 * 25000 },
	{ { "api.openai.com", CHAT, "openai/request.json", "openai/chat.json", .content = JSON },
	  { .input = 1117 - 1024, .cache_read = 1024, .output = 46, .reasoning = 20 },
	  "gpt-4o-2024-08-06",
	  CHARGE_USAGE,
	  93 * 2500LL + 1024 * 1250 + 46 * 10000 },
	{ { "api.openai.com", CHAT, "openai/request_usage.json", "openai/chat_usage.sse",
	    .content = SSE },
	  { .input = 19, .output = 4 },
	  "gpt-4o-2024-08-06",
	  CHARGE_USAGE,
	  19 * 2500 + 4 * 10000 },
	{ { "api.openai.com", "/v1/responses", "openai/request.json", "openai/responses.sse",
	    .content = SSE },
	  { .input = 328 - 128, .cache_read = 128, .output = 52, .reasoning = 40, .web_searches = 1 },
	  "gpt-5.4",
	  CHARGE_USAGE,
	  200 * 2500LL + 128 * 250 + 52 * 15000 + 10000000 },
	{ { "api.openai.com", "/v1/embeddings", "openai/embeddings_request.json",
	    "openai/embeddings.json", .content = JSON },
	  { .input = 8 },
	  "text-embedding-3-small",
	  CHARGE_USAGE,
	  8 * 20 },
	{ { "x.openai.azure.com", "/openai/deployments/mine/chat/completions",
	    "openai/request.json", "openai/chat.json", .content = JSON },
	  { .input = 93, .cache_read = 1024, .output = 46, .reasoning = 20 },
	  "gpt-4o-2024-08-06",
	  CHARGE_USAGE,
	  0 },
	{ { "generativelanguage.googleapis.com",
	    "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini/request.json",
	    "gemini/stream.sse", .content = SSE },
	  { .input = 100 - 30 - 20 + 5,
	    .cache_read = 30,
	    .output = 12 + 40,
	    .reasoning = 40,
	    .audio_input = 20 },
	  "gemini-2.5-flash",
	  CHARGE_USAGE,
	  0 },
	{ { "generativelanguage.googleapis.com",
	    "/v1beta/models/gemini-2.5-flash:streamGenerateContent", "gemini/request.json",
	    "gemini/array.json", .content = JSON },
	  { .input = 100, .output = 9 },
	  "gemini-2.5-flash",
	  CHARGE_USAGE,
	  0 },
	{ { "api.deepseek.com", "/chat/completions", "openai/request.json", "deepseek/stream.sse",
	    .content = SSE },
	  { .input = 6, .cache_read = 64, .output = 11, .reasoning = 7 },
	  "deepseek-chat",
	  CHARGE_USAGE,
	  0 },
	{ { "api.groq.com", "/openai" CHAT, "openai/request.json", "groq/stream.sse",
	    .content = SSE },
	  { .input = 45, .output = 3 },
	  "llama-3.3-70b-versatile",
	  CHARGE_USAGE,
	  0 },
	{ { "api.x.ai", CHAT, "openai/request.json", "xai/chat.json", .content = JSON },
	  { .input = 10, .cache_read = 4, .output = 27 + 270, .reasoning = 270 },
	  "grok-4",
	  CHARGE_PROVIDER,
	  4123450 },
	{ { "openrouter.ai", "/api" CHAT, "openai/request.json", "openrouter/stream.sse",
	    .content = SSE },
	  { .input = 12, .output = 8 },
	  "anthropic/claude-sonnet-5",
	  CHARGE_PROVIDER,
	  104500 },
	{ { "api.perplexity.ai", "/chat/completions", "openai/request.json", "perplexity/chat.json",
	    .content = JSON },
	  { .input = 14, .output = 30 },
	  "sonar",
	  CHARGE_PROVIDER,
	  5044000 },
	{ { "api.mistral.ai", CHAT, "openai/request.json", "mistral/chat.json", .content = JSON },
	  { .input = 20 - 16, .cache_read = 16, .output = 7 },
	  "mistral-large-latest",
	  CHARGE_USAGE,
	  0 },
	{ { "api.cohere.com", "/v2/chat", "openai/request.json", "cohere/stream.sse",
	    .content = SSE },
	  { .input = 431, .output = 13 },
	  "gpt-4o",
	  CHARGE_USAGE,
	  0 },
	{ { "bedrock-runtime.us-east-1.amazonaws.com",
	    "/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse", "gemini/request.json",
	    "bedrock/converse.json", .content = JSON },
	  { .input = 3, .cache_read = 9511, .output = 20 },
	  "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
	  CHARGE_USAGE,
	  0 },
};

static void reads_what_each_provider_sends(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct charge charge = run(&wholes[i].exchange);

		assert_usage(&charge, wholes[i].usage);
		assert_string_equal(charge.model, wholes[i].model);
		assert_int_equal(charge.source, wholes[i].source);
		assert_int_equal(charge.outcome, CHARGE_OK);
		assert_int_equal(charge.is_stream, wholes[i].exchange.content == SSE);
		if (wholes[i].nanos)
			assert_int_equal(charge.cost_nanos, wholes[i].nanos);
	}
}

static void cuts_change_nothing(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 5, 7, 11, 64, 101 };

	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct charge whole = run(&wholes[i].exchange), part;

		for (size_t j = 0; j < ARRAY_SIZE(steps); j++) {
			struct exchange x = wholes[i].exchange;

			x.step = steps[j];
			part = run(&x);
			assert_memory_equal(&part.usage, &whole.usage, sizeof(whole.usage));
			assert_int_equal(part.cost_nanos, whole.cost_nanos);
			assert_int_equal(part.source, whole.source);
		}
	}
}

/* An answer cut after any byte costs no less than nothing and no more tokens than the whole. */
static void an_answer_cut_anywhere_stays_sane(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct charge whole = run(&wholes[i].exchange), part;
		_cleanup_free_ char *answer = NULL;
		size_t len;

		answer = slurp(wholes[i].exchange.answer, &len);
		for (size_t cut = 1; cut < len; cut++) {
			struct exchange x = wholes[i].exchange;

			x.cut = cut;
			part = run(&x);
			assert_true(part.cost_nanos >= 0 && part.budget_nanos >= 0);
			assert_true(part.outcome == CHARGE_ABORTED || part.outcome == CHARGE_OK ||
				    part.outcome == CHARGE_ERROR);
			assert_true(part.source != CHARGE_FREE);
			assert_true(part.usage.input + part.usage.cache_read > 0);
			if (part.source == CHARGE_USAGE)
				assert_true(part.usage.output <= whole.usage.output);
		}
	}
}

static void content_type_may_be_missing_or_wrong(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++) {
		struct exchange x = wholes[i].exchange;
		struct charge charge;

		x.content = HTTP_CONTENT_NONE;
		charge = run(&x);
		assert_usage(&charge, wholes[i].usage);
		if (wholes[i].exchange.content == JSON) {
			x.content = SSE;
			x.step = 1;
			charge = run(&x);
			assert_usage(&charge, wholes[i].usage);
		}
	}
}

static void what_is_free_is_no_call(void **state)
{
	static const struct {
		const char *method, *host, *path;
	} rows[] = {
		{ "GET", "api.openai.com", "/v1/models" },
		{ "GET", "api.openai.com", "/v1/responses" },
		{ "DELETE", "api.openai.com", "/v1/responses/resp_1" },
		{ "POST", "api.anthropic.com", "/v1/messages/count_tokens" },
		{ "POST", "api.openai.com", "/v1/files" },
		{ "POST", "api.openai.com", "/v1/moderations" },
		{ "POST", "api.openai.com", "/v1/responses/input_tokens" },
		{ "POST", "generativelanguage.googleapis.com",
		  "/v1beta/models/gemini-2.5-pro:countTokens" },
		{ "POST", "us-east5-aiplatform.googleapis.com",
		  "/v1/projects/p/locations/l/publishers/anthropic/models/count-tokens:rawPredict" },
		{ "POST", "example.com", "/v1/chat/completions" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct http_head head = { .side = HTTP_REQUEST };

		snprintf(head.method, sizeof(head.method), "%s", rows[i].method);
		snprintf(head.host, sizeof(head.host), "%s", rows[i].host);
		snprintf(head.path, sizeof(head.path), "%s", rows[i].path);
		assert_null(call_new(&head, NULL, 0));
	}
}

static void anthropic_version_marks_the_dialect_on_any_host(void **state)
{
	struct http_head head = { .side = HTTP_REQUEST,
				  .method = "POST",
				  .host = "llm.corp.example",
				  .path = "/gw/v1/messages",
				  .has_anthropic_version = true };
	struct call *call = call_new(&head, NULL, 0);
	struct charge charge;

	assert_non_null(call);
	reading_charge(call_read(call), prices, NULL, &charge);
	assert_string_equal(charge.provider, "anthropic");
	assert_string_equal(charge.host, "llm.corp.example");
	call_free(call);
}

static void implausible_numbers_are_no_usage(void **state)
{
	struct exchange x = { "api.openai.com", CHAT, "openai/request.json",
			      "openai/implausible.json", .content = JSON };
	struct charge charge = run(&x);

	assert_int_equal(charge.source, CHARGE_SIZE);
	assert_true(charge.usage.input < 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_each_provider_sends),
		cmocka_unit_test(cuts_change_nothing),
		cmocka_unit_test(an_answer_cut_anywhere_stays_sane),
		cmocka_unit_test(content_type_may_be_missing_or_wrong),
		cmocka_unit_test(what_is_free_is_no_call),
		cmocka_unit_test(anthropic_version_marks_the_dialect_on_any_host),
		cmocka_unit_test(implausible_numbers_are_no_usage),
	};

	return cmocka_run_group_tests_name("call", tests, setup, teardown);
}
