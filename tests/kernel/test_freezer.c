/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Real cgroups, real processes: what freezer does to them, and that the watchdog lets them go when
 * the process that used it is killed. Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "enforce/freezer.h"
#include "enforce/watchdog.h"
#include "who/process.h"

#define V1          "/sys/fs/cgroup/freezer"
#define DEADLINE_MS 5000

static char cgroup[WHO_PATH_LEN], v1[96];
static pid_t child;
/* Shared with the child: it counts, so that standing still is seen, not believed. */
static int ticks[2];

static int put(const char *dir, const char *file, const char *word)
{
	char path[WHO_PATH_LEN + 32];
	int fd, n;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_WRONLY);
	n = fd < 0 ? -1 : (int)write(fd, word, strlen(word));
	close(fd);
	return n;
}

/* Ticks that came within some time. */
static int count_ticks(int ms)
{
	char buf[4096];
	int n = 0;

	while (read(ticks[0], buf, sizeof(buf)) > 0)
		;
	for (int i = 0; i < ms / 10; i++) {
		ssize_t got;

		usleep(10000);
		got = read(ticks[0], buf, sizeof(buf));
		n += got > 0 ? (int)got : 0;
	}
	return n;
}

static void wait_until(bool moves)
{
	for (int i = 0; i < DEADLINE_MS / 50; i++)
		if ((count_ticks(50) > 0) == moves)
			return;
	fail_msg("the process %s", moves ? "stands" : "moves");
}

static int setup(void **state)
{
	char mount[WHO_PATH_LEN / 2], pid[16];

	if (geteuid() || who_cgroup_mount(mount, sizeof(mount)))
		return 0;
	snprintf(cgroup, sizeof(cgroup), "%s/aigress-freezer-%d", mount, getpid());
	if (mkdir(cgroup, 0755) < 0 || pipe2(ticks, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	child = fork();
	if (child == 0) {
		for (;;) {
			(void)!write(ticks[1], "x", 1);
			usleep(5000);
		}
	}
	snprintf(pid, sizeof(pid), "%d", child);
	return put(cgroup, "cgroup.procs", pid) > 0 ? 0 : -1;
}

static int teardown(void **state)
{
	if (!*cgroup)
		return 0;
	put(cgroup, "cgroup.freeze", "0");
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(ticks[0]);
	close(ticks[1]);
	for (int i = 0; i < 1000 && rmdir(cgroup) < 0 && errno == EBUSY; i++)
		usleep(1000);
	*cgroup = '\0';
	return 0;
}

#define NEEDS_ROOT()            \
	do {                    \
		if (!*cgroup)   \
			skip(); \
	} while (0)

static void a_frozen_cgroup_stands_and_goes_on(void **state)
{
	NEEDS_ROOT();
	wait_until(true);
	assert_int_equal(freezer_set(cgroup, true), 0);
	wait_until(false);
	assert_int_equal(count_ticks(100), 0);
	assert_int_equal(freezer_set(cgroup, false), 0);
	wait_until(true);
	assert_int_equal(freezer_set("/sys/fs/cgroup/no-such", true), -ENOENT);
}

static void a_cgroup_without_the_file_is_frozen_by_v1(void **state)
{
	char dir[] = "/tmp/test_freezer.XXXXXX", procs[64], pid[16], command[96];
	FILE *file;

	NEEDS_ROOT();
	if (access(V1, F_OK) < 0) {
		fprintf(stderr, "skipped: there is no " V1 "\n");
		skip();
	}
	snprintf(v1, sizeof(v1), V1 "/aigress-freezer-%d", getpid());
	assert_int_equal(mkdir(v1, 0755), 0);
	/* What a v2 cgroup of a kernel before 5.2 looks like: no cgroup.freeze. */
	assert_non_null(mkdtemp(dir));
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	file = fopen(procs, "w");
	fprintf(file, "%d\n", child);
	fclose(file);
	assert_int_equal(freezer_set(dir, true), -EOPNOTSUPP); /* it lives in the v1 root */
	snprintf(pid, sizeof(pid), "%d", child);
	assert_true(put(v1, "cgroup.procs", pid) > 0);
	assert_int_equal(freezer_set(dir, true), 0);
	wait_until(false);
	assert_int_equal(freezer_set(dir, false), 0);
	wait_until(true);
	assert_true(put(V1, "cgroup.procs", pid) > 0);
	assert_int_equal(rmdir(v1), 0);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

static void a_signal_reaches_the_whole_cgroup(void **state)
{
	NEEDS_ROOT();
	assert_int_equal(freezer_signal(cgroup, SIGSTOP), 0);
	wait_until(false);
	assert_int_equal(freezer_signal(cgroup, SIGCONT), 0);
	wait_until(true);
	assert_int_equal(freezer_signal_process((uint32_t)child, 1, SIGSTOP), -ESRCH);
	assert_true(count_ticks(50) > 0);
}

/* A daemon that halts by `way`, and is then killed without a word. */
static void halt_and_die(int way)
{
	pid_t daemon = fork();
	int status;

	if (daemon == 0) {
		struct watchdog *watchdog;
		uint64_t started = process_start_time((uint32_t)child);
		int err = watchdog_new(&watchdog);

		if (!err && way == 0)
			err = watchdog_process(watchdog, true, (uint32_t)child, started) ||
			      freezer_signal_process((uint32_t)child, started, SIGSTOP);
		else if (!err && way == 1)
			err = watchdog_cgroup(watchdog, true, false, cgroup) ||
			      freezer_signal(cgroup, SIGSTOP);
		else if (!err)
			err = watchdog_cgroup(watchdog, true, true, cgroup) ||
			      freezer_set(cgroup, true);
		if (err)
			_exit(1);
		raise(SIGSTOP); /* seen by the test */
		_exit(0);
	}
	assert_int_equal(waitpid(daemon, &status, WUNTRACED), daemon);
	assert_true(WIFSTOPPED(status));
	wait_until(false);
	kill(daemon, SIGKILL);
	waitpid(daemon, NULL, 0);
	wait_until(true);
}

static void the_watchdog_resumes_when_the_daemon_is_killed(void **state)
{
	NEEDS_ROOT();
	for (int way = 0; way < 3; way++)
		halt_and_die(way);
}

static void the_watchdog_forgets_what_was_resumed(void **state)
{
	struct watchdog *watchdog;
	uint64_t started;

	NEEDS_ROOT();
	started = process_start_time((uint32_t)child);
	assert_int_equal(watchdog_new(&watchdog), 0);
	assert_int_equal(watchdog_process(watchdog, true, (uint32_t)child, started), 0);
	assert_int_equal(watchdog_process(watchdog, false, (uint32_t)child, started), 0);
	kill(child, SIGSTOP); /* by another hand, afterwards */
	wait_until(false);
	assert_null(watchdog_free(watchdog));
	assert_int_equal(count_ticks(100), 0);
	kill(child, SIGCONT);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(a_frozen_cgroup_stands_and_goes_on),
		HELD(a_cgroup_without_the_file_is_frozen_by_v1),
		HELD(a_signal_reaches_the_whole_cgroup),
		HELD(the_watchdog_resumes_when_the_daemon_is_killed),
		HELD(the_watchdog_forgets_what_was_resumed),
	};

	return cmocka_run_group_tests_name("freezer", tests, NULL, NULL);
}
