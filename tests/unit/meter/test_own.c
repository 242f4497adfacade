/* SPDX-License-Identifier: Apache-2.0 */
/* Servers of the operator's own: free unless the operator says what they cost, whatever their models are called. */
#include "money.h"

#include "price/price_table.h"

static struct charge ask_at(const char *host, const char *model)
{
	char request[128], answer[256];

	snprintf(request, sizeof(request), "{\"model\":\"%s\"}", model);
	snprintf(answer, sizeof(answer),
		 "{\"model\":\"%s\",\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}",
		 model);
	return ASK(host, "/v1/chat/completions", request, answer, JSON);
}

static void a_server_of_ones_own_costs_what_its_operator_says(void **state)
{
	static const char own[] =
		"{\"vllm/llama-3\": {\"input_cost_per_token\": 1e-7,"
		" \"output_cost_per_token\": 2e-7}, \"sglang/@\": {\"input_cost_per_token\":"
		" 3e-7, \"output_cost_per_token\": 3e-7}}";
	struct charge charge;

	assert_int_equal(api_add_host("vllm.ml.example", "vllm"), 0);
	assert_int_equal(api_add_host("sglang.ml.example", "sglang"), 0);
	assert_int_equal(api_add_host("llm.ml.example", "litellm"), 0);
	/* The name of a model that is sold elsewhere gives it no price. */
	charge = ask_at("vllm.ml.example", "gpt-4o");
	assert_costs(charge, CHARGE_USAGE, 0);
	assert_int_equal(charge.budget_nanos, 0);
	assert_string_equal(charge.price_key, PRICE_OWN);
	assert_int_equal(prices_load_text(prices, own, strlen(own), "own", "override", NULL), 0);
	assert_costs(ask_at("vllm.ml.example", "llama-3"), CHARGE_USAGE, 1000 * 100 + 100 * 200);
	assert_costs(ask_at("vllm.ml.example", "gpt-4o"), CHARGE_USAGE, 0);
	assert_costs(ask_at("sglang.ml.example", "any"), CHARGE_USAGE, 1100 * 300);
	/* Behind a gateway are others, at their price. */
	assert_costs(ask_at("llm.ml.example", "gpt-4o"), CHARGE_USAGE, 1000 * 2500 + 100 * 10000);
	assert_costs(
		ASK("llm.ml.example", "/v1/chat/completions", "{\"model\":\"alias\"}",
		    "{\"model\":\"alias\",\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":1}}",
		    JSON, .fields = { { "x-litellm-response-cost", "0.0021" } }),
		CHARGE_PROVIDER, 2100000);
}

/* Whose bill it is, by header fields; a key that was sent in their place is none. */
static void an_account_is_no_key(void **state)
{
	static const char answer[] = "{\"model\":\"gpt-4o\",\"usage\":{\"prompt_tokens\":1,"
				     "\"completion_tokens\":1}}";
	struct charge charge = ASK(
		"api.openai.com", "/v1/chat/completions", "{\"model\":\"gpt-4o\"}", answer, JSON,
		.fields = { { "openai-organization", "acme" }, { "openai-project", "proj_a1B2" } });

	assert_string_equal(charge.account, "acme/proj_a1B2");
	charge = ASK("api.openai.com", "/v1/chat/completions", "{\"model\":\"gpt-4o\"}", answer,
		     JSON,
		     .fields = { { "openai-organization", "sk-proj-abcdef" },
				 { "openai-project", "a b\x1b" } });
	assert_string_equal(charge.account, "*/");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_server_of_ones_own_costs_what_its_operator_says),
		cmocka_unit_test(an_account_is_no_key),
	};

	return cmocka_run_group_tests_name("own", tests, setup, teardown);
}
