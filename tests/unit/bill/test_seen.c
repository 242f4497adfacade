/* SPDX-License-Identifier: Apache-2.0 */
/* What a ledger has seen, beside what was billed. */
#include "billed.h"

static char dir[UNIT_FOLDER_LEN];
static struct ledger *ledger;

static int make_ledger(void **state)
{
	_cleanup_free_ char *error = NULL;

	begin(state);
	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, &error);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	end(state);
	return unit_remove(dir);
}

struct seen_call {
	int64_t at_s;
	const char *provider, *model, *tier, *account;
	enum charge_source source;
	int64_t nanos; /* -1: no price */
	struct usage usage;
};

static void add(const struct seen_call *seen)
{
	struct who_group group = { .cgroup = 1, .path = "/a" };
	struct who_process process = { .tgid = 7, .comm = "python3" };
	struct charge charge = { .source = seen->source,
				 .is_priced = seen->nanos >= 0,
				 .cost_nanos = seen->nanos >= 0 ? seen->nanos : 0,
				 .usage = seen->usage,
				 .status = 200 };
	struct ledger_call call = { .start_us = seen->at_s * 1000000,
				    .charge = &charge,
				    .group = &group,
				    .process = &process };

	snprintf(charge.provider, sizeof(charge.provider), "%s", seen->provider);
	snprintf(charge.model, sizeof(charge.model), "%s", seen->model);
	snprintf(charge.tier, sizeof(charge.tier), "%s", seen->tier ? seen->tier : "");
	snprintf(charge.account, sizeof(charge.account), "%s", seen->account ? seen->account : "");
	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	assert_int_equal(ledger_flush(ledger), 0);
}

static struct bill_cell *billed(int64_t day_s, const char *provider, const char *model,
				const char *account, int64_t nanos)
{
	struct bill_key key = { .day_s = day_s };
	struct bill_cell *made;

	snprintf(key.provider, sizeof(key.provider), "%s", provider);
	snprintf(key.model, sizeof(key.model), "%s", model);
	snprintf(key.account, sizeof(key.account), "%s", account);
	bill_covers(&bill, provider);
	made = bill_cell(&bill, key);
	made->billed_nanos = nanos;
	return made;
}

/* A bill of OpenAI names the project, an answer both the organisation and the project. */
static void an_account_is_the_project_on_both_sides(void **state)
{
	const struct bill_cell *made = billed(DAY(23), "openai", "gpt-5-2026-03-05", "proj_a",
					      5 * USD);
	static const struct seen_call calls[] = {
		{ DAY(23), "openai", "gpt-5", NULL, "acme/proj_a", CHARGE_USAGE, 3 * USD, { 0 } },
		{ DAY(23) + DAY_S - 1,
		  "openai",
		  "GPT-5",
		  "default",
		  "/proj_a",
		  CHARGE_SIZE,
		  2 * USD,
		  { 0 } },
		{ DAY(23), "openai", "gpt-5", NULL, "acme/", CHARGE_USAGE, USD, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		add(&calls[i]);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	assert_ptr_equal(made, cell(DAY(23), "openai", "gpt-5", "", "proj_a"));
	assert_nanos(bill_seen(made), 5 * USD);
	assert_nanos(made->seen_nanos[CHARGE_USAGE], 3 * USD);
	assert_nanos(made->seen_nanos[CHARGE_SIZE], 2 * USD);
	assert_int_equal(made->seen_calls, 2);
	assert_nanos(bill_seen(cell(DAY(23), "openai", "gpt-5", "", "acme")), USD);
}

static void tokens_and_calls_without_a_price_are_seen(void **state)
{
	static const struct seen_call call = { DAY(2),
					       "openai",
					       "new",
					       "batch",
					       NULL,
					       CHARGE_USAGE,
					       -1,
					       { .input = 1,
						 .cache_read = 20,
						 .cache_write_5m = 300,
						 .cache_write_1h = 4000,
						 .audio_input = 50000,
						 .output = 6,
						 .audio_output = 70 } };
	const struct bill_cell *seen;

	add(&call);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	seen = cell(DAY(2), "openai", "new", "batch", "");
	assert_int_equal(seen->seen_input, 54321);
	assert_int_equal(seen->seen_output, 76);
	assert_int_equal(seen->unpriced_calls, 1);
	assert_nanos(bill_seen(seen), 0);
}

/* Anthropic bills 1,000 searches with 10 USD on a line of their own. */
static void searches_have_a_line_of_their_own(void **state)
{
	static const struct seen_call calls[] = {
		{ DAY(2),
		  "anthropic",
		  "claude-haiku-4-5",
		  NULL,
		  NULL,
		  CHARGE_USAGE,
		  USD,
		  { .web_searches = 3 } },
		/* free: no more than what it cost */
		{ DAY(3),
		  "anthropic",
		  "claude-haiku-4-5",
		  NULL,
		  NULL,
		  CHARGE_USAGE,
		  0,
		  { .web_searches = 3 } },
		{ DAY(2), "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, USD, { .web_searches = 3 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		add(&calls[i]);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	assert_nanos(bill_seen(cell(DAY(2), "anthropic", "claude-haiku-4-5", "", "")),
		     97 * USD / 100);
	assert_nanos(bill_seen(cell(DAY(2), "anthropic", "web_search", "", "")), 3 * USD / 100);
	assert_nanos(bill_seen(cell(DAY(2), "openai", "gpt-5", "", "")), USD);
	assert_int_equal(HASH_COUNT(bill.cells), 4);
}

/* Without the model they are not told apart. */
static void searches_are_part_of_the_sum_of_all_models(void **state)
{
	static const struct seen_call call = {
		DAY(2),       "anthropic", "claude-haiku-4-5",   NULL, NULL,
		CHARGE_USAGE, USD,         { .web_searches = 3 }
	};

	bill_init(&bill, 0, NOV_1, DEC_1);
	add(&call);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	assert_nanos(bill_seen(cell(0, "anthropic", "", "", "")), USD);
	assert_int_equal(HASH_COUNT(bill.cells), 1);
}

/* Of a provider whose bill was not read nothing can be said; of an empty bill, that all is missing. */
static void only_providers_whose_bills_were_read_are_compared(void **state)
{
	static const struct seen_call calls[] = {
		{ DAY(2), "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, USD, { 0 } },
		{ DAY(2), "anthropic", "claude-haiku-4-5", NULL, NULL, CHARGE_USAGE, USD, { 0 } },
	};

	add(&calls[0]);
	add(&calls[1]);
	bill_covers(&bill, "openai");
	bill_covers(&bill, "openai");
	assert_int_equal(bill.n_providers, 1);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	assert_nanos(bill_seen(cell(DAY(2), "openai", "gpt-5", "", "")), USD);
	assert_int_equal(HASH_COUNT(bill.cells), 1);
}

static void calls_outside_of_the_days_are_left_out(void **state)
{
	static const struct seen_call calls[] = {
		{ NOV_1 - 1, "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, USD, { 0 } },
		{ NOV_1, "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, 2 * USD, { 0 } },
		{ DEC_1 - 1, "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, 4 * USD, { 0 } },
		{ DEC_1, "openai", "gpt-5", NULL, NULL, CHARGE_USAGE, 8 * USD, { 0 } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		add(&calls[i]);
	assert_int_equal(bill_read_ledger(&bill, ledger), 0);
	assert_nanos(bill_seen(cell(DAY(1), "openai", "gpt-5", "", "")), 2 * USD);
	assert_nanos(bill_seen(cell(DAY(30), "openai", "gpt-5", "", "")), 4 * USD);
	assert_int_equal(HASH_COUNT(bill.cells), 2);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)
	static const struct CMUnitTest tests[] = {
		TEST(an_account_is_the_project_on_both_sides),
		TEST(tokens_and_calls_without_a_price_are_seen),
		TEST(searches_have_a_line_of_their_own),
		TEST(searches_are_part_of_the_sum_of_all_models),
		TEST(only_providers_whose_bills_were_read_are_compared),
		TEST(calls_outside_of_the_days_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
