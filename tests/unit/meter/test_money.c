/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bills of documented shape, with their sums: tokens times nano-dollars. Prices are those of data/ (LiteLLM, and
 * the supplement where that lacks a model) unless a provider's page is named.
 */
#include "money.h"
#include "provider/api.h"

#define MESSAGES "/v1/messages"

#define GENERATE "/v1beta/models/gemini-2.5-flash:generateContent"

/* With a key of one's own the gateway's figure is its fee alone. */
static void the_upstreams_bill_adds_to_the_gateways_fee(void **state)
{
	assert_costs(ASK("openrouter.ai", "/api/v1/chat/completions", "{\"model\":\"openai/gpt-4o\"}",
			 "{\"model\":\"openai/gpt-4o\",\"usage\":{\"prompt_tokens\":10,"
			 "\"completion_tokens\":5,\"cost\":0,\"is_byok\":true,"
			 "\"cost_details\":{\"upstream_inference_cost\":0.0360795}}}",
			 JSON),
		     CHARGE_PROVIDER, 36079500);
	assert_costs(ASK("openrouter.ai", "/api/v1/chat/completions", "{\"model\":\"openai/gpt-4o\"}",
			 "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"cost\":0.001,"
			 "\"is_byok\":true,\"cost_details\":{\"upstream_inference_cost\":0.02}}}",
			 JSON),
		     CHARGE_PROVIDER, 21000000);
	/* Without, the upstream's part is in the cost. */
	assert_costs(ASK("openrouter.ai", "/api/v1/chat/completions", "{\"model\":\"openai/gpt-4o\"}",
			 "{\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,\"cost\":0.021,"
			 "\"is_byok\":false,\"cost_details\":{\"upstream_inference_cost\":0.02}}}",
			 JSON),
		     CHARGE_PROVIDER, 21000000);
}

/* claude-opus-4-8: in 5, out 25, write 6.25, read 0.5 USD a million. */
static void a_later_zero_is_no_retraction(void **state)
{
	static const char request[] = "{\"model\":\"claude-opus-4-8\",\"stream\":true}";

	assert_costs(
		ASK(ANTHROPIC, MESSAGES, request,
		    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":"
		    "\"claude-opus-4-8\",\"usage\":{\"input_tokens\":25000,\"output_tokens\":1}}}\n\n"
		    "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{"
		    "\"input_tokens\":0,\"output_tokens\":50}}\n\n"
		    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		    SSE),
		CHARGE_USAGE, 25000 * 5000 + 50 * 25000);
	/* What was to be written turned out to be there already. */
	assert_costs(
		ASK(ANTHROPIC, MESSAGES, request,
		    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":"
		    "\"claude-opus-4-8\",\"usage\":{\"input_tokens\":2,\"cache_creation_input_tokens\":"
		    "58352,\"cache_read_input_tokens\":0,\"cache_creation\":{"
		    "\"ephemeral_5m_input_tokens\":58352,\"ephemeral_1h_input_tokens\":0},"
		    "\"output_tokens\":1}}}\n\n"
		    "event: message_delta\ndata: {\"type\":\"message_delta\",\"usage\":{"
		    "\"input_tokens\":2,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":"
		    "58352,\"output_tokens\":50}}\n\n"
		    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		    SSE),
		CHARGE_USAGE, 2 * 5000 + 58352 * 500 + 50 * 25000); /* 0.030436 */
}

/* gemini-2.5-flash: in 0.3, out 2.5, audio in 1, read 0.03; a grounded prompt 0.035 USD. */
static void gemini_is_billed_by_modality_tier_and_search(void **state)
{
	/* Over OpenAI's shape the thoughts are in the total alone. */
	assert_costs(ASK(GEMINI, "/v1beta/openai/chat/completions",
			 "{\"model\":\"gemini-2.5-flash\"}",
			 "{\"model\":\"gemini-2.5-flash\",\"usage\":{\"prompt_tokens\":20,"
			 "\"completion_tokens\":151,\"total_tokens\":553}}",
			 JSON),
		     CHARGE_USAGE, 20 * 300 + 533 * 2500);
	assert_costs(
		ASK(GEMINI, GENERATE, "{}",
		    "{\"candidates\":[{\"groundingMetadata\":{\"webSearchQueries\":[\"a\",\"b\"],"
		    "\"groundingChunks\":[{\"web\":{\"uri\":\"https://x\"}}]}}],"
		    "\"usageMetadata\":{\"promptTokenCount\":100,\"candidatesTokenCount\":100},"
		    "\"modelVersion\":\"gemini-2.5-flash\"}",
		    JSON),
		CHARGE_USAGE, 100 * 300 + 100 * 2500 + 35000000);
	/* From Gemini 3 on each query is billed, at 0.014. */
	assert_costs(
		ASK(GEMINI, "/v1beta/models/gemini-3-flash-preview:generateContent", "{}",
		    "{\"candidates\":[{\"groundingMetadata\":{\"webSearchQueries\":[\"a\",\"b\"]}}],"
		    "\"usageMetadata\":{\"promptTokenCount\":100,\"candidatesTokenCount\":100},"
		    "\"modelVersion\":\"gemini-3-flash-preview\"}",
		    JSON),
		CHARGE_USAGE, 100 * 500 + 100 * 3000 + 2 * 14000000);
	/* A metadata object without a search is none. */
	assert_costs(ASK(GEMINI, GENERATE, "{}",
			 "{\"candidates\":[{\"groundingMetadata\":{}}],\"usageMetadata\":{"
			 "\"promptTokenCount\":100,\"candidatesTokenCount\":100},"
			 "\"modelVersion\":\"gemini-2.5-flash\"}",
			 JSON),
		     CHARGE_USAGE, 100 * 300 + 100 * 2500);
	/* Cached 2,918 of 3,200, 284 of these audio, which is read at a tenth of 1 as text is of 0.3. */
	assert_costs(
		ASK(GEMINI, GENERATE, "{}",
		    "{\"usageMetadata\":{\"promptTokenCount\":3200,\"cachedContentTokenCount\":2918,"
		    "\"candidatesTokenCount\":100,\"promptTokensDetails\":[{\"modality\":\"TEXT\","
		    "\"tokenCount\":2916},{\"modality\":\"AUDIO\",\"tokenCount\":284}],"
		    "\"cacheTokensDetails\":[{\"tokenCount\":2634,\"modality\":\"TEXT\"},"
		    "{\"tokenCount\":284,\"modality\":\"AUDIO\"}]},"
		    "\"modelVersion\":\"gemini-2.5-flash\"}",
		    JSON),
		CHARGE_USAGE, 282 * 300 + 2634 * 30 + 284 * 100 + 100 * 2500);
	/* Flex is a half where no price of its own is listed (ai.google.dev/gemini-api/docs/pricing). */
	assert_costs(ASK(GEMINI, GENERATE, "{}",
			 "{\"usageMetadata\":{\"promptTokenCount\":1000,\"candidatesTokenCount\":100,"
			 "\"serviceTier\":\"flex\"},\"modelVersion\":\"gemini-2.5-flash\"}",
			 JSON),
		     CHARGE_USAGE, (1000 * 300 + 100 * 2500) / 2);
	/* Thoughts follow the tier: gemini-3-flash in 0.9 and out 5.4 with priority. */
	assert_costs(ASK(GEMINI, "/v1beta/models/gemini-3-flash-preview:generateContent", "{}",
			 "{\"usageMetadata\":{\"promptTokenCount\":1000,\"candidatesTokenCount\":100,"
			 "\"thoughtsTokenCount\":1000,\"serviceTier\":\"priority\"},"
			 "\"modelVersion\":\"gemini-3-flash-preview\"}",
			 JSON),
		     CHARGE_USAGE, 1000 * 900 + 1100 * 5400); /* 0.00684 */
}

static void vertex_costs_a_tenth_more_in_a_region(void **state)
{
	static const char answer[] =
		"{\"type\":\"message\",\"model\":\"claude-haiku-4-5-20251001\","
		"\"content\":[{\"type\":\"text\"}],\"usage\":{\"input_tokens\":1000,"
		"\"output_tokens\":100}}";
	static const char path[] = "/v1/projects/p/locations/l/publishers/anthropic/models/"
				   "claude-haiku-4-5@20251001:rawPredict";
	static const char old[] = "/v1/projects/p/locations/l/publishers/anthropic/models/"
				  "claude-3-5-haiku@20241022:rawPredict";

	assert_costs(ASK("aiplatform.googleapis.com", path, "{}", answer, JSON), CHARGE_USAGE,
		     1000 * 1000 + 100 * 5000);
	assert_costs(ASK("us-east5-aiplatform.googleapis.com", path, "{}", answer, JSON),
		     CHARGE_USAGE, (1000 * 1000 + 100 * 5000) * 11 / 10);
	assert_costs(ASK("us-east5-aiplatform.googleapis.com", old, "{}",
			 "{\"model\":\"claude-3-5-haiku-20241022\",\"usage\":{\"input_tokens\":1000,"
			 "\"output_tokens\":0}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 1000);
	/* Mistral's models answer there in OpenAI's shape: mistral-small-2503 0.1 and 0.3. */
	assert_costs(ASK("us-central1-aiplatform.googleapis.com",
			 "/v1/projects/p/locations/l/publishers/mistralai/models/"
			 "mistral-small-2503:rawPredict",
			 "{\"model\":\"mistral-small-2503\"}",
			 "{\"object\":\"chat.completion\",\"model\":\"mistral-small-2503\",\"usage\":{"
			 "\"prompt_tokens\":1000,\"completion_tokens\":100,\"total_tokens\":1100}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 1000 + 100 * 3000);
}

/* gpt-4o: in 2.5, out 10. */
static void tools_that_the_server_runs_are_billed(void **state)
{
	static const char request[] = "{\"model\":\"gpt-4o\"}";

	/* 2.50 USD a thousand */
	assert_costs(ASK(OPENAI, RESPONSES, request,
			 "{\"model\":\"gpt-4o\",\"output\":[{\"type\":\"file_search_call\"},"
			 "{\"type\":\"message\"}],\"usage\":{\"input_tokens\":1000,"
			 "\"output_tokens\":100}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000 + 2500000);
	/* A container is 0.03 USD, once an answer; one that the request names was paid before. */
	assert_costs(
		ASK(OPENAI, RESPONSES,
		    "{\"model\":\"gpt-4o\",\"tools\":[{\"type\":\"code_interpreter\",\"container\":"
		    "{\"type\":\"auto\"}}]}",
		    "{\"model\":\"gpt-4o\",\"output\":[{\"type\":\"code_interpreter_call\"},"
		    "{\"type\":\"code_interpreter_call\"}],\"usage\":{\"input_tokens\":1000,"
		    "\"output_tokens\":100}}",
		    JSON),
		CHARGE_USAGE, 1000 * 2500 + 100 * 10000 + 30000000);
	assert_costs(
		ASK(OPENAI, RESPONSES,
		    "{\"model\":\"gpt-4o\",\"tools\":[{\"type\":\"code_interpreter\",\"container\":"
		    "\"cntr_1\"}]}",
		    "{\"model\":\"gpt-4o\",\"output\":[{\"type\":\"code_interpreter_call\"}],"
		    "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}",
		    JSON),
		CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
	/* An image made inside is billed at the image model's price, beside the call. */
	assert_costs(ASK(OPENAI, RESPONSES, request,
			 "{\"model\":\"gpt-4o\",\"output\":[{\"type\":\"image_generation_call\"}],"
			 "\"tools\":[{\"type\":\"image_generation\",\"model\":\"gpt-image-1\"}],"
			 "\"tool_usage\":{\"image_gen\":{\"input_tokens\":50,\"output_tokens\":4160,"
			 "\"output_tokens_details\":{\"image_tokens\":4160}}},"
			 "\"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000 + 50 * 5000 + 4160 * 40000);
}

static void who_fails_pays_by_the_table(void **state)
{
	static const char claude[] = "{\"model\":\"claude-opus-4-8\"}";
	static const char gpt[] =
		"{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":"
		"\"a long question, worth some tokens\"}]}";

	/* A refusal without a word, as a body and as a stream. */
	assert_costs(ASK(ANTHROPIC, MESSAGES, claude,
			 "{\"type\":\"message\",\"model\":\"claude-opus-4-8\",\"content\":[],"
			 "\"stop_reason\":\"refusal\",\"usage\":{\"input_tokens\":1000,"
			 "\"output_tokens\":0}}",
			 JSON),
		     CHARGE_FREE, 0);
	assert_costs(
		ASK(ANTHROPIC, MESSAGES, claude,
		    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":"
		    "\"claude-opus-4-8\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":1}}}\n\n"
		    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
		    "\"stop_reason\":\"refusal\"},\"usage\":{\"output_tokens\":1}}\n\n"
		    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		    SSE),
		CHARGE_FREE, 0);
	/* In the middle, what was written is paid. */
	assert_costs(ASK(ANTHROPIC, MESSAGES, claude,
			 "{\"type\":\"message\",\"model\":\"claude-opus-4-8\",\"content\":[{\"type\":"
			 "\"text\",\"text\":\"Well\"}],\"stop_reason\":\"refusal\",\"usage\":{"
			 "\"input_tokens\":1000,\"output_tokens\":10}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 5000 + 10 * 25000);
	/* Azure bills a 400 by its filter, and no other. */
	assert_costs(ASK("x.openai.azure.com", "/openai/deployments/gpt-4o/chat/completions", gpt,
			 "{\"error\":{\"code\":\"unsupported_parameter\",\"message\":\"no\"}}",
			 JSON, 400),
		     CHARGE_FREE, 0);
	assert_true(
		ASK("x.openai.azure.com", "/openai/deployments/gpt-4o/chat/completions", gpt,
		    "{\"error\":{\"code\":\"content_filter\",\"status\":400,\"innererror\":{\"code\":"
		    "\"ResponsibleAIPolicyViolation\"}}}",
		    JSON, 400)
			.cost_nanos > 0);
	/* A stream that only says that it failed. */
	assert_costs(
		ASK(OPENAI, CHAT, gpt,
		    "data: {\"error\":{\"message\":\"The server had an error while processing your "
		    "request\",\"type\":\"server_error\"}}\n\n",
		    SSE),
		CHARGE_FREE, 0);
	assert_costs(ASK(OPENAI, CHAT, gpt, "{\"error\":{\"message\":\"overloaded\"}}", SSE),
		     CHARGE_FREE, 0);
	assert_costs(ASK(OPENAI, CHAT, gpt, "<html>moved</html>", HTTP_CONTENT_OTHER, 307),
		     CHARGE_FREE, 0);
}

static void odd_writing_is_read(void **state)
{
	static const char gpt[] = "{\"model\":\"gpt-4o\",\"stream\":true,\"stream_options\":{"
				  "\"include_usage\":true}}";

	/* How long it took is no audio, and what a search found was not drawn. */
	assert_costs(
		ASK(OPENAI, CHAT, "{\"model\":\"gpt-4o\"}",
		    "{\"model\":\"gpt-4o\",\"duration\":12.5,\"images\":[{\"url\":\"https://x\"}],"
		    "\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}",
		    JSON),
		CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
	assert_int_not_equal(ASK(OPENAI, CHAT, "{\"model\":\"gpt-4o\"}",
				 "{\"model\":\"gpt-4o\",\"duration\":12.5}", JSON)
				     .source,
			     CHARGE_USAGE);
	assert_costs(ASK(OPENAI, CHAT "/", "{\"model\":\"gpt-4o\"}",
			 "{\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":\"1000\","
			 "\"completion_tokens\":\"100\"}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
	assert_costs(ASK(OPENAI, CHAT, gpt,
			 "data: {\"model\" : \"gpt-4o\", \"choices\" : [{\"delta\" : {\"content\" : "
			 "\"hi\"}}], \"usage\" : null}\n\n"
			 "data: {\"model\" : \"gpt-4o\", \"choices\" : [], \"usage\" : "
			 "{\"prompt_tokens\" : 1000, \"completion_tokens\" : 100}}\n\n"
			 "data: [DONE]\n\n",
			 SSE),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
}

/* A gateway's zero is a figure where its own cache answered, and none where it has no price. */
static void a_gateways_zero_is_believed_of_its_cache_alone(void **state)
{
	static const char answer[] = "{\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":100000,"
				     "\"completion_tokens\":0}}";

	assert_costs(ASK(OPENAI, CHAT, "{\"model\":\"gpt-4o\"}", answer, JSON,
			 .fields = { { "x-litellm-response-cost", "0.0" } }),
		     CHARGE_USAGE, 100000 * 2500);
	assert_int_equal(api_add_host("llm.example.com", "openai"), 0);
	assert_costs(ASK("llm.example.com", CHAT, "{\"model\":\"gpt-4o\"}", answer, JSON,
			 .fields = { { "x-litellm-response-cost", "0.0" },
				     { "x-litellm-cache-key", "abc" } }),
		     CHARGE_PROVIDER, 0);
	/* OpenAI itself sends nothing of the kind. */
	assert_costs(ASK(OPENAI, CHAT, "{\"model\":\"gpt-4o\"}", answer, JSON,
			 .fields = { { "x-litellm-response-cost", "0.0" },
				     { "x-litellm-cache-key", "abc" } }),
		     CHARGE_USAGE, 100000 * 2500);
}

/* ft:gpt-4o-mini-2024-07-18: in 0.3, out 1.2. */
static void tuned_models_have_their_own_price(void **state)
{
	static const char answer[] = "{\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":450}}";

	assert_costs(ASK(OPENAI, CHAT, "{\"model\":\"ft:gpt-4o-mini-2024-07-18:acme::abc\"}",
			 answer, JSON),
		     CHARGE_USAGE, 1000 * 300 + 450 * 1200);
	assert_costs(ASK(OPENAI, CHAT,
			 "{\"model\":\"ft:gpt-4o-mini-2024-07-18:acme:mine:abc:ckpt-step-90\"}",
			 answer, JSON),
		     CHARGE_USAGE, 1000 * 300 + 450 * 1200);
	assert_false(ASK(OPENAI, CHAT, "{\"model\":\"ft:gpt-5-unheard-of:acme::abc\"}", answer, JSON)
			     .is_priced);
}

/* What was used and has no price is said, and is not 0. */
static void a_class_without_a_price_is_named(void **state)
{
	struct charge charge = ASK(OPENAI, CHAT, "{\"model\":\"gpt-4.1\"}",
				   "{\"model\":\"gpt-4.1\",\"usage\":{\"prompt_tokens\":1000,"
				   "\"completion_tokens\":100,\"completion_tokens_details\":{"
				   "\"audio_tokens\":60}}}",
				   JSON);

	assert_true(charge.is_priced);
	assert_string_equal(charge.price_lacks, "audio output");
	assert_non_null(strstr(charge.price_origin, "none for audio output"));
	assert_true(charge.cost_nanos >= 1000 * 2000 + 100 * 8000);
	charge = ASK(
		OPENAI, CHAT, "{\"model\":\"gpt-4.1\"}",
		"{\"model\":\"gpt-4.1\",\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}",
		JSON);
	assert_string_equal(charge.price_lacks, "");
}

/* gpt-4o-search-preview: in 2.5, out 10, and 0.035 USD a search. */
static void a_chat_that_searches_pays_for_it(void **state)
{
	static const char answer[] = "{\"model\":\"gpt-4o-search-preview\",\"usage\":{"
				     "\"prompt_tokens\":1000,\"completion_tokens\":100}}";

	assert_costs(ASK(OPENAI, CHAT,
			 "{\"model\":\"gpt-4o-search-preview\",\"web_search_options\":{}}", answer,
			 JSON),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000 + 35000000);
	assert_costs(ASK(OPENAI, CHAT, "{\"model\":\"gpt-4o-search-preview\"}", answer, JSON),
		     CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
}

/* The supplement: data/supplement.json, by the providers' pages. */
static void models_of_this_quarter_have_a_price(void **state)
{
	static const struct {
		const char *host, *model;
		int64_t in, out;
	} rows[] = {
		{ ANTHROPIC, "claude-fable-5-1", 10000, 50000 },
		{ ANTHROPIC, "claude-opus-5-5", 4000, 20000 },
		{ ANTHROPIC, "claude-sonnet-5-5", 2000, 10000 },
		{ ANTHROPIC, "claude-haiku-5-5", 100, 500 },
		{ OPENAI, "gpt-6-astra", 10000, 50000 },
		{ OPENAI, "gpt-6-luna", 100, 500 },
		{ OPENAI, "gpt-6.2-sol", 2000, 10000 },
	};
	char request[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(request, sizeof(request), "{\"model\":\"%s\"}", rows[i].model);
		assert_costs(ASK(rows[i].host, *rows[i].model == 'c' ? MESSAGES : RESPONSES, request,
				 "{\"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}", JSON),
			     CHARGE_USAGE, 1000 * rows[i].in + 100 * rows[i].out);
	}
	/* Haiku 5.5 beyond 100,000 tokens of prompt costs five times as much, all of it. */
	assert_costs(ASK(ANTHROPIC, MESSAGES, "{\"model\":\"claude-haiku-5-5\"}",
			 "{\"usage\":{\"input_tokens\":100001,\"output_tokens\":100}}", JSON),
		     CHARGE_USAGE, 100001 * 500 + 100 * 2500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_upstreams_bill_adds_to_the_gateways_fee),
		cmocka_unit_test(a_later_zero_is_no_retraction),
		cmocka_unit_test(gemini_is_billed_by_modality_tier_and_search),
		cmocka_unit_test(vertex_costs_a_tenth_more_in_a_region),
		cmocka_unit_test(tools_that_the_server_runs_are_billed),
		cmocka_unit_test(who_fails_pays_by_the_table),
		cmocka_unit_test(odd_writing_is_read),
		cmocka_unit_test(a_gateways_zero_is_believed_of_its_cache_alone),
		cmocka_unit_test(tuned_models_have_their_own_price),
		cmocka_unit_test(a_class_without_a_price_is_named),
		cmocka_unit_test(a_chat_that_searches_pays_for_it),
		cmocka_unit_test(models_of_this_quarter_have_a_price),
	};

	return cmocka_run_group_tests_name("money", tests, setup, teardown);
}
