/* SPDX-License-Identifier: Apache-2.0 */
/* Event bytes in, charges out: the whole of the program but the kernel and the disk. */
#include "stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

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

/* The kernel's table knows suffixes; what only ends like an AI host is let go, and not counted. */
static void a_flow_whose_suffix_fits_is_decided_by_its_name(void **state)
{
	struct stage *stage = stage_new();
	struct ev_flow event = { .head = head_of(stage, EV_FLOW), .verdict = CTL_ASK };
	struct pipeline_stats stats;

	snprintf(event.host, sizeof(event.host), "eu-west-1.signin.amazonaws.com");
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	assert_int_equal(stage->n_decided, 1);
	assert_int_equal(stage->decided, CTL_IGNORE);
	assert_int_equal(stage->n_greeted, 0);
	snprintf(event.host, sizeof(event.host), "bedrock-runtime.eu-west-1.amazonaws.com");
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	assert_int_equal(stage->n_decided, 2);
	assert_int_equal(stage->decided, CTL_AI);
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 1);
	stage_free(stage);
}

/* Its process is probed at once; it is no flow, and no name was given. */
static void an_approach_greets_and_counts_nothing(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;

	flows(stage, EV_FLOW, "", 0, 0, EV_FLOW_APPROACH);
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 0);
	assert_int_equal(stats.reconcile.accounts, 0);
	stage_free(stage);
}

static void is_read_and_not_estimated(const char *name, enum ctl_verdict verdict)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.anthropic.com", 517, 0, EV_FLOW_SEEN);
	opens(stage, name, verdict);
	for (int i = 0; i < 20; i++) {
		asks_anthropic(stage, 0);
		answers_anthropic(stage, 0);
	}
	flows(stage, EV_FLOW_END, "api.anthropic.com", stage->offsets[EV_OUT] + 1400 + 20 * 22,
	      stage->offsets[EV_IN] + 5000 + 20 * 22, EV_FLOW_SEEN);
	closes(stage);
	assert_int_equal(stage->n_charges, 20);
	stage_free(stage);
}

static void what_is_read_is_not_estimated_as_well(void **state)
{
	is_read_and_not_estimated("api.anthropic.com", CTL_AI);
}

/* Probed on sight, when the name had been set: its calls name the host. */
static void what_is_read_from_its_middle_on_is_not_estimated_as_well(void **state)
{
	is_read_and_not_estimated("", CTL_UNKNOWN);
}

/*
 * A request larger than what is copied of one call (bpf/emit.h): 64 records, a jump over 34, the
 * last. All of them were framed.
 */
static void what_is_beyond_the_pieces_of_a_call_was_framed_too(void **state)
{
	static const char zeros[EV_PIECE_MAX];
	struct stage *stage = stage_new();
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.bytes = { 600, 2000 },
				.handshake = { 600, 2000 },
				.host = "api.anthropic.com" };
	const uint64_t n_body = 98 * EV_PIECE_MAX + 100;
	_cleanup_free_ char *head = NULL;

	assert_true(asprintf(&head,
			     "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
			     "Content-Length: %zu\r\n\r\n",
			     (size_t)n_body) > 0);
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	opens(stage, "api.anthropic.com", CTL_AI);
	sends(stage, EV_OUT, head, 0);
	for (int i = 0; i < 64; i++)
		sends_bytes(stage, EV_OUT, zeros, sizeof(zeros));
	loses(stage, EV_OUT, 33 * EV_PIECE_MAX + 100);
	sends_bytes(stage, EV_OUT, zeros, sizeof(zeros));
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_true(charge_is_measured(stage->charges[0].source));
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] += strlen(head) + n_body + (1 + 64 + 34 + 1) * 29;
	flow.bytes[EV_IN] += stage->offsets[EV_IN] + 29;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

/* What a proxy on this host sends on is its client's hello: gated, and charged to nobody. */
static void a_relay_is_charged_to_nobody(void **state)
{
	struct stage *stage = stage_new();
	struct ev_flow client = { .head = head_of(stage, EV_FLOW),
				  .is_tunnelled = 1,
				  .host = "api.openai.com",
				  .comm = "curl" };
	struct ev_flow relay = { .head = head_of(stage, EV_FLOW),
				 .hello = 99,
				 .host = "api.openai.com",
				 .comm = "proxy" };
	struct pipeline_stats stats;

	client.head.id = 10;
	relay.head.id = 11;
	relay.head.tgid = 4343;
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	client.host[0] = '\0'; /* the hello in its tunnel */
	client.hello = 99;
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	pipeline_event(stage->pipeline, &relay.head, sizeof(relay));
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 2);
	relay.head.type = client.head.type = EV_FLOW_END;
	relay.bytes[EV_OUT] = client.bytes[EV_OUT] = 40000;
	relay.bytes[EV_IN] = client.bytes[EV_IN] = 50000;
	pipeline_event(stage->pipeline, &relay.head, sizeof(relay));
	assert_int_equal(stage->n_charges, 0);
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->comms[0], "curl");
	stage_free(stage);
}

static uint32_t on_owner(void *arg, uint64_t cookie)
{
	return cookie == 12 ? 4444 : 0;
}

/* Nothing of the time before is charged, and no handshake is taken off. */
static void an_old_connection_is_charged_by_its_address(void **state)
{
	struct stage *stage = stage_new();
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(0x7f00000a) };
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.is_adopted = 1,
				.family = AF_INET,
				.remote_addr = { 127, 0, 0, 11 },
				.remote_port = 443 };

	stage->config.hooks.tap.owner = on_owner;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_address(stage->pipeline, (struct sockaddr *)&at, "api.openai.com");
	flow.head.id = 12;
	flow.head.tgid = 0;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow)); /* an address that nobody knows */
	assert_int_equal(stage->n_greeted, 0);
	flow.remote_addr[3] = 10;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_greeted, 1);
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] = flow.framed[EV_OUT] = 2022;
	flow.records[EV_OUT] = 1;
	flow.bytes[EV_IN] = flow.framed[EV_IN] = 10 * 122;
	flow.records[EV_IN] = 10;
	flow.record_bytes = 22;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].request_bytes, 2000);
	assert_int_equal(stage->charges[0].response_bytes, 1000);
	assert_string_equal(stage->charges[0].host, "api.openai.com");
	stage_free(stage);
}

static struct reconcile_row seen;

static void note_row(void *arg, const struct reconcile_row *row)
{
	seen = *row;
}

static bool on_is_shared(void *arg, const struct ev_flow *flow)
{
	return true;
}

/* The same, where another name has been greeted at the address since: nobody's, and let go. */
static void an_old_connection_at_a_shared_address_is_charged_to_nobody(void **state)
{
	struct stage *stage = stage_new();
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(0x7f00000a) };
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.is_adopted = 1,
				.family = AF_INET,
				.remote_addr = { 127, 0, 0, 10 },
				.remote_port = 443 };

	stage->config.hooks.tap.owner = on_owner;
	stage->config.hooks.tap.is_shared = on_is_shared;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_address(stage->pipeline, (struct sockaddr *)&at, "api.openai.com");
	flow.head.id = 12;
	flow.head.tgid = 0;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] = 9000;
	flow.bytes[EV_IN] = 90000;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_charges, 0);
	assert_int_equal(stage->decided, CTL_IGNORE);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(seen.why, UNMETERED_SHARED);
	assert_int_equal(seen.doubtful_bytes[EV_OUT], 9000);
	assert_int_equal(seen.doubtful_bytes[EV_IN], 90000);
	stage_free(stage);
}

/* A flow of 41 kB and 54 kB, and on it one call that is read behind `lost` bytes of answers that were not. */
static enum unmetered_why why_of(size_t lost)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.anthropic.com", 600, 0, EV_FLOW_SEEN);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	answers_anthropic(stage, 0);
	if (lost) { /* requests and answers */
		loses(stage, EV_OUT, lost);
		loses(stage, EV_IN, lost);
		asks_anthropic(stage, 0);
		answers_anthropic(stage, 0);
	}
	closes(stage);
	flows(stage, EV_FLOW_END, "api.anthropic.com", 41000, 54500, EV_FLOW_SEEN);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(stage->charges[stage->n_charges - 1].source, CHARGE_SIZE);
	stage_free(stage);
	return seen.why;
}

static void what_was_lost_is_told_from_what_came_late(void **state)
{
	assert_int_equal(why_of(0), UNMETERED_LATE);
	assert_int_equal(why_of(35000), UNMETERED_LOST);
}

static void a_request_that_is_no_call_is_not_silent(void **state)
{
	_cleanup_free_ char *request = message("POST /v1/messages/count_tokens HTTP/1.1\r\n"
					       "Host: api.anthropic.com",
					       "application/json", anthropic_request);
	_cleanup_free_ char *answer = message("HTTP/1.1 200 OK", "application/json",
					      "{\"input_tokens\":10}");
	struct stage *stage = stage_new();

	opens(stage, "api.anthropic.com", CTL_AI);
	for (int i = 0; i < 3; i++) {
		sends(stage, EV_OUT, request, 0);
		sends(stage, EV_IN, answer, 0);
	}
	sends(stage, EV_OUT, "GET /v1/models HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n", 0);
	sends(stage, EV_IN, answer, 0);
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(seen.others, 3); /* a GET buys nothing anywhere */
	assert_int_equal(seen.why, UNMETERED_READ);
	stage_free(stage);
}

static int on_quic_counts(void *arg, uint64_t id, struct ctl_flow *ret)
{
	*ret = (struct ctl_flow){ .bytes = { 51200, 103600 },
				  .handshake = { 1200, 3600 },
				  .framed = { 50000, 100000 },
				  .records = { 40, 80 },
				  .record_bytes = 34 };
	return 0;
}

/* By the name in its first datagram (recorded of a real client); it ends with its socket. */
static void quic_is_charged_by_size(void **state)
{
	struct stage *stage = stage_new();
	struct ev_quic event = { .flow = { .head = head_of(stage, EV_QUIC),
					   .is_quic = 1,
					   .socket = 70,
					   .family = AF_INET,
					   .record_bytes = 34,
					   .verdict = CTL_AI,
					   .comm = "browser" } };
	struct ev_head end = head_of(stage, EV_FLOW_END);
	struct ev_flow ended = { .head = end };
	FILE *file = fopen("tests/fuzz/corpus/quic/ngtcp2", "r");
	uint8_t size[2];

	assert_non_null(file);
	assert_int_equal(fread(size, 1, 2, file), 2);
	event.len = (__u32)(size[0] | size[1] << 8);
	assert_int_equal(fread(event.bytes, 1, event.len, file), event.len);
	fclose(file);
	stage->config.hooks.tap.flow_get = on_quic_counts;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_event(stage->pipeline, &event.flow.head, sizeof(event));
	assert_int_equal(stage->decided, CTL_AI);
	ended.head.id = 71; /* another socket */
	pipeline_event(stage->pipeline, &ended.head, sizeof(ended));
	assert_int_equal(stage->n_charges, 0);
	ended.head.id = 70;
	pipeline_event(stage->pipeline, &ended.head, sizeof(ended));
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].request_bytes, 50000 - 40 * 34);
	assert_int_equal(stage->charges[0].response_bytes, 100000 - 80 * 34);
	assert_string_equal(stage->charges[0].host, "api.anthropic.com");
	assert_string_equal(stage->comms[0], "browser");
	stage_free(stage);
}

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

static void a_refused_flow_is_reset(void **state)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_REFUSED);
	assert_int_equal(stage->n_destroyed, 1);
	stage_free(stage);
}

static void live_flows_of_a_cgroup_are_reset_and_no_others(void **state)
{
	struct stage *stage = stage_new();

	who_learn(stage->config.who, 77, "/pods/a/c1");
	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_SEEN);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/b"), 0);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/a/c"), 0);
	assert_int_equal(stage->n_destroyed, 0);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/a"), 1);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/a"),
			 0); /* its end is not told yet */
	assert_int_equal(stage->n_destroyed, 1);
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
		cmocka_unit_test(a_flow_whose_suffix_fits_is_decided_by_its_name),
		cmocka_unit_test(an_approach_greets_and_counts_nothing),
		cmocka_unit_test(what_only_flows_is_estimated_and_said_so),
		cmocka_unit_test(an_unread_call_costs_what_its_like_do),
		cmocka_unit_test(a_deployment_of_unknown_name_costs_what_its_like_do),
		cmocka_unit_test(a_stream_is_no_bill_of_a_document),
		cmocka_unit_test(uploads_and_errors_are_unknown_traffic),
		cmocka_unit_test(a_keep_alive_is_as_many_calls),
		cmocka_unit_test(what_a_tenants_calls_said_changes_no_others_estimate),
		cmocka_unit_test(what_is_read_is_not_estimated_as_well),
		cmocka_unit_test(what_is_read_from_its_middle_on_is_not_estimated_as_well),
		cmocka_unit_test(what_is_beyond_the_pieces_of_a_call_was_framed_too),
		cmocka_unit_test(a_relay_is_charged_to_nobody),
		cmocka_unit_test(an_old_connection_is_charged_by_its_address),
		cmocka_unit_test(an_old_connection_at_a_shared_address_is_charged_to_nobody),
		cmocka_unit_test(what_was_lost_is_told_from_what_came_late),
		cmocka_unit_test(a_request_that_is_no_call_is_not_silent),
		cmocka_unit_test(quic_is_charged_by_size),
		cmocka_unit_test(a_request_that_never_left_is_free_in_either_order),
		cmocka_unit_test(so_is_one_that_was_written_long_before_it_was_held),
		cmocka_unit_test(a_call_that_waits_is_not_taken_for_one_that_is_held),
		cmocka_unit_test(of_a_connection_only_what_was_held_is_free),
		cmocka_unit_test(what_never_left_hides_nothing_that_did),
		cmocka_unit_test(what_waits_when_the_daemon_ends_is_charged),
		cmocka_unit_test(a_refused_flow_is_reset),
		cmocka_unit_test(live_flows_of_a_cgroup_are_reset_and_no_others),
		cmocka_unit_test(what_is_no_event_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
