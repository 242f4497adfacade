/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer may claim: up to what its model can take and give, and what its bytes carry. */
#include "money.h"

#include "usage/bound.h"

#define CHAT_ANSWER(model, usage)                                                           \
	"{\"id\":\"c\",\"object\":\"chat.completion\",\"model\":\"" model "\",\"choices\":" \
	"[{\"index\":0,\"message\":{\"content\":\"Hi\"}}],\"usage\":" usage "}"

static struct charge chat(const char *answer)
{
	return ask(&(struct ask){ "api.openai.com", "/v1/chat/completions",
				  "{\"model\":\"gpt-4o\",\"messages\":[]}", answer, JSON, .end = 0 });
}

static void nobody_believes_a_thousand_million_tokens(void **state)
{
	struct charge charge = chat(CHAT_ANSWER(
		"gpt-4o", "{\"prompt_tokens\":999999999,\"completion_tokens\":999999999}"));

	/* 4 times the context of 128,000 and the output of 16,384 that the price file has. */
	assert_int_equal(charge.source, CHARGE_USAGE);
	assert_int_equal(charge.usage.input, 4 * 128000);
	assert_int_equal(charge.usage.output, 4 * 16384);
	assert_int_equal(charge.excess, 2 * 999999999 - 4 * (128000 + 16384));
	assert_int_equal(charge.cost_nanos, 4 * 128000 * 2500LL + 4 * 16384 * 10000LL);
}

static void what_no_file_knows_is_bounded_as_well(void **state)
{
	struct charge charge = chat(CHAT_ANSWER(
		"my-own", "{\"prompt_tokens\":999999999,\"completion_tokens\":999999999}"));

	assert_int_equal(charge.usage.input, 2000000);
	assert_int_equal(charge.usage.output, 1000000);
	assert_int_equal(charge.excess, 1999999998 - 3000000);
}

static void a_call_that_can_be_is_left_alone(void **state)
{
	struct charge charge = chat(
		CHAT_ANSWER("gpt-4o", "{\"prompt_tokens\":128000,\"completion_tokens\":16384}"));

	assert_int_equal(charge.usage.input, 128000);
	assert_int_equal(charge.usage.output, 16384);
	assert_int_equal(charge.excess, 0);
}

/* A small body may stand for much output: no provider's bytes say how much of it they do not show. */
static void a_small_body_bounds_no_output(void **state)
{
	struct charge charge = chat(
		CHAT_ANSWER("gpt-5", "{\"prompt_tokens\":10,\"completion_tokens\":100000,"
				     "\"completion_tokens_details\":{\"reasoning_tokens\":20000}}"));

	assert_int_equal(charge.usage.reasoning, 20000);
	assert_int_equal(charge.usage.output, 100000);
	assert_int_equal(charge.excess, 0);
}

/* Claude's output has the thoughts that it does not show, and says nothing of them. */
static void hidden_thoughts_need_no_bytes(void **state)
{
	struct charge charge = ask(&(struct ask){
		"api.anthropic.com", "/v1/messages", "{\"model\":\"claude-sonnet-4-5\"}",
		"{\"type\":\"message\",\"model\":\"claude-sonnet-4-5\",\"content\":[{\"type\":\"text\","
		"\"text\":\"Hi\"}],\"usage\":{\"input_tokens\":10,\"output_tokens\":60000}}",
		JSON, .end = 0 });

	assert_int_equal(charge.usage.output, 60000);
	assert_int_equal(charge.excess, 0);
}

static void a_cost_that_no_tokens_explain_is_not_believed(void **state)
{
	struct charge charge = ask(&(struct ask){
		"openrouter.ai", "/api/v1/chat/completions", "{\"model\":\"openai/gpt-4o\"}",
		CHAT_ANSWER("openai/gpt-4o",
			    "{\"prompt_tokens\":1000,\"completion_tokens\":10,\"cost\":27500}"),
		JSON, .end = 0 });

	assert_int_not_equal(charge.source, CHARGE_PROVIDER);
	assert_true(charge.excess > 0);
	assert_in_range(charge.budget_nanos, 1, NANOS_PER_USD);
	charge = ask(&(struct ask){
		"openrouter.ai", "/api/v1/chat/completions", "{\"model\":\"openai/gpt-4o\"}",
		CHAT_ANSWER("openai/gpt-4o",
			    "{\"prompt_tokens\":1000,\"completion_tokens\":10,\"cost\":0.5}"),
		JSON, .end = 0 });
	assert_int_equal(charge.source, CHARGE_PROVIDER);
	assert_int_equal(charge.cost_nanos, NANOS_PER_USD / 2);
}

static void classes_and_pieces_are_cut_in_their_proportion(void **state)
{
	struct bound most = { .input = 1000, .output = 100 };
	struct usage usage = { .input = 1000,
			       .cache_read = 3000,
			       .output = 150,
			       .reasoning = 140,
			       .audio_output = 50,
			       .video_output = BOUND_DRAWN + 5,
			       .web_searches = 1001 };

	assert_int_equal(usage_bound(&usage, &most), 3000 + 100 + 5 + 1);
	assert_int_equal(usage.input, 250);
	assert_int_equal(usage.cache_read, 750);
	assert_int_equal(usage.output, 75);
	assert_int_equal(usage.reasoning, 75);
	assert_int_equal(usage.audio_output, 25);
	assert_int_equal(usage.web_searches, 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_believes_a_thousand_million_tokens),
		cmocka_unit_test(what_no_file_knows_is_bounded_as_well),
		cmocka_unit_test(a_call_that_can_be_is_left_alone),
		cmocka_unit_test(a_small_body_bounds_no_output),
		cmocka_unit_test(hidden_thoughts_need_no_bytes),
		cmocka_unit_test(a_cost_that_no_tokens_explain_is_not_believed),
		cmocka_unit_test(classes_and_pieces_are_cut_in_their_proportion),
	};

	return cmocka_run_group_tests_name("bound", tests, setup, teardown);
}
