/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger's WAL on a slow disk: who waits for it, and how far it grows. */
#include "unit.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "ledger/ledger.h"

#define SYNC_TICKS 5
#define COMMITS    1200
#define BATCH      50

static char dir[64];
static pthread_t loop;
static atomic_uint in_loop, elsewhere; /* waits for the disk */
static atomic_bool is_full;            /* the file cannot grow */

/*
 * The disk's time, in ticks, of which a wait for it outside the loop lasts SYNC_TICKS. The loop makes them, and
 * with each waits until the other thread waits for the disk or has closed its files: both run in lockstep, however
 * busy the host is.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned ticks, until; /* when the wait that lasts will be over */
static unsigned opened;       /* files of the other thread */
static bool is_quick;         /* nobody makes ticks, so nobody waits for them */
static unsigned kill_at;      /* this wait outside the loop is the process's last; 0: none is */
static bool is_killed_after;  /* what it wrote is on the disk by then */

static void tick(void)
{
	pthread_mutex_lock(&lock);
	ticks++;
	pthread_cond_broadcast(&changed);
	while (opened && ticks >= until)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void wait_for_disk(void)
{
	pthread_mutex_lock(&lock);
	until = ticks + SYNC_TICKS;
	pthread_cond_broadcast(&changed);
	while (!is_quick && ticks < until)
		pthread_cond_wait(&changed, &lock);
	until = 0;
	pthread_mutex_unlock(&lock);
}

static void set_quick(bool quick)
{
	pthread_mutex_lock(&lock);
	is_quick = quick;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void count_opened(int more)
{
	pthread_mutex_lock(&lock);
	opened += (unsigned)more;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* A VFS that is the default one but for its slow disk. */

static sqlite3_vfs *vfs, slow_vfs;
static int (*close_file)(sqlite3_file *file);
static int (*write_file)(sqlite3_file *file, const void *data, int n, sqlite3_int64 at);

static bool is_loop(void)
{
	return pthread_equal(pthread_self(), loop);
}

/* What a killed process has written is in the page cache, so no real disk is waited for. */
static int slow_sync(sqlite3_file *file, int flags)
{
	bool is_last;

	if (is_loop()) {
		in_loop++;
		return SQLITE_OK;
	}
	is_last = ++elsewhere == kill_at;
	if (is_last && !is_killed_after)
		kill(getpid(), SIGKILL);
	wait_for_disk();
	if (is_last)
		kill(getpid(), SIGKILL);
	return SQLITE_OK;
}

/* Of the database's file alone, which the other thread has one of while it is at work. */
static int counted_close(sqlite3_file *file)
{
	int err = close_file(file);

	if (!is_loop())
		count_opened(-1);
	return err;
}

static int write_if_there_is_room(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	return is_full ? SQLITE_FULL : write_file(file, data, n, at);
}

/* Who is first is the loop, before there is a thread. */
static int slow_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *ret)
{
	static sqlite3_io_methods of_file, of_wal;
	sqlite3_io_methods *slow = flags & SQLITE_OPEN_WAL ? &of_wal : &of_file;
	int err = vfs->xOpen(vfs, name, file, flags, ret);

	if (err || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return err;
	if (!slow->xSync) {
		*slow = *file->pMethods;
		slow->xSync = slow_sync;
		if (slow == &of_file) {
			write_file = slow->xWrite;
			slow->xWrite = write_if_there_is_room;
			close_file = slow->xClose;
			slow->xClose = counted_close;
		}
	}
	if (slow == &of_file && !is_loop())
		count_opened(1);
	file->pMethods = slow;
	return SQLITE_OK;
}

static int make_dir(void **state)
{
	return unit_folder(dir);
}

static int remove_dir(void **state)
{
	return unit_remove(dir);
}

static off_t size_of(const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void add(struct ledger *ledger, int from, int n)
{
	static const struct charge charge = { .host = "api.example", .path = "/v1", .model = "m" };
	static const struct who_process process = { .comm = "c", .exe = "/bin/c" };
	struct who_group group = { 0 };

	for (int i = from; i < from + n; i++) {
		struct ledger_call call = { .start_us = 1700000000000000LL + i * 1000000LL,
					    .charge = &charge,
					    .group = &group,
					    .process = &process };

		snprintf(group.path, sizeof(group.path), "/slice/%d", i % 500);
		assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	}
}

static void open_daemon(struct ledger **ret)
{
	loop = pthread_self();
	set_quick(false);
	assert_int_equal(ledger_open(ret, dir, true, NULL), 0);
	ledger_use_thread(*ret);
	add(*ret, 0, 1);
	assert_int_equal(ledger_commit(*ret), 0);
	in_loop = elsewhere = 0;
}

/* It waits for the checkpoint that runs, and makes no ticks meanwhile. */
static void close_daemon(struct ledger *ledger)
{
	set_quick(true);
	ledger_free(ledger);
}

static int count_descriptors(void)
{
	DIR *fds = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(fds))
		n++;
	closedir(fds);
	return n;
}

/* A connection of its own, as `aigress report` has one, and the first row of a question. */
static sqlite3 *ask(const char *sql, sqlite3_stmt **ret)
{
	char path[128];
	sqlite3 *db;

	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, ret, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(*ret), SQLITE_ROW);
	return db;
}

static int64_t number(const char *sql)
{
	sqlite3_stmt *statement;
	sqlite3 *db = ask(sql, &statement);
	int64_t n = sqlite3_column_int64(statement, 0);

	sqlite3_finalize(statement);
	sqlite3_close(db);
	return n;
}

/* Commits of BATCH calls. Returns the largest size of the WAL. */
static off_t commit(struct ledger *ledger, int from, int n, unsigned *put_off)
{
	off_t largest = 0;

	for (int i = from; i < from + n; i++) {
		off_t size = size_of(LEDGER_FILE "-wal");
		int err;

		add(ledger, 1 + i * BATCH, BATCH);
		err = ledger_commit(ledger);
		assert_true(!err || err == -EBUSY);
		*put_off += err == -EBUSY;
		largest = size > largest ? size : largest;
		tick();
	}
	return largest;
}

static void the_loop_does_not_wait_for_a_slow_disk(void **state)
{
	struct ledger *ledger;
	unsigned put_off = 0;
	int descriptors;
	off_t largest;

	open_daemon(&ledger);
	descriptors = count_descriptors();
	largest = commit(ledger, 0, COMMITS, &put_off);
	print_message("waits: %u in the loop, %u elsewhere; %u commits put off\n", in_loop,
		      elsewhere, put_off);
	/* a commit may meet the moment between two rounds of a checkpoint */
	assert_true(in_loop <= 1);
	assert_true(elsewhere >= 9);
	assert_true(largest < 16 << 20);
	assert_true(size_of(LEDGER_FILE) > 4 << 20);
	assert_true(put_off < COMMITS / 2);
	/* SQLite keeps a descriptor whose closing would drop its locks, for the next connection */
	assert_true(count_descriptors() <= descriptors + 3);
	close_daemon(ledger);
	assert_int_equal(number("SELECT count(*) FROM calls"), 1 + COMMITS * BATCH);
}

static void who_has_no_loop_has_no_thread(void **state)
{
	struct ledger *ledger;

	loop = pthread_self();
	in_loop = elsewhere = 0;
	assert_int_equal(ledger_open(&ledger, dir, true, NULL), 0);
	add(ledger, 0, 20000);
	ledger_free(ledger);
	assert_int_equal(elsewhere, 0);
	assert_true(in_loop > 0);
}

/* A reader that ends no transaction keeps the WAL; nobody waits for it, and the WAL shrinks when it has gone. */
static void a_reader_keeps_the_wal_and_not_the_loop(void **state)
{
	sqlite3_stmt *statement;
	struct ledger *ledger;
	unsigned put_off = 0;
	sqlite3 *reader;

	open_daemon(&ledger);
	reader = ask("SELECT * FROM calls", &statement);
	assert_true(commit(ledger, 0, COMMITS, &put_off) > 16 << 20);
	sqlite3_finalize(statement);
	sqlite3_close(reader);
	commit(ledger, COMMITS, COMMITS, &put_off);
	assert_true(in_loop <= 1);
	close_daemon(ledger);
	assert_true(size_of(LEDGER_FILE "-wal") <= 4 << 20);
	assert_int_equal(number("SELECT count(*) FROM calls"), 1 + 2 * COMMITS * BATCH);
}

static void a_checkpoint_that_finds_the_disk_full_is_made_later(void **state)
{
	struct ledger *ledger;
	unsigned put_off = 0;

	open_daemon(&ledger);
	is_full = true;
	assert_true(commit(ledger, 0, COMMITS / 2, &put_off) > 8 << 20);
	assert_true(size_of(LEDGER_FILE) < 1 << 20);
	is_full = false;
	commit(ledger, COMMITS / 2, COMMITS / 2, &put_off);
	assert_true(size_of(LEDGER_FILE) > 4 << 20);
	assert_true(size_of(LEDGER_FILE "-wal") < 16 << 20);
	close_daemon(ledger);
	assert_int_equal(number("SELECT count(*) FROM calls"), 1 + COMMITS * BATCH);
}

/* A child that is killed at the n-th wait for the disk outside its loop, before or after what it waits for. */
static void run_until_killed(unsigned n, bool after)
{
	struct ledger *ledger;

	open_daemon(&ledger);
	kill_at = n;
	is_killed_after = after;
	for (int i = 0; i < COMMITS; i++) {
		add(ledger, i * 200, 200);
		(void)ledger_commit(ledger);
		tick();
	}
	_exit(1);
}

/* Wherever the thread is: at the log, at the file, or at the new header; in the first checkpoint and the next. */
static void a_kill_leaves_a_whole_ledger(void **state)
{
	int64_t rows = 0;

	for (unsigned round = 0; round < 12; round++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			run_until_killed(1 + round / 2, round % 2);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_int_equal(
			number("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'"),
			1);
		assert_int_equal(number("SELECT sum(calls) FROM hours"),
				 number("SELECT count(*) FROM calls"));
		assert_true(number("SELECT count(*) FROM calls") > rows);
		rows = number("SELECT count(*) FROM calls");
	}
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(the_loop_does_not_wait_for_a_slow_disk),
		HELD(who_has_no_loop_has_no_thread),
		HELD(a_reader_keeps_the_wal_and_not_the_loop),
		HELD(a_checkpoint_that_finds_the_disk_full_is_made_later),
		HELD(a_kill_leaves_a_whole_ledger),
	};

	vfs = sqlite3_vfs_find(NULL);
	slow_vfs = *vfs;
	slow_vfs.zName = "slow";
	slow_vfs.xOpen = slow_open;
	sqlite3_vfs_register(&slow_vfs, 1);
	return cmocka_run_group_tests_name("wal", tests, NULL, NULL);
}
