/* SPDX-License-Identifier: Apache-2.0 */
/* `aigress prices`: what there is, why, and what other prices make of calls that are in the ledger. */
#include "unit.h"

#include <sys/stat.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "ledger/ledger.h"
#include "price/price.h"
#include "said.h"

static char dir[64], file[96];
static struct ledger *ledger;
static struct prices *prices;

static int make_ledger(void **state)
{
	char *error = NULL;

	if (unit_folder(dir) || prices_new(&prices) || prices_load_builtin(prices, NULL))
		return -1;
	snprintf(file, sizeof(file), "%s/prices.json", dir);
	return ledger_open(&ledger, dir, true, &error);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	prices = prices_free(prices);
	return unit_remove(dir);
}

static void write_file(const char *text)
{
	FILE *out = fopen(file, "w");

	assert_non_null(out);
	fputs(text, out);
	fclose(out);
}

static void add_call(const char *model, const char *tier, enum charge_source source,
		     int64_t beside_nanos)
{
	struct who_group group = { .cgroup = 1, .path = "/agents" };
	struct who_process process = { .tgid = 77, .user = "root", .comm = "python3" };
	struct charge charge = { .provider = "openai",
				 .operation = "chat",
				 .host = "api.openai.com",
				 .path = "/v1/responses",
				 .status = 200,
				 .source = source,
				 .usage = { .input = 100000, .output = 10000 } };
	struct ledger_call call = { .start_us = clock_wall_us() - 3600 * US_PER_S,
				    .charge = &charge,
				    .group = &group,
				    .process = &process };

	snprintf(charge.model, sizeof(charge.model), "%s", model);
	if (source == CHARGE_PROVIDER) {
		charge.cost_nanos = 5000000000;
		charge.is_priced = true;
	} else {
		prices_apply(prices, tier, &charge);
	}
	charge.beside_nanos = beside_nanos;
	charge.cost_nanos += beside_nanos;
	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	assert_int_equal(ledger_commit(ledger), 0);
}

static void a_look_up_is_explained(void **state)
{
	struct said said;

	RUN(&said, cmd_prices, "prices", "--state", dir, "explain", "gpt-5.4", "--tier", "flex",
	    "--host", "eu.api.openai.com");
	assert_int_equal(said.code, CMD_OK);
	/* 2.5 and 15, half of it, and a tenth more in Europe. */
	contains(said.out, "  row        gpt-5.4\n  from       litellm 2026-08-01\n");
	contains(said.out, "  input      1.375000 USD a million tokens\n");
	contains(said.out, "  output     8.250000 USD a million tokens\n");
	contains(said.out, "  tier       flex: x 0.5\n");
	contains(said.out, "  place      eu.api.openai.com: x 1.1\n");
	contains(said.out,
		 "prompts of more than 272000 tokens: input 2.750000, output 12.375000 USD");
	contains(said.out, "  files      litellm 2026-08-01 (");
	RUN(&said, cmd_prices, "prices", "--state", dir, "explain", "gpt-unheard-of");
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.out, "gpt-5.4 (assumed: flagship of openai)");
}

static void rows_are_listed_with_their_file(void **state)
{
	struct said said;

	write_file("{\"gpt-5.4\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\","
		   " \"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 2e-06}}");
	RUN(&said, cmd_prices, "prices", "--state", dir, "--prices", file, "list", "gpt-5.4",
	    "--provider", "openai", "--format", "csv");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "model,family,input,output,cache_read,cache_write,from,note\r\n");
	contains(said.out, "gpt-5.4,openai,1.000000,2.000000,,,override 2");
	assert_null(strstr(said.out, "gpt-5.4,openai,2.500000"));
	contains(said.err, "(0 days old)");
	RUN(&said, cmd_prices, "prices", "--state", dir, "list", "no-such-model");
	assert_int_equal(said.code, CMD_FAILED);
	/* Ten times the price of the file before is a slip of the point. */
	write_file("{\"gpt-5.4\": {\"litellm_provider\": \"openai\", \"mode\": \"chat\","
		   " \"input_cost_per_token\": 2.6e-05, \"output_cost_per_token\": 3e-05}}");
	RUN(&said, cmd_prices, "prices", "--state", dir, "--prices", file, "list", "gpt-5.4");
	contains(said.out, "odd: stands in for nothing");
}

/* 100,000 and 10,000 tokens: 0.25 + 0.15, with flex half of it; then 0.1 + 0.02, and half of that. */
static void two_files_are_compared_over_what_was_used(void **state)
{
	struct said said;

	add_call("gpt-5.4", "", CHARGE_USAGE, 0);
	add_call("gpt-5.4", "flex", CHARGE_USAGE, 0);
	add_call("gpt-5.4", "", CHARGE_USAGE, 30000000); /* a container */
	add_call("acme-1", "", CHARGE_USAGE, 0);
	add_call("gpt-5.4", "", CHARGE_PROVIDER, 0);
	write_file(
		"{\"gpt-5.4\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 1e-06,"
		" \"output_cost_per_token\": 2e-06}, \"acme-1\": {\"litellm_provider\": \"openai\","
		" \"input_cost_per_token\": 5e-07, \"output_cost_per_token\": 1e-06}}");
	RUN(&said, cmd_prices, "prices", "--state", dir, "diff", "builtin", file, "--format", "csv");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "provider,model,calls,old_usd,new_usd,difference,note\r\n");
	contains(said.out, "openai,gpt-5.4,3,1.030000,0.330000,-0.700000,\r\n");
	contains(said.out, "openai,acme-1,1,0.000000,0.060000,0.060000,1 had no price\r\n");
	contains(said.err, "1 calls more are");
}

static void new_figures_are_kept_beside_the_old_ones(void **state)
{
	struct said said;

	add_call("gpt-5.4", "flex", CHARGE_USAGE, 30000000);
	add_call("acme-1", "", CHARGE_USAGE, 0);
	write_file("{\"acme-1\": {\"litellm_provider\": \"openai\", \"input_cost_per_token\": 5e-07,"
		   " \"output_cost_per_token\": 1e-06}}");
	RUN(&said, cmd_prices, "prices", "--state", dir, "-p", file, "reprice", "--since", "2h",
	    "--keep");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "0.060000");
	contains(said.err, "1 new figures are kept");
	/* The call stays as it was charged, and the new figure stands beside it. */
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "2");
	contains(said.out, "unpriced: no price for this model");
	contains(said.out, "  re-priced  0.060000 USD, by acme-1 from override 2");
	/* What did not change has no second figure. */
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "1");
	contains(said.out, "  tier       flex\n");
	contains(said.out, "  cost       0.230000 USD\n");
	assert_null(strstr(said.out, "re-priced"));
	RUN(&said, cmd_prices, "prices", "--state", dir, "reprice", "--until", "3h");
	contains(said.out, "0.000000");
}

static void what_is_wrong_is_said(void **state)
{
	struct said said;

	RUN(&said, cmd_prices, "prices", "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_prices, "prices", "--state", dir, "sell");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_prices, "prices", "--state", dir, "diff", "builtin");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_prices, "prices", "--state", dir, "diff", "builtin", "/nowhere");
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "/nowhere: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_look_up_is_explained, make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(rows_are_listed_with_their_file, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(two_files_are_compared_over_what_was_used,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(new_figures_are_kept_beside_the_old_ones,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(what_is_wrong_is_said, make_ledger, drop_ledger),
	};

	return cmocka_run_group_tests_name("prices", tests, NULL, NULL);
}
