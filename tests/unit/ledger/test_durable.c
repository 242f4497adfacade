/* SPDX-License-Identifier: Apache-2.0 */
/* A kill, a full disk, and readers beside the writer: what is lost, and for how long. */
#include "made_calls.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/clock.h"

static void assert_hours_equal_calls(void)
{
	assert_int_equal(ask("SELECT ifnull(sum(calls), 0) FROM hours"),
			 ask("SELECT count(*) FROM calls"));
	/* Every column, group by group, both ways round. */
	assert_int_equal(
		ask("SELECT count(*) FROM (SELECT hour, subject, service, source, calls,"
		    " unpriced, input, cache_read, cache_write_5m, cache_write_1h, output, "
		    "reasoning,"
		    " audio_input, audio_output, web_searches, cost_nanos, budget_nanos, "
		    "request_bytes,"
		    " response_bytes FROM hours EXCEPT SELECT start_us / 3600000000, subject, "
		    "service, source,"
		    " count(*), sum(priced = 0 AND source <> 'free'), sum(input), sum(cache_read),"
		    " sum(cache_write_5m), sum(cache_write_1h), sum(output), sum(reasoning), "
		    "sum(audio_input),"
		    " sum(audio_output), sum(web_searches), sum(cost_nanos), sum(budget_nanos),"
		    " sum(request_bytes), sum(response_bytes) FROM calls GROUP BY 1, 2, 3, 4)"),
		0);
	assert_int_equal(
		ask("SELECT count(*) FROM (SELECT 1 FROM calls GROUP BY start_us / 3600000000,"
		    " subject, service, source)"),
		ask("SELECT count(*) FROM hours"));
}

/* Adds at random and dies at random; the parent looks at what is left. */
static void a_kill_loses_no_more_than_the_batch_and_counts_nothing_twice(void **state)
{
	volatile unsigned *committed = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	srand(4711);
	for (int round = 0; round < 12; round++) {
		unsigned before = *committed, pause_us = 3000 + (unsigned)rand() % 60000;
		pid_t child = fork();

		if (child == 0) {
			struct ledger *ledger = NULL;
			struct made made;

			if (ledger_open(&ledger, dir, true, NULL) < 0)
				_exit(1);
			for (unsigned n = before, since = 0;;) {
				make(&made, n + since);
				if (ledger_add(ledger, &made.call, NULL) < 0)
					_exit(2);
				since++;
				if ((unsigned)rand() % 20)
					continue;
				if (ledger_commit(ledger) < 0)
					_exit(3);
				n += since;
				since = 0;
				*committed = n;
			}
		}
		/* on a slow disk too there is something to lose */
		while (*committed < before + 10 && !waitpid(child, NULL, WNOHANG))
			usleep(1000);
		usleep(pause_us);
		kill(child, SIGKILL);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		int64_t rows = ask("SELECT count(*) FROM calls");
		/* A commit may have reached the file before the child could say so. */
		assert_true(rows >= *committed);
		*committed = (unsigned)rows;
		assert_hours_equal_calls();
		assert_int_equal(ask("SELECT count(DISTINCT id) FROM calls"), rows);
	}
	assert_true(*committed > 100);
	munmap((void *)committed, 4096);
}

static void many_names_do_not_grow_memory_or_lose_calls(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;

	make(&made, 1);
	for (int i = 0; i < 10000; i++) {
		snprintf(made.charge.model, sizeof(made.charge.model), "m%d", i);
		assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
	}
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(DISTINCT model) FROM services JOIN calls ON service = "
			     "services.id"),
			 10000);
	assert_hours_equal_calls();
}

/* A small tmpfs in a mount namespace of the child's own, so that nothing is left behind. */
static int on_full_disk(void)
{
	char mounted[96], ballast[128];
	struct ledger *ledger = NULL;
	struct made made;
	uint64_t begun_ns;
	unsigned n = 0;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	snprintf(mounted, sizeof(mounted), "%s/disk", dir);
	mkdir(mounted, 0700);
	if (mount("tmpfs", mounted, "tmpfs", 0, "size=1m") < 0)
		return 77;
	strcpy(dir, mounted);
	if (ledger_open(&ledger, dir, true, NULL) < 0)
		return 1;
	for (; n < 50; n++) {
		make(&made, n);
		if (ledger_add(ledger, &made.call, NULL) < 0)
			return 2;
	}
	if (ledger_commit(ledger) < 0)
		return 3;
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	fd = open(ballast, O_WRONLY | O_CREAT, 0600);
	while (write(fd, ballast, sizeof(ballast)) > 0)
		;
	for (; n < 5000; n++) {
		make(&made, n);
		if (ledger_add(ledger, &made.call, NULL) < 0)
			return 4;
	}
	if (ledger_commit(ledger) == 0 || !ledger_pending(ledger) || ledger_lost(ledger))
		return 5;
	begun_ns = clock_mono_ns();
	for (; n < LEDGER_QUEUE + 3000; n++) {
		make(&made, n);
		(void)ledger_add(ledger, &made.call, NULL);
	}
	if (clock_mono_ns() - begun_ns > NS_PER_S || ledger_pending(ledger) != LEDGER_QUEUE)
		return 6;
	close(fd);
	unlink(ballast);
	if (mount("tmpfs", mounted, "tmpfs", MS_REMOUNT, "size=64m") < 0)
		return 7;
	for (int i = 0; i < 300 && ledger_commit(ledger) < 0; i++)
		usleep(10000);
	if (ledger_pending(ledger))
		return 8;
	n -= (unsigned)ledger_lost(ledger);
	ledger_free(ledger);
	if (ask("SELECT count(*) FROM calls") != n)
		return 9;
	assert_hours_equal_calls();
	return 0;
}

static void a_full_disk_costs_nothing_until_the_queue_is_full(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(on_full_disk());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void count_rows(void *arg, const struct ledger_row *row)
{
	*(uint64_t *)arg += row->calls;
}

/* Readers come and go while the writer commits; neither is refused, and sums never go back. */
static void readers_and_the_writer_do_not_stop_each_other(void **state)
{
	struct ledger *ledger = open_writer();
	pid_t child = fork();
	uint64_t longest_ns = 0;
	int status;

	if (child == 0) {
		struct ledger *reader = NULL;
		uint64_t before = 0, now = 0;

		if (ledger_open(&reader, dir, false, NULL) < 0)
			_exit(1);
		while (now < 20000) {
			now = 0;
			if (ledger_report(reader,
					  &(struct ledger_query){ .since_us = T0 + 1,
								  .until_us = LEDGER_NO_END,
								  .keys = 1u << LEDGER_BY_MODEL },
					  count_rows, &now) < 0)
				_exit(2);
			if (now < before)
				_exit(3);
			before = now;
		}
		ledger_free(reader);
		_exit(0);
	}
	for (unsigned n = 1; n <= 20000; n++) {
		add(ledger, n);
		if (n % 100)
			continue;
		uint64_t begun_ns = clock_mono_ns();
		assert_int_equal(ledger_commit(ledger), 0);
		begun_ns = clock_mono_ns() - begun_ns;
		longest_ns = begun_ns > longest_ns ? begun_ns : longest_ns;
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	ledger_free(ledger);
	print_message("longest commit beside a reader: %.1f ms\n", (double)longest_ns / 1e6);
}

/* A reader that never ends its transaction keeps the WAL; when it goes, the WAL shrinks again. */
static void the_wal_shrinks_when_readers_let_it(void **state)
{
	struct ledger *ledger = open_writer();
	sqlite3_stmt *statement;
	struct stat st;
	char path[96];
	sqlite3 *db;

	add(ledger, 1);
	assert_int_equal(ledger_commit(ledger), 0);
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM calls", -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	for (unsigned n = 0; n < 60000; n++) {
		add(ledger, n * 977);
		if (n % 100 == 0)
			assert_int_equal(ledger_commit(ledger), 0);
	}
	strcat(path, "-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 8 << 20);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	for (unsigned n = 0; n < 20000; n++) {
		add(ledger, n * 977);
		if (n % 50 == 0)
			assert_int_equal(ledger_commit(ledger), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= 8 << 20);
	ledger_free(ledger);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_kill_loses_no_more_than_the_batch_and_counts_nothing_twice),
		HELD(many_names_do_not_grow_memory_or_lose_calls),
		HELD(a_full_disk_costs_nothing_until_the_queue_is_full),
		HELD(readers_and_the_writer_do_not_stop_each_other),
		HELD(the_wal_shrinks_when_readers_let_it),
	};

	return cmocka_run_group_tests_name("durable", tests, NULL, NULL);
}
