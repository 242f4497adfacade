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

/* One ran and was stopped, an hour ago; another was killed half an hour ago. */
static int make_ledger(void **state)
{
	int64_t now_us = clock_wall_us(), minute_us = 60 * US_PER_S;

	if (unit_folder(dir) || ledger_open(&ledger, dir, true, NULL))
		return -1;
	return gaps_begin(ledger, now_us - 120 * minute_us) |
	       gaps_end(ledger, now_us - 60 * minute_us) |
	       gaps_begin(ledger, now_us - 50 * minute_us) |
	       gaps_beat(ledger, now_us - 30 * minute_us);
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
	json_t *json;

	ledger = ledger_free(ledger);
	RUN(&said, cmd_report, "report", "--state", dir);
	assert_int_equal(said.code, CMD_OK);
	is_first(said.out, dead);
	contains(said.out, "died or was killed");
	contains(said.out, "No gate is pinned");
	contains(said.out, "(10 min 0 s)\n");
	contains(said.out, " to now (30 min 0 s): aigress died or was killed");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	is_first(said.out, dead);
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
	assert_int_equal(gaps_begin(ledger, clock_wall_us()), 0);
	RUN(&said, cmd_report, "report", "--state", dir);
	assert_null(strstr(said.out, "NOTHING"));
	contains(said.out, "(30 min 0 s): aigress died or was killed");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	assert_null(strstr(said.out, "NOTHING"));
	RUN(&said, cmd_check, "check", "--state", dir);
	contains(said.out, "kept by pid");
	assert_null(strstr(said.out, "NOTHING"));
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(each_surface_says_first_that_nobody_measures),
		HELD(while_a_daemon_runs_only_gaps_are_shown),
	};

	return cmocka_run_group_tests_name("metering", tests, NULL, NULL);
}
