/* SPDX-License-Identifier: Apache-2.0 */
/* What a call that was not read is estimated to cost. */
#include "stage.h"

static void what_only_flows_is_estimated_and_said_so(void **state)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_SEEN);
	assert_int_equal(stage->n_greeted, 1);
	flows(stage, EV_FLOW_END, "api.openai.com", 41000, 54500, EV_FLOW_SEEN);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_SIZE);
	assert_string_equal(stage->charges[0].operation, "unmetered");
	assert_false(stage->charges[0].is_priced);
	assert_true(stage->charges[0].budget_nanos > 0);
	assert_true(stage->charges[0].usage.input > 5000);
	assert_string_equal(stage->comms[0], "java");
	stage_free(stage);
}

/* A server of the caller's own may answer any usage. */
static void calls_with_usage(struct stage *stage, const char *usage, int calls)
{
	_cleanup_free_ char *request = message(
		"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com", "application/json",
		"{\"model\":\"gpt-4o\",\"messages\":[{\"role\":\"user\",\"content\":"
		"\"Some words of a prompt\"}]}");
	_cleanup_free_ char *body = NULL, *answer = NULL;

	assert_true(asprintf(&body,
			     "{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\","
			     "\"choices\":[{\"index\":0,\"message\":{\"content\":\"%0700d\"}}],"
			     "\"usage\":%s}",
			     0, usage) > 0);
	answer = message("HTTP/1.1 200 OK", "application/json", body);
	opens(stage, "api.openai.com", CTL_AI);
	for (int i = 0; i < calls; i++) {
		sends(stage, EV_OUT, request, 0);
		sends(stage, EV_IN, answer, 0);
	}
	closes(stage);
}

/* What is estimated of a flow of cgroup 77 after 40 calls of another cgroup, or of its own. */
static struct charge estimate_after(const char *usage, uint64_t caller)
{
	struct stage *stage = stage_new();
	struct charge charge;

	stage->cgroup = caller;
	stage->tgid = 4343;
	if (usage)
		calls_with_usage(stage, usage, 40);
	stage->tgid = 4242;
	stage->cgroup = 77;
	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_SEEN);
	flows(stage, EV_FLOW_END, "api.openai.com", 41000, 10000, EV_FLOW_SEEN);
	assert_int_equal(stage->n_charges, usage ? 41 : 1);
	charge = stage->charges[stage->n_charges - 1];
	assert_int_equal(charge.source, CHARGE_SIZE);
	stage_free(stage);
	return charge;
}

static struct charge last_of(struct stage *stage)
{
	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_SEEN);
	flows(stage, EV_FLOW_END, "api.openai.com", 41000, 10000, EV_FLOW_SEEN);
	return stage->charges[stage->n_charges - 1];
}

/* What a flow's tokens cost at a model's price, from the least that they may be to the most. */
static void assert_priced_as(const struct charge *charge, int64_t input, int64_t output)
{
	int64_t in = (int64_t)charge->usage.input, out = (int64_t)charge->usage.output;

	assert_false(charge->is_priced);
	assert_int_equal(charge->cost_nanos, 0);
	assert_int_equal(charge->budget_nanos, in * input + out * output);
	assert_int_equal(charge->budget_nanos - charge->under_nanos,
			 (in - (int64_t)charge->under_input) * input +
				 (out - (int64_t)charge->under_output) * output);
	assert_int_equal(charge->budget_nanos + charge->over_nanos,
			 (in + (int64_t)charge->error_input) * input +
				 (out + (int64_t)charge->error_output) * output);
}

/* First what the operator says, then what the program was seen to use, then its cgroup, then a flagship. */
static void an_unread_call_costs_what_its_like_do(void **state)
{
	const char *usage = "{\"prompt_tokens\":900,\"completion_tokens\":90}";
	struct policy_assume rule = { .match = { .command = "java", .host = "api.openai.com" },
				      .model = "gpt-4o-mini" };
	struct policy_rules rules = { .assume = &rule, .n_assume = 1 };
	struct stage *stage = stage_new();
	struct policy *policy = policy_new(&rules);
	struct charge charge = last_of(stage);

	assert_string_equal(charge.price_origin, "assumed: flagship of openai");
	assert_priced_as(&charge, 2500, 15000);
	stage->cgroup = 66;
	stage->tgid = 4343;
	calls_with_usage(stage, usage, 3); /* a stranger's, at gpt-4o */
	stage->cgroup = 77;
	stage->tgid = 4242;
	charge = last_of(stage);
	assert_string_equal(charge.price_origin, "assumed: flagship of openai");
	stage->tgid = 4344;
	calls_with_usage(stage, usage, 3); /* its cgroup's, of a program with another name */
	stage->tgid = 4242;
	charge = last_of(stage);
	assert_string_equal(charge.price_origin, "assumed: as this cgroup's calls");
	assert_string_equal(charge.price_key, "gpt-4o");
	assert_priced_as(&charge, 2500, 10000);
	pipeline_policy(stage->pipeline, policy);
	charge = last_of(stage);
	assert_string_equal(charge.price_origin, "assumed: by configuration");
	assert_priced_as(&charge, 150, 600);
	pipeline_policy(stage->pipeline, NULL);
	stage_free(stage);
	policy_free(policy);
}

static void a_deployment_of_unknown_name_costs_what_its_like_do(void **state)
{
	_cleanup_free_ char *request =
		message("POST /openai/deployments/ours/chat/completions?api-version=1 HTTP/1.1\r\n"
			"Host: x.openai.azure.com",
			"application/json", "{\"messages\":[]}");
	_cleanup_free_ char *answer = message(
		"HTTP/1.1 200 OK", "application/json",
		"{\"object\":\"chat.completion\",\"model\":\"ours\",\"choices\":[{\"index\":0,\"message\":"
		"{\"content\":\"Hi\"}}],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}");
	struct stage *stage = stage_new();

	opens(stage, "x.openai.azure.com", CTL_AI);
	sends(stage, EV_OUT, request, 0);
	sends(stage, EV_IN, answer, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].source, CHARGE_USAGE);
	assert_string_equal(stage->charges[0].price_origin, "assumed: flagship of azure.ai.openai");
	assert_priced_as(&stage->charges[0], 2500, 15000);
	assert_int_equal(stage->charges[0].budget_nanos, 4000000); /* not 4.17 USD */
	stage_free(stage);
}

static struct charge unread(uint64_t out, uint64_t in, uint32_t records, uint32_t requests)
{
	struct stage *stage = stage_new();
	struct ev_flow event = { .head = head_of(stage, EV_FLOW),
				 .comm = "java",
				 .host = "api.openai.com" };
	struct charge charge;

	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	event.head.type = EV_FLOW_END;
	event.bytes[EV_OUT] = 600 + out;
	event.bytes[EV_IN] = 3000 + in;
	event.handshake[EV_OUT] = 600;
	event.handshake[EV_IN] = 3000;
	event.framed[EV_IN] = in;
	event.records[EV_IN] = records;
	event.record_bytes = 22;
	event.requests = requests;
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	assert_int_equal(stage->n_charges, 1);
	charge = stage->charges[0];
	stage_free(stage);
	return charge;
}

static void assert_between(uint64_t true_output, const struct charge *charge)
{
	assert_in_range(true_output, charge->usage.output - charge->under_output,
			charge->usage.output + charge->error_output);
}

/* 100 tokens in 297 bytes each: an event a record, three, or all that a proxy had buffered. */
static void a_stream_is_no_bill_of_a_document(void **state)
{
	static const uint32_t records[] = { 102, 35, 3 };

	for (size_t i = 0; i < 3; i++) {
		struct charge charge = unread(1500, 1500 + 29700 + 22 * records[i], records[i], 1);

		assert_in_range(charge.usage.output, 80, 120);
		assert_between(100, &charge);
		if (i)
			assert_between(10000, &charge); /* nor is it certain that it was none */
	}
}

/* A file of 5 MB, and a prompt of 200 kB that was turned away with a 429. */
static void uploads_and_errors_are_unknown_traffic(void **state)
{
	static const uint64_t out[] = { 5 << 20, 200000 };

	for (size_t i = 0; i < 2; i++) {
		struct charge charge = unread(out[i], 900, 2, 1);

		assert_string_equal(charge.operation, "unknown traffic");
		assert_int_equal(charge.usage.input + charge.usage.output, 0);
		assert_int_equal(charge.budget_nanos, 0);
		assert_int_equal(charge.under_nanos, 0);
		assert_true(charge.error_input >= out[i] / 5);
		assert_true(charge.over_nanos > 0);
	}
	/* The same prompt with an answer. */
	assert_true(unread(200000, 2500, 2, 1).usage.input > 40000);
}

static void a_keep_alive_is_as_many_calls(void **state)
{
	/* 20 of 29 tokens in and 100 out: 500 and 700 bytes of heads, 200 and 600 of structure. */
	struct charge charge = unread(20 * (700 + 29 * 4), 20 * (1300 + 260 + 22), 20, 20);
	struct charge single = unread(20 * (700 + 29 * 4), 20 * (1300 + 260 + 22), 20, 0);

	assert_in_range(charge.usage.input, 20 * 20, 20 * 40);
	assert_between(20 * 100, &charge);
	assert_true(single.usage.input > 4 * charge.usage.input);
	/* So many calls in reports, metrics and the mean of a budget's call. */
	assert_int_equal(charge_count(&charge), 20);
	assert_int_equal(charge_count(&single), 1);
}

static void a_small_call_costs_something(void **state)
{
	/* curl: 200 bytes of head and 150 of JSON; a local server's answer of 600 bytes in all. */
	struct charge charge = unread(20 * 350, 20 * (600 + 22), 20, 20);

	assert_in_range(charge.usage.input, 20 * 5, 20 * 60);
	assert_in_range(charge.usage.output, 20 * 10, 20 * 200);
	assert_true(charge.budget_nanos > 0);
}

static void what_a_tenants_calls_said_changes_no_others_estimate(void **state)
{
	const char *many = "{\"prompt_tokens\":90000,\"completion_tokens\":9000}";
	const char *one = "{\"prompt_tokens\":1,\"completion_tokens\":1}";
	struct charge start = estimate_after(NULL, 66), own = estimate_after(many, 77);

	for (int i = 0; i < 2; i++) {
		struct charge charge = estimate_after(i ? many : one, 66);

		assert_int_equal(charge.usage.input, start.usage.input);
		assert_int_equal(charge.usage.output, start.usage.output);
		assert_int_equal(charge.error_input, start.error_input);
		assert_int_equal(charge.error_output, start.error_output);
		assert_int_equal(charge.budget_nanos, start.budget_nanos);
	}
	assert_true(own.usage.output > 2 * start.usage.output);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_flows_is_estimated_and_said_so),
		cmocka_unit_test(an_unread_call_costs_what_its_like_do),
		cmocka_unit_test(a_deployment_of_unknown_name_costs_what_its_like_do),
		cmocka_unit_test(a_stream_is_no_bill_of_a_document),
		cmocka_unit_test(uploads_and_errors_are_unknown_traffic),
		cmocka_unit_test(a_keep_alive_is_as_many_calls),
		cmocka_unit_test(a_small_call_costs_something),
		cmocka_unit_test(what_a_tenants_calls_said_changes_no_others_estimate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
