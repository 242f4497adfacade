/* SPDX-License-Identifier: Apache-2.0 */
/* Signals and freezes by the files of a cgroup; real cgroups: tests/kernel/test_freezer.c. */
#include "fake_cgroups.h"

#include "enforce/freezer.h"
#include "who/process.h"

static void freeze_is_a_word_in_a_file(void **state)
{
	fake_group("/a");
	fake_write("/a/cgroup.freeze", "0");
	assert_int_equal(freezer_set(fake_path("/a"), true), 0);
	assert_string_equal(fake_read("/a/cgroup.freeze"), "1");
	assert_int_equal(freezer_set(fake_path("/a"), false), 0);
	assert_string_equal(fake_read("/a/cgroup.freeze"), "0");
	assert_int_equal(freezer_set(fake_path("/gone"), true), -ENOENT);
}

/* No cgroup.freeze, so the v1 freezer is asked: which needs a process to find its place. */
static void empty_group_of_an_older_kernel_cannot_be_frozen(void **state)
{
	fake_group("/a");
	assert_int_equal(freezer_set(fake_path("/a"), true), -EOPNOTSUPP);
	fake_procs("/a", NULL, 0);
	assert_int_equal(freezer_set(fake_path("/a"), false), -EOPNOTSUPP);
	assert_null(fake_read("/a/cgroup.freeze"));
}

static void signals_reach_the_subtree_but_not_this_process(void **state)
{
	pid_t pids[] = { fake_child(), getpid(), fake_child() };

	fake_group("/a");
	fake_group("/a/b");
	fake_procs("/a", pids, 2);
	fake_procs("/a/b", pids + 2, 1);
	assert_int_equal(freezer_signal(fake_path("/a"), SIGSTOP), 0);
	assert_int_equal(child_change(pids[0]), CLD_STOPPED);
	assert_int_equal(child_change(pids[2]), CLD_STOPPED);
	assert_int_equal(freezer_signal(fake_path("/a/b"), SIGCONT), 0);
	assert_int_equal(child_change(pids[2]), CLD_CONTINUED);
	assert_int_equal(freezer_signal(fake_path("/a"), SIGKILL), 0);
	assert_int_equal(child_change(pids[0]), CLD_KILLED);
	assert_int_equal(child_change(pids[2]), CLD_KILLED);
	assert_int_equal(freezer_signal(fake_path("/a"), SIGKILL), 0); /* gone is no error */
	assert_int_equal(freezer_signal(fake_path("/gone"), SIGSTOP), -ENOENT);
}

/* 0 is how a process of another pid namespace is listed: kill(0) would be this process's group. */
static void process_that_cannot_be_named_is_left_out(void **state)
{
	pid_t pids[] = { 0, fake_child() };

	fake_group("/a");
	fake_procs("/a", pids, 2);
	assert_int_equal(freezer_signal(fake_path("/a"), SIGSTOP), 0);
	assert_int_equal(child_change(pids[1]), CLD_STOPPED);
	child_end(pids[1]);
}

static void pid_in_other_hands_is_not_signalled(void **state)
{
	pid_t child = fake_child();
	uint64_t started = process_start_time((uint32_t)child);

	assert_int_equal(freezer_signal_process((uint32_t)child, started + 1, SIGSTOP), -ESRCH);
	assert_false(child_is_stopped(child));
	assert_int_equal(freezer_signal_process((uint32_t)child, started, SIGSTOP), 0);
	assert_int_equal(child_change(child), CLD_STOPPED);
	assert_int_equal(freezer_signal_process((uint32_t)child, 0, SIGCONT), 0);
	assert_int_equal(child_change(child), CLD_CONTINUED);
	child_end(child);
	assert_int_equal(freezer_signal_process((uint32_t)child, started, SIGSTOP), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKED(freeze_is_a_word_in_a_file),
		FAKED(empty_group_of_an_older_kernel_cannot_be_frozen),
		FAKED(signals_reach_the_subtree_but_not_this_process),
		FAKED(process_that_cannot_be_named_is_left_out),
		FAKED(pid_in_other_hands_is_not_signalled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
