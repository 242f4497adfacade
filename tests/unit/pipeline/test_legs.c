/* SPDX-License-Identifier: Apache-2.0 */
/* A call that a gateway passes on is charged once, to whom it is due; and nobody can make use of that. */
#include "stage.h"

#include "provider/api.h"

#define GATEWAY  "litellm.legs.test"
#define PROVIDER "api.openai.com"
#define ID       "chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT"

/* One connection of one process. */
struct line {
	uint64_t connection, cgroup, offsets[2];
	uint32_t tgid;
	const char *host;
};

static struct line agent, gateway, stranger;

static void on_ask(void *arg, uint64_t cgroup, const char *host)
{
}

static int setup(void **state)
{
	*state = stage_new();
	return api_add_host(GATEWAY, "litellm");
}

static int teardown(void **state)
{
	stage_free(*state);
	return 0;
}

static void feed(struct stage *stage, const struct line *line)
{
	stage->connection = line->connection;
	stage->cgroup = line->cgroup;
	stage->tgid = line->tgid;
	memcpy(stage->offsets, line->offsets, sizeof(stage->offsets));
}

static struct line begin(struct stage *stage, uint32_t tgid, const char *host)
{
	static uint64_t connections = 100;
	struct line line = { .connection = ++connections, .cgroup = tgid, .tgid = tgid, .host = host };

	feed(stage, &line);
	opens(stage, host, CTL_AI);
	return line;
}

static void ask(struct stage *stage, struct line *line, const char *fields)
{
	_cleanup_free_ char *start = NULL, *request = NULL;

	assert_true(asprintf(&start, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s%s", line->host,
			     fields) > 0);
	request = message(start, "application/json", "{\"model\":\"gpt-4o\",\"messages\":[]}");
	feed(stage, line);
	sends(stage, EV_OUT, request, 0);
	memcpy(line->offsets, stage->offsets, sizeof(line->offsets));
}

static void answer(struct stage *stage, struct line *line, const char *fields, const char *id,
		   unsigned tokens)
{
	_cleanup_free_ char *start = NULL, *body = NULL, *text = NULL;

	assert_true(asprintf(&start, "HTTP/1.1 200 OK%s", fields) > 0);
	assert_true(
		asprintf(&body,
			 "{\"id\":\"%s\",\"object\":\"chat.completion\",\"model\":\"gpt-4o\","
			 "\"choices\":[],\"usage\":{\"prompt_tokens\":%u,\"completion_tokens\":100}}",
			 id, tokens) > 0);
	text = message(start, "application/json", body);
	feed(stage, line);
	sends(stage, EV_IN, text, 0);
	memcpy(line->offsets, stage->offsets, sizeof(line->offsets));
}

static void wait_long(struct stage *stage)
{
	stage->now_ns += 2 * LEGS_WAIT_NS;
	pipeline_settle(stage->pipeline, stage->now_ns);
}

/* The agent's call through the gateway, up to where the gateway has its answer. */
static void pass_on(struct stage *stage, const char *host, const char *fields, const char *id)
{
	agent = begin(stage, 1, host);
	gateway = begin(stage, 2, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &gateway, "");
	answer(stage, &gateway, fields, id, 1000);
}

static void assert_one(struct stage *stage, uint64_t cgroup, const char *host, const char *via)
{
	wait_long(stage);
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->cgroups[0], cgroup);
	assert_string_equal(stage->charges[0].host, host);
	assert_string_equal(stage->charges[0].via, via);
	assert_int_equal(stage->charges[0].usage.input, 1000);
}

static void assert_both(struct stage *stage)
{
	wait_long(stage);
	assert_int_equal(stage->n_charges, 2);
	assert_string_equal(stage->charges[0].via, "");
	assert_string_equal(stage->charges[1].via, "");
}

static void a_call_through_a_gateway_is_its_callers(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", ID);
	assert_int_equal(stage->n_charges, 0);
	answer(stage, &agent, "\r\nx-litellm-response-cost: 0.5", ID, 1000);
	assert_int_equal(stage->n_charges, 1); /* at once */
	assert_one(stage, 1, PROVIDER, GATEWAY);
	/* The provider's price, whatever the gateway says. */
	assert_true(stage->charges[0].cost_nanos < 10000000);
	assert_string_equal(stage->charges[0].provider, "openai");
}

/* LiteLLM makes an id of its own where it translates, and sends the provider's fields on. */
static void the_id_may_be_in_a_field(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "\r\nrequest-id: req_011CSHoEeqs5C35K2UUqR7Fy", ID);
	answer(stage, &agent, "\r\nllm_provider-request-id: req_011CSHoEeqs5C35K2UUqR7Fy",
	       "chatcmpl-70a3b8a4-5a3e-4b0e-9a35-8b0d3a7a2c11", 1000);
	assert_one(stage, 1, PROVIDER, GATEWAY);
}

static void other_calls_are_others(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", ID);
	answer(stage, &agent, "", "chatcmpl-another-one-of-these", 1000);
	assert_both(stage);
}

/* Servers that count from 1 give many answers one id. */
static void a_short_id_says_nothing(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", "chatcmpl-1");
	answer(stage, &agent, "", "chatcmpl-1", 1000);
	assert_both(stage);
}

/* Whoever sends an id with its request may have it repeated by the provider itself. */
static void an_id_of_the_callers_own_says_nothing(void **state)
{
	static const char field[] = "\r\nx-request-id: e7c1d0d4-5b7e-4f0a-8f44-52d3d4c6d7aa";
	struct stage *stage = *state;

	agent = begin(stage, 1, GATEWAY);
	stranger = begin(stage, 3, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &stranger, field);
	answer(stage, &stranger, field, "chatcmpl-the-strangers-own-answer", 1000);
	answer(stage, &agent, field, ID, 1000);
	assert_both(stage);
}

static void a_gateway_that_takes_long_is_charged_once(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", ID);
	wait_long(stage);
	answer(stage, &agent, "", ID, 1000);
	assert_one(stage, 2, PROVIDER, "");
}

static void whose_call_ends_first_is_charged_once(void **state)
{
	struct stage *stage = *state;

	agent = begin(stage, 1, GATEWAY);
	gateway = begin(stage, 2, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &gateway, "");
	answer(stage, &agent, "", ID, 1000);
	answer(stage, &gateway, "", ID, 1000);
	assert_one(stage, 1, GATEWAY, "");
}

static void two_gateways_in_a_row_are_one_call(void **state)
{
	struct stage *stage = *state;
	struct line between;

	agent = begin(stage, 1, GATEWAY);
	between = begin(stage, 4, GATEWAY);
	gateway = begin(stage, 2, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &between, "");
	ask(stage, &gateway, "");
	answer(stage, &gateway, "", ID, 1000);
	answer(stage, &between, "", ID, 1000);
	assert_int_equal(stage->n_charges, 0);
	answer(stage, &agent, "", ID, 1000);
	assert_one(stage, 1, PROVIDER, GATEWAY);
}

/* What nothing shows to be passed on: the first call is the program's that made it, the next its caller's. */
static void an_inspecting_proxy_is_learned(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, PROVIDER, "", ID);
	assert_int_equal(stage->n_charges, 1);
	answer(stage, &agent, "", ID, 1000);
	assert_one(stage, 2, PROVIDER, "");
	stage->n_charges = 0;
	pass_on(stage, PROVIDER, "", ID "2");
	answer(stage, &agent, "", ID "2", 1000);
	assert_one(stage, 1, PROVIDER, "agent");
}

/* Nobody who calls the provider waits for long because others call a gateway. */
static void who_passes_nothing_on_does_not_wait(void **state)
{
	struct stage *stage = *state;
	struct line waiting = begin(stage, 1, GATEWAY);
	char id[64];

	ask(stage, &waiting, "");
	stranger = begin(stage, 3, PROVIDER);
	for (int i = 0; i < LEGS_IN_VAIN; i++) {
		ask(stage, &stranger, "");
		snprintf(id, sizeof(id), ID "-%d", i);
		answer(stage, &stranger, "", id, 1000);
		assert_int_equal(stage->n_charges, i);
		wait_long(stage);
		assert_int_equal(stage->n_charges, i + 1);
	}
	ask(stage, &stranger, "");
	answer(stage, &stranger, "", ID, 1000);
	assert_int_equal(stage->n_charges, LEGS_IN_VAIN + 1);
}

static void nobody_confirms(struct stage *stage)
{
	stage->config.hooks.names.ask = on_ask;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
}

/* A stranger's own server gives an id that another was told, and claims a fortune: the other does not pay for it. */
static void a_claim_is_nobody_elses(void **state)
{
	struct stage *stage = *state;

	nobody_confirms(stage);
	agent = begin(stage, 1, GATEWAY);
	stranger = begin(stage, 3, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &stranger, "");
	answer(stage, &stranger, "", ID, 100000);
	answer(stage, &agent, "", ID, 1000);
	assert_both(stage);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(stage->charges[i].usage.input,
				 stage->cgroups[i] == 3 ? 100000 : 1000);
}

/* Nor does an accomplice's make a caller's spending less. */
static void a_claim_lowers_nothing(void **state)
{
	struct stage *stage = *state;

	nobody_confirms(stage);
	agent = begin(stage, 1, GATEWAY);
	stranger = begin(stage, 3, PROVIDER);
	ask(stage, &agent, "");
	ask(stage, &stranger, "");
	answer(stage, &stranger, "", ID, 1);
	answer(stage, &agent, "", ID, 1000);
	assert_one(stage, 1, GATEWAY, "agent");
}

/* An id that was heard of is of one call: those made later are their own. */
static void a_repeated_id_is_charged(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", ID);
	answer(stage, &agent, "", ID, 1000);
	stranger = begin(stage, 3, PROVIDER);
	for (size_t i = 0; i < 2; i++) {
		ask(stage, &stranger, "");
		answer(stage, &stranger, "", ID, 1000);
		wait_long(stage);
		assert_int_equal(stage->n_charges, i + 2);
		assert_int_equal(stage->cgroups[i + 1], 3);
	}
}

/* While its caller's call lasts, too: one call explains one. */
static void an_id_explains_one_call(void **state)
{
	struct stage *stage = *state;

	pass_on(stage, GATEWAY, "", ID);
	stranger = begin(stage, 3, PROVIDER);
	ask(stage, &stranger, "");
	answer(stage, &agent, "", ID, 1000);
	answer(stage, &stranger, "", ID, 1000);
	wait_long(stage);
	assert_int_equal(stage->n_charges, 2);
	assert_int_equal(stage->cgroups[0], 1);
	assert_int_equal(stage->cgroups[1], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_call_through_a_gateway_is_its_callers, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_id_may_be_in_a_field, setup, teardown),
		cmocka_unit_test_setup_teardown(other_calls_are_others, setup, teardown),
		cmocka_unit_test_setup_teardown(a_short_id_says_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(an_id_of_the_callers_own_says_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_gateway_that_takes_long_is_charged_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(whose_call_ends_first_is_charged_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(two_gateways_in_a_row_are_one_call, setup, teardown),
		cmocka_unit_test_setup_teardown(an_inspecting_proxy_is_learned, setup, teardown),
		cmocka_unit_test_setup_teardown(who_passes_nothing_on_does_not_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_is_nobody_elses, setup, teardown),
		cmocka_unit_test_setup_teardown(a_claim_lowers_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(a_repeated_id_is_charged, setup, teardown),
		cmocka_unit_test_setup_teardown(an_id_explains_one_call, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
