/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/gaps.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "ledger/ledger_internal.h"

/* Only the last row can be this daemon's: the ledger has one writer. */
#define LAST     " WHERE id = (SELECT max(id) FROM runs)"
#define IS_ALIVE " AND end_us = 0 AND how = 0"

struct gaps_time gaps_now(void)
{
	return (struct gaps_time){ clock_wall_us(), (int64_t)(clock_mono_ns() / 1000) };
}

static int run(struct ledger *ledger, const char *sql, struct gaps_time now, enum gap_why how)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	int err = ledger_prepare(ledger, sql, &statement);

	if (err)
		return err;
	/* a parameter that the statement lacks is not bound */
	(void)sqlite3_bind_int64(statement, 1, now.wall_us);
	(void)sqlite3_bind_int64(statement, 2, now.mono_us);
	(void)sqlite3_bind_int64(statement, 3, how);
	return ledger_errno(sqlite3_step(statement));
}

static int end_as(struct ledger *ledger, enum gap_why how)
{
	return run(ledger, "UPDATE runs SET how = ?3" LAST IS_ALIVE, (struct gaps_time){ 0 }, how);
}

/*
 * What it measured last proves that it lived longer than its last heartbeat tells. Later this is not to be known: a new daemon's
 * first calls may have begun before it did.
 */
int gaps_take_over(struct ledger *ledger)
{
	return run(ledger,
		   "UPDATE runs SET how = ?3, seen_us = max(seen_us, coalesce((SELECT max(start_us)"
		   " FROM calls WHERE start_us <= ?1), 0))" LAST IS_ALIVE,
		   gaps_now(), GAP_KILLED);
}

int gaps_begin(struct ledger *ledger, struct gaps_time now)
{
	return run(ledger,
		   "INSERT INTO runs (begin_us, seen_us, end_us, seen_mono_us)"
		   " VALUES (?1, ?1, 0, ?2)",
		   now, 0);
}

int gaps_beat(struct ledger *ledger, struct gaps_time now)
{
	int64_t seen_us = now.mono_us;
	int err = ledger_query_int(ledger, "SELECT seen_mono_us FROM runs" LAST IS_ALIVE, &seen_us);

	if (err)
		return err;
	if (now.mono_us - seen_us < GAPS_HANGS_US)
		return run(
			ledger,
			"UPDATE runs SET seen_us = max(seen_us, ?1), seen_mono_us = ?2" LAST IS_ALIVE,
			now, 0);
	err = end_as(ledger, GAP_HUNG);
	if (!err)
		err = gaps_begin(ledger, now);
	return err ? err : 1;
}

int gaps_end(struct ledger *ledger, struct gaps_time now)
{
	/* one that hung until it was told to end */
	int err = gaps_beat(ledger, now);

	return err < 0 ? err :
			 run(ledger,
			     "UPDATE runs SET seen_us = max(seen_us, ?1),"
			     " end_us = max(begin_us, ?1)" LAST IS_ALIVE,
			     now, 0);
}

enum gaps_life gaps_life(struct ledger *ledger, bool is_written, struct gaps_time now)
{
	/* A row of another boot is of another clock: then it is not known to hang. */
	int64_t seen_us = -1;
	int err;

	if (!is_written)
		return GAPS_NOBODY;
	err = ledger_query_int(ledger, "SELECT seen_mono_us FROM runs" LAST IS_ALIVE, &seen_us);
	if (err)
		return GAPS_MEASURING;
	if (seen_us < 0)
		return GAPS_STARTING;
	return now.mono_us - seen_us >= GAPS_HANGS_US ? GAPS_HANGING : GAPS_MEASURING;
}

struct reader {
	int64_t since_us, until_us;
	void (*fn)(void *arg, const struct gap *gap);
	void *arg;
};

static void hand_back(const struct reader *reader, struct gap gap)
{
	if (gap.from_us < reader->since_us)
		gap.from_us = reader->since_us;
	if (gap.until_us > reader->until_us)
		gap.until_us = reader->until_us;
	if (gap.until_us - gap.from_us >= (gap.is_open ? 0 : GAPS_SHORTEST_US))
		reader->fn(reader->arg, &gap);
}

/* A clock that was set back makes no gap: rows are in the order of their ids, and ends only rise. */
int gaps_read(struct ledger *ledger, int64_t since_us, int64_t until_us, enum gaps_life life,
	      void (*fn)(void *arg, const struct gap *gap), void *arg)
{
	const struct reader reader = { since_us, until_us, fn, arg };
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct gap gap = { 0 };
	bool is_first = true;
	int result;
	int err = ledger_prepare(
		ledger,
		"SELECT begin_us, seen_us, end_us, how, CASE WHEN end_us = 0 AND how = 0 THEN"
		" (SELECT max(start_us) FROM calls WHERE start_us >= begin_us AND start_us < ?) END"
		" FROM runs ORDER BY id",
		&statement);

	if (err)
		return err;
	(void)sqlite3_bind_int64(statement, 1, until_us);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		int64_t end_us = sqlite3_column_int64(statement, 2);
		int64_t last_us = end_us ? end_us : sqlite3_column_int64(statement, 1);
		int64_t call_us = sqlite3_column_int64(statement, 4);
		enum gap_why how = (enum gap_why)sqlite3_column_int64(statement, 3);

		gap.until_us = sqlite3_column_int64(statement, 0);
		if (!is_first)
			hand_back(&reader, gap);
		is_first = false;
		/* of an older schema, or nobody came to say how it ended */
		gap.why = end_us || how ? how : GAP_KILLED;
		/* its last call says more than its last heartbeat; nobody has taken over, so it is its own */
		if (call_us > last_us)
			last_us = call_us;
		if (last_us > gap.from_us)
			gap.from_us = last_us;
	}
	err = ledger_errno(result);
	if (err || is_first || life == GAPS_MEASURING)
		return err;
	if (life == GAPS_HANGING)
		gap.why = GAP_HUNG;
	gap.until_us = until_us;
	gap.is_open = true;
	hand_back(&reader, gap);
	return 0;
}

static void add(void *arg, const struct gap *gap)
{
	*(int64_t *)arg += gap->until_us - gap->from_us;
}

int gaps_sum(struct ledger *ledger, int64_t since_us, int64_t until_us, enum gaps_life life,
	     int64_t *ret_us)
{
	int64_t sum = 0;
	int err = gaps_read(ledger, since_us, until_us, life, add, &sum);

	if (!err)
		*ret_us = sum;
	return err;
}
