/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands that read the ledger, as a shell calls them: words in, text and exit code out. */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/top/top.h"
#include "ledger/ledger.h"
#include "price/price.h"
#include "said.h"

#define T0            1700000000000000LL /* 2023-11-14T22:13:20Z */
#define HOSTILE       "/x\x1b]0;owned\x07\n"
#define HOSTILE_SHOWN "/x\\x1b]0;owned\\x07\\x0a"

static char dir[64];
static struct ledger *ledger;

static int make_ledger(void **state)
{
	char *error = NULL;

	if (unit_folder(dir))
		return -1;
	return ledger_open(&ledger, dir, true, &error);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

/* Nothing but what a terminal shows as it stands. */
static void is_safe(const char *text)
{
	for (; *text; text++)
		assert_true(*text == '\n' || ((unsigned char)*text >= 0x20 && *text != 0x7f));
}

static void add_call(const char *origin, const char *cgroup, enum charge_source source,
		     int64_t at_us)
{
	struct who_group group = { .cgroup = 1, .container = "c0ffee", .unit = "agent.service" };
	struct who_process process = {
		.tgid = 77, .user = "root", .comm = "python3", .exe = "/usr/bin/python3.11"
	};
	struct charge charge = {
		.provider = "anthropic",
		.operation = "chat",
		.host = "api.anthropic.com",
		.path = "/v1/messages",
		.model = "claude-haiku-4-5",
		.status = 200,
		.source = source,
		.is_stream = true,
		.request_bytes = 1000,
		.response_bytes = 25000,
		.duration_ns = 1500000000,
		.usage = { .input = 1200000, .cache_read = 1000, .output = 500, .reasoning = 60 }
	};
	struct ledger_call call = {
		.start_us = at_us, .charge = &charge, .group = &group, .process = &process
	};
	struct prices *prices = NULL;

	assert_int_equal(prices_new(&prices), 0);
	assert_int_equal(prices_load_builtin(prices, NULL), 0);
	prices_apply(prices, "", &charge);
	prices_free(prices);
	assert_true(charge.is_priced);
	if (origin) { /* a price of the operator's own */
		snprintf(charge.price_origin, sizeof(charge.price_origin), "%s", origin);
		charge.cost_nanos /= 2;
	}
	snprintf(group.path, sizeof(group.path), "%s", cgroup);
	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	assert_int_equal(ledger_commit(ledger), 0);
}

static void call_is_explained_class_by_class(void **state)
{
	struct said said;

	add_call(NULL, "/agents", CHARGE_USAGE, T0);
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "1");
	assert_int_equal(said.code, CMD_OK);
	assert_string_equal(
		said.out,
		"Call 1\n"
		"  time       2023-11-14T22:13:20Z\n"
		"  host       api.anthropic.com\n"
		"  path       /v1/messages\n"
		"  provider   anthropic\n"
		"  model      claude-haiku-4-5\n"
		"  status     200 (ok), a stream\n"
		"  duration   1.5 s\n"
		"  who        agent.service\n"
		"  cgroup     /agents\n"
		"  container  c0ffee\n"
		"  unit       agent.service\n"
		"  pid        77\n"
		"  command    python3\n"
		"  exe        /usr/bin/python3.11\n"
		"  user       root\n"
		"  bodies     1.0 kB out, 25.0 kB in\n"
		"  input      1,200,000 tokens x 1.000000 USD/million = 1.200000 USD\n"
		"  cache read 1,000 tokens x 0.100000 USD/million = 0.000100 USD\n"
		"  output     500 tokens x 5.000000 USD/million = 0.002500 USD\n"
		"  reasoning  60 of the output tokens\n"
		"  known by   measured: the answer stated its usage, which was multiplied by the price\n"
		"  cost       1.202600 USD\n"
		"  price      claude-haiku-4-5\n"
		"  from       litellm 2026-08-01\n");
}

static void reckoning_that_was_not_made_is_not_shown(void **state)
{
	struct said said;

	add_call("override", HOSTILE, CHARGE_TEXT, T0);
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "1");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "  input      1,200,000 tokens\n");
	contains(said.out, "  cost       0.601300 USD\n");
	contains(said.out, "  from       override\n");
	contains(said.out, "  known by   estimated from text: ");
	contains(said.out, HOSTILE_SHOWN "\n");
	is_safe(said.out);
}

static void add_action(bool rehearsed, int64_t at_us)
{
	const struct ledger_action action = { .time_us = at_us,
					      .budget = "agents",
					      .rule = "a.yaml:12",
					      .action = "kill",
					      .subject = "cgroup=" HOSTILE,
					      .target = "process 77 (" HOSTILE ")",
					      .result = rehearsed ? "rehearsed" : "done",
					      .outcome = rehearsed ? ACTION_REHEARSED : ACTION_DONE,
					      .is_rehearsed = rehearsed,
					      .spent_nanos = 61500000000,
					      .limit_nanos = 50000000000,
					      .window_start_us = T0,
					      .until_us = rehearsed ? 0 : T0 + 3600 * US_PER_S,
					      .measured_permille = 985,
					      .last_calls = "[7,6]" };

	assert_int_equal(ledger_add_action(ledger, &action), 0);
	assert_int_equal(ledger_commit(ledger), 0);
}

static void action_is_explained_with_its_evidence(void **state)
{
	struct said said;
	json_t *root, *row;

	RUN(&said, cmd_explain, "explain", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "No action was taken or rehearsed.");
	add_action(true, T0 + US_PER_S);
	add_action(false, T0 + 2 * US_PER_S);
	RUN(&said, cmd_explain, "explain", "--state", dir, "action", "1");
	assert_int_equal(said.code, CMD_OK);
	assert_string_equal(
		said.out,
		"2023-11-14T22:13:21Z  kill (rehearsed)  process 77 (" HOSTILE_SHOWN ")  (action 1)\n"
		"  result   nothing was done: enforcement is off\n"
		"  why      agents: 61.500000 of 50.000000 USD since 2023-11-14T22:13:20Z; "
		"98.5 % of it measured\n"
		"  rule     a.yaml:12\n"
		"  counter  cgroup=" HOSTILE_SHOWN "\n");
	RUN(&said, cmd_explain, "explain", "--state", dir, "actions");
	contains(said.out, "ID  TIME                  ACTION  TARGET");
	contains(said.out, " 2  2023-11-14T22:13:22Z  kill    process 77 (" HOSTILE_SHOWN
			   ")  agents  61.500000  done\n");
	is_safe(said.out);
	RUN(&said, cmd_explain, "explain", "--state", dir, "--format", "json");
	root = json_loads(said.out, 0, NULL);
	row = json_array_get(json_object_get(root, "actions"), 1);
	assert_string_equal(json_string_value(json_object_get(row, "result")), "done");
	assert_false(json_is_true(json_object_get(row, "rehearsed")));
	assert_string_equal(json_string_value(json_object_get(row, "limit_usd")), "50.000000");
	assert_int_equal(json_array_size(json_object_get(row, "last_calls")), 2);
	assert_string_equal(json_string_value(json_object_get(row, "until")),
			    "2023-11-14T23:13:20Z");
	row = json_array_get(json_object_get(root, "actions"), 0);
	assert_true(json_is_null(json_object_get(row, "until")));
	json_decref(root);
}

static void top_shows_who_spends_now(void **state)
{
	struct said said;

	add_call(NULL, "/agents", CHARGE_USAGE, clock_wall_us() - 5 * US_PER_S);
	add_call(NULL, "/agents", CHARGE_TEXT, clock_wall_us() - 600 * US_PER_S);
	add_call(NULL, HOSTILE, CHARGE_USAGE, clock_wall_us() - 7200 * US_PER_S);
	add_call(NULL, "/long-ago", CHARGE_USAGE, clock_wall_us() - 200000 * US_PER_S);
	add_action(true, clock_wall_us());
	assert_int_equal(
		ledger_put(
			ledger, "budgets",
			"[{\"budget\":\"agents\",\"key\":\"cgroup=/agents\",\"spent_usd\":\"2.405200\","
			"\"limit_usd\":\"50.000000\",\"spent_tokens\":1,\"limit_tokens\":0,\"window_end_us\":1,"
			"\"reached\":\"note\"},{\"budget\":42},\"broken\"]"),
		0);
	assert_int_equal(ledger_commit(ledger), 0);
	/* Standard output is no terminal here: one frame. */
	RUN(&said, cmd_top, "top", "--state", dir, "--by", "cgroup");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "CGROUP");
	contains(said.out,
		 "\n/agents                  1.202600  2.405200  2.405200  14.431200    2.405200      2  2,403,000       50 %\n");
	contains(said.out,
		 "\n" HOSTILE_SHOWN
		 "   0.000000  0.000000  1.202600   0.000000    1.202600      1  1,201,500\n");
	contains(said.out, "\ntotal ");
	contains(said.out,
		 "agents  cgroup=/agents   5 %  2.405200  50.000000                 note\n");
	contains(said.out, "\nLAST ACTIONS (`aigress explain`)\n");
	contains(said.out, "kill process 77 (" HOSTILE_SHOWN "): rehearsed\n");
	assert_null(strstr(said.out, "long-ago"));
	is_safe(said.out);
	RUN(&said, cmd_top, "top", "--state", dir, "--once", "--by", "command");
	contains(said.out, "\npython3 ");
}

static void frame_keeps_to_its_width(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size, at = 0;
	FILE *out;

	add_call(NULL, "/agents/with/quite/a/long/name/that/does/not/fit/anywhere", CHARGE_USAGE,
		 clock_wall_us());
	out = open_memstream(&text, &size);
	assert_int_equal(
		top_frame(ledger,
			  &(struct top_view){ .key = LEDGER_BY_CGROUP, .width = 40, .height = 20 },
			  out),
		0);
	fclose(out);
	for (char *c = text; *c; c++) {
		at = *c == '\n' ? 0 : at + 1;
		assert_true(at <= 40);
	}
}

static void check_tells_of_host_ledger_and_processes(void **state)
{
	struct said said;
	char *missing = "/tmp/test_cmd.nowhere";
	json_t *root, *feature;
	bool supported = true;
	size_t i;

	RUN(&said, cmd_check, "check", "--state", missing, "--json");
	root = json_loads(said.out, 0, NULL);
	assert_non_null(root);
	assert_true(json_array_size(json_object_get(root, "features")) >= 8);
	json_array_foreach(json_object_get(root, "features"), i, feature)
		supported &= json_is_true(json_object_get(feature, "ok")) ||
			     !json_is_true(json_object_get(feature, "needed"));
	assert_int_equal(json_is_true(json_object_get(root, "supported")), supported);
	assert_int_equal(said.code, supported ? CMD_OK : CMD_UNSUPPORTED);
	assert_false(json_is_true(json_object_get(root, "running")));
	assert_true(json_is_array(json_object_get(root, "processes")));
	json_decref(root);
	RUN(&said, cmd_check, "check", "--state", missing);
	contains(said.out, "none in /tmp/test_cmd.nowhere yet: `aigress run` makes it\n");
	/* A pid that now is another's is no daemon. */
	assert_int_equal(ledger_put(ledger, "daemon", "{\"pid\":1}"), 0);
	assert_int_equal(ledger_put(ledger, "coverage", "[{\"pid\":5,\"who\":\"shop/web-1 web\"}]"),
			 0);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_check, "check", "--state", dir);
	contains(said.out, ", kept by pid ");
	contains(said.out, "AI traffic since the daemon's start\nWHO ");
	contains(said.out, "\nshop/web-1 web  -          5  ");
	RUN(&said, cmd_check, "check", "--state", dir, "--format", "csv");
	assert_int_equal(said.code, CMD_USAGE);
}

static void command_line_that_is_wrong_ends_with_2(void **state)
{
	struct said said;

	RUN(&said, cmd_report, "report", "--bogus");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "--since", "tomorrow");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "give " SHOW_TIME_FORMS);
	RUN(&said, cmd_report, "report", "--since", "today", "--until", "yesterday");
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "--until is not after --since");
	RUN(&said, cmd_report, "report", "--since", "all", "--compare");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "--sort", "model");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "--top", "0");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "--by", "squad");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "--format", "xml");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_report, "report", "today");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_top, "top", "--by", "pid");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_check, "check", "--bogus");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_explain, "explain", "why");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_explain, "explain", "call");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_explain, "explain", "call", "-1x");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_explain, "explain", "call", "1", "2");
	assert_int_equal(said.code, CMD_USAGE);
	RUN(&said, cmd_explain, "explain", "actions", "1");
	assert_int_equal(said.code, CMD_USAGE);
}

static void what_is_not_there_ends_with_1_and_says_what_to_do(void **state)
{
	struct said said;

	RUN(&said, cmd_report, "report", "--state", "/nowhere");
	assert_int_equal(said.code, CMD_FAILED);
	assert_string_equal(
		said.err, "aigress report: there is no ledger in /nowhere; start `aigress run "
			  "--state /nowhere`, or name the directory that it writes with --state\n");
	assert_string_equal(said.out, "");
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "9");
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "there is no call 9; `aigress report --by call` lists them");
	RUN(&said, cmd_explain, "explain", "--state", dir, "action", "9");
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "`aigress explain actions` lists them");
}

static void report_reads_a_ledger_that_is_being_written(void **state)
{
	struct said said;

	add_call(NULL, "/agents", CHARGE_USAGE, clock_wall_us());
	RUN(&said, cmd_report, "report", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.out,
		 "agent.service  api.anthropic.com  claude-haiku-4-5      1          0  1,200,000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(call_is_explained_class_by_class, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(reckoning_that_was_not_made_is_not_shown,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(action_is_explained_with_its_evidence, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(top_shows_who_spends_now, make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(frame_keeps_to_its_width, make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(check_tells_of_host_ledger_and_processes,
						make_ledger, drop_ledger),
		cmocka_unit_test(command_line_that_is_wrong_ends_with_2),
		cmocka_unit_test_setup_teardown(what_is_not_there_ends_with_1_and_says_what_to_do,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(report_reads_a_ledger_that_is_being_written,
						make_ledger, drop_ledger),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
