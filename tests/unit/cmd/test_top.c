/* SPDX-License-Identifier: Apache-2.0 */
/* A frame of the live view: whom it names, in which order, and what fits a terminal. */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "cmd/top/top.h"
#include "ledger/ledger.h"

#define MINUTE_US (60 * US_PER_S)

static char dir[UNIT_FOLDER_LEN];
static struct ledger *ledger;
static char shown[32768];

static int make_ledger(void **state)
{
	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, NULL);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

static void add(const struct who_group *group, int64_t usd, int64_t counted, int64_t ago_us)
{
	struct who_process process = { .comm = "python3" };
	struct charge charge = { .host = "api.openai.com",
				 .model = "m",
				 .is_priced = true,
				 .cost_nanos = usd * NANOS_PER_USD,
				 .budget_nanos = counted * NANOS_PER_USD };
	struct ledger_call call = { .start_us = clock_wall_us() - ago_us,
				    .charge = &charge,
				    .group = group,
				    .process = &process };

	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
}

/* A pod that spends now, a unit that did within the hour, a container of the day; and others. */
static void add_three(void)
{
	const struct who_group pod = { .namespace = "team-a",
				       .pod = "agents-7f",
				       .path = "/kubepods/x",
				       .container_name = "agent",
				       .container = "c0ffee" };
	const struct who_group unit = { .unit = "agent.service",
					.path = "/system.slice/agent.service" };
	const struct who_group container = { .container = "beefbeef", .path = "/docker/beefbeef" };

	add(&pod, 1, 2, 0);
	add(&unit, 2, 2, 30 * MINUTE_US);
	add(&container, 3, 9, 300 * MINUTE_US);
}

static size_t frame(struct top_view view)
{
	FILE *out = fmemopen(shown, sizeof(shown), "w");
	size_t n = 0;

	assert_int_equal(top_frame(ledger, &view, out), 0);
	fclose(out);
	for (const char *c = shown; *c; c++)
		n += *c == '\n';
	return n;
}

static size_t at(const char *part)
{
	const char *found = strstr(shown, part);

	if (!found)
		fail_msg("\"%s\" is not in\n%s", part, shown);
	return (size_t)(found - shown);
}

static void a_caller_is_named_as_people_do(void **state)
{
	add_three();
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO });
	assert_true(at("team-a/agents-7f agent ") < at("agent.service ") &&
		    at("agent.service ") < at("beefbeef "));
	at("  no budgets  by who, highest USD/H NOW first\n");
	assert_null(strstr(shown, "kubepods"));
}

static void lines_are_sorted_filtered_and_scrolled(void **state)
{
	add_three();
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .sort = TOP_BY_HOUR });
	assert_true(at("agent.service ") < at("team-a/"));
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .sort = TOP_BY_DAY });
	assert_true(at("beefbeef ") < at("agent.service "));
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .sort = TOP_BY_BUDGETS });
	assert_true(at("beefbeef ") < at("agent.service "));
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .filter = "AGENT" });
	at("team-a/agents-7f");
	at("agent.service");
	at("only AGENT");
	assert_null(strstr(shown, "beefbeef"));
	/* The total is of what is shown. */
	at("\ntotal                    1.000000  3.000000  3.000000");
}

static void a_frame_fits_80_columns_and_24_lines(void **state)
{
	char budgets[8192] = "[", gates[4096] = "[";
	struct ledger_action action = {
		.time_us = clock_wall_us(),
		.action = "kill",
		.target = "cgroup /kubepods/burstable/pod1234567890/c0ffee1234",
		.result = "done: SIGTERM, SIGKILL in 30 s; python3 (pid 77) and more"
	};
	char marked[WHO_LABEL_LEN];
	struct top_view view = { .key = LEDGER_BY_WHO,
				 .width = 80,
				 .height = 24,
				 .has_cursor = true,
				 .cursor_name = marked };
	size_t column = 0;

	for (int i = 0; i < 40; i++) {
		struct who_group group = { .namespace = "team-with-a-long-name", .container = "c" };

		snprintf(group.pod, sizeof(group.pod), "agents-deployment-7f9c-%02d", i);
		snprintf(group.path, sizeof(group.path), "/%d", i);
		add(&group, 100 - i, 100 - i, 0);
	}
	for (int i = 0; i < 12; i++) {
		snprintf(
			budgets + strlen(budgets), sizeof(budgets) - strlen(budgets),
			"%s{\"budget\":\"a-budget-with-a-long-name\",\"key\":\"workload=team/Deployment/agents-%d\","
			"\"spent_usd\":\"%d.000000\",\"limit_usd\":\"10.000000\",\"spent_tokens\":0,"
			"\"limit_tokens\":0,\"window_end_us\":%lld,\"limit_reached_us\":%lld,\"reached\":\"refuse\"}",
			i ? "," : "", i, i, (long long)(clock_wall_us() + 600 * MINUTE_US),
			(long long)(clock_wall_us() + 125 * MINUTE_US + 30 * US_PER_S));
		snprintf(gates + strlen(gates), sizeof(gates) - strlen(gates),
			 "%s{\"action\":\"pace\",\"target\":\"cgroup /kubepods/burstable/pod%d\",\"budget\":\"b\","
			 "\"until_us\":0,\"to_usd_per_hour\":\"2.000000\",\"let_go\":3,\"held\":4}",
			 i ? "," : "", i);
	}
	strcat(budgets, "]");
	strcat(gates, "]");
	assert_int_equal(ledger_put(ledger, "budgets", budgets), 0);
	assert_int_equal(ledger_put(ledger, "gates", gates), 0);
	assert_int_equal(ledger_put(ledger, "rules", "[{\"enforced\":true}]"), 0);
	for (int i = 0; i < 6; i++) {
		char target[32];

		snprintf(target, sizeof(target), "cgroup /pod%d", i);
		action.target = target;
		assert_int_equal(ledger_add_action(ledger, &action), 0);
	}
	assert_in_range(frame((struct top_view){ .key = LEDGER_BY_WHO, .width = 80, .height = 24 }),
			20, 24);
	for (const char *c = shown; *c; c++) {
		column = *c == '\n' ? 0 : column + 1;
		if (column > 80)
			fail_msg("more than 80 columns:\n%s", shown);
	}
	/* Nothing is cut off at the right. */
	at("  ENDS IN  REACHED\n");
	at("  refuse\n");
	at("  LET GO  HELD\n");
	at("  ENFORCING  ");
	at("\ntotal, +36 more  ");
	/* The fullest first, with when it is full. */
	assert_true(at("110 %") < at("100 %"));
	at("  2 h  ");
	at("\n+9 more\n");
	at("pace     ");
	at("LAST ACTIONS");
	view.cursor = 12;
	(void)frame(view);
	at("\n  team");
	at("\n> team");
	at("7f9c-12");
	assert_string_equal(marked, "team-with-a-long-name/agents-deployment-7f9c-12");
	/* One cannot scroll past the end. */
	view.cursor = 1000;
	(void)frame(view);
	assert_string_equal(marked, "team-with-a-long-name/agents-deployment-7f9c-39");
}

/* What an alarm asks for first is there, whole: which process was ended, what came of it, and the command that releases. */
static void a_low_screen_says_what_was_done_and_how_to_release_it(void **state)
{
	struct ledger_action action = { .time_us = clock_wall_us(),
					.budget = "nightly",
					.action = "kill",
					.subject = "workload=batch/Deployment/indexer",
					.target = "cgroup /kubepods/burstable/pod1234567890/c0ffee",
					.who = "batch/indexer-7d9f8b6c5d-x2x4z indexer",
					.result = "done: SIGTERM, SIGKILL in 1 s: python3.11 (32601)",
					.outcome = ACTION_DONE };
	static const char gate[] =
		"[{\"action\":\"pace\",\"who\":\"agents/crawler-5c9d7f6b4-k8s2p crawler\",\"budget\":\"agents-daily\","
		"\"key\":\"pod=agents/crawler-5c9d7f6b4-k8s2p\",\"until_us\":0,\"to_usd_per_hour\":\"1.000000\",\"let_go\":1,"
		"\"held\":2}]";

	add_three();
	assert_int_equal(ledger_put(ledger, "gates", gate), 0);
	assert_int_equal(ledger_add_action(ledger, &action), 0);
	action.result = "done: SIGKILL after the grace, gone";
	action.outcome = ACTION_FINISHED;
	assert_int_equal(ledger_add_action(ledger, &action), 0);
	assert_in_range(frame((struct top_view){ .key = LEDGER_BY_WHO, .width = 80, .height = 24 }),
			12, 24);
	at("\nrelease: aigress override open 'pod=agents/crawler-5c9d7f6b4-k8s2p'\n");
	at(" kill batch/inde..8b6c5d-x2x4z indexer: done: SIGTERM, SIGKILL in 1 s:\n        python3.11 (32601); ");
	at("done: SIGKILL after the grace, gone\n");
	assert_null(strstr(strstr(shown, " kill ") + 1, " kill "));
}

/* A gate that shuts and opens all night is one line: what was killed stays in sight. */
static void what_recurs_does_not_push_out_what_was_done_once(void **state)
{
	struct ledger_action action = { .time_us = clock_wall_us(),
					.budget = "nightly",
					.action = "kill",
					.target = "cgroup /a",
					.who = "batch/indexer",
					.result = "done: gone",
					.outcome = ACTION_DONE };

	add_three();
	assert_int_equal(ledger_add_action(ledger, &action), 0);
	for (int i = 0; i < 40; i++) {
		action.action = "pace";
		action.target = "cgroup /b";
		action.who = "agents/crawler";
		action.result = i % 2 ? "ended: there is room again" : "done: 1 USD/hour";
		action.outcome = i % 2 ? ACTION_ENDED : ACTION_DONE;
		assert_int_equal(ledger_add_action(ledger, &action), 0);
	}
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .width = 80, .height = 24 });
	at(" kill batch/indexer: done: gone\n");
	at(" pace agents/crawler: ended: there is room again (20 times in 24 h)\n");
	assert_null(strstr(strstr(shown, " pace agents/") + 1, " pace agents/"));
}

static void spend_and_its_forecast_stand_above(void **state)
{
	struct zone *zone = NULL;

	assert_int_equal(zone_load(&zone, "UTC"), 0);
	add_three();
	(void)frame((struct top_view){ .key = LEDGER_BY_WHO, .zone = zone });
	at("\nUSD          LAST HOUR  TODAY ");
	at("\nhas a price          3 ");
	at("\nin budgets           4 ");
	zone_free(zone);
}

static void programs_read_a_frame_as_json(void **state)
{
	struct who_group group = { .path = "/unread" };
	struct who_process process = { .comm = "java" };
	struct charge charge = { .host = "h", .model = "", .budget_nanos = NANOS_PER_USD };
	struct top_view view = { .key = LEDGER_BY_WHO };
	json_t *root, *row;
	FILE *out;

	add_three();
	assert_int_equal(ledger_add(ledger,
				    &(struct ledger_call){ .start_us = clock_wall_us(),
							   .charge = &charge,
							   .group = &group,
							   .process = &process },
				    NULL),
			 0);
	out = fmemopen(shown, sizeof(shown), "w");
	assert_int_equal(top_json(ledger, &view, true, out), 0);
	fclose(out);
	root = json_loads(shown, 0, NULL);
	assert_non_null(root);
	assert_true(json_is_true(json_object_get(root, "metered")));
	assert_int_equal(json_array_size(json_object_get(root, "rows")), 4);
	row = json_array_get(json_object_get(root, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "who")),
			    "team-a/agents-7f agent");
	assert_string_equal(json_string_value(json_object_get(row, "usd_24_hours")), "1.000000");
	/* What has no price is not 0. */
	row = json_array_get(json_object_get(root, "rows"), 3);
	assert_true(json_is_null(json_object_get(row, "usd_24_hours")));
	assert_string_equal(json_string_value(json_object_get(row, "budget_usd")), "1.000000");
	row = json_object_get(root, "totals");
	assert_string_equal(json_string_value(json_object_get(row, "usd_24_hours")), "6.000000");
	assert_true(json_is_array(json_object_get(root, "budgets")));
	json_decref(root);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_caller_is_named_as_people_do),
		HELD(lines_are_sorted_filtered_and_scrolled),
		HELD(a_frame_fits_80_columns_and_24_lines),
		HELD(a_low_screen_says_what_was_done_and_how_to_release_it),
		HELD(programs_read_a_frame_as_json),
		HELD(what_recurs_does_not_push_out_what_was_done_once),
		HELD(spend_and_its_forecast_stand_above),
	};

	return cmocka_run_group_tests_name("top", tests, NULL, NULL);
}
