/* SPDX-License-Identifier: Apache-2.0 */
/* One tenant that takes all the connections it can, and its neighbour. Needs root. */
#include "toy.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "who/who.h"

#define ROWS 64

static char cgroup[160];

static struct tap *start(void)
{
	static char root[128];
	struct tap_config config = { .conns_max = ROWS, .cgroup_root = root };
	struct tap *tap;
	char *error = NULL;

	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	snprintf(cgroup, sizeof(cgroup), "%s/aigress-shares-%d", root, getpid());
	assert_int_equal(mkdir(cgroup, 0755), 0);
	return tap;
}

static void stop(struct tap *tap, struct tap_probes *probes)
{
	tap_detach(probes);
	tap_free(tap);
	assert_int_equal(rmdir(cgroup), 0);
}

/* A process in that cgroup that opens n connections, ends all but `keeps` of them, and ends. */
static void greedy(unsigned n, unsigned keeps)
{
	pid_t child = fork();
	char path[200];
	int fd;

	assert_true(child >= 0);
	if (child) {
		int status;

		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(status, 0);
		return;
	}
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(1);
	for (unsigned i = 0; i < n; i++)
		toy_write_n(0x10000 + i, "hello", 5);
	for (unsigned i = keeps; i < n; i++)
		toy_free(0x10000 + i);
	_exit(0);
}

/* How many of n connections of this process, from `first` on, have a row. */
static unsigned opened(struct tap *tap, uint64_t first, unsigned n)
{
	uint64_t bytes[2];
	unsigned found = 0;

	for (unsigned i = 0; i < n; i++)
		toy_write_n(first + i, "hello", 5);
	for (unsigned i = 0; i < n; i++)
		found += !tap_conn_bytes(tap, (uint32_t)getpid(), first + i, bytes);
	return found;
}

static uint64_t refused(const struct tap *tap)
{
	uint64_t counters[CTL_COUNTERS];

	assert_int_equal(tap_counters(tap, counters), 0);
	assert_int_equal(counters[CTL_CONNS_FULL], 0);
	return counters[CTL_CONNS_REFUSED];
}

static void who_takes_all_it_can_leaves_half(void **state)
{
	struct tap *tap = start();
	struct tap_probes *probes = toy_attach(tap, 0);

	greedy(3 * ROWS, 3 * ROWS);
	assert_int_equal(refused(tap), 3 * ROWS - ROWS / 2);
	/* the neighbour has as many as it leaves free */
	assert_int_equal(opened(tap, 0x5000, ROWS), ROWS / 4);
	assert_int_equal(refused(tap), 3 * ROWS - ROWS / 2 + ROWS - ROWS / 4);
	/* what the dead left is free again, and what user space forgets */
	assert_int_equal(tap_sweep(tap, NULL, NULL), 0);
	assert_int_equal(opened(tap, 0x6000, ROWS), ROWS / 2 - ROWS / 4);
	for (unsigned i = 0; i < ROWS; i++) {
		tap_forget(tap, (uint32_t)getpid(), 0x5000 + i);
		tap_forget(tap, (uint32_t)getpid(), 0x6000 + i);
	}
	assert_int_equal(opened(tap, 0x7000, ROWS), ROWS / 2);
	stop(tap, probes);
}

static void what_ends_counts_no_longer(void **state)
{
	struct tap *tap = start();
	struct tap_probes *probes = toy_attach(tap, 0);

	for (int i = 0; i < 10; i++)
		greedy(ROWS / 2, 0);
	assert_int_equal(refused(tap), 0);
	/* a renewed one is no second one */
	for (int i = 0; i < 3 * ROWS; i++)
		toy_name(0x8888, i % 2 ? "example.com" : "example.org");
	assert_int_equal(refused(tap), 0);
	assert_int_equal(opened(tap, 0x5000, ROWS), ROWS / 2 - 1);
	stop(tap, probes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_takes_all_it_can_leaves_half),
		cmocka_unit_test(what_ends_counts_no_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
