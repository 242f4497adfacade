/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger with a broken page: what is read of it, and what a start then has. */
#include "made_calls.h"

#include <fcntl.h>

#include "ledger/salvage.h"

#define CALLS 3000
#define PAGE  4096

static void made(char path[96])
{
	struct ledger *ledger = open_writer();

	for (unsigned seed = 1; seed <= CALLS; seed++)
		add(ledger, seed);
	assert_int_equal(ledger_flush(ledger), 0);
	assert_int_equal(ledger_probe(ledger, 0), 0);
	ledger_free(ledger);
	snprintf(path, 96, "%s/" LEDGER_FILE, dir);
}

/* All of it in the file, nothing in the log. */
static void checkpoint(const char *path)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
}

/* The page of the table's middle, as the file has it. */
static int64_t page_of_calls(const char *path)
{
	sqlite3_stmt *statement;
	int64_t page = 0;
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_prepare_v2(db,
			       "SELECT pageno FROM dbstat WHERE name = 'calls' AND pagetype = 'leaf'"
			       " ORDER BY path LIMIT 1 OFFSET 10",
			       -1, &statement, NULL) == SQLITE_OK &&
	    sqlite3_step(statement) == SQLITE_ROW)
		page = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return page;
}

static void spoil(const char *path, int64_t page)
{
	char garbage[PAGE];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(garbage, 0xa5, sizeof(garbage));
	assert_int_equal(pwrite(fd, garbage, PAGE, (page - 1) * PAGE), PAGE);
	close(fd);
}

static void a_broken_page_costs_its_rows_alone(void **state)
{
	struct salvage salvage;
	struct ledger *ledger;
	char path[96], *damage;
	int64_t page;

	made(path);
	checkpoint(path);
	page = page_of_calls(path);
	if (!page)
		skip(); /* this SQLite has no dbstat */
	spoil(path, page);
	ledger = open_writer();
	assert_int_equal(ledger_probe(ledger, 0), -EBADMSG);
	ledger_free(ledger);
	assert_int_equal(ledger_salvage(dir, T0, &salvage), 0);
	assert_true(salvage.holes >= 1);
	assert_int_equal(access(salvage.aside, F_OK), 0);
	assert_non_null(strstr(salvage.aside, "ledger.db.damaged-2023"));
	ledger = open_writer();
	assert_int_equal(ledger_probe(ledger, 0), 0);
	assert_in_range(ask("SELECT count(*) FROM calls"), CALLS - 100, CALLS - 1);
	assert_int_equal(ask("SELECT count(*) FROM subjects"), 6);
	assert_int_equal(ask("SELECT sum(calls) FROM hours"), CALLS);
	assert_int_equal(ledger_last_id(ledger), CALLS);
	damage = ledger_get(ledger, "damage");
	assert_non_null(strstr(damage, "\"aside\": "));
	free(damage);
	add(ledger, CALLS + 1);
	ledger_free(ledger);
}

static void what_is_no_ledger_is_set_aside(void **state)
{
	struct salvage salvage;
	struct ledger *ledger = NULL;
	char path[96];

	made(path);
	checkpoint(path);
	spoil(path, 1);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), -EBADMSG);
	assert_int_equal(ledger_salvage(dir, T0, &salvage), 0);
	assert_int_equal(salvage.rows, 0);
	assert_int_equal(salvage.holes, 1);
	ledger = open_writer();
	assert_int_equal(ledger_last_id(ledger), 0);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_broken_page_costs_its_rows_alone, make_dir,
						remove_dir),
		cmocka_unit_test_setup_teardown(what_is_no_ledger_is_set_aside, make_dir, remove_dir),
	};

	return cmocka_run_group_tests_name("salvage", tests, NULL, NULL);
}
