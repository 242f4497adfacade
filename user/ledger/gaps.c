/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/gaps.h"

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

static int run(struct ledger *ledger, const char *sql, int64_t now_us)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);

	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, now_us);
	return ledger_errno(sqlite3_step(statement));
}

int gaps_begin(struct ledger *ledger, int64_t now_us)
{
	return run(ledger, "INSERT INTO runs (begin_us, seen_us, end_us) VALUES (?1, ?1, 0)",
		   now_us);
}

/* Only the last row can be this daemon's: the ledger has one writer. */
int gaps_beat(struct ledger *ledger, int64_t now_us)
{
	return run(ledger,
		   "UPDATE runs SET seen_us = ?1 WHERE id = (SELECT max(id) FROM runs)"
		   " AND end_us = 0 AND seen_us < ?1",
		   now_us);
}

int gaps_end(struct ledger *ledger, int64_t now_us)
{
	return run(ledger,
		   "UPDATE runs SET seen_us = max(seen_us, ?1), end_us = max(begin_us, ?1)"
		   " WHERE id = (SELECT max(id) FROM runs) AND end_us = 0",
		   now_us);
}

struct reader {
	int64_t since_us, now_us;
	void (*fn)(void *arg, const struct gap *gap);
	void *arg;
};

static void hand_back(const struct reader *reader, struct gap gap)
{
	if (gap.from_us < reader->since_us)
		gap.from_us = reader->since_us;
	if (gap.is_open || gap.until_us - gap.from_us >= GAPS_SHORTEST_US)
		reader->fn(reader->arg, &gap);
}

/* A clock that was set back makes no gap: rows are in the order of their ids, and ends only rise. */
int gaps_read(struct ledger *ledger, int64_t since_us, int64_t now_us, bool is_running,
	      void (*fn)(void *arg, const struct gap *gap), void *arg)
{
	const struct reader reader = { since_us, now_us, fn, arg };
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct gap gap = { 0 };
	bool is_first = true;
	int result;
	int err = ledger_prepare(ledger, "SELECT begin_us, seen_us, end_us FROM runs ORDER BY id",
				 &statement);

	if (err)
		return err;
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t end_us = sqlite3_column_int64(statement, 2);
		int64_t last_us = end_us ? end_us : sqlite3_column_int64(statement, 1);

		gap.until_us = sqlite3_column_int64(statement, 0);
		if (!is_first)
			hand_back(&reader, gap);
		is_first = false;
		gap.was_killed = !end_us;
		if (last_us > gap.from_us)
			gap.from_us = last_us;
	}
	err = ledger_errno(result);
	if (err || is_first || is_running)
		return err;
	gap.until_us = now_us;
	gap.is_open = true;
	hand_back(&reader, gap);
	return 0;
}

static void add(void *arg, const struct gap *gap)
{
	*(int64_t *)arg += gap->until_us - gap->from_us;
}

int gaps_sum(struct ledger *ledger, int64_t since_us, int64_t now_us, bool is_running,
	     int64_t *ret_us)
{
	int64_t sum = 0;
	int err = gaps_read(ledger, since_us, now_us, is_running, add, &sum);

	if (!err)
		*ret_us = sum;
	return err;
}
