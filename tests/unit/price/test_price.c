/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "price/price.h"

static struct prices *prices;

static int setup(void **state)
{
	char *error = NULL;

	assert_int_equal(prices_new(&prices), 0);
	assert_int_equal(prices_load_builtin(prices, &error), 0);
	return 0;
}

static int teardown(void **state)
{
	prices = prices_free(prices);
	return 0;
}

static struct charge price(const char *provider, const char *model, const char *tier,
			   struct usage usage)
{
	struct charge charge = { .source = CHARGE_USAGE, .usage = usage };

	snprintf(charge.provider, sizeof(charge.provider), "%s", provider);
	snprintf(charge.model, sizeof(charge.model), "%s", model);
	prices_apply(prices, tier, &charge);
	return charge;
}

/* Nano-dollars of 1,000 tokens of one class: micro-dollars a token, times 10^6. */
#define COST(provider, model, ...) \
	price(provider, model, "", (struct usage){ __VA_ARGS__ }).cost_nanos

static void spot_values_are_those_of_the_file(void **state)
{
	assert_int_equal(prices_count(prices), 2984 + 131); /* and those of the supplement */
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .input = 1000), 5000000);
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .output = 1000), 25000000);
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .cache_write_5m = 1000), 6250000);
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .cache_write_1h = 1000), 10000000);
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .cache_read = 1000), 500000);
	assert_int_equal(COST("anthropic", "claude-sonnet-5", .input = 1000), 2000000);
	assert_int_equal(COST("anthropic", "claude-sonnet-5", .cache_write_1h = 1000), 4000000);
	assert_int_equal(COST("anthropic", "claude-haiku-4-5", .output = 1000), 5000000);
	assert_int_equal(COST("openai", "gpt-4o", .input = 1000), 2500000);
	assert_int_equal(COST("openai", "gpt-4o", .cache_read = 1000), 1250000);
	assert_int_equal(COST("openai", "gpt-5.4", .output = 1000), 15000000);
	assert_int_equal(
		COST("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", .input = 1000),
		3300000);
	assert_int_equal(COST("anthropic", "claude-opus-4-8", .web_searches = 3), 30000000);
}

static void a_threshold_moves_the_whole_prompt(void **state)
{
	assert_int_equal(COST("openai", "gpt-5.4", .input = 272000), 680000000);
	assert_int_equal(COST("openai", "gpt-5.4", .input = 272001), 1360005000);
	/* Cached tokens are part of the prompt. */
	assert_int_equal(COST("openai", "gpt-5.4", .input = 1, .cache_read = 272000),
			 5000 + 136000000);
	assert_int_equal(COST("gcp.gemini", "gemini-3-pro-preview", .input = 200001, .output = 1000),
			 800004000 + 18000000);
	assert_int_equal(COST("gcp.gemini", "gemini-3-pro-preview", .input = 1000), 2000000);
}

static void a_tier_has_its_own_price(void **state)
{
	struct usage usage = { .input = 1000, .output = 1000 };

	assert_int_equal(price("openai", "gpt-5.4", "priority", usage).cost_nanos, 35000000);
	assert_int_equal(price("openai", "gpt-5.4", "flex", usage).cost_nanos, 8750000);
	assert_int_equal(price("openai", "gpt-5.4", "batch", usage).cost_nanos, 8750000);
	assert_int_equal(price("openai", "gpt-5.4", "default", usage).cost_nanos, 17500000);
	assert_int_equal(price("anthropic", "claude-opus-4-8", "standard fast", usage).cost_nanos,
			 60000000);
	assert_int_equal(price("anthropic", "claude-opus-4-8", "standard us", usage).cost_nanos,
			 33000000);
	assert_int_equal(price("anthropic", "claude-opus-4-8", "batch", usage).cost_nanos, 15000000);
}

static void names_on_the_wire_find_their_key(void **state)
{
	static const struct {
		const char *provider, *model, *key;
	} rows[] = {
		{ "openai", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06" },
		{ "openai", "gpt-4o-2031-01-31", "gpt-4o" },
		{ "azure.ai.openai", "gpt-4o-2024-08-06", "azure/gpt-4o-2024-08-06" },
		{ "anthropic", "claude-opus-4-8-20301231", "claude-opus-4-8" },
		{ "gcp.gemini", "models/gemini-2.5-flash", "gemini/gemini-2.5-flash" },
		{ "gcp.vertex_ai", "claude-opus-4@20250514", "vertex_ai/claude-opus-4@20250514" },
		{ "aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
		  "us.anthropic.claude-sonnet-4-5-20250929-v1:0" },
		{ "openai", "anthropic/claude-opus-4-8", "claude-opus-4-8" },
		{ "x_ai", "grok-4", "xai/grok-4" },
		{ "deepseek", "deepseek-chat", "deepseek/deepseek-chat" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct charge charge = price(rows[i].provider, rows[i].model, "",
					     (struct usage){ .input = 1 });

		assert_string_equal(charge.price_key, rows[i].key);
		assert_true(charge.is_priced);
		assert_string_equal(charge.price_origin, "litellm 2026-08-01");
	}
}

/* Budgets count a flagship of the provider; never the dearest row, which may be an error. */
static void an_unknown_model_is_unpriced_and_no_gift_to_budgets(void **state)
{
	struct usage usage = { .input = 1000, .output = 1000 };
	struct charge charge = price("anthropic", "claude-of-tomorrow", "", usage);

	assert_false(charge.is_priced);
	assert_int_equal(charge.cost_nanos, 0);
	assert_string_equal(charge.price_key, "claude-sonnet-5");
	assert_string_equal(charge.price_origin, "assumed: flagship of anthropic");
	assert_int_equal(charge.budget_nanos,
			 price("anthropic", "claude-sonnet-5", "", usage).cost_nanos);
	/* Azure's dearest row has 3,200 and 9,710 USD a million, wandb's 1,000 times too much. */
	charge = price("azure.ai.openai", "my-deployment", "",
		       (struct usage){ .input = 1000, .output = 100 });
	assert_int_equal(charge.budget_nanos, 1000 * 2500 + 100 * 15000);
	charge = price("wandb", "unheard-of", "", (struct usage){ .input = 1000, .output = 100 });
	assert_int_equal(charge.budget_nanos, 1000 * 2500 + 100 * 15000);
	charge = price("huggingface", "nobody/knows", "", usage);
	assert_false(charge.is_priced);
	assert_true(charge.budget_nanos > 0);
	charge = price("anthropic", "", "", usage);
	assert_false(charge.is_priced);
}

static struct charge assume(const char *const models[2], uint64_t weights[2], const char *provider)
{
	struct price_mix mix = { .n = 2 };
	struct charge charge = price(provider, "unheard-of", "",
				     (struct usage){ .input = 1000, .output = 1000 });

	charge.error_input = charge.under_input = 500;
	for (int i = 0; i < 2; i++) {
		snprintf(mix.models[i].model, sizeof(mix.models[i].model), "%s", models[i]);
		mix.models[i].weight = weights[i];
	}
	if (!prices_assume(prices, &mix, "a test", &charge))
		charge.budget_nanos = -1;
	return charge;
}

static void a_mix_is_priced_by_its_parts_from_the_least_to_the_most(void **state)
{
	const char *const models[2] = { "gpt-4o", "gpt-4o-mini" };
	struct charge charge = assume(models, (uint64_t[]){ 1, 3 }, "openai");

	/* 2.50/10 and 0.15/0.60 USD a million: 12,500,000 and 750,000 */
	assert_int_equal(charge.budget_nanos, (12500000 + 3 * 750000) / 4);
	assert_int_equal(charge.budget_nanos - charge.under_nanos, 500 * 150 + 1000 * 600);
	assert_int_equal(charge.budget_nanos + charge.over_nanos, 1500 * 2500 + 1000 * 10000);
	assert_string_equal(charge.price_key, "gpt-4o-mini");
	assert_string_equal(charge.price_origin, "assumed: a test");
	assert_false(charge.is_priced);
	assert_int_equal(charge.cost_nanos, 0);
}

static void a_row_that_is_wrong_by_a_thousand_stands_in_for_nothing(void **state)
{
	const char *const wrong[2] = { "jais-30b-chat", "no-such-model" };
	const char *const half[2] = { "jais-30b-chat", "gpt-4o" };

	assert_true(
		price("azure.ai.openai", "jais-30b-chat", "", (struct usage){ .input = 1 }).is_priced);
	assert_int_equal(assume(wrong, (uint64_t[]){ 1, 1 }, "azure.ai.openai").budget_nanos, -1);
	assert_int_equal(assume(half, (uint64_t[]){ 9, 1 }, "azure.ai.openai").budget_nanos,
			 1000 * 2500 + 1000 * 10000);
}

/* Each flagship and each stand-in of what is no chat has a price that may stand in. */
static void what_stands_in_has_a_price(void **state)
{
	static const char *const providers[] = { "anthropic",   "openai",        "azure.ai.openai",
						 "gcp.gemini",  "gcp.vertex_ai", "aws.bedrock",
						 "mistral_ai",  "groq",          "deepseek",
						 "x_ai",        "perplexity",    "cohere",
						 "together_ai", "fireworks_ai",  "moonshot_ai",
						 "zai",         "minimax",       "cerebras" };
	static const struct {
		const char *operation;
		struct usage usage;
	} others[] = {
		{ "embeddings", { .input = 1000 } },
		{ "rerank", { .queries = 1 } },
		{ "speech", { .characters = 1000 } },
		{ "transcription", { .millis = 1000 } },
		{ "image", { .images = 1 } },
		{ "video", { .millis = 1000 } },
		{ "ocr", { .pages = 1 } },
	};

	for (size_t i = 0; i < sizeof(providers) / sizeof(*providers); i++) {
		struct charge charge = price(providers[i], "unheard-of", "",
					     (struct usage){ .input = 1000, .output = 1000 });

		assert_memory_equal(charge.price_origin, "assumed: flagship of ", 21);
		assert_string_equal(charge.price_origin + 21, providers[i]);
		assert_in_range(charge.budget_nanos, 1000 * 100, 1000 * (5000 + 25000));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		struct charge charge = { .source = CHARGE_USAGE,
					 .usage = others[i].usage,
					 .provider = "huggingface" };

		snprintf(charge.operation, sizeof(charge.operation), "%s", others[i].operation);
		prices_apply(prices, "", &charge);
		assert_string_equal(charge.price_origin, "assumed: usual of all");
		assert_in_range(charge.budget_nanos, 100, NANOS_PER_USD);
	}
}

static int load(const char *text, char **ret_error)
{
	char path[] = "/tmp/test_price_XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = prices_load(prices, path, "override", ret_error);
	unlink(path);
	return err;
}

static void an_override_wins_and_is_named(void **state)
{
	struct charge charge;
	char *error = NULL;

	assert_int_equal(load("{\"claude-opus-4-8\": {\"input_cost_per_token\": 1e-9,"
			      " \"output_cost_per_token\": \"2e-9\"},\n"
			      " \"my-model\": {\"input_cost_per_token\": 0.000001}}",
			      &error),
			 0);
	charge = price("anthropic", "claude-opus-4-8", "", (struct usage){ .output = 500 });
	assert_int_equal(charge.cost_nanos, 1000);
	assert_int_equal(strncmp(charge.price_origin, "override 20", 11),
			 0); /* and the day of the file */
	charge = price("openai", "my-model", "", (struct usage){ .input = 1, .cache_read = 1 });
	assert_int_equal(charge.cost_nanos, 2000);
}

static void digits_are_kept_and_rounded_once(void **state)
{
	char *error = NULL;

	assert_int_equal(load("{\"m\": {\"input_cost_per_token\": 0.00000000049,"
			      "\"output_cost_per_token\": 1.4999999999999998e-07}}",
			      &error),
			 0);
	assert_int_equal(COST("openai", "m", .input = 1), 0);
	assert_int_equal(COST("openai", "m", .input = 2), 1);
	assert_int_equal(COST("openai", "m", .input = 100), 49);
	assert_int_equal(COST("openai", "m", .output = 1000), 150000);
}

static void tiered_prices_go_by_prompt_size(void **state)
{
	char *error = NULL;

	assert_int_equal(
		load("{\"t\": {\"tiered_pricing\": ["
		     "{\"input_cost_per_token\": 1e-6, \"output_cost_per_token\": 2e-6, \"range\": [0, 1e3]},"
		     "{\"range\": [1000.0, 9e9], \"input_cost_per_token\": 3e-6, \"output_cost_per_token\": 4e-6}"
		     "]}}",
		     &error),
		0);
	assert_int_equal(COST("openai", "t", .input = 1000, .output = 1), 1002000);
	assert_int_equal(COST("openai", "t", .input = 1001, .output = 1), 3007000);
}

static void a_bad_file_says_where_and_changes_nothing(void **state)
{
	size_t before = prices_count(prices);
	char *error = NULL;

	assert_int_equal(load("{\"a\": {\"input_cost_per_token\": 1},\n"
			      "\"b\": {\n\"input_cost_per_token\": -1}}",
			      &error),
			 -EINVAL);
	assert_non_null(strstr(error, ":3: input_cost_per_token of b"));
	free(error);
	error = NULL;
	assert_int_equal(load("{\"a\": {\"input_cost_per_token\": 1", &error), -EINVAL);
	assert_non_null(strstr(error, "ends in the middle"));
	free(error);
	error = NULL;
	assert_int_equal(load("{\n\n!", &error), -EINVAL);
	assert_non_null(strstr(error, ":3: not JSON"));
	free(error);
	assert_int_equal(prices_load(prices, "/proc/self/nothing", "x", &error), -ENOENT);
	assert_int_equal(prices_count(prices), before);
}

static void odd_prices_are_told(void **state)
{
	bool nano = false, haiku = false;
	const char *warning;

	for (size_t i = 0; (warning = prices_warning(prices, i)); i++) {
		nano |= !strcmp(warning,
				"gpt-5-nano: priority input is 50.00 times its input price");
		haiku |= !strncmp(warning, "claude-3-haiku-20240307: 1 h cache write is 24", 46);
	}
	assert_true(nano);
	assert_true(haiku);
}

/* A cost is the sum over the classes, whatever the split. */
static void cost_is_additive_over_classes(void **state)
{
	struct usage u = { .input = 11,
			   .cache_read = 1234,
			   .cache_write_5m = 77,
			   .cache_write_1h = 5,
			   .output = 999 };
	int64_t sum = COST("anthropic", "claude-opus-4-8", .input = 11) +
		      COST("anthropic", "claude-opus-4-8", .cache_read = 1234) +
		      COST("anthropic", "claude-opus-4-8", .cache_write_5m = 77) +
		      COST("anthropic", "claude-opus-4-8", .cache_write_1h = 5) +
		      COST("anthropic", "claude-opus-4-8", .output = 999);

	assert_int_equal(price("anthropic", "claude-opus-4-8", "", u).cost_nanos, sum);
}

/* An introductory price ends by itself. */
static void a_price_has_an_end(void **state)
{
	assert_int_equal(
		load("{\"old\": {\"input_cost_per_token\": 1e-6, \"valid_until\": \"2020-12-31\","
		     " \"then_multiplier\": 2.5}, \"new\": {\"input_cost_per_token\": 1e-6,"
		     " \"valid_until\": \"2199-12-31\", \"then_multiplier\": 2.5},"
		     " \"none\": {\"input_cost_per_token\": 1e-6, \"valid_until\": \"soon\","
		     " \"then_multiplier\": 2.5}}",
		     NULL),
		0);
	assert_int_equal(COST("openai", "old", .input = 1000), 2500000);
	assert_int_equal(COST("openai", "new", .input = 1000), 1000000);
	assert_int_equal(COST("openai", "none", .input = 1000), 1000000);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(spot_values_are_those_of_the_file),
		T(a_threshold_moves_the_whole_prompt),
		T(a_tier_has_its_own_price),
		T(names_on_the_wire_find_their_key),
		T(an_unknown_model_is_unpriced_and_no_gift_to_budgets),
		T(a_mix_is_priced_by_its_parts_from_the_least_to_the_most),
		T(a_row_that_is_wrong_by_a_thousand_stands_in_for_nothing),
		T(what_stands_in_has_a_price),
		T(an_override_wins_and_is_named),
		T(digits_are_kept_and_rounded_once),
		T(tiered_prices_go_by_prompt_size),
		T(a_bad_file_says_where_and_changes_nothing),
		T(odd_prices_are_told),
		T(cost_is_additive_over_classes),
		T(a_price_has_an_end),
	};

	return cmocka_run_group_tests_name("price", tests, NULL, NULL);
}
