/* SPDX-License-Identifier: Apache-2.0 */
/* A night's story: what was done to whom and why, what came of it, how it is released. */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "ledger/ledger.h"
#include "said.h"

#define MINUTE_US (60 * US_PER_S)
#define HOSTILE   "/x\x1b]0;owned\x07"

static char dir[64];
static struct ledger *ledger;
static struct said said;
static int64_t now_us;
static const char *who; /* of the rows' targets */

static int make_ledger(void **state)
{
	now_us = clock_wall_us() / US_PER_S * US_PER_S;
	who = NULL;
	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, NULL);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

/* Of a pod that runs away: a call in ten seconds for 0.10 USD. */
static void add_calls(const char *pod, unsigned n)
{
	struct who_group group = { .namespace = "team-a", .container_name = "agent" };
	struct who_process process = { .tgid = 77, .comm = "python3", .user = "root" };
	struct charge charge = { .host = "api.openai.com",
				 .model = "gpt-5.4",
				 .status = 200,
				 .is_priced = true,
				 .cost_nanos = NANOS_PER_USD / 10,
				 .budget_nanos = NANOS_PER_USD / 10 };

	snprintf(group.pod, sizeof(group.pod), "%s", pod);
	snprintf(group.path, sizeof(group.path), "/kubepods/%s", pod);
	for (unsigned i = 0; i < n; i++) {
		struct ledger_call call = { .start_us = now_us - 90 * MINUTE_US + i * 10 * US_PER_S,
					    .charge = &charge,
					    .group = &group,
					    .process = &process };

		assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	}
}

static void add_row(const char *action, const char *target, enum action_result outcome,
		    const char *result, int64_t ago_us)
{
	const struct ledger_action row = { .time_us = now_us - ago_us,
					   .budget = "agents",
					   .rule = "a.yaml:12",
					   .rule_text = "at 100 % of 3 USD a day per workload: kill",
					   .action = action,
					   .subject = "workload=team-a/Deployment/agents",
					   .target = target,
					   .who = who,
					   .decided_us = now_us - ago_us - 2500,
					   .result = result,
					   .outcome = outcome,
					   .is_rehearsed = outcome == ACTION_REHEARSED,
					   .spent_nanos = 3010000000,
					   .limit_nanos = 3000000000,
					   .in_flight = 120000000,
					   .window_start_us = now_us - 600 * MINUTE_US,
					   .until_us = now_us + 600 * MINUTE_US,
					   .measured_permille = 1000,
					   .last_calls = "[4,3,2,1]" };

	assert_int_equal(ledger_add_action(ledger, &row), 0);
}

static size_t at(const char *part)
{
	const char *found = strstr(said.out, part);

	if (!found)
		fail_msg("\"%s\" is not in\n%s", part, said.out);
	return (size_t)(found - said.out);
}

static void a_night_is_told_newest_first(void **state)
{
	add_calls("agents-7f", 4);
	add_row("kill", "cgroup /a", ACTION_DONE,
		"done: SIGTERM, SIGKILL in 30 s; python3 (pid 77)", 80 * MINUTE_US);
	add_row("kill", "cgroup /a", ACTION_FINISHED, "done: SIGKILL after the grace",
		79 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_DONE, "done: 2.00 USD/hour", 60 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_ENDED, "ended: the window is over", 30 * MINUTE_US);
	add_row("refuse", "cgroup /b", ACTION_DONE, "done", 20 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_REHEARSED, "rehearsed", 10 * MINUTE_US);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_explain, "explain", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	assert_true(at("pace (rehearsed)") < at("  refuse  ") &&
		    at("  refuse  ") < at("  pace  ") && at("  pace  ") < at("  kill  "));
	/* Four rows: what came of one is told with it. */
	assert_null(strstr(said.out, "(action 2)"));
	assert_null(strstr(said.out, "(action 4)"));
	contains(said.out, "  kill  team-a/agents-7f agent  (action 1)\n  target   cgroup /a\n"
			   "  result   done: SIGTERM, SIGKILL in 30 s; python3 (pid 77)\n");
	contains(said.out, "  why      agents: 3.010000 of 3.000000 USD since ");
	contains(said.out, ", 0.12 in flight; 100.0 % of it measured\n"
			   "  rule     at 100 % of 3 USD a day per workload: kill (a.yaml:12)\n");
	contains(said.out,
		 "  calls    gpt-5.4 at api.openai.com by python3 (pid 77); the last 4 cost "
		 "0.4 USD in 30.0 s: 48 USD/h\n");
	contains(said.out, "Z  done: SIGKILL after the grace\n");
	contains(said.out, "Z, because the window is over\n");
	/* How to release what holds, and nothing else. */
	at("  release  aigress override open 'workload=team-a/Deployment/agents'\n");
	contains(said.out, "  in force until ");
}

/* A target that another pod's call shut out has its own name, and each row says from when to when it was in force. */
static void a_row_says_whose_its_target_is_and_when(void **state)
{
	add_calls("agents-7f", 4);
	who = "team-a/other-9c web\n";
	add_row("pace", "cgroup /b", ACTION_DONE, "done: 2.00 USD/hour", 60 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_ENDED, "ended: the window is over", 30 * MINUTE_US);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_explain, "explain", "--state", dir);
	contains(said.out, "  pace  team-a/other-9c web\\x0a  (action 1)\n  target   cgroup /b\n");
	contains(said.out, "  times    decided ");
	contains(said.out, ", in force 2 ms later, ended ");
	contains(said.out, "Z (30 min 0 s later)\n");
	RUN(&said, cmd_explain, "explain", "--state", dir, "action", "1", "--format", "json");
	contains(said.out, "\"decided\": \"");
	contains(said.out, "\"ended\": \"");
	contains(said.out, "\"who\": \"team-a/other-9c web\\\\x0a\"");
}

static void a_caller_is_explained_by_a_part_of_its_name(void **state)
{
	add_calls("agents-7f", 4);
	add_calls("other-9c", 1);
	who = "team-a/agents-7f agent";
	add_row("pace", "cgroup /b", ACTION_DONE, "done: 2.00 USD/hour", 60 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_NOT_ENFORCEABLE, "not enforceable: shared relay socket",
		45 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_ENDED, "ended: the window is over", 30 * MINUTE_US);
	add_row("refuse", "cgroup /b", ACTION_DONE, "done", 20 * MINUTE_US);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_explain, "explain", "--state", dir, "who", "AGENTS-7");
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "team-a/agents-7f agent\n  24 hours   0.400000 USD, 4 calls\n");
	contains(said.out, "  refuse: done  (action 4)\n    in force until ");
	contains(said.out, "; release: aigress override open 'workload=team-a/Deployment/agents'\n");
	/* what has ended is the pace, not what was told of it meanwhile */
	contains(said.out, "  pace: done: 2.00 USD/hour  (action 1)\n    ended ");
	contains(said.out, "Z, because the window is over\n");
	contains(said.out, "gpt-5.4  api.openai.com  python3      4          0  0.400000\n");
	assert_null(strstr(said.out, "other-9c"));
	RUN(&said, cmd_explain, "explain", "--state", dir, "who", "other", "--format", "json");
	contains(said.out, "\"who\": \"team-a/other-9c agent\"");
	contains(said.out, "\"actions\": []");
	RUN(&said, cmd_explain, "explain", "--state", dir, "who", "agent");
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "2 names have \"agent\" in them; give more of one:\n  team-a/");
	RUN(&said, cmd_explain, "explain", "--state", dir, "who", HOSTILE);
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "nobody with \"/x\\x1b]0;owned\\x07\" in the name");
}

static void a_quiet_night_shows_the_last_action(void **state)
{
	RUN(&said, cmd_explain, "explain", "--state", dir);
	contains(said.out, "No action in the last 24 hours.\nNo action was taken or rehearsed.");
	add_row("note", "workload=" HOSTILE, ACTION_DONE, "done", 3000 * MINUTE_US);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_explain, "explain", "--state", dir);
	contains(said.out, "No action in the last 24 hours.\n");
	contains(said.out, "Z  note  workload=/x\\x1b]0;owned\\x07  (action 1)\n");
	assert_null(strstr(said.out, "release"));
}

static void rows_are_json_with_what_came_of_them(void **state)
{
	json_t *root, *row;

	add_calls("agents-7f", 4);
	add_row("pace", "cgroup /b", ACTION_DONE, "done: 2.00 USD/hour", 60 * MINUTE_US);
	add_row("pace", "cgroup /b", ACTION_ENDED, "ended: the window is over", 30 * MINUTE_US);
	assert_int_equal(ledger_commit(ledger), 0);
	RUN(&said, cmd_explain, "explain", "--state", dir, "--format", "json");
	root = json_loads(said.out, 0, NULL);
	row = json_array_get(json_object_get(root, "actions"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "because")),
			    "the window is over");
	assert_string_equal(json_string_value(json_object_get(row, "usd_per_hour")), "48.000000");
	assert_string_equal(json_string_value(json_object_get(row, "in_flight_usd")), "0.120000");
	assert_string_equal(json_string_value(json_object_get(row, "who")),
			    "team-a/agents-7f agent");
	assert_string_equal(json_string_value(json_object_get(row, "outcome")), "done");
	row = json_array_get(json_object_get(root, "actions"), 1);
	assert_int_equal(json_integer_value(json_object_get(row, "of")), 1);
	json_decref(root);
	RUN(&said, cmd_explain, "explain", "--state", dir, "action", "1", "--format", "json");
	root = json_loads(said.out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(root, "id")), 1);
	json_decref(root);
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "2", "--format", "json");
	root = json_loads(said.out, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(root, "call")), 2);
	assert_string_equal(json_string_value(json_object_get(root, "cost_usd")), "0.100000");
	json_decref(root);
	RUN(&said, cmd_explain, "explain", "--state", dir, "action", "9", "--format", "json");
	assert_int_equal(said.code, CMD_FAILED);
	assert_string_equal(said.out, "");
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_night_is_told_newest_first),
		HELD(a_row_says_whose_its_target_is_and_when),
		HELD(a_caller_is_explained_by_a_part_of_its_name),
		HELD(a_quiet_night_shows_the_last_action),
		HELD(rows_are_json_with_what_came_of_them),
	};

	return cmocka_run_group_tests_name("story", tests, NULL, NULL);
}
