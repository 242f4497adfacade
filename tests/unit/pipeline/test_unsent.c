/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a gate held: free if they never left. */
#include "stage.h"

static uint64_t held_ns; /* flow 555 waits since then; 0: it does not */

static uint64_t on_held(void *arg, uint64_t cookie)
{
	return cookie == 555 ? held_ns : 0;
}

static void begins_withheld(struct stage *stage, uint64_t since_ns)
{
	held_ns = since_ns;
	stage->config.hooks.tap.held = on_held;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	flows(stage, EV_FLOW, "api.anthropic.com", 600, 0, EV_FLOW_SEEN);
}

static void flow_ends_withheld(struct stage *stage, uint64_t out, uint64_t since_ns)
{
	struct ev_flow end = { .head = head_of(stage, EV_FLOW_END),
			       .bytes = { out, 900 },
			       .handshake = { 600, 500 },
			       .is_unsent = 1,
			       .held_since_ns = since_ns };

	end.head.id = 555;
	held_ns = 0;
	pipeline_event(stage->pipeline, &end.head, sizeof(end));
}

static void assert_waived(const struct charge *charge)
{
	assert_int_equal(charge->outcome, CHARGE_NO_ANSWER);
	assert_int_equal(charge->source, CHARGE_FREE);
	assert_int_equal(charge->cost_nanos + charge->budget_nanos + charge->error_nanos, 0);
	assert_int_equal(charge->usage.input + charge->error_input + charge->error_output, 0);
	assert_true(charge->is_priced);
}

static void assert_paid(const struct charge *charge)
{
	assert_int_equal(charge->outcome, CHARGE_NO_ANSWER);
	assert_int_equal(charge->source, CHARGE_TEXT);
	assert_true(charge->cost_nanos > 0);
}

/* Its connection is reset, and then closed; or closed, and its flow ends minutes later. */
static void a_request_that_never_left_is_free_in_either_order(void **state)
{
	for (int is_reset = 0; is_reset < 2; is_reset++) {
		struct stage *stage = stage_new();
		uint64_t since_ns = stage->now_ns + 5000000;

		begins_withheld(stage, since_ns);
		opens(stage, "api.anthropic.com", CTL_AI);
		asks_anthropic(stage, 0);
		if (is_reset)
			flow_ends_withheld(stage, 600, since_ns);
		closes(stage);
		if (!is_reset)
			flow_ends_withheld(stage, 600, since_ns);
		assert_int_equal(stage->n_charges, 1);
		assert_waived(&stage->charges[0]);
		stage->connection = 2; /* another one, and what was asked there left */
		opens(stage, "api.anthropic.com", CTL_AI);
		asks_anthropic(stage, 0);
		closes(stage);
		assert_paid(&stage->charges[1]);
		stage_free(stage);
	}
}

/* Nagle's algorithm sent it 45 ms after it was written, and a gate held it; its flow lives on. */
static void so_is_one_that_was_written_long_before_it_was_held(void **state)
{
	struct stage *stage = stage_new();

	begins_withheld(stage, stage->now_ns + 50000000);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_waived(&stage->charges[0]);
	stage_free(stage);
}

/* A call that waits for its flow had left; another request is held meanwhile, and is the free one. */
static void a_call_that_waits_is_not_taken_for_one_that_is_held(void **state)
{
	struct stage *stage = stage_new();

	begins_withheld(stage, 0);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	closes(stage);
	held_ns = stage->now_ns + 50000000;
	pipeline_settle(stage->pipeline, stage->now_ns + 3000000000);
	assert_int_equal(stage->n_charges, 1);
	assert_paid(&stage->charges[0]);
	stage->connection = 2;
	stage->now_ns = held_ns;
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	closes(stage);
	assert_int_equal(stage->n_charges, 2);
	assert_waived(&stage->charges[1]);
	stage_free(stage);
}

/* On one connection: the first had left when the second was held, and nothing passes that. */
static void of_a_connection_only_what_was_held_is_free(void **state)
{
	struct stage *stage = stage_new();

	begins_withheld(stage, stage->now_ns + 1000000000);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	stage->now_ns = held_ns;
	asks_anthropic(stage, 0);
	asks_anthropic(stage, 0);
	closes(stage);
	pipeline_settle(stage->pipeline,
			stage->now_ns + 3000000000); /* the first waits for its flow */
	assert_int_equal(stage->n_charges, 3);
	assert_waived(&stage->charges[0]);
	assert_waived(&stage->charges[1]);
	assert_paid(&stage->charges[2]);
	stage_free(stage);
}

/* It was read, and explains no bytes: not those of a library that nobody reads. */
static void what_never_left_hides_nothing_that_did(void **state)
{
	struct stage *stage = stage_new();
	uint64_t since_ns = stage->now_ns + 5000000;

	begins_withheld(stage, since_ns);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	closes(stage);
	assert_waived(&stage->charges[0]);
	flow_ends_withheld(stage, 600 + 400, since_ns);
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(stage->charges[1].source, CHARGE_SIZE);
	stage_free(stage);
}

/* The daemon ends; the program waits on, and its request leaves when nobody counts any more. */
static void what_waits_when_the_daemon_ends_is_charged(void **state)
{
	struct stage *stage = stage_new();

	begins_withheld(stage, stage->now_ns + 5000000);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	pipeline_free(stage->pipeline);
	assert_int_equal(stage->n_charges, 1);
	assert_paid(&stage->charges[0]);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_never_left_is_free_in_either_order),
		cmocka_unit_test(so_is_one_that_was_written_long_before_it_was_held),
		cmocka_unit_test(a_call_that_waits_is_not_taken_for_one_that_is_held),
		cmocka_unit_test(of_a_connection_only_what_was_held_is_free),
		cmocka_unit_test(what_never_left_hides_nothing_that_did),
		cmocka_unit_test(what_waits_when_the_daemon_ends_is_charged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
