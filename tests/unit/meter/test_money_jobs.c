/* SPDX-License-Identifier: Apache-2.0 */
/* Bills for background jobs, predictions and batches. Prices as in test_money.c. */
#include "money.h"

/* gpt-5-pro: in 15, out 120. Whoever asks is told; the pipeline charges it once. */
static void a_background_job_is_billed_by_who_asks_for_it(void **state)
{
	static const char done[] =
		"{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\","
		"\"background\":true,\"model\":\"gpt-5-pro\",\"usage\":{"
		"\"input_tokens\":1000,\"output_tokens\":9000}}";
	struct charge charge =
		ASK(OPENAI, RESPONSES,
		    "{\"model\":\"gpt-5-pro\",\"background\":true,\"input\":\"think\"}",
		    "{\"id\":\"resp_1\",\"status\":\"queued\",\"background\":true,"
		    "\"model\":\"gpt-5-pro\",\"usage\":null}",
		    JSON);

	assert_costs(charge, CHARGE_PENDING, 0);
	assert_true(charge.budget_nanos > 0);
	charge = ASK(OPENAI, RESPONSES "/resp_1", NULL,
		     "{\"id\":\"resp_1\",\"status\":\"in_progress\",\"model\":\"gpt-5-pro\","
		     "\"usage\":null}",
		     JSON, .method = "GET");
	assert_costs(charge, CHARGE_FREE, 0);
	assert_true(charge.is_poll);
	charge = ASK(OPENAI, RESPONSES "/resp_1", NULL, done, JSON, .method = "GET");
	assert_costs(charge, CHARGE_USAGE, 1000 * 15000LL + 9000 * 120000LL);
	assert_string_equal(charge.job, "resp_1");
	/* A stored answer that was no job was charged when it was made. */
	charge = ASK(OPENAI, RESPONSES "/resp_2", NULL,
		     "{\"id\":\"resp_2\",\"status\":\"completed\",\"background\":false,\"model\":"
		     "\"gpt-5-pro\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":9000}}",
		     JSON, .method = "GET");
	assert_costs(charge, CHARGE_FREE, 0);
	/* As a stream the job is charged where it is read, and known to who asks later. */
	charge = ASK(
		OPENAI, RESPONSES, "{\"model\":\"gpt-5-pro\",\"background\":true,\"stream\":true}",
		"event: response.completed\ndata: {\"type\":\"response.completed\",\"response\":{"
		"\"id\":\"resp_3\",\"status\":\"completed\",\"background\":true,\"model\":"
		"\"gpt-5-pro\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":9000}}}\n\n",
		SSE);
	assert_costs(charge, CHARGE_USAGE, 1000 * 15000LL + 9000 * 120000LL);
	assert_string_equal(charge.job, "resp_3");
	assert_false(charge.is_poll);
}

/* replicate/meta/llama-2-70b-chat: in 0.65, out 2.75. */
static void a_prediction_is_billed_when_it_is_done(void **state)
{
	static const char path[] = "/v1/models/meta/llama-2-70b-chat/predictions";
	static const char done[] = "{\"id\":\"p1\",\"model\":\"meta/llama-2-70b-chat\",\"status\":"
				   "\"succeeded\",\"metrics\":{\"input_token_count\":1000,"
				   "\"output_token_count\":100,\"predict_time\":2.5}}";

	assert_costs(
		ASK("api.replicate.com", path, "{\"input\":{\"prompt\":\"hi\"}}",
		    "{\"id\":\"p1\",\"model\":\"meta/llama-2-70b-chat\",\"status\":\"starting\"}",
		    JSON, 201),
		CHARGE_PENDING, 0);
	assert_costs(
		ASK("api.replicate.com", path, "{\"input\":{\"prompt\":\"hi\"}}", done, JSON, 201),
		CHARGE_USAGE, 1000 * 650 + 100 * 2750);
	assert_costs(
		ASK("api.replicate.com", "/v1/predictions/p1", NULL, done, JSON, .method = "GET"),
		CHARGE_USAGE, 1000 * 650 + 100 * 2750);
}

/* claude-opus-4-8 at half of 5 and 25, claude-haiku-4-5 at half of 1 and 5. */
static void a_batch_is_billed_by_its_results(void **state)
{
	static const char lines[] =
		"{\"custom_id\":\"a\",\"result\":{\"type\":\"succeeded\",\"message\":{\"model\":"
		"\"claude-opus-4-8\",\"content\":[{\"type\":\"text\"}],\"usage\":{\"input_tokens\":1000,"
		"\"output_tokens\":100}}}}\n"
		"{\"custom_id\":\"b\",\"result\":{\"type\":\"errored\",\"error\":{\"type\":"
		"\"invalid_request\"}}}\n"
		"{\"custom_id\":\"c\",\"result\":{\"type\":\"succeeded\",\"message\":{\"model\":"
		"\"claude-opus-4-8\",\"usage\":{\"input_tokens\":500,\"output_tokens\":50}}}}\n"
		"{\"custom_id\":\"d\",\"result\":{\"type\":\"succeeded\",\"message\":{\"model\":"
		"\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":1000,\"output_tokens\":100}}}}";
	static const char path[] = "/v1/messages/batches/msgbatch_1/results";
	struct charge charge = ASK(ANTHROPIC, "/v1/messages/batches",
				   "{\"requests\":[{\"custom_id\":\"a\",\"params\":{\"model\":"
				   "\"claude-opus-4-8\",\"messages\":[{\"role\":\"user\",\"content\":"
				   "\"hello\"}]}}]}",
				   "{\"id\":\"msgbatch_1\",\"type\":\"message_batch\","
				   "\"processing_status\":\"in_progress\"}",
				   JSON);

	assert_costs(charge, CHARGE_PENDING, 0);
	assert_string_equal(charge.model, "claude-opus-4-8");
	assert_true(charge.budget_nanos > 0);
	charge = ASK(ANTHROPIC, path, NULL, lines, HTTP_CONTENT_NDJSON, .method = "GET");
	assert_costs(charge, CHARGE_USAGE,
		     (1500 * 5000 + 150 * 25000 + 1000 * 1000 + 100 * 5000) / 2);
	assert_string_equal(charge.job, "msgbatch_1");
	assert_int_equal(charge.usage.input, 2500);
	/* Part of a download is no bill. */
	charge = ASK(ANTHROPIC, path, NULL, lines, HTTP_CONTENT_NDJSON, .method = "GET",
		     .answer_len = 300, .is_cut = true);
	assert_costs(charge, CHARGE_FREE, 0);
	/* OpenAI's batch tells its sum. */
	charge = ASK(OPENAI, "/v1/batches/batch_1", NULL,
		     "{\"id\":\"batch_1\",\"object\":\"batch\",\"status\":\"completed\",\"model\":"
		     "\"gpt-4o\",\"usage\":{\"input_tokens\":10000,\"input_tokens_details\":{"
		     "\"cached_tokens\":0},\"output_tokens\":1000,\"total_tokens\":11000}}",
		     JSON, .method = "GET");
	assert_costs(charge, CHARGE_USAGE, (10000 * 2500 + 1000 * 10000) / 2);
	assert_string_equal(charge.job, "batch_1");
	/* Of 5,000 requests, which no model's context bounds. */
	charge = ASK(OPENAI, "/v1/batches/batch_2", NULL,
		     "{\"id\":\"batch_2\",\"status\":\"completed\",\"model\":\"gpt-4o\",\"usage\":{"
		     "\"input_tokens\":50000000,\"output_tokens\":5000000}}",
		     JSON, .method = "GET");
	assert_costs(charge, CHARGE_USAGE, (50000000LL * 2500 + 5000000LL * 10000) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_background_job_is_billed_by_who_asks_for_it),
		cmocka_unit_test(a_prediction_is_billed_when_it_is_done),
		cmocka_unit_test(a_batch_is_billed_by_its_results),
	};

	return cmocka_run_group_tests_name("jobs", tests, setup, teardown);
}
