/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration would do is known before a daemon reads it. */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "ledger/ledger.h"
#include "said.h"

static char dir[64], file[96];
static struct said said;

/* A call of 3 USD, a second ago, of each of two cgroups. */
static int make_ledger(void **state)
{
	struct who_process process = { .tgid = 7, .user = "root", .comm = "python3" };
	struct charge charge = { .provider = "anthropic",
				 .host = "api.anthropic.com",
				 .model = "m",
				 .source = CHARGE_USAGE,
				 .is_priced = true,
				 .usage = { .input = 1000 },
				 .cost_nanos = 3 * NANOS_PER_USD,
				 .budget_nanos = 3 * NANOS_PER_USD };
	struct ledger *ledger = NULL;

	if (unit_folder(dir) || ledger_open(&ledger, dir, true, NULL))
		return -1;
	snprintf(file, sizeof(file), "%s/a.yaml", dir);
	for (int i = 0; i < 2; i++) {
		struct who_group group = { .cgroup = 1, .path = "" };
		struct ledger_call call = { .start_us = clock_wall_us() - US_PER_S,
					    .charge = &charge,
					    .group = &group,
					    .process = &process };

		strcpy(group.path, i ? "/agents" : "/other");
		if (ledger_add(ledger, &call, NULL))
			return -1;
	}
	if (ledger_put(ledger, "rules",
		       "[{\"budget\":\"a\",\"limit_usd\":\"5.000000\",\"limit_tokens\":0,"
		       "\"enforced\":false},{\"budget\":\"old\",\"limit_usd\":\"1.000000\"}]"))
		return -1;
	ledger_free(ledger);
	return 0;
}

static int drop_ledger(void **state)
{
	return unit_remove(dir);
}

#define RULES                                                                           \
	"- { name: a, match: { cgroup: /agents }, limit: 2 USD, window: 24h, steps: ["  \
	"{ at: 50%, do: note }, { at: 100%, do: refuse }, { at: 140%, do: kill } ] }\n" \
	"- { name: b, match: { cgroup: /other }, limit: 2 USD, window: 24h, steps: ["   \
	"{ at: 100%, do: refuse }, { at: 200%, do: kill } ] }\n"                        \
	"- { name: c, limit: 1000 USD, window: 24h, steps: [ { do: refuse } ] }\n"

static void configure(const char *text)
{
	unit_write(file, text, strlen(text));
}

static void enforcement_says_what_it_would_do_and_to_whom(void **state)
{
	configure("enforce: false\nbudgets:\n" RULES);
	RUN(&said, cmd_enforce, "enforce", "--preview", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "a: 3.000000 of 2.000000 USD\n    kill (line 3): at the next AI "
			   "call of a member; who makes none is not touched\n    member: /agents\n");
	contains(said.out, "b: 3.000000 of 2.000000 USD\n    refuse (line 4): at once");
	contains(said.out, "member: /other\n");
	assert_null(strstr(said.out, "\nc: "));
	configure(
		"budgets:\n- { name: c, limit: 1000 USD, window: 24h, steps: [ { do: refuse } ] }\n");
	RUN(&said, cmd_enforce, "enforce", "-p", "-c", file, "--state", dir);
	contains(said.out, "nothing would be done now");
	RUN(&said, cmd_enforce, "enforce", "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "--preview");
}

static void put_config(const char *path)
{
	struct ledger *ledger;
	char fact[256];

	snprintf(fact, sizeof(fact), "{\"file\":\"%s\"}", path);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	assert_int_equal(ledger_put(ledger, "config", fact), 0);
	ledger_free(ledger);
}

static void programs_read_it_too_and_it_is_of_the_daemons_file(void **state)
{
	json_t *root, *row;

	configure("budgets:\n" RULES);
	put_config(file);
	RUN(&said, cmd_enforce, "enforce", "--preview", "--format", "json", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	root = json_loads(said.out, 0, NULL);
	assert_non_null(root);
	assert_int_equal(json_array_size(json_object_get(root, "rows")), 2);
	row = json_array_get(json_object_get(root, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "budget")), "a");
	assert_string_equal(json_string_value(json_object_get(row, "action")), "kill");
	assert_string_equal(json_string_value(json_object_get(row, "spent_usd")), "3.000000");
	row = json_array_get(json_object_get(row, "members"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "cgroup")), "/agents");
	assert_string_equal(json_string_value(json_object_get(row, "who")), "/agents");
	json_decref(root);
	/* A daemon without a file has no budgets. */
	put_config("");
	RUN(&said, cmd_enforce, "enforce", "--preview", "--state", dir);
	assert_int_equal(said.code, CMD_FAILED);
	contains(said.err, "runs without a configuration");
}

/* As `top` calls them: nobody knows a container by its path. */
static void members_have_names(void **state)
{
	struct who_process process = { .comm = "python3" };
	struct charge charge = { .host = "h",
				 .model = "m",
				 .is_priced = true,
				 .cost_nanos = NANOS_PER_USD,
				 .budget_nanos = NANOS_PER_USD };
	struct who_group group = { .cgroup = 1,
				   .path = "/kubepods/pod1/c0ffee",
				   .namespace = "batch",
				   .pod = "indexer-x2x4z",
				   .container_name = "indexer" };
	struct ledger *ledger;

	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	assert_int_equal(ledger_add(ledger,
				    &(struct ledger_call){ .start_us = clock_wall_us() - US_PER_S,
							   .charge = &charge,
							   .group = &group,
							   .process = &process },
				    NULL),
			 0);
	ledger_free(ledger);
	configure(
		"budgets: [ { name: a, match: { namespace: batch }, limit: 1 USD, window: 24h, steps: [ { do: kill } ] } ]\n");
	RUN(&said, cmd_enforce, "enforce", "--preview", "--config", file, "--state", dir);
	contains(said.out, "member: batch/indexer-x2x4z indexer (/kubepods/pod1/c0ffee)\n");
}

static void a_file_is_compared_with_the_rules_in_force(void **state)
{
	configure("enforce: true\nbudgets:\n" RULES);
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "is right: 3 budgets, enforced.");
	contains(said.out, "  tightened a: 5.000000 to 2.000000 USD\n");
	contains(said.out, "  enforced from now on: a\n");
	contains(said.out, "  added b\n");
	contains(said.out, "  removed old\n");
	contains(said.out, "kill (line 3)");
}

static void a_file_like_the_rules_in_force_changes_nothing(void **state)
{
	struct ledger *ledger;

	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	assert_int_equal(ledger_put(ledger, "rules",
				    "[{\"budget\":\"a\",\"limit_usd\":\"5.000000\",\"limit_tokens\":0,"
				    "\"enforced\":false}]"),
			 0);
	ledger_free(ledger);
	configure("budgets: [ { name: a, limit: 5 USD, window: day, steps: [ { do: note } ] } ]\n");
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.out, "Against the rules in force:\n  no budget, limit or mode changes\n");
}

static void all_errors_are_named_at_once(void **state)
{
	configure("enforce: maybe\nbudgets:\n"
		  "- { name: a, limit: 50 dollars, steps: [ { do: shout }, { at: 0%, do: note } ] }\n"
		  "- { name: b, limit: 1 USD, window: day, colour: red, steps: [ { do: note } ] }\n"
		  "keep: 1s\n");
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	assert_string_equal(said.out, "");
	contains(said.err, ":1: enforce: \"maybe\"");
	contains(said.err, ":3: budgets[0].limit: \"50 dollars\"");
	contains(said.err, ":3: budgets[0].steps[0].do: \"shout\"");
	contains(said.err, ":3: budgets[0].steps[1].at: \"0%\"");
	contains(said.err, ":4: budgets[1]: \"colour\"");
	contains(said.err, ":5: keep: \"1s\"");
	/* What the file names is looked at, too. */
	configure("\nprices: /nowhere\n");
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, ":2: prices: /nowhere: No such file");
	/* What is suspicious is said of a file that is right. */
	configure(
		"budgets:\n"
		"- { name: a, match: { pod: \"agent-.*\", model: gpt-4.* }, limit: 1 USD, steps: [ { do: note } ] }\n");
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	contains(said.err,
		 ":2: budgets[0].match.pod: \"agent-.*\" looks like a regular expression (.*)");
	assert_null(strstr(said.err, "gpt-4"));
	RUN(&said, cmd_check, "check", "--config", "/nowhere", "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "/nowhere: No such file");
}

static void many_errors_are_bounded(void **state)
{
	char text[8192] = "";

	for (int i = 0; i < 200; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "key%d: 1\n", i);
	configure(text);
	RUN(&said, cmd_check, "check", "--config", file, "--state", dir);
	assert_int_equal(said.code, CMD_USAGE);
	contains(said.err, "key49");
	assert_null(strstr(said.err, "key50"));
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(enforcement_says_what_it_would_do_and_to_whom),
		HELD(programs_read_it_too_and_it_is_of_the_daemons_file),
		HELD(members_have_names),
		HELD(a_file_is_compared_with_the_rules_in_force),
		HELD(a_file_like_the_rules_in_force_changes_nothing),
		HELD(all_errors_are_named_at_once),
		HELD(many_errors_are_bounded),
	};

	return cmocka_run_group_tests_name("preview", tests, NULL, NULL);
}
