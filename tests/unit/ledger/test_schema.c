/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger of each schema so far comes to the present one with all that it holds. */
#include "unit.h"

#include <sqlite3.h>

#include "ledger/ledger.h"
#include "ledger/ledger_internal.h"
#include "ledger/overrides.h"
#include "ledger/sql.h"
#include "ledger/old_schemas.h"

#define OLD ((int)ARRAY_SIZE(old_schemas))
#define T0  1700000000000000LL

static char dir[UNIT_FOLDER_LEN];

static int make_dir(void **state)
{
	return unit_folder(dir);
}

static int remove_dir(void **state)
{
	return unit_remove(dir);
}

static sqlite3 *open_file(void)
{
	char path[UNIT_FOLDER_LEN + 16];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	return db;
}

static void run(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void run(sqlite3 *db, const char *format, ...)
{
	char sql[512];
	va_list args;

	va_start(args, format);
	vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static int64_t ask(const char *sql)
{
	sqlite3 *db = open_file();
	sqlite3_stmt *statement;
	int64_t n;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	n = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return n;
}

/* Sentences as every version so far has written them, and what each is to become. */
static const struct {
	const char *action, *result;
	enum action_result outcome;
} sentences[] = {
	{ "note", "done", ACTION_DONE },
	{ "refuse", "rehearsed", ACTION_REHEARSED },
	{ "refuse", "done, but live connections stay: Operation not supported", ACTION_DONE },
	{ "pace", "done: 2.00 USD/hour (3 rows before it not written)", ACTION_DONE },
	{ "pace", "ended: the window is over (1 requests let go, 4 made to wait)", ACTION_ENDED },
	{ "stop", "failed: No such process", ACTION_FAILED },
	{ "kill", "refused: protected (aigress itself)", ACTION_REFUSED },
	{ "kill", "done: SIGTERM, SIGKILL in 10 s", ACTION_DONE },
	{ "kill", "done: SIGKILL", ACTION_DONE },
	{ "kill", "done: SIGKILL after the grace", ACTION_FINISHED },
	{ "kill", "done: it ended within the grace", ACTION_FINISHED },
	{ "override", "ordered by ann for 60s", ACTION_ORDERED },
	{ "override", "1 ended by bob", ACTION_ORDERED },
	{ "note", "in words of long ago", ACTION_UNKNOWN },
};

/* A call of 7 input tokens with its hour, and an action for each sentence. */
static void make_old(int version)
{
	sqlite3 *db = open_file();

	run(db, "PRAGMA journal_mode = WAL");
	for (int i = 0; i < version; i++)
		assert_int_equal(sqlite3_exec(db, old_schemas[i], NULL, NULL, NULL), SQLITE_OK);
	run(db, "PRAGMA user_version = %d", version);
	run(db,
	    "INSERT INTO subjects VALUES"
	    " (1, 'ns', 'Deployment/w', 'pod', 'c', '/a', '', 'root', 'sh', '/bin/sh', '', '', ''%s)",
	    version >= 17 ? ", ''" : "");
	run(db, "INSERT INTO services VALUES (1, 'api.x', 'p', 'm', 'chat', 'key', 'origin'%s)",
	    version >= 18 ? ", '', '', '', '', ''" :
	    version >= 16 ? ", '', '', '', ''" :
	    version >= 13 ? ", '', '', ''" :
	    version >= 11 ? ", '', ''" :
			    "");
	run(db, "INSERT INTO paths VALUES (1, '/v1')");
	run(db,
	    "INSERT INTO calls (id, start_us, subject, service, path, pid, uid, status, source,"
	    " outcome, priced, stream, input, cache_read, cache_write_5m, cache_write_1h, output,"
	    " reasoning, audio_input, audio_output, web_searches, cost_nanos, budget_nanos,"
	    " request_bytes, response_bytes, first_token_us, duration_us) VALUES (5, %lld, 1, 1, 1,"
	    " 12, 0, 200, 'usage', 'ok', 1, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0, 900, 900, 1, 2, 0, 4)",
	    T0);
	run(db,
	    "INSERT INTO hours (hour, subject, service, source, calls, unpriced, input, cache_read,"
	    " cache_write_5m, cache_write_1h, output, reasoning, audio_input, audio_output,"
	    " web_searches, cost_nanos, budget_nanos, request_bytes, response_bytes) VALUES (%lld,"
	    " 1, 1, 'usage', 1, 0, 7, 0, 0, 0, 3, 0, 0, 0, 0, 900, 900, 1, 2)",
	    T0 / 3600000000);
	for (size_t i = 0; i < ARRAY_SIZE(sentences); i++)
		run(db,
		    "INSERT INTO actions (time_us, budget, rule, action, subject, target, result,"
		    " rehearsed, spent_nanos, limit_nanos, spent_tokens, limit_tokens, window_start_us,"
		    " measured_permille, last_calls) VALUES (%lld, 'b', 'f:1', '%s', 'match', 't', '%s',"
		    " 0, 1, 2, 0, 0, 0, 1000, '[5]')",
		    T0, sentences[i].action, sentences[i].result);
	for (size_t i = 0; version >= 6 && i < ARRAY_SIZE(sentences); i++)
		run(db, "UPDATE actions SET outcome = '%s' WHERE id = %zu",
		    action_result_name(sentences[i].outcome), i + 1);
	if (version >= 9)
		run(db, "INSERT INTO runs (begin_us, seen_us, end_us) VALUES (1, 2, 0)");
	sqlite3_close(db);
}

static void see_call(void *arg, const struct ledger_call *call)
{
	++*(int *)arg;
	assert_int_equal(call->id, 5);
	assert_int_equal(call->charge->usage.input, 7);
	assert_int_equal(call->charge->usage.output, 3);
	assert_int_equal(call->charge->cost_nanos, 900);
	assert_int_equal(call->charge->error_nanos, 0);
	assert_int_equal(charge_count(call->charge), 1);
	assert_int_equal(call->charge->under_nanos + call->charge->over_nanos, 0);
	assert_int_equal(call->charge->excess, 0);
	assert_string_equal(call->group->path, "/a");
	assert_string_equal(call->charge->model, "m");
	assert_string_equal(call->charge->destination, ""); /* nobody had asked */
	assert_string_equal(call->charge->via, "");
	assert_string_equal(call->charge->api_key, "");
}

static void see_action(void *arg, const struct ledger_action *action)
{
	size_t i = (size_t)(*(int *)arg)++;

	assert_string_equal(action->result, sentences[i].result);
	assert_int_equal(action->outcome, sentences[i].outcome);
	assert_int_equal(action->until_us, 0);
}

static void see_row(void *arg, const struct ledger_row *row)
{
	++*(int *)arg;
	assert_int_equal(row->calls, 1);
	assert_int_equal(row->tokens.input, 7);
	assert_int_equal(row->cost_nanos, 900);
}

static void each_schema_so_far_becomes_the_present_one(void **state)
{
	assert_int_equal(schema_version, OLD + 1);
	remove_dir(state);
	for (int version = 0; version <= OLD; version++) {
		int calls = 0, actions = 0, rows = 0;
		struct override order = { .kind = OVERRIDE_HOLD, .key = "b", .until_us = 9 };
		struct ledger *ledger;
		char *error = NULL;

		make_dir(state);
		if (version)
			make_old(version);
		assert_int_equal(ledger_open(&ledger, dir, true, &error), 0);
		assert_int_equal(ledger_replay(ledger, 0, see_call, &calls), 0);
		assert_int_equal(calls, !!version);
		assert_int_equal(ledger_actions(ledger, 0, see_action, &actions), 0);
		assert_int_equal(actions, version ? (int)ARRAY_SIZE(sentences) : 0);
		assert_int_equal(
			ledger_report(ledger,
				      &(struct ledger_query){ .since_us = 0,
							      .until_us = LEDGER_NO_END,
							      .keys = 1u << LEDGER_BY_MODEL },
				      see_row, &rows),
			0);
		assert_int_equal(rows, !!version);
		assert_int_equal(override_add(ledger, &order), 0);
		ledger_free(ledger);
		assert_int_equal(ask("PRAGMA user_version"), schema_version);
		assert_int_equal(
			ask("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
			1);
		/* Nothing is left to be brought up to date, so a reader may open it. */
		assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
		ledger_free(ledger);
		remove_dir(state);
	}
	make_dir(state);
}

/* Both ways lead to the same tables, so that no statement works with one of them alone. */
static void an_old_file_and_a_new_one_have_the_same_columns(void **state)
{
	static const char columns[] =
		"SELECT sum(length(m.name) * 1000 + length(c.name) * (c.cid + 1) + c.pk) FROM sqlite_schema m"
		" JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
	struct ledger *ledger;
	int64_t fresh;

	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	ledger_free(ledger);
	fresh = ask(columns);
	remove_dir(state);
	make_dir(state);
	make_old(1);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	ledger_free(ledger);
	assert_int_equal(ask(columns), fresh);
}

/* A class of usage, or another sum, is a column of both tables: a new one needs a migration. */
static void each_sum_has_its_columns(void **state)
{
	struct ledger *ledger;

	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	ledger_free(ledger);
	for (size_t i = 0; i < SUMS; i++) {
		char sql[256];

		snprintf(sql, sizeof(sql),
			 "SELECT (SELECT count(*) FROM pragma_table_info('calls') WHERE name = '%s')"
			 " + (SELECT count(*) FROM pragma_table_info('hours') WHERE name = '%s')",
			 sql_sum(i), sql_sum(i));
		assert_int_equal(ask(sql), 2);
	}
}

static void an_older_file_waits_for_the_daemon(void **state)
{
	struct ledger *ledger = NULL;
	char *error = NULL;
	bool has_daemon;

	for (int version = 1; version <= OLD; version++) {
		make_old(version);
		assert_int_equal(ledger_open(&ledger, dir, false, &error), -EPROTO);
		assert_non_null(strstr(error, "start `aigress run` once"));
		free(error);
		assert_int_equal(override_open(&ledger, dir, &has_daemon, &error), -EPROTO);
		assert_non_null(strstr(error, "start `aigress run` once"));
		free(error);
		assert_int_equal(ask("PRAGMA user_version"), version);
		remove_dir(state);
		make_dir(state);
	}
	assert_null(ledger);
}

/* What this aigress is to the next one's file, an older one is to this one's. */
static void a_newer_file_is_refused_and_left_alone(void **state)
{
	struct ledger *ledger = NULL;
	char *error = NULL, told[64];
	bool has_daemon;
	sqlite3 *db;

	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	ledger = ledger_free(ledger);
	db = open_file();
	run(db, "PRAGMA user_version = %d", schema_version + 1);
	sqlite3_close(db);
	snprintf(told, sizeof(told), "newer aigress (schema %d, this one knows %d)",
		 schema_version + 1, schema_version);
	for (int i = 0; i < 3; i++) {
		int err = i < 2 ? ledger_open(&ledger, dir, i, &error) :
				  override_open(&ledger, dir, &has_daemon, &error);

		assert_int_equal(err, -EPROTO);
		assert_non_null(strstr(error, told));
		free(error);
	}
	assert_null(ledger);
	assert_int_equal(ask("PRAGMA user_version"), schema_version + 1);
}

static void a_migration_that_fails_changes_nothing(void **state)
{
	struct ledger *ledger = NULL;
	char *error = NULL;
	sqlite3 *db;

	make_old(1);
	db = open_file();
	/* in the way of the sixth: all that the second to the fifth did is undone */
	run(db, "ALTER TABLE actions ADD COLUMN outcome TEXT");
	sqlite3_close(db);
	assert_int_not_equal(ledger_open(&ledger, dir, true, &error), 0);
	assert_non_null(error);
	free(error);
	assert_null(ledger);
	assert_int_equal(ask("PRAGMA user_version"), 1);
	assert_int_equal(
		ask("SELECT count(*) FROM sqlite_schema WHERE name IN ('standing', 'outbox')"), 0);
}

static void results_have_names_that_are_read_back(void **state)
{
	for (int i = 0; i < ACTION_RESULTS; i++)
		assert_int_equal(action_result_of(action_result_name(i)), i);
	assert_null(action_result_name(ACTION_RESULTS));
	assert_null(action_result_word(ACTION_RESULTS));
	assert_int_equal(action_result_of("a later aigress's"), ACTION_UNKNOWN);
	assert_string_equal(action_result_word(ACTION_FINISHED), "done");
	assert_string_equal(action_result_word(ACTION_FAILED), "failed");
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(each_schema_so_far_becomes_the_present_one),
		HELD(an_old_file_and_a_new_one_have_the_same_columns),
		HELD(each_sum_has_its_columns),
		HELD(an_older_file_waits_for_the_daemon),
		HELD(a_newer_file_is_refused_and_left_alone),
		HELD(a_migration_that_fails_changes_nothing),
		cmocka_unit_test(results_have_names_that_are_read_back),
	};

	return cmocka_run_group_tests_name("schema", tests, NULL, NULL);
}
