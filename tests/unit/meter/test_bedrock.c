/* SPDX-License-Identifier: Apache-2.0 */
/* Bedrock's bills: event streams with their CRCs, header fields, profiles and tiers. */
#include "money.h"

#include <zlib.h>

#define HOST   "bedrock-runtime.us-east-1.amazonaws.com"
#define EVENTS HTTP_CONTENT_EVENTSTREAM
#define SONNET "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0"

struct stream {
	uint8_t bytes[16384];
	size_t len;
};

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static size_t put_header(uint8_t *at, const char *name, const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);

	at[0] = (uint8_t)name_len;
	memcpy(at + 1, name, name_len);
	at[1 + name_len] = 7; /* a string */
	at[2 + name_len] = 0;
	at[3 + name_len] = (uint8_t)value_len;
	memcpy(at + 4 + name_len, value, value_len);
	return 4 + name_len + value_len;
}

static void message(struct stream *stream, const char *kind, const char *type, const char *payload)
{
	uint8_t *at = stream->bytes + stream->len;
	size_t headers = put_header(at + 12, kind, type), len = strlen(payload), total;

	headers += put_header(at + 12 + headers, ":message-type",
			      !strcmp(kind, ":event-type") ? "event" :
			      !strcmp(kind, ":error-code") ? "error" :
							     "exception");
	memcpy(at + 12 + headers, payload, len);
	total = 12 + headers + len + 4;
	put32(at, (uint32_t)total);
	put32(at + 4, (uint32_t)headers);
	put32(at + 8, (uint32_t)crc32(0, at, 8));
	put32(at + total - 4, (uint32_t)crc32(0, at, (uInt)(total - 4)));
	stream->len += total;
	assert_true(stream->len < sizeof(stream->bytes));
}

static void event(struct stream *stream, const char *type, const char *payload)
{
	message(stream, ":event-type", type, payload);
}

/* A native event as InvokeModelWithResponseStream packs it. */
static void chunk(struct stream *stream, const char *native)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char payload[4096] = "{\"bytes\":\"";
	size_t n = strlen(payload), len = strlen(native);

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = (uint32_t)(uint8_t)native[i] << 16;

		bits |= i + 1 < len ? (uint32_t)(uint8_t)native[i + 1] << 8 : 0;
		bits |= i + 2 < len ? (uint8_t)native[i + 2] : 0;
		payload[n++] = digits[bits >> 18];
		payload[n++] = digits[bits >> 12 & 63];
		payload[n++] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		payload[n++] = i + 2 < len ? digits[bits & 63] : '=';
	}
	strcpy(payload + n, "\",\"p\":\"abcdefghijkl\"}");
	event(stream, "chunk", payload);
}

static struct charge ask_stream(const char *path, const struct stream *stream)
{
	return ASK(HOST, path, "{}", (const char *)stream->bytes, EVENTS, .answer_len = stream->len);
}

/* us. Sonnet 4.5: in 3.3, out 16.5, read 0.33, write 4.125 and 6.6 USD a million. */
static void converse_streams_are_measured(void **state)
{
	struct stream stream = { .len = 0 };

	event(&stream, "messageStart", "{\"p\":\"abc\",\"role\":\"assistant\"}");
	event(&stream, "contentBlockDelta",
	      "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hello there\"},\"p\":\"abcd\"}");
	event(&stream, "messageStop", "{\"stopReason\":\"end_turn\"}");
	event(&stream, "metadata",
	      "{\"metrics\":{\"latencyMs\":900},\"usage\":{\"cacheReadInputTokens\":9511,"
	      "\"cacheWriteInputTokens\":0,\"inputTokens\":3,\"outputTokens\":10,"
	      "\"totalTokens\":9524}}");
	assert_costs(ask_stream("/model/" SONNET "/converse-stream", &stream), CHARGE_USAGE,
		     3 * 3300 + 9511 * 330 + 10 * 16500);
	/* A usage whose CRC is wrong is not believed. */
	stream.bytes[stream.len - 20] ^= 1;
	assert_true(ask_stream("/model/" SONNET "/converse-stream", &stream).source != CHARGE_USAGE);
}

static void invoke_streams_are_measured(void **state)
{
	struct stream stream = { .len = 0 }, bare = { .len = 0 };
	static const char *const events[] = {
		"{\"type\":\"message_start\",\"message\":{\"model\":\"claude-sonnet-4-5-20250929\","
		"\"usage\":{\"input_tokens\":1000,\"output_tokens\":1}}}",
		"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\","
		"\"text\":\"Hi\"}}",
		"{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{"
		"\"output_tokens\":100}}",
		"{\"type\":\"message_stop\",\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":"
		"1000,\"outputTokenCount\":100,\"invocationLatency\":900}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		chunk(&stream, events[i]);
		event(&bare, "chunk", events[i]);
	}
	assert_costs(ask_stream("/model/" SONNET "/invoke-with-response-stream", &stream),
		     CHARGE_USAGE, 1000 * 3300 + 100 * 16500);
	assert_costs(ask_stream("/model/" SONNET "/invoke-with-response-stream", &bare),
		     CHARGE_USAGE, 1000 * 3300 + 100 * 16500);
	/* nova-lite: 0.06 and 0.24; its own events, and the metrics alone. */
	stream.len = bare.len = 0;
	chunk(&stream, "{\"contentBlockDelta\":{\"delta\":{\"text\":\"Hi\"}}}");
	chunk(&stream, "{\"metadata\":{\"usage\":{\"inputTokens\":1000,\"outputTokens\":100}},"
		       "\"amazon-bedrock-invocationMetrics\":{\"inputTokenCount\":1000,"
		       "\"outputTokenCount\":100}}");
	assert_costs(
		ask_stream("/model/amazon.nova-lite-v1%3A0/invoke-with-response-stream", &stream),
		CHARGE_USAGE, 1000 * 60 + 100 * 240);
	chunk(&bare, "{\"generation\":\"Hi\",\"prompt_token_count\":null}");
	chunk(&bare, "{\"generation\":\"\",\"amazon-bedrock-invocationMetrics\":{"
		     "\"inputTokenCount\":1000,\"outputTokenCount\":100}}");
	assert_costs(ask_stream("/model/meta.llama3-8b-instruct-v1%3A0/invoke-with-response-stream",
				&bare),
		     CHARGE_USAGE, 1000 * 300 + 100 * 600);
}

static void a_stream_that_fails_or_ends_early_is_settled(void **state)
{
	struct stream stream = { .len = 0 };
	struct charge charge;

	message(&stream, ":exception-type", "throttlingException", "{\"message\":\"slow down\"}");
	assert_costs(ask_stream("/model/" SONNET "/converse-stream", &stream), CHARGE_FREE, 0);
	stream.len = 0;
	message(&stream, ":error-code", "InternalError", "");
	assert_costs(ask_stream("/model/" SONNET "/converse-stream", &stream), CHARGE_FREE, 0);
	stream.len = 0;
	event(&stream, "messageStart", "{\"role\":\"assistant\"}");
	for (int i = 0; i < 20; i++)
		event(&stream, "contentBlockDelta",
		      "{\"contentBlockIndex\":0,\"delta\":{\"text\":\"and so it goes on \"}}");
	charge = ASK(HOST, "/model/" SONNET "/converse-stream",
		     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"tell me\"}]}]}",
		     (const char *)stream.bytes, EVENTS, .answer_len = stream.len, .is_cut = true);
	assert_int_equal(charge.outcome, CHARGE_ABORTED);
	assert_in_range(charge.usage.output, 80, 160); /* five tokens twenty times */
}

/* Lost bytes cost the message they were in; the next one is found by its own CRC. */
static void a_gap_costs_one_message(void **state)
{
	struct eventstream events = { 0 };
	struct eventstream_piece piece;
	struct stream stream = { .len = 0 };
	size_t first, found = 0;

	event(&stream, "messageStart", "{\"role\":\"assistant\"}");
	first = stream.len;
	event(&stream, "contentBlockDelta", "{\"delta\":{\"text\":\"lost\"}}");
	event(&stream, "metadata", "{\"usage\":{\"inputTokens\":3}}");
	eventstream_feed(&events, stream.bytes, first + 20);
	while (eventstream_next(&events, &piece))
		found += piece.is_last && piece.is_sound;
	assert_int_equal(found, 1);
	eventstream_gap(&events);
	eventstream_feed(&events, stream.bytes + first + 31, stream.len - first - 31);
	while (eventstream_next(&events, &piece))
		if (piece.is_last) {
			assert_true(piece.is_sound);
			assert_string_equal(piece.type, "metadata");
			found++;
		}
	assert_int_equal(found, 2);
}

static void counts_in_header_fields_are_read(void **state)
{
	/* nova-lite 0.06 and 0.24; its body says nothing here. */
	assert_costs(ASK(HOST, "/model/amazon.nova-lite-v1%3A0/invoke", "{}", "{\"output\":{}}", JSON,
			 .fields = { { "X-Amzn-Bedrock-Input-Token-Count", "1000" },
				     { "X-Amzn-Bedrock-Output-Token-Count", "100" } }),
		     CHARGE_USAGE, 1000 * 60 + 100 * 240); /* 0.000084 */
	/* titan-embed-text-v2: 0.02 a million, an input and no output. */
	assert_costs(ASK(HOST, "/model/amazon.titan-embed-text-v2%3A0/invoke", "{}",
			 "{\"embedding\":[0.1]}", JSON,
			 .fields = { { "x-amzn-bedrock-input-token-count", "1000" } }),
		     CHARGE_USAGE, 1000 * 20);
	/* gpt-oss-120b answers in OpenAI's shape: 0.15 and 0.6. */
	assert_costs(ASK(HOST, "/model/openai.gpt-oss-120b-1%3A0/invoke", "{}",
			 "{\"model\":\"openai.gpt-oss-120b-1:0\",\"usage\":{\"prompt_tokens\":1000,"
			 "\"completion_tokens\":100,\"total_tokens\":1100}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 150 + 100 * 600);
	/* Nobody else's header fields count. */
	assert_true(ASK("api.openai.com", "/v1/chat/completions", "{\"model\":\"gpt-4o\"}", "{}",
			JSON,
			.fields = { { "x-amzn-bedrock-input-token-count", "1000" },
				    { "x-amzn-bedrock-output-token-count", "1" } })
			    .source != CHARGE_USAGE);
}

static void the_profile_decides_the_price(void **state)
{
	static const char claude[] =
		"{\"type\":\"message\",\"model\":\"claude-sonnet-4-5-20250929\","
		"\"content\":[{\"type\":\"text\"}],\"usage\":{\"input_tokens\":1000,"
		"\"output_tokens\":100}}";
	static const struct {
		const char *model;
		int64_t nanos;
	} rows[] = {
		{ SONNET, 1000 * 3300 + 100 * 16500 }, /* 0.00495 */
		{ "eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0", 1000 * 3300 + 100 * 16500 },
		{ "apac.anthropic.claude-sonnet-4-20250514-v1%3A0", 1000 * 3000 + 100 * 15000 },
		{ "global.anthropic.claude-sonnet-4-5-20250929-v1%3A0", 1000 * 3000 + 100 * 15000 },
		{ "anthropic.claude-sonnet-4-5-20250929-v1%3A0", 1000 * 3000 + 100 * 15000 },
		{ "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2F"
		  "us.anthropic.claude-sonnet-4-5-20250929-v1%3A0",
		  1000 * 3300 + 100 * 16500 },
		{ "arn%3Aaws%3Abedrock%3Aus-east-1%3A%3Afoundation-model%2F"
		  "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
		  1000 * 3000 + 100 * 15000 },
		/* What is behind it only the answer tells. */
		{ "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fabc",
		  1000 * 3000 + 100 * 15000 },
		/* Bought by the hour. */
		{ "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprovisioned-model%2Fabc", 0 },
	};
	char path[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(path, sizeof(path), "/model/%s/invoke", rows[i].model);
		assert_costs(ASK(HOST, path, "{\"anthropic_version\":\"bedrock-2023-05-31\"}",
				 claude, JSON),
			     CHARGE_USAGE, rows[i].nanos);
	}
	/* A region may have a price of its own: llama3-8b in London 0.39 and 0.78. */
	assert_costs(ASK("bedrock-runtime.eu-west-2.amazonaws.com",
			 "/model/meta.llama3-8b-instruct-v1%3A0/converse", "{}",
			 "{\"usage\":{\"inputTokens\":1000,\"outputTokens\":100}}", JSON),
		     CHARGE_USAGE, 1000 * 390 + 100 * 780);
	assert_costs(ASK("bedrock-mantle.us-east-1.api.aws", "/v1/chat/completions",
			 "{\"model\":\"openai.gpt-oss-120b\"}",
			 "{\"model\":\"openai.gpt-oss-120b\",\"usage\":{\"prompt_tokens\":1000,"
			 "\"completion_tokens\":100}}",
			 JSON),
		     CHARGE_USAGE, 1000 * 150 + 100 * 600); /* 0.00021 */
	assert_costs(ASK("vpce-0a1-b2.bedrock-runtime.eu-west-1.vpce.amazonaws.com",
			 "/model/amazon.nova-lite-v1%3A0/converse", "{}",
			 "{\"usage\":{\"inputTokens\":1000,\"outputTokens\":100}}", JSON),
		     CHARGE_USAGE, 1000 * 60 + 100 * 240);
}

static void tiers_and_times_to_live_change_the_price(void **state)
{
	static const char answer[] = "{\"usage\":{\"inputTokens\":1000,\"outputTokens\":100}}";

	assert_costs(ASK(HOST, "/model/amazon.nova-lite-v1%3A0/converse", "{}", answer, JSON,
			 .fields = { { "X-Amzn-Bedrock-Service-Tier", "flex" } }),
		     CHARGE_USAGE, (1000 * 60 + 100 * 240) / 2);
	assert_costs(ASK(HOST, "/model/amazon.nova-lite-v1%3A0/converse", "{}", answer, JSON,
			 .fields = { { "X-Amzn-Bedrock-Service-Tier", "priority" } }),
		     CHARGE_USAGE, (1000 * 60 + 100 * 240) * 175 / 100);
	assert_costs(ASK(HOST, "/model/amazon.nova-lite-v1%3A0/converse", "{}",
			 "{\"serviceTier\":{\"type\":\"flex\"},\"usage\":{\"inputTokens\":1000,"
			 "\"outputTokens\":100}}",
			 JSON),
		     CHARGE_USAGE, (1000 * 60 + 100 * 240) / 2);
	/* 5,000 written for an hour at 6.6, not at 4.125. */
	assert_costs(
		ASK(HOST, "/model/" SONNET "/converse", "{}",
		    "{\"usage\":{\"inputTokens\":500,\"outputTokens\":100,\"cacheReadInputTokens\":0,"
		    "\"cacheWriteInputTokens\":5000,\"cacheDetails\":[{\"inputTokens\":5000,"
		    "\"ttl\":\"1h\"}]}}",
		    JSON),
		CHARGE_USAGE, 500 * 3300 + 5000 * 6600 + 100 * 16500);
	assert_costs(ASK(HOST, "/model/" SONNET "/converse", "{}",
			 "{\"usage\":{\"inputTokens\":500,\"outputTokens\":100,"
			 "\"cacheWriteInputTokens\":5000,\"cacheDetails\":[{\"ttl\":\"1h\","
			 "\"inputTokens\":3000},{\"ttl\":\"5m\",\"inputTokens\":2000}]}}",
			 JSON),
		     CHARGE_USAGE, 500 * 3300 + 3000 * 6600 + 2000 * 4125 + 100 * 16500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(converse_streams_are_measured),
		cmocka_unit_test(invoke_streams_are_measured),
		cmocka_unit_test(a_stream_that_fails_or_ends_early_is_settled),
		cmocka_unit_test(a_gap_costs_one_message),
		cmocka_unit_test(counts_in_header_fields_are_read),
		cmocka_unit_test(the_profile_decides_the_price),
		cmocka_unit_test(tiers_and_times_to_live_change_the_price),
	};

	return cmocka_run_group_tests_name("bedrock", tests, setup, teardown);
}
