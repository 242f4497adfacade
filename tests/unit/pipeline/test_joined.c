/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that a child has inherited: its first request is not read, its answer is. */
#include "stage.h"

#define FLOW  555
#define CHILD 4243
#define SENT  20000 /* by both */

static int counts_are(void *arg, uint64_t cookie, struct ctl_flow *ret)
{
	*ret = (struct ctl_flow){ .bytes = { 600 + SENT, 3000 } };
	return cookie == FLOW ? 0 : -ENOENT;
}

/* The parent has called once on a connection that is known to be this flow's. */
static struct stage *parent_calls(void)
{
	struct stage *stage = stage_new();
	struct ev_flow flow = { .bytes = { 600, 0 } };
	struct ev_pair pair = { .flow = { .bytes = { 600, 3000 }, .handshake = { 600, 3000 } },
				.connection = 1 };

	pipeline_free(stage->pipeline);
	stage->config.hooks.tap.flow_get = counts_are;
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	flow.head = head_of(stage, EV_FLOW);
	flow.head.id = FLOW;
	snprintf(flow.host, sizeof(flow.host), "api.anthropic.com");
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	opens(stage, "api.anthropic.com", CTL_AI);
	pair.flow.head = head_of(stage, EV_PAIR);
	pair.flow.head.id = FLOW;
	pipeline_event(stage->pipeline, &pair.flow.head, sizeof(pair));
	asks_anthropic(stage, 0);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	return stage;
}

/* The child has sent on the flow; then its answer comes, on a connection without a name. */
static void child_sends(struct stage *stage, bool is_told)
{
	struct ev_flow waits = { .state = EV_FLOW_APPROACH };

	stage->tgid = CHILD;
	waits.head = head_of(stage, EV_FLOW);
	waits.head.id = FLOW;
	if (is_told)
		pipeline_event(stage->pipeline, &waits.head, sizeof(waits));
	stage->connection = 2;
	opens(stage, "", CTL_UNKNOWN);
}

static void flow_ends(struct stage *stage, uint64_t out, uint64_t in)
{
	struct ev_flow end = { .head = head_of(stage, EV_FLOW_END),
			       .bytes = { 600 + out, 3000 + in },
			       .handshake = { 600, 3000 } };

	end.head.id = FLOW;
	pipeline_event(stage->pipeline, &end.head, sizeof(end));
	pipeline_tick(stage->pipeline, stage->now_ns + 60000000000);
}

static void the_answer_is_measured(void **state)
{
	struct stage *stage = parent_calls();
	const struct charge *charge = &stage->charges[1];

	child_sends(stage, true);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 2);
	assert_string_equal(charge->host, "api.anthropic.com");
	assert_string_equal(charge->path, "/v1/messages");
	assert_string_equal(charge->model, "claude-haiku-4-5");
	assert_int_equal(charge->usage.input, 1000);
	assert_int_equal(charge->usage.output, 200);
	assert_true(charge_is_measured(charge->source));
	/* what follows is read whole, and no more than that is charged */
	asks_anthropic(stage, 0);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 3);
	assert_int_equal(stage->charges[2].usage.output, 200);
	stage_free(stage);
}

/* The request's own bytes are the call's: nothing else is charged when the socket ends. */
static void its_request_is_explained(void **state)
{
	struct stage *stage = parent_calls();
	uint64_t in = stage->offsets[EV_IN];

	child_sends(stage, true);
	answers_anthropic(stage, 0);
	flow_ends(stage, SENT, in + stage->offsets[EV_IN]);
	assert_int_equal(stage->n_charges, 2);
	stage_free(stage);
}

/* Nobody has sent on its socket but who made it: an answer without a request is none of a call. */
static void an_answer_alone_is_no_call(void **state)
{
	struct stage *stage = parent_calls();

	child_sends(stage, false);
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	flow_ends(stage, 400, 900);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_is_measured),
		cmocka_unit_test(its_request_is_explained),
		cmocka_unit_test(an_answer_alone_is_no_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
