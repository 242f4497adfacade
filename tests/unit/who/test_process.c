/* SPDX-License-Identifier: Apache-2.0 */
/* When a process started: the name that outlasts its pid. */
#include "unit.h"
#include "left_on_stack.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
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

/* A thread's own idea of its name gives way to the program's, and a script's name does not. */
static void command_is_what_runs(void **state)
{
	static const struct {
		const char *named, *command;
	} cases[] = {
		{ "MainThread", "test_process" },
		{ "node-MainThread", "test_process" },
		{ "test_process", "test_process" },
	};
	struct processes *processes = processes_new();

	assert_non_null(processes);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t child = child_named(cases[i].named);
		const struct who_process *found = processes_find(processes, (uint32_t)child,
								 "worker-3", WHO_NO_UID);

		assert_string_equal(found->comm, cases[i].command);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	processes_free(processes);
}

struct search {
	struct processes *processes;
	uint32_t tgid;
	const struct who_process *found;
};

static void *find(void *arg)
{
	struct search *search = arg;

	search->found = processes_find(search->processes, search->tgid, "other", WHO_NO_UID);
	return NULL;
}

/* Of its command line, which may have a prompt or a key in it, nothing else stays. */
static void script_keeps_its_name(void **state)
{
	char script[] = "/tmp/aigress-agent-XXXXXX", marker[] = "a-prompt-of-a-tenant";
	char *argv[] = { script, marker, NULL };
	static const char text[] = "#!/bin/sh\nread line\n";
	struct processes *processes = processes_new();
	struct search search = { .processes = processes };
	int fd = mkstemp(script), ends[2];
	pid_t child;

	assert_non_null(processes);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	child = fork();
	if (child == 0) {
		dup2(ends[0], 0);
		execv(script, argv);
		_exit(1);
	}
	usleep(200000);
	search.tgid = (uint32_t)child;
	assert_false(left_on_stack(find, &search, marker));
	assert_memory_equal(search.found->comm, "aigress-agent-",
			    14); /* of 15 characters, the last is random */
	close(ends[1]);
	waitpid(child, NULL, 0);
	unlink(script);
	processes_free(processes);
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
		cmocka_unit_test(command_is_what_runs),
		cmocka_unit_test(script_keeps_its_name),
		cmocka_unit_test(stopped_lives_and_zombie_does_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
