/* SPDX-License-Identifier: Apache-2.0 */
/* When nobody measured is known afterwards, however the daemon before it ended. */
#include "unit.h"

#include "ledger/gaps.h"

#define S 1000000LL

static char dir[UNIT_FOLDER_LEN];
static struct ledger *ledger;
static struct gap seen[8];
static size_t n_seen;

static int make_ledger(void **state)
{
	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, NULL);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

/* Of a daemon that beats in time, as far as the clock tells that nobody sets. */
static struct gaps_time at(int64_t wall_us)
{
	return (struct gaps_time){ wall_us, 1 };
}

/* By both clocks. */
static struct gaps_time beat(int64_t wall_us)
{
	return (struct gaps_time){ wall_us, wall_us - 50 * S };
}

static void see(void *arg, const struct gap *gap)
{
	assert_true(n_seen < ARRAY_SIZE(seen));
	seen[n_seen++] = *gap;
}

static size_t gaps(int64_t since_us, int64_t now_us, enum gaps_life life)
{
	n_seen = 0;
	assert_int_equal(gaps_read(ledger, since_us, now_us, life, see, NULL), 0);
	return n_seen;
}

static void is_gap(size_t i, int64_t from_s, int64_t until_s, bool is_open, enum gap_why why)
{
	assert_true(i < n_seen);
	assert_int_equal(seen[i].from_us, from_s * S);
	assert_int_equal(seen[i].until_us, until_s * S);
	assert_int_equal(seen[i].is_open, is_open);
	assert_int_equal(seen[i].why, why);
}

/* As a later process: rows, not memory, are what counts. */
static void restart(void)
{
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	assert_int_equal(gaps_take_over(ledger), 0);
}

static void before_the_first_daemon_nothing_is_known(void **state)
{
	assert_int_equal(gaps(0, 1000 * S, GAPS_NOBODY), 0);
	assert_int_equal(gaps_begin(ledger, at(100 * S)), 0);
	assert_int_equal(gaps(0, 1000 * S, GAPS_MEASURING), 0);
}

static void a_stop_and_a_kill_leave_gaps(void **state)
{
	int64_t sum = 0;

	assert_int_equal(gaps_begin(ledger, at(100 * S)), 0);
	assert_int_equal(gaps_beat(ledger, at(160 * S)), 0);
	assert_int_equal(gaps_end(ledger, at(200 * S)), 0);
	/* A beat after the end, and a second end, change nothing. */
	assert_int_equal(gaps_beat(ledger, at(210 * S)), 0);
	assert_int_equal(gaps_end(ledger, at(220 * S)), 0);
	assert_int_equal(gaps(0, 300 * S, GAPS_NOBODY), 1);
	is_gap(0, 200, 300, true, GAP_STOPPED);
	restart();
	assert_int_equal(gaps_begin(ledger, at(400 * S)), 0);
	assert_int_equal(gaps_beat(ledger, at(460 * S)), 0);
	restart();
	assert_int_equal(gaps_begin(ledger, at(500 * S)), 0);
	assert_int_equal(gaps(0, 900 * S, GAPS_MEASURING), 2);
	is_gap(0, 200, 400, false, GAP_STOPPED);
	is_gap(1, 460, 500, false, GAP_KILLED);
	/* Cut where the report begins; what ended before it is left out. */
	assert_int_equal(gaps(480 * S, 900 * S, GAPS_MEASURING), 1);
	is_gap(0, 480, 500, false, GAP_KILLED);
	assert_int_equal(gaps(500 * S, 900 * S, GAPS_MEASURING), 0);
	assert_int_equal(gaps_sum(ledger, 300 * S, 900 * S, GAPS_MEASURING, &sum), 0);
	assert_int_equal(sum, 140 * S);
}

static void a_moment_and_a_clock_that_was_set_back_are_no_gap(void **state)
{
	assert_int_equal(gaps_begin(ledger, at(100 * S)), 0);
	assert_int_equal(gaps_end(ledger, at(200 * S)), 0);
	assert_int_equal(gaps_begin(ledger, at(200 * S + S / 2)), 0);
	assert_int_equal(gaps_end(ledger, at(300 * S)), 0);
	/* An hour back, and over the time that was measured already. */
	assert_int_equal(gaps_begin(ledger, at(150 * S)), 0);
	assert_int_equal(gaps_end(ledger, at(250 * S)), 0);
	assert_int_equal(gaps_begin(ledger, at(400 * S)), 0);
	assert_int_equal(gaps(0, 900 * S, GAPS_MEASURING), 1);
	is_gap(0, 300, 400, false, GAP_STOPPED);
}

/* One that keeps its lock and does nothing looks alive by its lock alone. */
static void a_daemon_that_hangs_leaves_a_gap(void **state)
{
	assert_int_equal(gaps_begin(ledger, beat(100 * S)), 0);
	assert_int_equal(gaps_beat(ledger, beat(160 * S)), 0);
	assert_int_equal(gaps_life(ledger, true, beat(249 * S)), GAPS_MEASURING);
	assert_int_equal(gaps_life(ledger, true, beat(250 * S)), GAPS_HANGING);
	assert_int_equal(gaps_life(ledger, false, beat(250 * S)), GAPS_NOBODY);
	assert_int_equal(gaps(0, 300 * S, GAPS_HANGING), 1);
	is_gap(0, 160, 300, true, GAP_HUNG);
	assert_int_equal(gaps_beat(ledger, beat(400 * S)), 1);
	assert_int_equal(gaps_beat(ledger, beat(460 * S)), 0);
	assert_int_equal(gaps_life(ledger, true, beat(470 * S)), GAPS_MEASURING);
	assert_int_equal(gaps(0, 500 * S, GAPS_MEASURING), 1);
	is_gap(0, 160, 400, false, GAP_HUNG);
	/* What a report does not cover is not in it. */
	assert_int_equal(gaps(0, 200 * S, GAPS_MEASURING), 1);
	is_gap(0, 160, 200, false, GAP_HUNG);
	assert_int_equal(gaps(0, 150 * S, GAPS_MEASURING), 0);
	assert_int_equal(gaps_end(ledger, beat(480 * S)), 0);
	assert_int_equal(gaps(0, 500 * S, GAPS_NOBODY), 2);
	is_gap(1, 480, 500, true, GAP_STOPPED);
}

/* A clock that is set, and a host that sleeps, are no daemon that hangs: only the wall clock goes on. */
static void a_host_that_slept_has_no_gap(void **state)
{
	struct gaps_time later = { 9000 * S, 120 * S };

	assert_int_equal(gaps_begin(ledger, beat(100 * S)), 0);
	assert_int_equal(gaps_life(ledger, true, later), GAPS_MEASURING);
	assert_int_equal(gaps_beat(ledger, later), 0);
	assert_int_equal(gaps(0, 9000 * S, GAPS_MEASURING), 0);
}

static void a_daemon_that_starts_does_not_measure_yet(void **state)
{
	assert_int_equal(gaps_life(ledger, true, beat(50 * S)), GAPS_STARTING);
	assert_int_equal(gaps_begin(ledger, beat(100 * S)), 0);
	assert_int_equal(gaps_life(ledger, true, beat(101 * S)), GAPS_MEASURING);
	restart();
	assert_int_equal(gaps_life(ledger, true, beat(500 * S)), GAPS_STARTING);
	assert_int_equal(gaps(0, 500 * S, GAPS_STARTING), 1);
	is_gap(0, 100, 500, true, GAP_KILLED);
}

static void call_at(int64_t second)
{
	struct who_group group = { .path = "/a" };
	struct who_process process = { .comm = "curl" };
	struct charge charge = { .host = "h", .model = "m" };

	assert_int_equal(ledger_add(ledger,
				    &(struct ledger_call){ .start_us = second * S,
							   .charge = &charge,
							   .group = &group,
							   .process = &process },
				    NULL),
			 0);
	assert_int_equal(ledger_commit(ledger), 0);
}

/* What it measured proves that it lived, also between two heartbeats. */
static void a_call_is_not_in_a_gap(void **state)
{
	assert_int_equal(gaps_begin(ledger, at(100 * S)), 0);
	assert_int_equal(gaps_beat(ledger, at(160 * S)), 0);
	call_at(150);
	call_at(190);
	assert_int_equal(gaps(0, 195 * S, GAPS_NOBODY), 1);
	is_gap(0, 190, 195, true, GAP_KILLED);
	restart();
	/* The next one's, on a connection that was older than itself, is no call of the first. */
	call_at(199);
	assert_int_equal(gaps(0, 199 * S, GAPS_STARTING), 1);
	is_gap(0, 190, 199, true, GAP_KILLED);
	assert_int_equal(gaps_begin(ledger, at(200 * S)), 0);
	call_at(198);
	call_at(230);
	assert_int_equal(gaps(0, 900 * S, GAPS_MEASURING), 1);
	is_gap(0, 190, 200, false, GAP_KILLED);
	/* The last known moment of the next one is its own. */
	restart();
	assert_int_equal(gaps_begin(ledger, at(300 * S)), 0);
	assert_int_equal(gaps(0, 900 * S, GAPS_MEASURING), 2);
	is_gap(1, 230, 300, false, GAP_KILLED);
}

static void a_reader_writes_none(void **state)
{
	assert_int_equal(gaps_begin(ledger, at(100 * S)), 0);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
	assert_int_not_equal(gaps_begin(ledger, at(200 * S)), 0);
	assert_int_equal(gaps(0, 150 * S, GAPS_NOBODY), 1);
	is_gap(0, 100, 150, true, GAP_KILLED);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(before_the_first_daemon_nothing_is_known),
		HELD(a_stop_and_a_kill_leave_gaps),
		HELD(a_moment_and_a_clock_that_was_set_back_are_no_gap),
		HELD(a_daemon_that_hangs_leaves_a_gap),
		HELD(a_host_that_slept_has_no_gap),
		HELD(a_daemon_that_starts_does_not_measure_yet),
		HELD(a_call_is_not_in_a_gap),
		HELD(a_reader_writes_none),
	};

	return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
