/* SPDX-License-Identifier: Apache-2.0 */
/* Plain HTTP: segments of a named port's connections in, charges out. */
#include "stage.h"

#include <arpa/inet.h>

#include "provider/api.h"

#define SOCKET  888
#define GATEWAY "llm.plain.test"

static int setup(void **state)
{
	*state = stage_new();
	return api_add_host(GATEWAY ":4000", "openai");
}

static int teardown(void **state)
{
	stage_free(*state);
	return 0;
}

static void begins(struct stage *stage, uint64_t cookie, enum ctl_verdict verdict)
{
	struct ev_flow flow = { .head = head_of(stage, EV_PLAIN),
				.netns = 7,
				.remote_port = 4000,
				.remote_addr = { 10, 0, 0, 5 },
				.family = AF_INET,
				.verdict = verdict,
				.comm = "agent" };

	flow.head.id = cookie;
	stage->connection = cookie;
	memset(stage->offsets, 0, sizeof(stage->offsets));
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
}

/* Bytes at an offset; all before `sure` was told. */
static void passes(struct stage *stage, enum ev_dir dir, uint64_t offset, uint64_t sure,
		   const char *bytes, size_t len)
{
	_Alignas(8) unsigned char buf[sizeof(struct ev_segment) + EV_PIECE_MAX];
	struct ev_segment *event = (struct ev_segment *)buf;

	assert_true(len <= EV_PIECE_MAX);
	memset(event, 0, sizeof(*event));
	event->head = head_of(stage, EV_SEGMENT);
	event->offset = offset;
	event->sure = sure;
	event->len = (uint32_t)len;
	event->dir = dir;
	memcpy(event->bytes, bytes, len);
	pipeline_event(stage->pipeline, &event->head, sizeof(*event) + len);
	if (offset + len > stage->offsets[dir])
		stage->offsets[dir] = offset + len;
}

static void asks(struct stage *stage, const char *host)
{
	_cleanup_free_ char *start = NULL, *request = NULL;

	assert_true(asprintf(&start, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s:4000", host) >
		    0);
	request = message(start, "application/json", chat_request);
	passes(stage, EV_OUT, stage->offsets[EV_OUT], stage->offsets[EV_OUT], request,
	       strlen(request));
}

static char *stream(void)
{
	static char text[8192];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
			 "Transfer-Encoding: chunked\r\n\r\n");

	for (size_t i = 0; i < ARRAY_SIZE(chat_stream); i++)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%zx\r\n%s\r\n",
			      strlen(chat_stream[i]), chat_stream[i]);
	snprintf(text + n, sizeof(text) - (size_t)n, "0\r\n\r\n");
	return text;
}

static void ends(struct stage *stage)
{
	struct ev_flow end = { .head = head_of(stage, EV_FLOW_END),
			       .bytes = { stage->offsets[EV_OUT], stage->offsets[EV_IN] } };

	pipeline_event(stage->pipeline, &end.head, sizeof(end));
	pipeline_settle(stage->pipeline, stage->now_ns + 10000000000ULL);
}

static void assert_measured(const struct charge *charge)
{
	assert_int_equal(charge->source, CHARGE_USAGE);
	assert_string_equal(charge->host, GATEWAY);
	assert_int_equal(charge->usage.input, 1000);
	assert_int_equal(charge->usage.cache_read, 2000);
	assert_int_equal(charge->usage.output, 100);
}

static void a_call_is_measured_once(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_measured(&stage->charges[0]);
	assert_int_equal(stage->n_greeted, 0); /* nothing of its process has to be probed */
}

/* As the network may bring it: from behind, in threes, each twice. */
static void disorder_changes_nothing(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();
	size_t len = strlen(answer);

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	for (size_t end = len; end; end -= end < 3 ? end : 3) {
		size_t at = end < 3 ? 0 : end - 3;

		passes(stage, EV_IN, at, 0, answer + at, end - at);
		passes(stage, EV_IN, at, 0, answer + at, end - at);
	}
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_measured(&stage->charges[0]);
}

/* The event with the usage was lost on its way to the daemon. */
static void what_is_lost_is_estimated(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream(),
		   *usage = strstr(answer, "data: {\"id\":\"c1\",\"object\":"
					   "\"chat.completion.chunk\",\"model\":"
					   "\"gpt-4o-2024-08-06\",\"choices\":[],");
	size_t from = (size_t)(usage - answer), to = from + 100, len = strlen(answer);

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	passes(stage, EV_IN, 0, 0, answer, from);
	passes(stage, EV_IN, to, to, answer + to, len - to);
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_false(charge_is_measured(stage->charges[0].source));
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_true(stage->charges[0].usage.output + stage->charges[0].error_output >= 100);
}

/* Whole calls were: what flowed and was not read is charged by its size. */
static void lost_calls_are_charged_by_size(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	stage->offsets[EV_OUT] += 20000;
	stage->offsets[EV_IN] += 30000;
	ends(stage);
	assert_int_equal(stage->n_charges, 2);
	assert_measured(&stage->charges[0]);
	assert_int_equal(stage->charges[1].source, CHARGE_SIZE);
	assert_in_range(stage->charges[1].request_bytes + stage->charges[1].response_bytes, 49000,
			50100);
}

static void others_are_left_alone(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, "innocent.test");
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	asks(stage, GATEWAY); /* too late: the kernel was told to leave it */
	ends(stage);
	assert_int_equal(stage->n_charges, 0);
}

/* The node's own resolver, that is. */
static void an_address_says_whose_it_is(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(4000) };
	struct stage *stage = *state;
	const char *answer = stream();

	inet_pton(AF_INET, "10.0.0.5", &address.sin_addr);
	pipeline_address(stage->pipeline, (const struct sockaddr *)&address, GATEWAY, stage->now_ns);
	begins(stage, SOCKET, CTL_AI);
	asks(stage, "innocent.test");
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_measured(&stage->charges[0]);
}

/* What a connection has taught may be one tenant's word about another's server. */
static void what_was_learned_gives_way_to_a_name(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	ends(stage);
	assert_int_equal(stage->decided, CTL_AI);
	begins(stage, SOCKET + 1, CTL_AI);
	asks(stage, "innocent.test");
	assert_int_equal(stage->decided, CTL_IGNORE);
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
}

static void a_refused_one_is_reset(void **state)
{
	struct stage *stage = *state;
	struct ev_flow flow = { .head = head_of(stage, EV_PLAIN), .state = EV_FLOW_REFUSED };

	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_destroyed, 1);
	assert_int_equal(stage->n_charges, 0);
}

/* Its socket may be another process's by then. */
static void it_outlives_its_process(void **state)
{
	struct stage *stage = *state;
	const char *answer = stream();
	struct ev_head gone;

	begins(stage, SOCKET, CTL_ASK);
	asks(stage, GATEWAY);
	gone = head_of(stage, EV_EXIT);
	pipeline_event(stage->pipeline, &gone, sizeof(gone));
	passes(stage, EV_IN, 0, 0, answer, strlen(answer));
	ends(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_measured(&stage->charges[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_is_measured_once, setup, teardown),
		cmocka_unit_test_setup_teardown(disorder_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_lost_is_estimated, setup, teardown),
		cmocka_unit_test_setup_teardown(lost_calls_are_charged_by_size, setup, teardown),
		cmocka_unit_test_setup_teardown(others_are_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(an_address_says_whose_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(what_was_learned_gives_way_to_a_name, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_refused_one_is_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(it_outlives_its_process, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
