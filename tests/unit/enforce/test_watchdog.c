/* SPDX-License-Identifier: Apache-2.0 */
/* What was stopped goes on when its watchdog's owner ends, in whatever way. */
#include "fake_cgroups.h"

#include "enforce/watchdog.h"
#include "who/process.h"

static pid_t stopped_child(uint64_t *ret_started)
{
	pid_t child = fake_child();

	*ret_started = process_start_time((uint32_t)child);
	kill(child, SIGSTOP);
	assert_int_equal(child_change(child), CLD_STOPPED);
	return child;
}

static void what_is_kept_goes_on_at_the_end(void **state)
{
	uint64_t started;
	pid_t child = stopped_child(&started), in_group = stopped_child(&(uint64_t){ 0 });
	struct watchdog *watchdog;

	fake_group("/frozen");
	fake_write("/frozen/cgroup.freeze", "1");
	fake_group("/stopped");
	fake_procs("/stopped", &in_group, 1);
	assert_int_equal(watchdog_new(&watchdog), 0);
	assert_int_equal(watchdog_process(watchdog, true, (uint32_t)child, started), 0);
	assert_int_equal(watchdog_cgroup(watchdog, true, true, fake_path("/frozen")), 0);
	assert_int_equal(watchdog_cgroup(watchdog, true, false, fake_path("/stopped")), 0);
	assert_string_equal(fake_read("/frozen/cgroup.freeze"), "1");
	watchdog_free(watchdog);
	assert_int_equal(child_change(child), CLD_CONTINUED);
	assert_int_equal(child_change(in_group), CLD_CONTINUED);
	assert_string_equal(fake_read("/frozen/cgroup.freeze"), "0");
	child_end(child);
	child_end(in_group);
}

/* Once is enough, however often it was said; a freeze of the same directory is another matter. */
static void what_was_taken_back_is_left_alone(void **state)
{
	struct watchdog *watchdog;

	fake_group("/a");
	fake_write("/a/cgroup.freeze", "1");
	fake_group("/b");
	fake_write("/b/cgroup.freeze", "1");
	assert_int_equal(watchdog_new(&watchdog), 0);
	assert_int_equal(watchdog_cgroup(watchdog, true, true, fake_path("/a")), 0);
	assert_int_equal(watchdog_cgroup(watchdog, true, true, fake_path("/a")), 0);
	assert_int_equal(watchdog_cgroup(watchdog, true, true, fake_path("/b")), 0);
	assert_int_equal(watchdog_cgroup(watchdog, false, true, fake_path("/a")), 0);
	assert_int_equal(watchdog_cgroup(watchdog, false, false, fake_path("/b")), 0);
	watchdog_free(watchdog);
	assert_string_equal(fake_read("/a/cgroup.freeze"), "1");
	assert_string_equal(fake_read("/b/cgroup.freeze"), "0");
}

/* The owner is killed in the middle of its work: only the socket's end can say so. */
static void killed_owner_leaves_nothing_stopped(void **state)
{
	uint64_t started;
	pid_t child = stopped_child(&started), owner;
	int ends[2];
	char byte;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	owner = fork();
	if (owner == 0) {
		struct watchdog *watchdog;

		if (!watchdog_new(&watchdog) &&
		    !watchdog_process(watchdog, true, (uint32_t)child, started))
			(void)!write(ends[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	child_end(owner);
	assert_int_equal(child_change(child), CLD_CONTINUED);
	child_end(child);
	close(ends[0]);
	close(ends[1]);
}

/* What is not kept must not be stopped. Without a watchdog nothing is kept, by choice. */
static void list_is_bounded(void **state)
{
	struct watchdog *watchdog;

	assert_int_equal(watchdog_new(&watchdog), 0);
	for (uint32_t i = 0; i < WATCHDOG_MAX; i++)
		assert_int_equal(watchdog_process(watchdog, true, 4000000000u - i, 1), 0);
	assert_int_equal(watchdog_process(watchdog, true, 5, 1), -ENOBUFS);
	assert_int_equal(watchdog_process(watchdog, false, 4000000000u, 1), 0);
	assert_int_equal(watchdog_process(watchdog, true, 4294967295u, 1), 0);
	watchdog_free(watchdog);
	assert_int_equal(watchdog_process(NULL, true, 5, 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKED(what_is_kept_goes_on_at_the_end),
		FAKED(what_was_taken_back_is_left_alone),
		FAKED(killed_owner_leaves_nothing_stopped),
		FAKED(list_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
