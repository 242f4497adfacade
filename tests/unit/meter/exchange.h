/* SPDX-License-Identifier: Apache-2.0 */
/* One exchange, from recorded files or strings, and its charge. */
#ifndef UNIT_METER_EXCHANGE_H
#define UNIT_METER_EXCHANGE_H

#include "unit.h"

#include "meter/call.h"

static struct prices *prices;

static inline int setup(void **state)
{
	assert_int_equal(prices_new(&prices), 0);
	return prices_load_builtin(prices, NULL);
}

static inline int teardown(void **state)
{
	prices = prices_free(prices);
	return 0;
}

static inline char *slurp(const char *name, size_t *ret_len)
{
	char path[256];
	_cleanup_fclose_ FILE *file = NULL;
	char *text = calloc(1, 1 << 20);

	snprintf(path, sizeof(path), "tests/data/%s", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("no %s", path);
	*ret_len = fread(text, 1, (1 << 20) - 1, file);
	return text;
}

/* One exchange as it is told to a call. */
struct exchange {
	const char *host, *path, *request, *answer; /* files of tests/data, or NULL */
	int status;
	enum http_content content;
	size_t step;            /* bytes a piece; 0: all at once */
	size_t cut;             /* the answer ends here, and the connection with it; 0: whole */
	uint64_t lost_at, lost; /* bytes of the answer that were not captured */
	bool no_answer;
	const struct calibration *calibration;
};

static inline void feed_body(struct call *call, enum http_side side, const uint8_t *bytes,
			     size_t len, size_t step, uint64_t *time_ns)
{
	for (size_t at = 0; at < len;) {
		size_t n = step && step < len - at ? step : len - at;
		_cleanup_free_ uint8_t *copy = malloc(n);

		/* A block of its own, so that a read past the piece is seen. */
		memcpy(copy, bytes + at, n);
		call_feed(call,
			  &(struct http_piece){
				  .type = HTTP_BODY, .side = side, .bytes = copy, .len = n },
			  *time_ns += 1000);
		at += n;
	}
}

static inline struct call *begin(const struct exchange *x, uint64_t *time_ns)
{
	struct http_head head = { .side = HTTP_REQUEST,
				  .method = "POST",
				  .content = HTTP_CONTENT_JSON };
	_cleanup_free_ char *request = NULL;
	size_t len = 0;
	struct call *call;

	snprintf(head.host, sizeof(head.host), "%s", x->host);
	snprintf(head.path, sizeof(head.path), "%s", x->path);
	call = call_new(&head, NULL, *time_ns);
	assert_non_null(call);
	if (x->request)
		request = slurp(x->request, &len);
	feed_body(call, HTTP_REQUEST, (uint8_t *)request, len, x->step, time_ns);
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_END,
					.side = HTTP_REQUEST,
					.wire_bytes = len,
					.is_whole = true },
		  *time_ns);
	return call;
}

static inline struct charge run(const struct exchange *x)
{
	struct http_head head = { .side = HTTP_RESPONSE,
				  .status = x->status ? x->status : 200,
				  .content = x->content };
	uint64_t time_ns = 5000000;
	_cleanup_free_ char *answer = NULL;
	struct call *call = begin(x, &time_ns);
	struct charge charge;
	size_t len, first;

	if (!x->no_answer) {
		answer = slurp(x->answer, &len);
		len = x->cut ? x->cut : len;
		call_feed(call,
			  &(struct http_piece){
				  .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &head },
			  time_ns);
		first = x->lost ? x->lost_at : len;
		feed_body(call, HTTP_RESPONSE, (uint8_t *)answer, first, x->step, &time_ns);
		if (x->lost) {
			call_feed(call,
				  &(struct http_piece){ .type = HTTP_BODY,
							.side = HTTP_RESPONSE,
							.lost_bytes = x->lost },
				  time_ns);
			first += x->lost;
			feed_body(call, HTTP_RESPONSE, (uint8_t *)answer + first, len - first,
				  x->step, &time_ns);
		}
		if (!x->cut)
			call_feed(call,
				  &(struct http_piece){ .type = HTTP_END,
							.side = HTTP_RESPONSE,
							.wire_bytes = len,
							.is_whole = true },
				  time_ns);
	}
	if (!x->cut && !x->no_answer)
		assert_true(call_is_done(call));
	call_end(call, time_ns);
	reading_charge(call_read(call), prices, x->calibration, &charge);
	call_free(call);
	return charge;
}

#define SSE  HTTP_CONTENT_SSE
#define JSON HTTP_CONTENT_JSON
#define CHAT "/v1/chat/completions"

#endif
