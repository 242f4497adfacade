/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that the end of their connection cuts short: what came of their answers is theirs, once. */
#include "stage.h"

#include "pipeline/cuts.h"

#define SECOND_NS 1000000000ULL
#define FLOW      555
#define OTHER     666

/* Its socket held so much when it ended; 20 kB would be a charge of their own. */
static void flow_ends(struct stage *stage, uint64_t cookie, uint64_t out, uint64_t in,
		      uint32_t unread)
{
	struct ev_flow end = { .head = head_of(stage, EV_FLOW_END),
			       .bytes = { 600 + out, 3000 + in },
			       .handshake = { 600, 3000 },
			       .unread = unread };

	end.head.id = cookie;
	pipeline_event(stage->pipeline, &end.head, sizeof(end));
}

static void flow_begins(struct stage *stage, uint64_t cookie)
{
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.bytes = { 600, 0 },
				.comm = "agent" };

	flow.head.id = cookie;
	snprintf(flow.host, sizeof(flow.host), "api.openai.com");
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
}

/* The socket is known to carry the connection that is being fed. */
static void is_paired(struct stage *stage, uint64_t cookie)
{
	struct ev_pair pair = { .flow = { .head = head_of(stage, EV_PAIR),
					  .bytes = { 600, 3000 },
					  .handshake = { 600, 3000 } },
				.connection = stage->connection };

	pair.flow.head.id = cookie;
	pipeline_event(stage->pipeline, &pair.flow.head, sizeof(pair));
}

static void begins_stream(struct stage *stage, uint64_t connection)
{
	stage->connection = connection;
	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	streams_chat(stage, 2);
}

static void is_killed(struct stage *stage)
{
	struct ev_head event = head_of(stage, EV_EXIT);

	pipeline_event(stage->pipeline, &event, sizeof(event));
}

static void settles(struct stage *stage, uint64_t seconds)
{
	pipeline_settle(stage->pipeline, stage->now_ns + seconds * SECOND_NS);
}

static void assert_has_unread(const struct charge *charge)
{
	assert_int_equal(charge->outcome, CHARGE_ABORTED);
	assert_false(charge_is_measured(charge->source));
	assert_string_equal(charge->operation, "chat");
	assert_in_range(charge->response_bytes, 20000, 21000);
	assert_in_range(charge->usage.output, 50, 1000);
	assert_true(charge->error_output > 20);
}

static void assert_has_none(const struct charge *charge)
{
	assert_int_equal(charge->outcome, CHARGE_ABORTED);
	assert_true(charge->response_bytes < 1000);
}

/* Killed, or closed before its socket or after it, with any time in between: one call. */
static void ends_in_order(bool is_pair, int order)
{
	struct stage *stage = stage_new();

	flow_begins(stage, FLOW);
	begins_stream(stage, 1);
	if (is_pair)
		is_paired(stage, FLOW);
	if (order == 0)
		is_killed(stage);
	else if (order == 1)
		closes(stage);
	assert_int_equal(stage->n_charges, 0);
	flow_ends(stage, FLOW, stage->offsets[EV_OUT], stage->offsets[EV_IN] + 20000, 20000);
	settles(stage, 0);
	pipeline_tick(stage->pipeline, stage->now_ns);
	assert_int_equal(stage->n_charges, order < 2);
	if (order == 2)
		closes(stage);
	else if (order == 3)
		is_killed(stage);
	pipeline_tick(stage->pipeline, stage->now_ns + 60 * SECOND_NS);
	assert_int_equal(stage->n_charges, 1);
	assert_has_unread(&stage->charges[0]);
	stage_free(stage);
}

static void what_its_socket_held_is_the_calls(void **state)
{
	for (int order = 0; order < 4; order++)
		ends_in_order(false, order);
}

static void so_it_is_where_the_socket_is_known(void **state)
{
	for (int order = 0; order < 4; order++)
		ends_in_order(true, order);
}

/* Another connection stays open; and when that ends, too, nothing is charged again. */
static void so_it_is_beside_other_connections(void **state)
{
	struct stage *stage = stage_new();
	uint64_t out, in;

	flow_begins(stage, FLOW);
	flow_begins(stage, OTHER);
	begins_stream(stage, 1);
	out = stage->offsets[EV_OUT];
	in = stage->offsets[EV_IN];
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	flow_ends(stage, FLOW, out, in + 20000, 20000);
	assert_int_equal(stage->n_charges, 1);
	assert_has_unread(&stage->charges[0]);
	flow_ends(stage, OTHER, 0, 0, 0);
	pipeline_tick(stage->pipeline, stage->now_ns + 60 * SECOND_NS);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

/*
 * A call that waits in vain is charged as it was read, and what flowed elsewhere stays a charge of
 * its own.
 */
static void a_cut_call_hides_no_other(void **state)
{
	struct stage *stage = stage_new();
	uint64_t out, in;

	flow_begins(stage, FLOW);
	begins_stream(stage, 1);
	out = stage->offsets[EV_OUT];
	in = stage->offsets[EV_IN];
	closes(stage);
	settles(stage, 1);
	assert_int_equal(stage->n_charges, 0);
	settles(stage, 3);
	assert_int_equal(stage->n_charges, 1);
	assert_has_none(&stage->charges[0]);
	flow_ends(stage, FLOW, out, in + 20000, 0); /* the socket lived on, and was emptied */
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(stage->charges[1].source, CHARGE_SIZE);
	flow_begins(stage, OTHER);
	begins_stream(stage, 2);
	out = stage->offsets[EV_OUT];
	in = stage->offsets[EV_IN];
	closes(stage);
	flow_ends(stage, OTHER, out + 5000, in + 20000, 0); /* a request went out that was not read */
	assert_int_equal(stage->n_charges, 4);
	assert_has_none(&stage->charges[2]);
	assert_int_equal(stage->charges[3].source, CHARGE_SIZE);
	assert_in_range(stage->charges[3].request_bytes, 4900, 5100);
	stage_free(stage);
}

/* The same on a socket that is known to carry the connection. */
static void nor_one_on_its_own_socket(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;

	flow_begins(stage, FLOW);
	begins_stream(stage, 1);
	is_paired(stage, FLOW);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.paired[EV_PAIR_RECORD], 1);
	assert_int_equal(stats.paired[EV_PAIR_CALL] + stats.paired[EV_PAIR_LEN], 0);
	is_killed(stage);
	flow_ends(stage, FLOW, stage->offsets[EV_OUT] + 5000, stage->offsets[EV_IN] + 20000, 0);
	assert_int_equal(stage->n_charges, 2);
	assert_has_none(&stage->charges[0]);
	assert_int_equal(stage->charges[1].source, CHARGE_SIZE);
	assert_in_range(stage->charges[1].request_bytes, 4700, 5100);
	stage_free(stage);
}

/* Whose socket is known waits for that one, and leaves what others held to other calls. */
static void a_call_waits_for_its_own_socket(void **state)
{
	struct stage *stage = stage_new();
	uint64_t out, in;

	flow_begins(stage, FLOW);
	flow_begins(stage, OTHER);
	begins_stream(stage, 1);
	out = stage->offsets[EV_OUT];
	in = stage->offsets[EV_IN];
	is_paired(stage, FLOW);
	begins_stream(stage, 2);
	closes(stage);
	stage->connection = 1;
	stage->offsets[EV_OUT] = out;
	stage->offsets[EV_IN] = in;
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	flow_ends(stage, OTHER, out, in + 20000, 20000);
	assert_int_equal(stage->n_charges, 1);
	assert_has_unread(&stage->charges[0]);
	flow_ends(stage, FLOW, out, in, 0);
	assert_int_equal(stage->n_charges, 2);
	assert_has_none(&stage->charges[1]);
	settles(stage, 60);
	assert_int_equal(stage->n_charges, 2);
	stage_free(stage);
}

/* A library may take it all from the socket before that ends; what is read then was not left. */
static void what_is_read_after_the_sockets_end_is_not_added(void **state)
{
	struct stage *stage = stage_new();

	flow_begins(stage, FLOW);
	begins_stream(stage, 1);
	is_paired(stage, FLOW);
	flow_ends(stage, FLOW, stage->offsets[EV_OUT], stage->offsets[EV_IN] + 20000, 0);
	for (int i = 0; i < 4; i++) {
		char text[5000] = "";

		memset(text, 'x', sizeof(text) - 1);
		sends(stage, EV_IN, "1387\r\n", 0);
		sends(stage, EV_IN, text, 0);
		sends(stage, EV_IN, "\r\n", 0);
	}
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_in_range(stage->charges[0].response_bytes, 20000, 21000);
	stage_free(stage);
}

/* So many of its events were read that they say how much the others hold. */
static void its_own_events_tell_what_was_not_read(void **state)
{
	struct stage *stage = stage_new();
	struct charge read;

	for (int is_read = 1; is_read >= 0; is_read--) {
		flow_begins(stage, FLOW + is_read);
		stage->connection = 1 + is_read;
		opens(stage, "api.openai.com", CTL_AI);
		asks_chat(stage);
		streams_chat(stage, 1);
		for (int i = 0; i < 50; i++)
			chunks_chat(stage, 1);
		closes(stage);
		if (is_read) {
			flow_ends(stage, FLOW + is_read, stage->offsets[EV_OUT],
				  stage->offsets[EV_IN], 0);
			read = stage->charges[0];
		} else {
			flow_ends(stage, FLOW + is_read, stage->offsets[EV_OUT],
				  stage->offsets[EV_IN] * 3, stage->offsets[EV_IN] * 2);
		}
	}
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(read.usage.output, 50);
	assert_in_range(stage->charges[1].usage.output, 125, 155);
	assert_in_range(stage->charges[1].error_output, 45, 65);
	assert_int_equal(stage->charges[1].usage.input, read.usage.input);
	stage_free(stage);
}

/* No one took it, so no call was cut: what came is charged by its size, as ever. */
static void what_comes_behind_a_whole_answer_is_not_its_own(void **state)
{
	struct stage *stage = stage_new();

	flow_begins(stage, FLOW);
	opens(stage, "api.openai.com", CTL_AI);
	asks_chat(stage);
	streams_chat(stage, ARRAY_SIZE(chat_stream));
	assert_int_equal(stage->n_charges, 1);
	closes(stage);
	flow_ends(stage, FLOW, stage->offsets[EV_OUT], stage->offsets[EV_IN] + 20000, 20000);
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(stage->charges[1].source, CHARGE_SIZE);
	stage_free(stage);
}

static void more_calls_than_can_wait_are_charged_at_once(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;

	stage->config.hooks.observer.called = NULL; /* it keeps no more than CALLS_MAX */
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	flow_begins(stage, FLOW);
	flow_begins(stage, OTHER);
	for (size_t i = 0; i < CUTS_MAX + 3; i++) {
		begins_stream(stage, 1 + i);
		closes(stage);
	}
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.charges, 3);
	settles(stage, 3);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.charges, CUTS_MAX + 3);
	stage_free(stage);
}

static void what_waits_when_the_program_ends_is_charged(void **state)
{
	struct stage *stage = stage_new();

	flow_begins(stage, FLOW);
	begins_stream(stage, 1);
	closes(stage);
	begins_stream(stage, 2);
	assert_int_equal(stage->n_charges, 0);
	stage->pipeline = pipeline_free(stage->pipeline);
	assert_int_equal(stage->n_charges, 2);
	stage_free(stage);
}

static void row_is(void *arg, const struct reconcile_row *row, const struct who_group *group)
{
	*(struct reconcile_row *)arg = *row;
}

/* What a call took counts as charged, whether its socket is known or not. */
static void it_is_covered(void **state)
{
	for (int is_pair = 0; is_pair < 2; is_pair++) {
		struct stage *stage = stage_new();
		struct reconcile_row row = { 0 };

		flow_begins(stage, FLOW);
		begins_stream(stage, 1);
		if (is_pair)
			is_paired(stage, FLOW);
		is_killed(stage);
		flow_ends(stage, FLOW, stage->offsets[EV_OUT], stage->offsets[EV_IN] + 20000, 20000);
		pipeline_coverage(stage->pipeline, row_is, &row);
		assert_int_equal(row.flows, 1);
		assert_int_equal(row.open, 0);
		assert_int_equal(row.read_bytes[EV_IN], stage->offsets[EV_IN]);
		assert_in_range(row.charged_bytes[EV_IN], 19900, 20000);
		assert_int_equal(row.charged_bytes[EV_OUT], 0);
		assert_int_equal(row.why, UNMETERED_READ);
		stage_free(stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_its_socket_held_is_the_calls),
		cmocka_unit_test(so_it_is_where_the_socket_is_known),
		cmocka_unit_test(so_it_is_beside_other_connections),
		cmocka_unit_test(a_cut_call_hides_no_other),
		cmocka_unit_test(nor_one_on_its_own_socket),
		cmocka_unit_test(a_call_waits_for_its_own_socket),
		cmocka_unit_test(what_is_read_after_the_sockets_end_is_not_added),
		cmocka_unit_test(its_own_events_tell_what_was_not_read),
		cmocka_unit_test(what_comes_behind_a_whole_answer_is_not_its_own),
		cmocka_unit_test(more_calls_than_can_wait_are_charged_at_once),
		cmocka_unit_test(what_waits_when_the_program_ends_is_charged),
		cmocka_unit_test(it_is_covered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
