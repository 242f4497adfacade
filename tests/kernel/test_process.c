/* SPDX-License-Identifier: Apache-2.0 */
/* Births of cgroups and the load itself, on the running kernel. Needs root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tap/tap.h"
#include "who/who.h"

static char v2[64]; /* the cgroup v2 mount */

static int setup(void **state)
{
	struct tap_config config = { .cgroup_root = v2 };
	char *error = NULL;
	int err;

	assert_int_equal(who_cgroup_mount(v2, sizeof(v2)), 0);
	err = tap_new((struct tap **)state, &config, &error);
	if (err)
		fail_msg("%s", error);
	return err;
}

static int teardown(void **state)
{
	tap_free(*state);
	return 0;
}

struct wanted {
	const char *path;
	uint64_t id;
};

static void want_cgroup(void *arg, const struct ev_head *event, size_t size)
{
	struct wanted *wanted = arg;
	const struct ev_cgroup *cgroup = (const void *)event;

	if (event->type == EV_CGROUP && !strcmp(cgroup->path, wanted->path)) {
		assert_int_equal(size, sizeof(*cgroup));
		wanted->id = event->cgroup;
	}
}

static void tells_of_a_new_cgroup(void **state)
{
	struct pollfd poll_fd = { .fd = tap_fd(*state), .events = POLLIN };
	char path[64], dir[160];
	struct wanted wanted = { .path = path };
	struct stat st;

	snprintf(path, sizeof(path), "/aigress-test-%d", getpid());
	snprintf(dir, sizeof(dir), "%s%s", v2, path);
	assert_int_equal(mkdir(dir, 0755), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(rmdir(dir), 0);
	while (!wanted.id && poll(&poll_fd, 1, 5000) == 1)
		assert_int_equal(tap_drain(*state, want_cgroup, &wanted), 0);
	assert_int_equal(wanted.id, st.st_ino);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_of_a_new_cgroup),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
