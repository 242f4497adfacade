/* SPDX-License-Identifier: Apache-2.0 */
/* When a process started: the name that outlasts its pid. */
#include "unit.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "who/process.h"

/* A child that has given itself a name and waits; its end of the pipe says when. */
static pid_t child_named(const char *name)
{
	int ends[2];
	char byte;
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	if (child == 0) {
		prctl(PR_SET_NAME, name);
		(void)!write(ends[1], "x", 1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(ends[0]);
	close(ends[1]);
	return child;
}

static void start_is_read_behind_any_name(void **state)
{
	static const char *const names[] = { "python3", "a) Z 1 2 (b", "x y z", "))))", "" };
	uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK), own, now;

	own = process_start_time((uint32_t)getpid());
	assert_true(own > 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		pid_t child = child_named(names[i]);
		uint64_t started = process_start_time((uint32_t)child);

		now = clock_ns(CLOCK_BOOTTIME) / (NS_PER_S / ticks_per_s);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		assert_in_range(started, own, now + 1);
	}
}

static void stopped_lives_and_zombie_does_not(void **state)
{
	pid_t child = child_named("child");
	uint64_t started = process_start_time((uint32_t)child);
	siginfo_t info;

	kill(child, SIGSTOP);
	waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOWAIT);
	assert_int_equal(process_start_time((uint32_t)child), started);
	kill(child, SIGKILL);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	assert_int_equal(process_start_time((uint32_t)child), 0);
	waitpid(child, NULL, 0);
	assert_int_equal(process_start_time((uint32_t)child), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(start_is_read_behind_any_name),
		cmocka_unit_test(stopped_lives_and_zombie_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
