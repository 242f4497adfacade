/* SPDX-License-Identifier: Apache-2.0 */
/* WebSockets of AI hosts, from the bytes above TLS to charges: each turn is a call. */
#include "websocket_stage.h"

static const char asks_response[] =
	"{\"type\":\"response.create\",\"model\":\"gpt-5.4\",\"input\":[{\"type\":\"message\","
	"\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Say hello\"}]}]}";
static const char warms[] =
	"{\"type\":\"response.create\",\"model\":\"gpt-5.4\",\"input\":[{\"type\":"
	"\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\","
	"\"text\":\"context\"}]}],\"generate\":false}";
static const char created[] =
	"{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"model\":\"gpt-5.4\","
	"\"status\":\"in_progress\",\"usage\":null},\"sequence_number\":0}";
static const char delta[] = "{\"type\":\"response.output_text.delta\",\"delta\":\"Hello\"}";
static const char completed[] =
	"{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"status\":\"completed\","
	"\"model\":\"gpt-5.4\",\"usage\":{\"input_tokens\":1000,\"input_tokens_details\":"
	"{\"cached_tokens\":400},\"output_tokens\":50,\"output_tokens_details\":"
	"{\"reasoning_tokens\":20},\"total_tokens\":1050}}}";

static void answers_response(struct stage *stage, size_t cut)
{
	says_cut(stage, EV_IN, created, cut);
	says_cut(stage, EV_IN, delta, cut);
	says_cut(stage, EV_IN, completed, cut);
}

static void expect_response(const struct charge *charge)
{
	assert_string_equal(charge->model, "gpt-5.4");
	assert_string_equal(charge->path, "/v1/responses");
	assert_int_equal(charge->source, CHARGE_USAGE);
	assert_int_equal(charge->outcome, CHARGE_OK);
	assert_true(charge->is_stream);
	assert_int_equal(charge->usage.input, 600);
	assert_int_equal(charge->usage.cache_read, 400);
	assert_int_equal(charge->usage.output, 50);
	assert_int_equal(charge->usage.reasoning, 20);
	assert_int_equal(charge->cost_nanos, 600 * 2500 + 400 * 250 + 50 * 15000);
}

/* Codex: a request that only warms the cache, then turns, each a call of its own. */
static void each_response_is_a_call_and_a_prewarm_is_none(void **state)
{
	static const size_t cuts[] = { EV_PIECE_MAX, 1, 7, 100 };

	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		struct stage *stage = stage_new();

		opens_websocket(stage, "api.openai.com", "/v1/responses", "");
		says_cut(stage, EV_OUT, warms, cuts[i]);
		answers_response(stage, cuts[i]);
		assert_int_equal(stage->n_charges, 0);
		for (size_t turn = 0; turn < 3; turn++) {
			says_cut(stage, EV_OUT, asks_response, cuts[i]);
			answers_response(stage, cuts[i]);
			assert_int_equal(stage->n_charges, turn + 1);
			expect_response(&stage->charges[turn]);
		}
		closes(stage);
		assert_int_equal(stage->n_charges, 3);
		stage_free(stage);
	}
}

static void compressed_turns_are_read(void **state)
{
	for (int resets = 0; resets < 2; resets++) {
		struct stage *stage = stage_new();
		z_stream z[2];

		opens_websocket(
			stage, "api.openai.com", "/v1/responses",
			resets ? "Sec-WebSocket-Extensions: permessage-deflate; "
				 "client_no_context_takeover; server_no_context_takeover\r\n" :
				 "Sec-WebSocket-Extensions: permessage-deflate\r\n");
		deflate_begin(&z[0]);
		deflate_begin(&z[1]);
		for (size_t turn = 0; turn < 3; turn++) {
			_cleanup_bytes_ struct bytes out = { 0 };
			_cleanup_bytes_ struct bytes in = { 0 };

			deflated_add(&out, &z[0], true, asks_response, resets);
			says_bytes(stage, EV_OUT, &out, 33);
			deflated_add(&in, &z[1], false, created, resets);
			deflated_add(&in, &z[1], false, delta, resets);
			deflated_add(&in, &z[1], false, completed, resets);
			says_bytes(stage, EV_IN, &in, 50);
			assert_int_equal(stage->n_charges, turn + 1);
			expect_response(&stage->charges[turn]);
		}
		deflateEnd(&z[0]);
		deflateEnd(&z[1]);
		stage_free(stage);
	}
}

static const char stream_asks[] =
	"{\"type\":\"response.create\",\"model\":\"gpt-5.4\",\"input\":\"x\","
	"\"stream_id\":\"%s\"%s}";
static const char stream_says[] =
	"{\"type\":\"response.completed\",\"response\":{\"model\":\"gpt-5.4\",\"usage\":"
	"{\"input_tokens\":%d,\"output_tokens\":1,\"total_tokens\":2}},\"stream_id\":\"%s\"}";

static void says_format(struct stage *stage, enum ev_dir dir, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list args;

	va_start(args, format);
	assert_true(vasprintf(&text, format, args) > 0);
	va_end(args);
	says(stage, dir, text);
}

/* Streams of one connection are answered in any order; within one, one after another. */
static void streams_of_one_connection_are_told_apart(void **state)
{
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/responses", "");
	says_format(stage, EV_OUT, stream_asks, "main", "");
	says_format(stage, EV_OUT, stream_asks, "fork", ",\"generate\":false");
	says_format(stage, EV_OUT, stream_asks, "fork", "");
	says_format(stage, EV_IN, stream_says, 11, "fork"); /* what warms the cache */
	assert_int_equal(stage->n_charges, 0);
	says_format(stage, EV_IN, stream_says, 22, "fork");
	says_format(stage, EV_IN, stream_says, 33, "main");
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(stage->charges[0].usage.input, 22);
	assert_int_equal(stage->charges[1].usage.input, 33);
	stage_free(stage);
}

static void an_error_ends_a_turn_and_costs_nothing(void **state)
{
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/responses", "");
	says(stage, EV_OUT, asks_response);
	says(stage, EV_IN,
	     "{\"type\":\"error\",\"status\":429,\"error\":{\"type\":\"rate_limit\","
	     "\"message\":\"slow down\"}}");
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_FREE);
	assert_int_equal(stage->charges[0].outcome, CHARGE_ERROR);
	says(stage, EV_OUT, asks_response);
	answers_response(stage, EV_PIECE_MAX);
	assert_int_equal(stage->n_charges, 2);
	expect_response(&stage->charges[1]);
	stage_free(stage);
}

static void a_refused_upgrade_is_no_call(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	sends(stage, EV_OUT,
	      "GET /v1/responses HTTP/1.1\r\nHost: api.openai.com\r\nUpgrade: websocket\r\n"
	      "Connection: Upgrade\r\n\r\n",
	      0);
	sends(stage, EV_IN, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno", 0);
	asks_chat(stage);
	streams_chat(stage, ARRAY_SIZE(chat_stream));
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->charges[0].path, "/v1/chat/completions");
	stage_free(stage);
}

/* The connection ends inside an answer: what was delivered is charged, as of any stream. */
static void a_turn_that_is_cut_is_charged_as_far_as_it_came(void **state)
{
	struct stage *stage = stage_new();

	opens_websocket(stage, "api.openai.com", "/v1/responses", "");
	says(stage, EV_OUT, asks_response);
	says(stage, EV_IN, created);
	for (size_t i = 0; i < 20; i++)
		says(stage, EV_IN, delta);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_int_equal(stage->charges[0].source, CHARGE_TEXT);
	assert_int_equal(stage->charges[0].usage.output, 20);
	assert_in_range(stage->charges[0].usage.input, 3, 30);
	stage_free(stage);
}

/* An event of any length passes; so does a request, of which the model is told at its end. */
static void messages_of_any_length_pass(void **state)
{
	const size_t len = 3 << 20;
	_cleanup_free_ char *filling = calloc(1, len + 1), *asks = NULL, *answers = NULL;
	struct stage *stage = stage_new();

	for (size_t i = 0; i < len; i++)
		filling[i] = i % 7 ? 'w' : ' ';
	assert_true(asprintf(&asks,
			     "{\"type\":\"response.create\",\"input\":\"%s\",\"model\":\"gpt-5.4\"}",
			     filling) > 0);
	assert_true(asprintf(&answers,
			     "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\","
			     "\"output\":[{\"text\":\"%s\"}],\"model\":\"gpt-5.4\",\"usage\":"
			     "{\"input_tokens\":7,\"output_tokens\":8,\"total_tokens\":15}}}",
			     filling) > 0);
	opens_websocket(stage, "api.openai.com", "/v1/responses", "");
	says(stage, EV_OUT, asks);
	says(stage, EV_IN, created);
	says(stage, EV_IN, answers);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_int_equal(stage->charges[0].usage.input, 7);
	assert_int_equal(stage->charges[0].usage.output, 8);
	assert_int_equal(stage->charges[0].request_bytes, strlen(asks));
	stage_free(stage);
}

/* A WebSocket of unknown messages was not read: what flowed is charged by its size, as before. */
static void unknown_messages_are_not_read(void **state)
{
	struct stage *stage = stage_new();
	uint64_t out, in;

	flows(stage, EV_FLOW, "api.openai.com", 0, 0, 0);
	opens_websocket(stage, "api.openai.com", "/v1/unheard-of", "");
	for (size_t i = 0; i < 100; i++) {
		says(stage, EV_OUT, asks_response);
		says(stage, EV_IN, completed);
	}
	out = stage->offsets[EV_OUT];
	in = stage->offsets[EV_IN];
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	flows(stage, EV_FLOW_END, "api.openai.com", out, in, 0);
	pipeline_settle(stage->pipeline, stage->now_ns + 3000000000);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_SIZE);
	stage_free(stage);
}

/* Over HTTP/2: RFC 8441. */

static void h2_frame(struct stage *stage, enum ev_dir dir, uint8_t type, uint8_t flags,
		     const struct bytes *content)
{
	_cleanup_bytes_ struct bytes frame = { 0 };
	const uint8_t head[] = {
		0,
		(uint8_t)(content->len >> 8),
		(uint8_t)content->len,
		type,
		flags,
		0,
		0,
		0,
		type != 4,
	};

	bytes_add(&frame, head, sizeof(head));
	bytes_add(&frame, content->len ? content->at : head, content->len);
	says_bytes(stage, dir, &frame, 19);
}

/* Literal fields without indexing, RFC 7541 6.2.2; names and values, ended by NULL. */
static void h2_head(struct stage *stage, enum ev_dir dir, const char *const *fields)
{
	_cleanup_bytes_ struct bytes block = { 0 };

	for (; *fields; fields += 2) {
		bytes_add(&block, "", 1);
		for (size_t i = 0; i < 2; i++) {
			uint8_t len = (uint8_t)strlen(fields[i]);

			assert_true(len < 127);
			bytes_add(&block, &len, 1);
			bytes_add(&block, fields[i], len);
		}
	}
	h2_frame(stage, dir, 1, 4, &block);
}

static void h2_says(struct stage *stage, enum ev_dir dir, const char *message)
{
	_cleanup_bytes_ struct bytes frames = { 0 };

	text_add(&frames, dir == EV_OUT, message);
	h2_frame(stage, dir, 0, 0, &frames);
}

static void a_websocket_over_http2_is_read(void **state)
{
	static const char *const asks[] = {
		":method", "CONNECT",       ":protocol",  "websocket",      ":scheme", "https",
		":path",   "/v1/responses", ":authority", "api.openai.com", NULL
	};
	static const char *const agrees[] = { ":status", "200", NULL };
	static const struct bytes none;
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	sends(stage, EV_OUT, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0);
	h2_frame(stage, EV_OUT, 4, 0, &none);
	h2_frame(stage, EV_IN, 4, 0, &none);
	h2_head(stage, EV_OUT, asks);
	h2_head(stage, EV_IN, agrees);
	for (size_t turn = 0; turn < 2; turn++) {
		h2_says(stage, EV_OUT, asks_response);
		h2_says(stage, EV_IN, created);
		h2_says(stage, EV_IN, completed);
		assert_int_equal(stage->n_charges, turn + 1);
		expect_response(&stage->charges[turn]);
	}
	h2_says(stage, EV_OUT, asks_response);
	h2_frame(stage, EV_IN, 0, 1, &none); /* the server leaves */
	assert_int_equal(stage->n_charges, 3);
	assert_int_equal(stage->charges[2].outcome, CHARGE_NO_ANSWER);
	stage_free(stage);
}

/* Bytes that are lost inside a turn cost no other: it is charged by what is known of it. */
static void a_hole_costs_its_turn(void **state)
{
	struct stage *stage = stage_new();
	_cleanup_bytes_ struct bytes done = { 0 };

	opens_websocket(stage, "api.openai.com", "/v1/responses", "");
	says(stage, EV_OUT, asks_response);
	says(stage, EV_IN, created);
	text_add(&done, false, completed);
	sends_bytes(stage, EV_IN, (char *)done.at, 100);
	loses(stage, EV_IN, done.len - 100);
	says(stage, EV_OUT, asks_response);
	answers_response(stage,
			 EV_PIECE_MAX); /* of the turn that never ended, for all that is known */
	closes(stage);
	assert_int_equal(stage->n_charges, 2);
	expect_response(&stage->charges[0]);
	assert_int_not_equal(stage->charges[1].source, CHARGE_USAGE);
	assert_true(stage->charges[1].usage.input > 0);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_response_is_a_call_and_a_prewarm_is_none),
		cmocka_unit_test(compressed_turns_are_read),
		cmocka_unit_test(streams_of_one_connection_are_told_apart),
		cmocka_unit_test(an_error_ends_a_turn_and_costs_nothing),
		cmocka_unit_test(a_refused_upgrade_is_no_call),
		cmocka_unit_test(a_turn_that_is_cut_is_charged_as_far_as_it_came),
		cmocka_unit_test(messages_of_any_length_pass),
		cmocka_unit_test(unknown_messages_are_not_read),
		cmocka_unit_test(a_websocket_over_http2_is_read),
		cmocka_unit_test(a_hole_costs_its_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
