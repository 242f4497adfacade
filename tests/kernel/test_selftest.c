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
	enum find_returns returns = FIND_RETURN_PROBES;
	uint64_t bytes[2];
	char *error = NULL;

	assert_int_equal(find_selftest(*state, &returns, &error), 0);
	assert_null(error);
	assert_int_equal(returns, FIND_RETURN_PROBES);
	/* as the configuration may want it */
	returns = FIND_RETURN_INSTRUCTIONS;
	assert_int_equal(find_selftest(*state, &returns, &error), 0);
	assert_null(error);
	assert_int_equal(returns, FIND_RETURN_INSTRUCTIONS);
	assert_int_equal(tap_conn_bytes(*state, (uint32_t)getpid(), SSL, bytes), -ENOENT);
	assert_no_child_is_left();
}

/*
 * On the kernels in question a probed return goes through a system call, which the filter does not
 * know. This one makes such a call where a return probe has put its trampoline into the place of the
 * caller.
 */
static TARGET(hurt) int hurt(uint64_t ssl, const void *buf, int num)
{
	extern const char __executable_start[], etext[];
	const char *caller = __builtin_return_address(0);

	__asm__ volatile("" : : "r"(ssl), "r"(buf) : "memory");
	if (caller < __executable_start || caller >= etext)
		syscall(SYS_getppid);
	return num;
}

static void takes_return_instructions_where_return_probes_kill(void **state)
{
	const struct target target = TARGET_OF(hurt);
	enum find_returns returns = FIND_RETURN_PROBES;
	char *error = NULL;

	assert_int_equal(test(*state, &target, &returns, &error), 0);
	assert_null(error);
	assert_int_equal(returns, FIND_RETURN_INSTRUCTIONS);
	assert_no_child_is_left();
}

/* Dies of its own, however it is probed. */
static TARGET(deadly) int deadly(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : : "r"(ssl), "r"(buf) : "memory");
	return syscall(SYS_getppid) > 0 ? num : num;
}

static void tells_that_the_child_died(void **state)
{
	const struct target target = TARGET_OF(deadly);
	enum find_returns returns = FIND_RETURN_PROBES;
	char *error = NULL;

	assert_int_equal(test(*state, &target, &returns, &error), -EFAULT);
	assert_non_null(strstr(error, "not safe"));
	assert_non_null(strstr(error, strsignal(SIGSYS)));
	assert_non_null(strstr(error, "attach: never"));
	free(error);
	assert_no_child_is_left();
}

static TARGET(silent) int silent(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : : "r"(ssl), "r"(buf), "r"(num) : "memory");
	return 0;
}

static void tells_that_nothing_was_seen(void **state)
{
	const struct target target = TARGET_OF(silent);
	enum find_returns returns = FIND_RETURN_PROBES;
	char *error = NULL;

	assert_int_equal(test(*state, &target, &returns, &error), -ENODATA);
	assert_non_null(strstr(error, "nothing"));
	free(error);
	assert_no_child_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(passes_where_probes_are_safe, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_return_instructions_where_return_probes_kill,
						setup, teardown),
		cmocka_unit_test_setup_teardown(tells_that_the_child_died, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_that_nothing_was_seen, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
