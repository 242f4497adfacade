/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The self-test of probes, with functions that a good one and a bad kernel's would be like. It
 * includes the module, whose header lets nobody choose the function. Needs root.
 */
#include "seen.h"

#include <signal.h>
#include <sys/wait.h>

#include "../../user/find/selftest.c"
#include "who/who.h"

static int setup(void **state)
{
	static char root[WHO_PATH_LEN];
	struct tap_config config = { .cgroup_root = root };
	char *error = NULL;
	struct tap *tap;

	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	*state = tap;
	return 0;
}

static int teardown(void **state)
{
	tap_free(*state);
	return 0;
}

static void assert_no_child_is_left(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void passes_where_probes_are_safe(void **state)
{
	uint64_t bytes[2];
	char *error = NULL;

	assert_int_equal(find_selftest(*state, &error), 0);
	assert_null(error);
	assert_int_equal(tap_conn_bytes(*state, (uint32_t)getpid(), SSL, bytes), -ENOENT);
	assert_no_child_is_left();
}

/* A return through a system call that the filter does not know is like a call that makes one. */
static __attribute__((noinline)) int deadly(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : : "r"(ssl), "r"(buf) : "memory");
	return syscall(SYS_getppid) > 0 ? num : num;
}

static void tells_that_the_child_died(void **state)
{
	char *error = NULL;

	assert_int_equal(test(*state, deadly, &error), -EFAULT);
	assert_non_null(strstr(error, "not safe"));
	assert_non_null(strstr(error, strsignal(SIGSYS)));
	assert_non_null(strstr(error, "attach: never"));
	free(error);
	assert_no_child_is_left();
}

static __attribute__((noinline)) int silent(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : : "r"(ssl), "r"(buf), "r"(num) : "memory");
	return 0;
}

static void tells_that_nothing_was_seen(void **state)
{
	char *error = NULL;

	assert_int_equal(test(*state, silent, &error), -ENODATA);
	assert_non_null(strstr(error, "nothing"));
	free(error);
	assert_no_child_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(passes_where_probes_are_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_that_the_child_died, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_that_nothing_was_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
