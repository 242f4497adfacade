/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of capabilities, each time in a child. Without root there is nothing to drop. */
#include "unit.h"

#include <cap-ng.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "daemon/privileges.h"

/* Runs the function in a child; true if it says so. */
static bool in_a_child(bool (*fn)(void))
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(fn() ? 0 : 1);
	return waitpid(child, &status, 0) == child && WIFEXITED(status) && !WEXITSTATUS(status);
}

static bool has(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability) &&
	       capng_have_capability(CAPNG_PERMITTED, capability);
}

static bool drops(bool keep_admin)
{
	return !privileges_drop(keep_admin) && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
	       !capng_get_caps_process();
}

static bool keeps_what_it_needs(void)
{
	return drops(false) && has(CAP_BPF) && has(CAP_NET_ADMIN) && has(CAP_KILL) &&
	       !has(CAP_SYS_ADMIN) && !has(CAP_SYS_MODULE) && !has(CAP_SETUID) &&
	       !capng_have_capability(CAPNG_BOUNDING_SET, CAP_SYS_ADMIN) &&
	       capng_have_capability(CAPNG_BOUNDING_SET, CAP_BPF);
}

static bool keeps_admin(void)
{
	return drops(true) && has(CAP_SYS_ADMIN) && !has(CAP_SYS_MODULE);
}

static bool drops_twice(void)
{
	return drops(true) && drops(false) && has(CAP_BPF) && !has(CAP_SYS_ADMIN);
}

static bool has_nothing(void)
{
	capng_clear(CAPNG_SELECT_CAPS);
	return !capng_apply(CAPNG_SELECT_CAPS) && drops(true) && !has(CAP_BPF) &&
	       !has(CAP_SYS_ADMIN);
}

static void unprivileged_loses_nothing_more(void **state)
{
	assert_true(in_a_child(has_nothing));
}

static void a_privileged_daemon_keeps_the_list(void **state)
{
	capng_get_caps_process();
	if (!has(CAP_SYS_ADMIN) || !has(CAP_SETPCAP) || !has(CAP_BPF))
		skip();
	assert_true(in_a_child(keeps_what_it_needs));
	assert_true(in_a_child(keeps_admin));
	assert_true(in_a_child(drops_twice));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unprivileged_loses_nothing_more),
		cmocka_unit_test(a_privileged_daemon_keeps_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
