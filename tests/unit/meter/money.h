/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange as strings, and what it costs by the prices that are built in. */
#ifndef TESTS_MONEY_H
#define TESTS_MONEY_H

#include "unit.h"

#include "http/eventstream.h"
#include "http/head.h"
#include "meter/call.h"
#include "usage/estimate.h"

#define JSON HTTP_CONTENT_JSON
#define SSE  HTTP_CONTENT_SSE

struct ask {
	const char *host, *path, *request, *answer;
	enum http_content content; /* of the answer */
	int status;                /* 0: 200 */
	const char *method;        /* NULL: POST */
	enum http_content request_content;
	const char *fields[8][2];       /* header fields of the answer */
	size_t request_len, answer_len; /* 0: as strings */
	bool is_cut;                    /* the connection ends behind the answer's bytes */
	char end;                       /* named last, so that the rest may be left out */
};

static struct prices *prices;

static int setup(void **state)
{
	assert_int_equal(prices_new(&prices), 0);
	return prices_load_builtin(prices, NULL);
}

static int teardown(void **state)
{
	prices = prices_free(prices);
	return 0;
}

static void feed(struct call *call, enum http_side side, const char *bytes, size_t len, size_t step)
{
	for (size_t at = 0; at < len;) {
		size_t n = step < len - at ? step : len - at;
		_cleanup_free_ uint8_t *copy = malloc(n);

		/* A block of its own, so that a read past the piece is seen. */
		memcpy(copy, bytes + at, n);
		call_feed(call,
			  &(struct http_piece){
				  .type = HTTP_BODY, .side = side, .bytes = copy, .len = n },
			  1000 + at);
		at += n;
	}
}

static struct charge ask_in(const struct ask *ask, size_t step)
{
	struct http_head request = { .side = HTTP_REQUEST,
				     .content = ask->request_content ? ask->request_content : JSON };
	struct http_head head = { .side = HTTP_RESPONSE,
				  .status = ask->status ? ask->status : 200,
				  .content = ask->content };
	const char *answer = ask->answer ? ask->answer : "";
	size_t request_len = ask->request_len;
	size_t answer_len = ask->answer_len ? ask->answer_len : strlen(answer);
	struct charge charge;
	struct call *call;

	if (!request_len && ask->request)
		request_len = strlen(ask->request);
	snprintf(request.method, sizeof(request.method), "%s", ask->method ? ask->method : "POST");
	snprintf(request.host, sizeof(request.host), "%s", ask->host);
	snprintf(request.path, sizeof(request.path), "%s", ask->path);
	for (int i = 0; i < 8 && ask->fields[i][0]; i++)
		head_set(&head, head_field(ask->fields[i][0], strlen(ask->fields[i][0])),
			 ask->fields[i][1], strlen(ask->fields[i][1]));
	call = call_new(&request, NULL, 500);
	assert_non_null(call);
	feed(call, HTTP_REQUEST, ask->request, request_len, step);
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_END,
					.side = HTTP_REQUEST,
					.wire_bytes = request_len,
					.is_whole = true },
		  900);
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &head },
		  950);
	feed(call, HTTP_RESPONSE, answer, answer_len, step);
	if (!ask->is_cut)
		call_feed(call,
			  &(struct http_piece){ .type = HTTP_END,
						.side = HTTP_RESPONSE,
						.wire_bytes = answer_len,
						.is_whole = true },
			  9000);
	call_end(call, 9000);
	reading_charge(call_read(call), prices, NULL, &charge);
	call_free(call);
	return charge;
}

/* However it is cut, it costs the same. */
static struct charge ask(const struct ask *ask)
{
	struct charge charge = ask_in(ask, SIZE_MAX);

	for (size_t step = 1; step < 40; step = step * 2 + 1) {
		struct charge cut = ask_in(ask, step);

		assert_int_equal(cut.cost_nanos, charge.cost_nanos);
		assert_int_equal(cut.source, charge.source);
	}
	return charge;
}

#define ASK(...) ask(&(struct ask){ __VA_ARGS__, .end = 0 })

/* It was measured, and costs so many nano-dollars. */
#define assert_costs(charge_, source_, nanos_)                                                   \
	do {                                                                                     \
		struct charge c_ = (charge_);                                                    \
		assert_string_equal(charge_source_name(c_.source), charge_source_name(source_)); \
		assert_true(c_.is_priced);                                                       \
		assert_int_equal(c_.cost_nanos, nanos_);                                         \
	} while (0)

#define OPENAI    "api.openai.com"
#define ANTHROPIC "api.anthropic.com"
#define CHAT      "/v1/chat/completions"

#define RESPONSES "/v1/responses"
#define GEMINI    "generativelanguage.googleapis.com"

#endif
