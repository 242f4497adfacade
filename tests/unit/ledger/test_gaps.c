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

static void see(void *arg, const struct gap *gap)
{
	assert_true(n_seen < ARRAY_SIZE(seen));
	seen[n_seen++] = *gap;
}

static size_t gaps(int64_t since_us, int64_t now_us, bool is_running)
{
	n_seen = 0;
	assert_int_equal(gaps_read(ledger, since_us, now_us, is_running, see, NULL), 0);
	return n_seen;
}

static void is_gap(size_t i, int64_t from_s, int64_t until_s, bool is_open, bool was_killed)
{
	assert_true(i < n_seen);
	assert_int_equal(seen[i].from_us, from_s * S);
	assert_int_equal(seen[i].until_us, until_s * S);
	assert_int_equal(seen[i].is_open, is_open);
	assert_int_equal(seen[i].was_killed, was_killed);
}

/* As a later process: rows, not memory, are what counts. */
static void restart(void)
{
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
}

static void before_the_first_daemon_nothing_is_known(void **state)
{
	assert_int_equal(gaps(0, 1000 * S, false), 0);
	assert_int_equal(gaps_begin(ledger, 100 * S), 0);
	assert_int_equal(gaps(0, 1000 * S, true), 0);
}

static void a_stop_and_a_kill_leave_gaps(void **state)
{
	int64_t sum = 0;

	assert_int_equal(gaps_begin(ledger, 100 * S), 0);
	assert_int_equal(gaps_beat(ledger, 160 * S), 0);
	assert_int_equal(gaps_end(ledger, 200 * S), 0);
	/* A beat after the end, and a second end, change nothing. */
	assert_int_equal(gaps_beat(ledger, 210 * S), 0);
	assert_int_equal(gaps_end(ledger, 220 * S), 0);
	assert_int_equal(gaps(0, 300 * S, false), 1);
	is_gap(0, 200, 300, true, false);
	restart();
	assert_int_equal(gaps_begin(ledger, 400 * S), 0);
	assert_int_equal(gaps_beat(ledger, 460 * S), 0);
	restart();
	assert_int_equal(gaps_begin(ledger, 500 * S), 0);
	assert_int_equal(gaps(0, 900 * S, true), 2);
	is_gap(0, 200, 400, false, false);
	is_gap(1, 460, 500, false, true);
	/* Cut where the report begins; what ended before it is left out. */
	assert_int_equal(gaps(480 * S, 900 * S, true), 1);
	is_gap(0, 480, 500, false, true);
	assert_int_equal(gaps(500 * S, 900 * S, true), 0);
	assert_int_equal(gaps_sum(ledger, 300 * S, 900 * S, true, &sum), 0);
	assert_int_equal(sum, 140 * S);
}

static void a_moment_and_a_clock_that_was_set_back_are_no_gap(void **state)
{
	assert_int_equal(gaps_begin(ledger, 100 * S), 0);
	assert_int_equal(gaps_end(ledger, 200 * S), 0);
	assert_int_equal(gaps_begin(ledger, 200 * S + S / 2), 0);
	assert_int_equal(gaps_end(ledger, 300 * S), 0);
	/* An hour back, and over the time that was measured already. */
	assert_int_equal(gaps_begin(ledger, 150 * S), 0);
	assert_int_equal(gaps_end(ledger, 250 * S), 0);
	assert_int_equal(gaps_begin(ledger, 400 * S), 0);
	assert_int_equal(gaps(0, 900 * S, true), 1);
	is_gap(0, 300, 400, false, false);
}

static void a_reader_writes_none(void **state)
{
	assert_int_equal(gaps_begin(ledger, 100 * S), 0);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
	assert_int_not_equal(gaps_begin(ledger, 200 * S), 0);
	assert_int_equal(gaps(0, 150 * S, false), 1);
	is_gap(0, 100, 150, true, true);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(before_the_first_daemon_nothing_is_known),
		HELD(a_stop_and_a_kill_leave_gaps),
		HELD(a_moment_and_a_clock_that_was_set_back_are_no_gap),
		HELD(a_reader_writes_none),
	};

	return cmocka_run_group_tests_name("gaps", tests, NULL, NULL);
}
