/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Beginnings and ends: processes, rings that fill up, probes that go, a daemon that dies; and the
 * mappings that probes are found by. Needs root.
 */
#include "toy.h"

#include <errno.h>
#include <linux/magic.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"
#include "who/who.h"

/* Where cgroup v2 is on this host; hybrid ones have it elsewhere. */
static const char *cgroup_root(void)
{
	static char root[128];

	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	return root;
}

static struct tap *start(size_t ring_bytes)
{
	struct tap_config config = { .cgroup_root = cgroup_root(), .ring_bytes = ring_bytes };
	struct tap *tap;
	char *error = NULL;

	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	return tap;
}

/* Reads until an event of this type has come, for five seconds. */
static void wait_for(struct seen *seen, struct tap *tap, enum ev_type type)
{
	struct pollfd ready = { .fd = tap_fd(tap), .events = POLLIN };

	while (!seen->n_of[type] && poll(&ready, 1, 5000) == 1)
		assert_int_equal(tap_drain(tap, seen_event, seen), 0);
	assert_int_equal(seen->n_of[type], 1);
}

static void seen_done(struct seen *seen)
{
	free(seen->bytes[EV_OUT]);
	free(seen->bytes[EV_IN]);
}

/*
 * A child that owns a connection to `host` and then ends or replaces its image. It has its strings
 * on the stack: pages of literals are not there after a fork until they are touched.
 */
static pid_t child_with(const char *host, bool is_exec)
{
	char name[64], hello[] = "hello";
	pid_t child;

	snprintf(name, sizeof(name), "%s", host);
	child = fork();
	assert_true(child >= 0);
	if (child)
		return child;
	toy_name(0x7777, name);
	toy_write_n(0x7777, hello, 5);
	if (is_exec)
		execl("/bin/true", "true", NULL);
	_exit(0);
}

static void tells_of_an_exit_once(void **state)
{
	struct tap *tap = start(1 << 20);
	struct tap_probes *probes = toy_attach(tap, 0);
	struct seen seen = { .tgid = (uint32_t)child_with("api.openai.com", false) };

	assert_int_equal(waitpid((pid_t)seen.tgid, NULL, 0), seen.tgid);
	wait_for(&seen, tap, EV_EXIT);
	assert_int_equal(tap_drain(tap, seen_event, &seen), 0);
	assert_int_equal(seen.n_of[EV_OPEN], 1);
	assert_int_equal(seen.n_of[EV_DATA], 1);
	assert_int_equal(seen.n_of[EV_EXIT], 1);
	assert_int_equal(seen.n_of[EV_EXEC], 0);
	seen_done(&seen);
	tap_detach(probes);
	tap_free(tap);
}

static void tells_of_an_exec(void **state)
{
	struct tap *tap = start(1 << 20);
	struct tap_probes *probes = toy_attach(tap, 0);
	struct seen seen = { .tgid = (uint32_t)child_with("api.openai.com", true) };

	assert_int_equal(waitpid((pid_t)seen.tgid, NULL, 0), seen.tgid);
	wait_for(&seen, tap, EV_EXEC);
	seen_done(&seen);
	tap_detach(probes);
	tap_free(tap);
}

static void sweeps_what_the_dead_left(void **state)
{
	struct tap *tap = start(1 << 20);
	struct tap_probes *probes = toy_attach(tap, 0);
	pid_t child = child_with("example.com", false);
	struct seen seen = { .tgid = (uint32_t)child };
	uint64_t bytes[2];

	toy_name(0x8888, "example.com");
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)child, 0x7777, bytes), 0);
	assert_int_equal(tap_sweep(tap, seen_event, &seen), 0);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)child, 0x7777, bytes), -ENOENT);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)getpid(), 0x8888, bytes), 0);
	/* Ignored hosts only: its end concerns nobody. */
	assert_int_equal(tap_drain(tap, seen_event, &seen), 0);
	assert_int_equal(seen.n, 0);
	tap_forget(tap, (uint32_t)getpid(), 0x8888);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)getpid(), 0x8888, bytes), -ENOENT);
	tap_detach(probes);
	tap_free(tap);
}

/* Every byte is in an event, in a jump of the offset, or in both the counters and the count. */
static void loses_nothing_of_the_count_when_the_ring_is_full(void **state)
{
	struct tap *tap = start(16384);
	struct tap_probes *probes = toy_attach(tap, getpid());
	struct seen seen = { .tgid = (uint32_t)getpid() };
	uint64_t bytes[2], counters[CTL_COUNTERS];
	char block[1000];

	memset(block, 'x', sizeof(block));
	toy_name(0x9999, "api.openai.com");
	for (int i = 0; i < 100; i++)
		toy_write_n(0x9999, block, sizeof(block));
	assert_int_equal(tap_drain(tap, seen_event, &seen), 0);
	toy_write_n(0x9999, "end", 3);
	assert_int_equal(tap_drain(tap, seen_event, &seen), 0);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)getpid(), 0x9999, bytes), 0);
	assert_int_equal(bytes[EV_OUT], 100003);
	assert_int_equal(seen.next_offset[EV_OUT], 100003);
	assert_true(seen.gap_bytes[EV_OUT] > 0);
	assert_int_equal(seen.n_bytes[EV_OUT] + seen.gap_bytes[EV_OUT], 100003);
	assert_int_equal(tap_counters(tap, counters), 0);
	assert_int_equal(counters[CTL_RING_FULL_BYTES], seen.gap_bytes[EV_OUT]);
	assert_int_equal(counters[CTL_RING_FULL_EVENTS], seen.gap_bytes[EV_OUT] / sizeof(block));
	seen_done(&seen);
	tap_detach(probes);
	tap_free(tap);
}

/* The end of a process that found the ring full is told by the sweep, once. */
static void heals_an_exit_that_was_lost(void **state)
{
	struct tap *tap = start(4096);
	struct tap_probes *probes = toy_attach(tap, 0);
	char name[] = "api.openai.com", block[256];
	pid_t child = fork();
	struct seen seen = { .tgid = (uint32_t)child };

	if (!child) {
		memset(block, 'x', sizeof(block));
		toy_name(0x7777, name);
		for (int i = 0; i < 40; i++)
			toy_write_n(0x7777, block, sizeof(block));
		/* what is left has room for an end of a connection, and at last for nothing */
		for (int i = 0; i < 40; i++) {
			toy_write_n(0x7777, block, 1);
			toy_name(0x7777, name);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(tap_drain(tap, seen_event, &seen), 0);
	assert_int_equal(seen.n_of[EV_OPEN], 1);
	assert_int_equal(seen.n_of[EV_EXIT], 0);
	assert_int_equal(tap_sweep(tap, seen_event, &seen), 0);
	assert_int_equal(seen.n_of[EV_EXIT], 1);
	assert_int_equal(tap_sweep(tap, seen_event, &seen), 0);
	assert_int_equal(seen.n_of[EV_EXIT], 1);
	seen_done(&seen);
	tap_detach(probes);
	tap_free(tap);
}

/* The first byte of a function in this process: x86's breakpoint while it is probed. */
static uint8_t first_byte(void)
{
	return *(volatile uint8_t *)(uintptr_t)toy_write;
}

static uint8_t clean;

static void wait_for_first_byte(uint8_t byte)
{
	struct timespec pause = { .tv_nsec = 5000000 };
	uint64_t end = clock_mono_ns() + 10 * NS_PER_S;

	while (first_byte() != byte && clock_mono_ns() < end)
		nanosleep(&pause, NULL);
	assert_int_equal(first_byte(), byte);
}

static void detaches_without_waiting(bool is_perf)
{
	struct tap_config config = { .cgroup_root = cgroup_root(),
				     .ring_bytes = 1 << 20,
				     .perf_uprobes = is_perf };
	struct tap_probes *probes;
	struct tap *tap;
	uint64_t begin;

	wait_for_first_byte(clean);
	assert_int_equal(tap_new(&tap, &config, NULL), 0);
	probes = toy_attach(tap, getpid());
	assert_int_not_equal(first_byte(), clean);
	begin = clock_mono_ns();
	tap_detach(probes);
	assert_true(clock_mono_ns() - begin < 20 * NS_PER_MS);
	wait_for_first_byte(clean);
	tap_free(tap);
}

static void detaches_multi_without_waiting(void **state)
{
	detaches_without_waiting(false);
}

static void detaches_perf_without_waiting(void **state)
{
	detaches_without_waiting(true);
}

static void leaves_nothing_when_the_daemon_is_killed(void **state)
{
	pid_t daemon;

	wait_for_first_byte(clean);
	daemon = fork();
	if (!daemon) {
		struct tap *tap;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		tap = start(1 << 20);
		toy_attach(tap, 0);
		for (;;)
			pause();
	}
	for (int i = 0; i < 1000 && first_byte() == clean; i++)
		usleep(5000);
	assert_int_not_equal(first_byte(), clean);
	kill(daemon, SIGKILL);
	assert_int_equal(waitpid(daemon, NULL, 0), daemon);
	wait_for_first_byte(clean);
}

struct mapped {
	struct stat exe;
	uint32_t tgid;
	bool is_overlay; /* what stat() tells is the overlay's, not the real inode's */
	size_t n, n_others, n_exe;
};

static void look_at_mapping(void *arg, const struct tap_mapping *mapping)
{
	struct mapped *mapped = arg;
	uintptr_t here = (uintptr_t)look_at_mapping;

	mapped->n++;
	if (mapping->tgid != mapped->tgid)
		mapped->n_others++;
	else if (mapping->start <= here && here < mapping->end &&
		 (mapped->is_overlay ||
		  (mapping->ino == mapped->exe.st_ino && mapping->dev == mapped->exe.st_dev)))
		mapped->n_exe++;
}

static void lists_mappings_of_one_and_of_all(void **state)
{
	struct tap *tap = start(1 << 20);
	struct mapped one = { .tgid = (uint32_t)getpid() }, all = { .tgid = (uint32_t)getpid() };
	struct mapped gone = { .tgid = 0 };
	struct tap_features features;
	struct statfs fs;

	tap_probe_features(&features);
	if (!features.has_task_vma) {
		assert_int_equal(tap_mappings(tap, 0, look_at_mapping, &all), -EOPNOTSUPP);
		tap_free(tap);
		fprintf(stderr, "skipped: this kernel has no iter/task_vma\n");
		skip();
	}
	assert_int_equal(stat("/proc/self/exe", &one.exe), 0);
	assert_int_equal(statfs("/proc/self/exe", &fs), 0);
	one.is_overlay = fs.f_type == OVERLAYFS_SUPER_MAGIC;
	all.exe = one.exe;
	all.is_overlay = one.is_overlay;
	assert_int_equal(tap_mappings(tap, one.tgid, look_at_mapping, &one), 0);
	assert_int_equal(tap_mappings(tap, 0, look_at_mapping, &all), 0);
	assert_int_equal(one.n_exe, 1);
	assert_int_equal(one.n_others, 0);
	assert_true(one.n > 5);
	assert_int_equal(all.n_exe, 1);
	assert_int_equal(all.n - all.n_others, one.n);
	assert_true(all.n_others > 0);
	/* one that is gone has none */
	assert_int_equal(tap_mappings(tap, 0x3ffffff0, look_at_mapping, &gone), 0);
	assert_int_equal(gone.n, 0);
	tap_free(tap);
}

static void refuses_what_is_no_host_pattern(void **state)
{
	static const char *const bad[] = { "",        "*",      "*.",  "a*b.com",
					   "*.a.*.b", "*a.com", "a.*", "a*.b" };
	struct tap *tap = start(1 << 20);

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(tap_add_host(tap, bad[i]), -EINVAL);
	tap_free(tap);
}

static void says_which_right_is_missing(void **state)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct tap_config config = { .cgroup_root = cgroup_root() };
		struct tap *tap;
		char *error = NULL;

		if (setresuid(65534, 65534, 65534) || !tap_new(&tap, &config, &error))
			_exit(1);
		_exit(error && strstr(error, "CAP_BPF") ? 0 : 2);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_of_an_exit_once),
		cmocka_unit_test(tells_of_an_exec),
		cmocka_unit_test(sweeps_what_the_dead_left),
		cmocka_unit_test(loses_nothing_of_the_count_when_the_ring_is_full),
		cmocka_unit_test(heals_an_exit_that_was_lost),
		cmocka_unit_test(detaches_multi_without_waiting),
		cmocka_unit_test(detaches_perf_without_waiting),
		cmocka_unit_test(leaves_nothing_when_the_daemon_is_killed),
		cmocka_unit_test(lists_mappings_of_one_and_of_all),
		cmocka_unit_test(refuses_what_is_no_host_pattern),
		cmocka_unit_test(says_which_right_is_missing),
	};

	clean = first_byte();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
