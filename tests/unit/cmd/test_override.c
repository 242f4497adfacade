/* SPDX-License-Identifier: Apache-2.0 */
/* What `aigress override` says of an order before and after it is given. */
#include "unit.h"

#include "base/clock.h"
#include "cmd/cmd.h"
#include "ledger/ledger.h"
#include "ledger/overrides.h"
#include "said.h"

static char dir[64];
static struct said said;

static int make_ledger(void **state)
{
	struct ledger *ledger = NULL;
	int err = unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, NULL);

	if (!err)
		err = ledger_put(ledger, "rules",
				 "[{\"budget\":\"agents-daily\",\"limit_usd\":\"50.000000\","
				 "\"limit_tokens\":0},"
				 "{\"budget\":\"batch\",\"limit_usd\":\"0.000000\","
				 "\"limit_tokens\":2000000},"
				 "{\"budget\":\"runaway\",\"limit_usd\":\"0.000000\","
				 "\"limit_tokens\":0}]");
	if (!err)
		err = ledger_put(ledger, "budgets",
				 "[{\"budget\":\"agents-daily\",\"key\":\"workload=team-a/search\"},"
				 "{\"budget\":\"agents-daily\",\"key\":\"workload=team-b/web\"}]");
	ledger_free(ledger);
	return err;
}

static int drop_ledger(void **state)
{
	return unit_remove(dir);
}

#define ORDER(...) RUN(&said, cmd_override, "override", "--state", dir, __VA_ARGS__)

static size_t orders(void)
{
	_cleanup_free_ struct override *list = NULL;
	struct ledger *ledger = NULL;
	size_t n = 0;

	assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
	assert_int_equal(overrides_read(ledger, clock_wall_us(), &list, &n), 0);
	ledger_free(ledger);
	return n;
}

static void an_unknown_name_is_an_error_with_a_suggestion(void **state)
{
	ORDER("open", "agent-daily");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "did you mean \"agents-daily\"?");
	ORDER("hold", "search");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "did you mean \"workload=team-a/search\"?");
	ORDER("hold", "something else entirely");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "budgets here: agents-daily, batch, runaway");
	ORDER("open", "nothing-*");
	assert_int_equal(said.code, CMD_USAGE);
	assert_int_equal(orders(), 0);
	/* A counter that has yet to spend. */
	ORDER("hold", "workload=team-c/new", "--force");
	assert_int_equal(said.code, CMD_OK);
	assert_int_equal(orders(), 1);
	ORDER("open", "workload=*");
	assert_int_equal(said.code, CMD_OK);
	ORDER("open", "--all");
	assert_int_equal(said.code, CMD_OK);
}

static void a_raise_below_the_limit_says_that_it_changes_nothing(void **state)
{
	ORDER("raise", "agents-daily", "--to", "20 USD");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "agents-daily has a limit of 50.000000 USD already");
	contains(said.err, "nothing was ordered");
	ORDER("raise", "batch", "--to", "20 USD");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "batch has a limit in tokens");
	ORDER("raise", "runaway", "--to", "20 USD");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "runaway has no limit");
	/* A counter has its budget's limit. */
	ORDER("raise", "workload=team-b/web", "--to", "50 USD");
	assert_int_equal(said.code, CMD_USAGE);
	assert_int_equal(orders(), 0);
	ORDER("raise", "batch", "--to", "2000001 tokens");
	assert_int_equal(said.code, CMD_OK);
	assert_string_equal(said.err, "");
	/* One of them is raised: the others are noted. */
	ORDER("raise", "--all", "--to", "51 USD");
	assert_int_equal(said.code, CMD_OK);
	contains(said.err, "batch has a limit in tokens");
	assert_null(strstr(said.err, "agents-daily"));
	assert_int_equal(orders(), 2);
}

static void which_of_two_orders_counts_is_shown(void **state)
{
	ORDER("open", "agents-daily");
	assert_int_equal(said.code, CMD_OK);
	assert_null(strstr(said.out, "in force as well"));
	ORDER("hold", "workload=team-a/*");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "in force as well: open agents-daily (overruled in part by hold "
			   "\"workload=team-a/*\")");
	ORDER("hold", "agents-*");
	contains(said.out, "open agents-daily (overruled everywhere by hold \"agents-*\")");
	ORDER("list");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "ORDER  KEY                LIMIT  UNTIL");
	contains(said.out, "overruled everywhere by hold \"agents-*\"\nhold   workload=team-a/*");
	assert_null(strstr(strstr(said.out, "hold   agents-*"), "overruled"));
	ORDER("list", "--format", "json");
	contains(said.out, "\"order\": \"open\",\n      \"key\": \"agents-daily\",");
	ORDER("list", "--format", "csv");
	contains(said.out, "order,key,limit,until,by,reason,note\r\n");
	ORDER("list", "--format", "focus");
	assert_int_equal(said.code, CMD_USAGE);
}

static void without_facts_every_order_passes(void **state)
{
	struct ledger *ledger = NULL;

	assert_int_equal(unit_remove(dir), 0);
	assert_int_equal(unit_folder(dir), 0);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	ledger_free(ledger);
	ORDER("hold", "whatever");
	assert_int_equal(said.code, CMD_OK);
	assert_string_equal(said.err, "");
	assert_int_equal(orders(), 1);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(an_unknown_name_is_an_error_with_a_suggestion),
		HELD(a_raise_below_the_limit_says_that_it_changes_nothing),
		HELD(which_of_two_orders_counts_is_shown),
		HELD(without_facts_every_order_passes),
	};

	return cmocka_run_group_tests_name("override", tests, NULL, NULL);
}
