/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that fail, end early, lack their usage or were not read in full. */
#include "exchange.h"

#include "usage/estimate.h"

static void an_aborted_claude_stream_keeps_its_input_exact(void **state)
{
	struct exchange x = { "api.anthropic.com", "/v1/messages", "anthropic/request.json",
			      "anthropic/stream.sse", .content = SSE };
	_cleanup_free_ char *answer = NULL;
	struct charge charge;
	size_t len;

	answer = slurp(x.answer, &len);
	x.cut = (size_t)(strstr(answer, "event: content_block_stop") - answer);
	charge = run(&x);
	assert_int_equal(charge.source, CHARGE_PARTIAL);
	assert_int_equal(charge.outcome, CHARGE_ABORTED);
	assert_int_equal(charge.usage.input, 25);
	assert_int_equal(charge.usage.cache_read, 4000);
	/* message_start's placeholder of 1 is not the answer: 46 bytes of text came. */
	assert_in_range(charge.usage.output, 8, 24);
}

static void a_chat_stream_without_usage_is_counted_by_its_events(void **state)
{
	struct exchange x = { "api.openai.com", CHAT, "openai/request.json", "openai/chat.sse",
			      .content = SSE };
	struct charge charge = run(&x);

	assert_int_equal(charge.source, CHARGE_TEXT);
	assert_int_equal(charge.outcome, CHARGE_OK);
	assert_int_equal(charge.usage.output, 4);
	assert_in_range(charge.usage.input, 15, 60);
	assert_true(charge.is_priced && charge.cost_nanos > 0);
}

static void errors_cost_what_the_provider_says(void **state)
{
	static const struct {
		const char *host;
		int status;
		enum charge_source source;
	} rows[] = {
		{ "api.openai.com", 429, CHARGE_FREE },
		{ "api.openai.com", 500, CHARGE_FREE },
		{ "x.openai.azure.com", 400, CHARGE_FREE },
		{ "x.openai.azure.com", 408, CHARGE_TEXT },
		{ "x.openai.azure.com", 429, CHARGE_FREE },
		{ "x.openai.azure.com", 401, CHARGE_FREE },
		{ "api.anthropic.com", 529, CHARGE_FREE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exchange x = { rows[i].host,
				      CHAT,
				      "openai/request.json",
				      "openai/error.json",
				      .status = rows[i].status,
				      .content = JSON };
		struct charge charge = run(&x);

		/* A row of sizes is as good as one of text here: what counts is that it is billed. */
		if (rows[i].source == CHARGE_FREE)
			assert_int_equal(charge.source, CHARGE_FREE);
		else
			assert_true(charge.source == CHARGE_TEXT || charge.source == CHARGE_SIZE);
		assert_int_equal(charge.outcome, CHARGE_ERROR);
		assert_int_equal(charge.usage.output, 0);
		assert_int_equal(charge.cost_nanos > 0, rows[i].source != CHARGE_FREE);
	}
}

static void an_error_event_keeps_what_was_counted(void **state)
{
	struct exchange x = { "api.anthropic.com", "/v1/messages", "anthropic/request.json",
			      "anthropic/error.sse", .content = SSE };
	struct charge charge = run(&x);

	assert_int_equal(charge.outcome, CHARGE_ERROR);
	assert_int_equal(charge.source, CHARGE_PARTIAL);
	assert_int_equal(charge.usage.input, 25);
	assert_true(charge.usage.output >= 1);
}

static void a_gap_that_hides_the_usage_makes_an_estimate(void **state)
{
	struct exchange x = { "api.openai.com", CHAT, "openai/request.json", "openai/chat.json",
			      .content = JSON };
	_cleanup_free_ char *answer = NULL;
	struct charge charge;
	size_t len;

	answer = slurp(x.answer, &len);
	x.lost_at = 40;
	x.lost = len - 60;
	charge = run(&x);
	assert_int_equal(charge.source, CHARGE_SIZE);
	assert_true(charge.usage.input > 0);
	assert_true(charge.error_input > 0 && charge.error_output > 0 && charge.error_nanos > 0);
	/* In a stream, what comes after the gap is read. */
	x.request = "openai/request_usage.json";
	x.answer = "openai/chat_usage.sse";
	x.content = SSE;
	x.lost_at = 300;
	x.lost = 200;
	charge = run(&x);
	assert_int_equal(charge.source, CHARGE_USAGE);
	assert_int_equal(charge.usage.output, 4);
	assert_int_equal(charge.error_input + charge.error_output, 0);
	assert_int_equal(charge.error_nanos, 0);
}

/* Of a stream whose rest was lost, the sizes say more than the text that was seen. */
static void a_gap_up_to_the_end_is_estimated_with_what_was_lost(void **state)
{
	struct exchange x = { "api.anthropic.com",    "/v1/messages", "anthropic/request.json",
			      "anthropic/stream.sse", .content = SSE, .cut = 1000,
			      .lost_at = 330,         .lost = 670 };
	struct charge charge = run(&x);

	assert_int_equal(charge.source, CHARGE_PARTIAL);
	assert_int_equal(charge.usage.input, 25);
	/* 28 bytes a token, behind 600 fixed ones */
	assert_int_equal(charge.usage.output, 14);
	assert_int_equal(charge.error_output, 14 * 6 / 10 + 150);
	assert_int_equal(charge.error_input, 0); /* told */
}

static void a_request_without_an_answer_is_charged_its_input(void **state)
{
	struct exchange x = { "api.anthropic.com", "/v1/messages", "anthropic/request.json", NULL,
			      .no_answer = true };
	struct charge charge = run(&x);

	assert_int_equal(charge.outcome, CHARGE_NO_ANSWER);
	assert_int_equal(charge.source, CHARGE_TEXT);
	assert_true(charge.usage.input > 0 && charge.usage.output == 0);
}

static void a_stream_is_done_at_its_terminator_and_then_deaf(void **state)
{
	struct exchange x = {
		"api.anthropic.com", "/v1/messages", "anthropic/request.json", NULL, 0,
		.content = SSE
	};
	struct http_head head = { .side = HTTP_RESPONSE, .status = 200, .content = SSE };
	_cleanup_free_ char *answer = NULL;
	uint64_t time_ns = 1;
	struct call *call = begin(&x, &time_ns);
	struct charge before, after;
	size_t len;

	answer = slurp("anthropic/stream.sse", &len);
	assert_false(call_is_done(call));
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &head },
		  time_ns);
	feed_body(call, HTTP_RESPONSE, (uint8_t *)answer, len, 0, &time_ns);
	assert_true(call_is_done(call));
	reading_charge(call_read(call), prices, NULL, &before);
	assert_int_equal(before.outcome, CHARGE_OK);
	assert_int_equal(before.source, CHARGE_USAGE);
	assert_true(before.first_token_ns > 0 && before.first_token_ns <= before.duration_ns);
	feed_body(call, HTTP_RESPONSE, (uint8_t *)answer, len, 0, &time_ns);
	call_end(call, time_ns + 1000000);
	reading_charge(call_read(call), prices, NULL, &after);
	assert_memory_equal(&before.usage, &after.usage, sizeof(before.usage));
	assert_int_equal(before.cost_nanos, after.cost_nanos);
	call_free(call);
}

static void measured_calls_teach_the_estimate(void **state)
{
	struct exchange x = { "api.openai.com", CHAT, "openai/request.json", "openai/chat.sse",
			      .content = SSE };
	struct calibration *calibration;
	uint64_t before = run(&x).usage.input, time_ns;

	assert_int_equal(calibration_new(&calibration), 0);
	for (int i = 0; i < 20; i++) {
		struct http_head head = { .side = HTTP_RESPONSE, .status = 200, .content = SSE };
		_cleanup_free_ char *answer = NULL;
		struct call *call;
		size_t len;

		time_ns = 1;
		call = begin(&x, &time_ns);
		answer = slurp("openai/chat_usage.sse", &len);
		call_feed(call,
			  &(struct http_piece){
				  .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &head },
			  time_ns);
		feed_body(call, HTTP_RESPONSE, (uint8_t *)answer, len, 0, &time_ns);
		reading_teach(call_read(call), calibration);
		call_free(call);
	}
	x.calibration = calibration;
	/* The recorded call's own count is 19: the factor closes the gap, within its clamp. */
	assert_true(before != 19);
	assert_in_range(run(&x).usage.input, before < 19 ? before + 1 : 18,
			before < 19 ? 19 : before - 1);
	calibration_free(calibration);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_aborted_claude_stream_keeps_its_input_exact),
		cmocka_unit_test(a_chat_stream_without_usage_is_counted_by_its_events),
		cmocka_unit_test(errors_cost_what_the_provider_says),
		cmocka_unit_test(an_error_event_keeps_what_was_counted),
		cmocka_unit_test(a_gap_that_hides_the_usage_makes_an_estimate),
		cmocka_unit_test(a_gap_up_to_the_end_is_estimated_with_what_was_lost),
		cmocka_unit_test(a_request_without_an_answer_is_charged_its_input),
		cmocka_unit_test(a_stream_is_done_at_its_terminator_and_then_deaf),
		cmocka_unit_test(measured_calls_teach_the_estimate),
	};

	return cmocka_run_group_tests_name("call_partial", tests, setup, teardown);
}
