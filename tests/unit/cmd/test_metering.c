/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of a dead daemon are not shown as if it lived. */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "cmd/cmd.h"
#include "ledger/gaps.h"
#include "said.h"

static char dir[64];
static struct said said;
static struct ledger *ledger; /* of a daemon that runs */

static struct gaps_time ago(int64_t minutes)
{
	struct gaps_time now = gaps_now();

	now.wall_us -= minutes * 60 * US_PER_S;
	return now;
}

/* One ran and was stopped, an hour ago; another was killed 48 minutes ago. */
static int make_ledger(void **state)
{
	if (unit_folder(dir) || ledger_open(&ledger, dir, true, NULL))
		return -1;
	return gaps_begin(ledger, ago(120)) | gaps_end(ledger, ago(60)) |
	       gaps_begin(ledger, ago(50)) | gaps_beat(ledger, ago(48)) | gaps_take_over(ledger);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

static void is_first(const char *text, const char *start)
{
	if (strncmp(text, start, strlen(start)))
		fail_msg("\"%s\" does not begin\n%s", start, text);
}

static void each_surface_says_first_that_nobody_measures(void **state)
{
	static const char dead[] = "NOTHING IS METERED since about ";
	const struct ledger_action paced = { .time_us = clock_wall_us() - 50 * 60 * US_PER_S,
					     .budget = "daily",
					     .action = "pace",
					     .subject = "cgroup=/a",
					     .target = "cgroup /a",
					     .result = "done: 1.000000 USD/hour",
					     .outcome = ACTION_DONE };
	json_t *json;

	assert_int_equal(ledger_put(ledger, "gates",
				    "[{\"action\":\"pace\",\"who\":\"/a\",\"budget\":\"daily\","
				    "\"key\":\"cgroup=/a\",\"until_us\":0}]"),
			 0);
	assert_int_equal(ledger_put(ledger, "rules", "[{\"enforced\":true}]"), 0);
	assert_int_equal(ledger_add_action(ledger, &paced), 0);
	ledger = ledger_free(ledger);
	RUN(&said, cmd_report, "report", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	is_first(said.out, dead);
	contains(said.out, "died or was killed");
	contains(said.out, "No gate is pinned");
	contains(said.out, "(10 min 0 s)\n");
	contains(said.out, " to now (48 min 0 s): aigress died or was killed");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	is_first(said.out, dead);
	contains(said.out, "  NOT RUNNING  ");
	contains(said.out, "\nWAS IN FORCE  WHO");
	assert_null(strstr(said.out, "aigress override open"));
	RUN(&said, cmd_explain, "explain", "--state", dir);
	is_first(said.out, dead);
	contains(said.out, "  ended    when aigress ended: it does not run\n");
	RUN(&said, cmd_top, "top", "--format", "json", "--state", dir);
	contains(said.out, "\"metered\": false");
	RUN(&said, cmd_check, "check", "--state", dir);
	is_first(said.out, dead);
	/* CSV stays rows. */
	RUN(&said, cmd_report, "report", "--format", "csv", "--state", dir);
	is_first(said.err, dead);
	contains(said.err, "no meter ");
	assert_null(strstr(said.out, "METERED"));
	RUN(&said, cmd_report, "report", "--format", "json", "--state", dir);
	json = json_loads(said.out, 0, NULL);
	assert_true(json_is_false(json_object_get(json, "metering")));
	assert_int_equal(json_array_size(json_object_get(json, "gaps")), 2);
	json_decref(json);
	/* A report that begins after a gap does not mention it. */
	RUN(&said, cmd_report, "report", "--since", "40m", "--state", dir);
	assert_null(strstr(said.out, "(10 min 0 s)"));
}

static void while_a_daemon_runs_only_gaps_are_shown(void **state)
{
	assert_int_equal(gaps_begin(ledger, gaps_now()), 0);
	RUN(&said, cmd_report, "report", "--state", dir);
	assert_null(strstr(said.out, "NOTHING"));
	contains(said.out, "(48 min 0 s): aigress died or was killed");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	assert_null(strstr(said.out, "NOTHING"));
	RUN(&said, cmd_check, "check", "--state", dir);
	contains(said.out, "kept by pid");
	contains(said.out, "(48 min 0 s): aigress died or was killed");
	assert_null(strstr(said.out, "NOTHING"));
}

/* It has its lock, and its last sign of life is five minutes old. */
static void a_daemon_that_hangs_does_not_look_alive(void **state)
{
	static const char hangs[] = "NOTHING IS METERED since about ";
	struct gaps_time begin = ago(5);
	json_t *json;

	begin.mono_us -= 5 * 60 * US_PER_S;
	assert_int_equal(gaps_begin(ledger, begin), 0);
	RUN(&said, cmd_report, "report", "--state", dir);
	is_first(said.out, hangs);
	contains(said.out, "hangs, or cannot write its ledger");
	contains(said.out, "to now (5 min ");
	contains(said.out, " s): aigress hung");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	is_first(said.out, hangs);
	contains(said.out, "no meter in 2 gaps before (53 min ");
	RUN(&said, cmd_check, "check", "--state", dir);
	is_first(said.out, hangs);
	RUN(&said, cmd_report, "report", "--format", "json", "--state", dir);
	json = json_loads(said.out, 0, NULL);
	assert_true(json_is_false(json_object_get(json, "metering")));
	json_decref(json);
	/* It goes on. */
	assert_int_equal(gaps_beat(ledger, gaps_now()), 1);
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	assert_null(strstr(said.out, "NOTHING"));
	contains(said.out, "(5 min ");
	contains(said.out, " s): aigress hung");
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(each_surface_says_first_that_nobody_measures),
		HELD(while_a_daemon_runs_only_gaps_are_shown),
		HELD(a_daemon_that_hangs_does_not_look_alive),
	};

	return cmocka_run_group_tests_name("metering", tests, NULL, NULL);
}
