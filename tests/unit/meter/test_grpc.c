/* SPDX-License-Identifier: Apache-2.0 */
/* A call over gRPC: what its messages tell, and what of them counts when something is missing. */
#include "exchange.h"

/* "models/gemini-2.5-flash" and one text. */
static const char request[] = "\x00\x00\x00\x00\x22"
			      "\x0a\x17models/gemini-2.5-flash"
			      "\x12\x07\x0a\x05\x12\x03one";
/* A text, a prompt of 1,000 tokens and an output of 10, then of 100. */
static const char first[] = "\x00\x00\x00\x00\x14"
			    "\x0a\x0b\x0a\x09\x0a\x07\x12\x05Hello"
			    "\x1a\x05\x08\xe8\x07\x10\x0a";
static const char second[] = "\x00\x00\x00\x00\x14"
			     "\x0a\x0b\x0a\x09\x0a\x07\x12\x05there"
			     "\x1a\x05\x08\xe8\x07\x10\x64";

struct told {
	const char *method;
	size_t step;          /* bytes a piece */
	size_t lost_at, lost; /* of the answer */
	size_t len;           /* of it that comes; 0: all */
	uint8_t grpc_status;  /* and 1 */
};

static struct charge tell(const struct told *told)
{
	const struct http_head answer_head = { .side = HTTP_RESPONSE,
					       .status = 200,
					       .content = HTTP_CONTENT_GRPC };
	struct http_head head = { .side = HTTP_REQUEST,
				  .method = "POST",
				  .content = HTTP_CONTENT_GRPC };
	char answer[sizeof(first) + sizeof(second)];
	size_t len = sizeof(first) - 1 + sizeof(second) - 1, lost_at;
	uint64_t time_ns = 5000000;
	struct charge charge;
	struct call *call;

	memcpy(answer, first, sizeof(first) - 1);
	memcpy(answer + sizeof(first) - 1, second, sizeof(second) - 1);
	snprintf(head.host, sizeof(head.host), "generativelanguage.googleapis.com");
	snprintf(head.path, sizeof(head.path),
		 "/google.ai.generativelanguage.v1beta.GenerativeService/%s", told->method);
	call = call_new(&head, NULL, time_ns);
	assert_non_null(call);
	feed_body(call, HTTP_REQUEST, (const uint8_t *)request, sizeof(request) - 1, told->step,
		  &time_ns);
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_END, .side = HTTP_REQUEST, .is_whole = true },
		  time_ns);
	call_feed(call,
		  &(struct http_piece){
			  .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &answer_head },
		  time_ns);
	if (told->len)
		len = told->len;
	lost_at = told->lost ? told->lost_at : len;
	feed_body(call, HTTP_RESPONSE, (const uint8_t *)answer, lost_at, told->step, &time_ns);
	if (told->lost) {
		call_feed(call,
			  &(struct http_piece){ .type = HTTP_BODY,
						.side = HTTP_RESPONSE,
						.lost_bytes = told->lost },
			  time_ns);
		lost_at += told->lost;
		feed_body(call, HTTP_RESPONSE, (const uint8_t *)answer + lost_at, len - lost_at,
			  told->step, &time_ns);
	}
	if (!told->len)
		call_feed(call,
			  &(struct http_piece){ .type = HTTP_END,
						.side = HTTP_RESPONSE,
						.is_whole = true,
						.grpc_status = told->grpc_status },
			  time_ns);
	call_end(call, time_ns);
	reading_charge(call_read(call), prices, NULL, &charge);
	call_free(call);
	return charge;
}

static void a_stream_is_settled_by_its_last_message(void **state)
{
	for (size_t step = 1; step < 60; step++) {
		struct charge charge =
			tell(&(struct told){ "StreamGenerateContent", step, .grpc_status = 1 });

		assert_int_equal(charge.source, CHARGE_USAGE);
		assert_int_equal(charge.outcome, CHARGE_OK);
		assert_string_equal(charge.model, "gemini-2.5-flash");
		assert_int_equal(charge.usage.input, 1000);
		assert_int_equal(charge.usage.output, 100);
		assert_int_equal(charge.cost_nanos, 1000 * 300 + 100 * 2500);
		assert_true(charge.is_stream);
	}
}

static void a_message_that_is_not_whole_counts_for_nothing(void **state)
{
	/* The connection ends at each byte: what the messages before it told stands. */
	for (size_t len = 1; len < sizeof(first) + sizeof(second) - 2; len++) {
		struct charge charge = tell(&(struct told){ "StreamGenerateContent", 7, .len = len });

		assert_int_equal(charge.outcome, CHARGE_ABORTED);
		if (len < sizeof(first) - 1) {
			assert_true(charge.source == CHARGE_TEXT || charge.source == CHARGE_SIZE);
			continue;
		}
		assert_int_equal(charge.source, CHARGE_PARTIAL);
		assert_int_equal(charge.usage.input, 1000);
		assert_in_range(charge.usage.output, 10, 20);
	}
	/* Bytes are lost at each place of the second. */
	for (size_t at = sizeof(first) - 1; at < sizeof(first) + sizeof(second) - 2; at++) {
		struct charge charge = tell(&(struct told){
			"StreamGenerateContent", 7, .lost_at = at, .lost = 1, .grpc_status = 1 });

		assert_int_equal(charge.source, CHARGE_PARTIAL);
		assert_int_equal(charge.usage.input, 1000);
	}
}

static void a_status_decides(void **state)
{
	struct charge charge = tell(&(struct told){ "StreamGenerateContent", 7, .grpc_status = 14 });

	/* INTERNAL, behind content. */
	assert_int_equal(charge.outcome, CHARGE_ERROR);
	assert_int_equal(charge.status, 200);
	assert_int_equal(charge.usage.output, 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_is_settled_by_its_last_message),
		cmocka_unit_test(a_message_that_is_not_whole_counts_for_nothing),
		cmocka_unit_test(a_status_decides),
	};

	return cmocka_run_group_tests_name("grpc", tests, setup, teardown);
}
