/* SPDX-License-Identifier: Apache-2.0 */
/* Event bytes in, charges out: the whole of the program but the kernel and the disk. */
#include "stage.h"

static void a_call_is_charged_to_the_token(void **state)
{
	struct stage *stage = stage_new();
	const struct charge *charge = &stage->charges[0];

	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 0);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(charge->provider, "anthropic");
	assert_string_equal(charge->host, "api.anthropic.com");
	assert_string_equal(charge->path, "/v1/messages");
	assert_string_equal(charge->model, "claude-haiku-4-5");
	assert_int_equal(charge->status, 200);
	assert_int_equal(charge->source, CHARGE_USAGE);
	assert_int_equal(charge->usage.input, 1000);
	assert_int_equal(charge->usage.output, 200);
	/* 1 and 5 USD a million: 1000 x 1e-6 + 200 x 5e-6 */
	assert_int_equal(charge->cost_nanos, 2000000);
	assert_int_equal(charge->request_bytes, strlen(anthropic_request));
	assert_int_equal(charge->response_bytes, strlen(anthropic_answer));
	assert_int_equal(stage->cgroups[0], 77);
	assert_string_equal(stage->comms[0], "agent");
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

static void cuts_change_nothing(void **state)
{
	struct charge whole = { 0 };

	for (size_t cut = 0; cut < 600; cut += cut < 40 ? 1 : 37) {
		struct stage *stage = stage_new();
		struct charge *charge = &stage->charges[0];

		opens(stage, "api.anthropic.com", CTL_AI);
		asks_anthropic(stage, cut);
		answers_anthropic(stage, cut);
		assert_int_equal(stage->n_charges, 1);
		charge->start_mono_ns = charge->duration_ns = charge->first_token_ns = 0;
		if (cut)
			assert_memory_equal(charge, &whole, sizeof(whole));
		else
			whole = *charge;
		stage_free(stage);
	}
}

static void streams_on_one_connection_are_charged_each_once(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	for (int i = 0; i < 5; i++) {
		asks_chat(stage);
		streams_chat(stage, ARRAY_SIZE(chat_stream));
	}
	closes(stage);
	assert_int_equal(stage->n_charges, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(stage->charges[i].source, CHARGE_USAGE);
		assert_true(stage->charges[i].is_stream);
		assert_int_equal(stage->charges[i].usage.input, 1000);
		assert_int_equal(stage->charges[i].usage.cache_read, 2000);
		/* 2.5, 1.25 and 10 USD a million */
		assert_int_equal(stage->charges[i].cost_nanos, 2500000 + 2500000 + 1000000);
	}
	stage_free(stage);
}

static void a_stream_left_half_way_is_estimated(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	streams_chat(stage, 2);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_false(charge_is_measured(stage->charges[0].source));
	assert_true(stage->charges[0].usage.output > 0);
	assert_true(stage->charges[0].is_priced);
	stage_free(stage);
}

static void a_loss_costs_one_call_its_exactness(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	sends(stage, EV_IN,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n",
	      0);
	loses(stage, EV_IN, 5000);
	asks_chat(stage);
	streams_chat(stage, ARRAY_SIZE(chat_stream));
	closes(stage);
	assert_int_equal(stage->n_charges, 2);
	assert_false(charge_is_measured(stage->charges[0].source));
	assert_true(charge_is_measured(stage->charges[1].source));
	assert_int_equal(stage->charges[1].usage.input, 1000);
	stage_free(stage);
}

static void a_loss_inside_a_body_of_known_length_does_not_lose_the_connection(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "api.anthropic.com", CTL_AI);
	sends(stage, EV_OUT,
	      "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
	      "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
	      "{\"model\":\"claude-haiku-4-5\",\"messages\":[",
	      0);
	loses(stage, EV_OUT, 100000 - 40);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_int_equal(stage->charges[0].cost_nanos, 2000000);
	stage_free(stage);
}

static void a_connection_without_a_name_is_ours_by_its_request(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "", CTL_UNKNOWN);
	asks_anthropic(stage, 0);
	assert_int_equal(stage->n_decided, 1);
	assert_int_equal(stage->decided, CTL_AI);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

static void a_server_that_is_asked_is_not_charged(void **state)
{
	struct stage *stage = stage_new();
	_cleanup_free_ char *request =
		message("POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com", "application/json",
			anthropic_request);
	_cleanup_free_ char *answer = message("HTTP/1.1 200 OK", "application/json",
					      anthropic_answer);

	opens(stage, "", CTL_UNKNOWN);
	sends(stage, EV_IN, request, 0);
	sends(stage, EV_OUT, answer, 0);
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	assert_int_equal(stage->decided, CTL_IGNORE);
	stage_free(stage);
}

static void polls(struct stage *stage, const char *status, const char *usage)
{
	_cleanup_free_ char *answer = NULL, *body = NULL;

	assert_true(
		asprintf(&body,
			 "{\"id\":\"resp_1\",\"status\":\"%s\",\"model\":\"gpt-5-pro\",\"usage\":%s}",
			 status, usage) > 0);
	answer = message("HTTP/1.1 200 OK", "application/json", body);
	sends(stage, EV_OUT, "GET /v1/responses/resp_1 HTTP/1.1\r\nHost: api.openai.com\r\n\r\n", 0);
	sends(stage, EV_IN, answer, 0);
}

/* However often, and from whichever process, it is asked after: gpt-5-pro costs 15 and 120 USD a million. */
static void a_background_job_is_charged_once(void **state)
{
	static const char usage[] = "{\"input_tokens\":1000,\"output_tokens\":9000}";
	struct stage *stage = stage_new();

	opens(stage, "api.openai.com", CTL_AI);
	polls(stage, "in_progress", "null");
	assert_int_equal(stage->n_charges, 0);
	polls(stage, "completed", usage);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_int_equal(stage->charges[0].cost_nanos, 1000 * 15000LL + 9000 * 120000LL);
	polls(stage, "completed", usage);
	closes(stage);
	stage->connection++;
	stage->tgid++;
	opens(stage, "api.openai.com", CTL_AI);
	polls(stage, "completed", usage);
	assert_int_equal(stage->n_charges, 1);
	closes(stage);
	stage_free(stage);
}

static void what_is_no_call_is_let_go(void **state)
{
	struct stage *stage = stage_new();

	opens(stage, "", CTL_UNKNOWN);
	sends(stage, EV_OUT, "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n", 0);
	assert_int_equal(stage->decided, CTL_IGNORE);
	assert_int_equal(stage->n_charges, 0);
	stage_free(stage);
}

static void a_process_that_dies_ends_its_calls(void **state)
{
	struct stage *stage = stage_new();
	struct ev_head event;

	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	streams_chat(stage, 2);
	event = head_of(stage, EV_EXIT);
	pipeline_event(stage->pipeline, &event, sizeof(event));
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].outcome, CHARGE_ABORTED);
	assert_int_equal(stage->n_gone, 1);
	assert_int_equal(stage->n_forgotten, 1);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

static void what_is_no_event_is_counted(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;
	struct ev_data cut = { .head = head_of(stage, EV_DATA), .len = 100 };
	struct ev_head strange = head_of(stage, 99);
	struct ev_open small = { .head = head_of(stage, EV_OPEN) };

	pipeline_event(stage->pipeline, &cut.head, sizeof(cut));
	pipeline_event(stage->pipeline, &strange, sizeof(strange));
	pipeline_event(stage->pipeline, &small.head, sizeof(small) - 1);
	pipeline_event(stage->pipeline, &small.head, 3);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.bad_events, 4);
	assert_int_equal(stats.connections.connections, 0);
	stage_free(stage);
}

/* One that opens as many as it can takes its own, and not those of a neighbour who has fewer. */
static void a_full_table_costs_whoever_has_most(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;

	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	stage->cgroup = 666;
	for (int i = 0; i < CONNECTIONS_MAX + 100; i++) {
		stage->connection = 1000 + (uint64_t)i;
		opens(stage, "api.anthropic.com", CTL_AI);
	}
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.connections.connections, CONNECTIONS_MAX);
	assert_int_equal(stats.connections.connections_dropped, 101);
	stage->cgroup = 77;
	stage->connection = 1;
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_is_charged_to_the_token),
		cmocka_unit_test(cuts_change_nothing),
		cmocka_unit_test(streams_on_one_connection_are_charged_each_once),
		cmocka_unit_test(a_stream_left_half_way_is_estimated),
		cmocka_unit_test(a_loss_costs_one_call_its_exactness),
		cmocka_unit_test(a_loss_inside_a_body_of_known_length_does_not_lose_the_connection),
		cmocka_unit_test(a_connection_without_a_name_is_ours_by_its_request),
		cmocka_unit_test(a_server_that_is_asked_is_not_charged),
		cmocka_unit_test(a_background_job_is_charged_once),
		cmocka_unit_test(what_is_no_call_is_let_go),
		cmocka_unit_test(a_process_that_dies_ends_its_calls),
		cmocka_unit_test(what_is_no_event_is_counted),
		cmocka_unit_test(a_full_table_costs_whoever_has_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
