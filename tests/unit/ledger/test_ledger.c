/* SPDX-License-Identifier: Apache-2.0 */
#include "made_calls.h"

static void ids_rise_and_are_never_used_again(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;
	int64_t first, second;

	make(&made, 1);
	assert_int_equal(ledger_add(ledger, &made.call, &first), 0);
	made.call.start_us -= 5 * HOUR_US; /* the clock went back */
	assert_int_equal(ledger_add(ledger, &made.call, &second), 0);
	assert_int_equal(second, first + 1);
	assert_int_equal(ledger_commit(ledger), 0);
	assert_int_equal(ledger_prune(ledger, INT64_MAX), 0);
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(*) FROM calls"), 0);
	assert_int_equal(ask("SELECT sum(calls) FROM hours"), 2);
	ledger = open_writer();
	assert_int_equal(ledger_add(ledger, &made.call, &first), 0);
	assert_int_equal(first, second + 1);
	ledger_free(ledger);
}

static void check_action(void *arg, const struct ledger_action *action)
{
	int *seen = arg;

	if (action->time_us == T0 + 1) {
		assert_string_equal(action->budget, "agents");
		assert_string_equal(action->rule, "a.yaml:12");
		assert_string_equal(action->action, "kill");
		assert_string_equal(action->subject, "cgroup=/a");
		assert_string_equal(action->target, "process 12 (python3)");
		assert_string_equal(action->result, "rehearsed");
		assert_true(action->is_rehearsed);
		assert_int_equal(action->spent_nanos, 5);
		assert_int_equal(action->limit_nanos, 4);
		assert_int_equal(action->spent_tokens, 3);
		assert_int_equal(action->limit_tokens, INT64_MAX);
		assert_int_equal(action->window_start_us, T0);
		assert_int_equal(action->measured_permille, 1000);
		assert_string_equal(action->last_calls, "[1,2]");
		assert_int_equal(action->outcome, ACTION_REHEARSED);
	} else {
		assert_string_equal(action->budget, "");
		assert_int_equal(action->outcome, ACTION_UNKNOWN);
	}
	*seen = *seen * 10 + (int)action->id;
}

static void actions_keep_their_evidence(void **state)
{
	struct ledger *ledger = open_writer();
	struct ledger_action action = { .time_us = T0 + 1,
					.budget = "agents",
					.rule = "a.yaml:12",
					.action = "kill",
					.subject = "cgroup=/a",
					.target = "process 12 (python3)",
					.result = "rehearsed",
					.outcome = ACTION_REHEARSED,
					.is_rehearsed = true,
					.spent_nanos = 5,
					.limit_nanos = 4,
					.spent_tokens = 3,
					.limit_tokens = UINT64_MAX,
					.window_start_us = T0,
					.measured_permille = 1000,
					.last_calls = "[1,2]" };
	struct ledger_action empty = { .time_us = T0 + 2 }, old = { .time_us = T0 - 1 };
	int seen = 0;

	add(ledger, 1);
	assert_int_equal(ledger_add_action(ledger, &action), 0);
	/* The calls that it names are in the file as soon as the action is. */
	assert_int_equal(ask("SELECT count(*) FROM calls"), 1);
	assert_int_equal(ledger_add_action(ledger, &empty), 0);
	assert_int_equal(ledger_add_action(ledger, &old), 0);
	assert_int_equal(ledger_actions(ledger, T0, check_action, &seen), 0);
	assert_int_equal(seen, 12);
	ledger_free(ledger);
}

static void facts_are_told_to_other_processes(void **state)
{
	struct ledger *ledger = open_writer(), *reader = NULL;
	char *value;

	assert_int_equal(ledger_put(ledger, "coverage", "{\"a\":1}"), 0);
	assert_int_equal(ledger_put(ledger, "coverage", "{\"a\":2}"), 0);
	assert_int_equal(ledger_open(&reader, dir, false, NULL), 0);
	value = ledger_get(reader, "coverage");
	assert_string_equal(value, "{\"a\":2}");
	free(value);
	assert_null(ledger_get(reader, "gates"));
	assert_int_equal(ledger_put(reader, "x", "1"), -EROFS);
	ledger_free(reader);
	ledger_free(ledger);
}

static void a_job_is_charged_once(void **state)
{
	const int64_t later = 61LL * 24 * 3600 * 1000000;
	struct ledger *ledger = open_writer();

	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 1000), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 2000), -EEXIST);
	assert_int_equal(ledger_claim_job(ledger, "anthropic", "resp_1", 2000), 0);
	ledger_free(ledger);
	/* Another process of the daemon. */
	ledger = open_writer();
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 3000), -EEXIST);
	/* After two months nobody can ask any more. */
	assert_int_equal(ledger_claim_job(ledger, "openai", "x", later), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", later), 0);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "y", 1), -EROFS);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(ids_rise_and_are_never_used_again),
		HELD(actions_keep_their_evidence),
		HELD(facts_are_told_to_other_processes),
		HELD(a_job_is_charged_once),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
