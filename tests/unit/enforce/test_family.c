/* SPDX-License-Identifier: Apache-2.0 */
/* A kill of a cgroup ends callers and their kin, and says whom it spared. */
#include "deeds.h"

#include <sched.h>
#include <sys/prctl.h>

#include "enforce/family.h"

/* A supervisor, the worker that it began, and what that began; each waits for ever. */
enum { SUPERVISOR, WORKER, HELPER, BYSTANDER, FAMILY };
static pid_t pids[FAMILY], maker;

static void wait_for_ever(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;)
		pause();
}

/* The pid as the host sees it: proc(5), /proc/self is a link to it in the mount's namespace. */
static pid_t host_pid(void)
{
	char text[16];
	ssize_t n = readlink("/proc/self", text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return atoi(text);
}

/* Each generation begins the next, and reports. */
static void grow(int to)
{
	int generation = SUPERVISOR;
	int said[2];

	while (generation < HELPER && fork() == 0)
		generation++;
	said[0] = generation;
	said[1] = host_pid();
	if (write(to, said, sizeof(said)) == sizeof(said))
		wait_for_ever();
	_exit(1);
}

static void begin(bool is_container)
{
	int ends[2], said[2];
	char path[128];
	FILE *file;

	assert_int_equal(pipe(ends), 0);
	/* So that finish() can wait for all of them. */
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	maker = fork();
	if (maker == 0) {
		/* The init of a pid namespace is the first child of who made it. */
		if (is_container && unshare(CLONE_NEWPID) < 0)
			_exit(1);
		if (fork() == 0)
			grow(ends[1]);
		wait_for_ever();
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(read(ends[0], said, sizeof(said)), sizeof(said));
		pids[said[0]] = said[1];
	}
	close(ends[0]);
	close(ends[1]);
	pids[BYSTANDER] = sleeper("/bin/sleep");
	snprintf(path, sizeof(path), "%s/agents", root);
	mkdir(path, 0700);
	strcat(path, "/cgroup.procs");
	file = fopen(path, "w");
	for (int i = FAMILY; i-- > 0;)
		fprintf(file, "%d\n", pids[i]);
	fclose(file);
	steps[KILL_CGROUP].whole = false;
	steps[KILL_CGROUP].grace_ns = 0;
}

static int finish(void **state)
{
	for (int i = 0; i < FAMILY; i++)
		if (pids[i])
			kill(pids[i], SIGKILL);
	if (maker)
		kill(maker, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	maker = 0;
	memset(pids, 0, sizeof(pids));
	steps[KILL_CGROUP].whole = true;
	steps[KILL_CGROUP].grace_ns = 10 * NS_PER_MS;
	return clean(state);
}

static void kin_is_found_from_the_top_and_others_are_spared(void **state)
{
	struct family family = { .group = { .path = "/agents" } };
	char text[512], tail[64];

	begin(false);
	assert_int_equal(family_find(&family, root, (uint32_t)pids[WORKER]), 0);
	assert_int_equal(family.n, 3);
	assert_int_equal(family.members[0].tgid, pids[SUPERVISOR]);
	assert_int_equal(family.members[1].tgid, pids[WORKER]);
	assert_int_equal(family.members[2].tgid, pids[HELPER]);
	assert_int_equal(family.n_spared, 1);
	family_text(&family, text, sizeof(text));
	snprintf(tail, sizeof(tail), "; spared: sleep (%d)", pids[BYSTANDER]);
	assert_non_null(strstr(text, tail));
	/* Once more finds nobody new. */
	assert_int_equal(family_find(&family, root, (uint32_t)pids[WORKER]), 0);
	assert_int_equal(family.n, 3);
	assert_int_equal(family_find(&family, root, 0x7fffff00), -ESRCH);
}

static void the_init_of_a_container_is_spared_unless_it_calls(void **state)
{
	struct family family = { .group = { .path = "/agents" } };

	if (geteuid())
		skip();
	begin(true);
	assert_int_equal(family_find(&family, root, (uint32_t)pids[WORKER]), 0);
	assert_int_equal(family.n, 2);
	assert_int_equal(family.members[0].tgid, pids[WORKER]);
	assert_int_equal(family.members[1].tgid, pids[HELPER]);
	assert_int_equal(family.n_spared, 2);
	family.n = 0;
	assert_int_equal(family_find(&family, root, (uint32_t)pids[SUPERVISOR]), 0);
	assert_int_equal(family.n, 3);
}

static void a_row_that_is_too_short_is_cut(void **state)
{
	struct family family = { .n = FAMILY_MAX, .n_spared = 100 };
	char text[1024];

	for (size_t i = 0; i < FAMILY_MAX; i++)
		family.members[i] = (struct family_member){ 1234567, 1,
							    "a-name-of-thirty-one-characters" };
	for (size_t size = 1; size <= sizeof(text); size++)
		assert_true(strlen(family_text(&family, text, size)) < size);
	assert_non_null(strstr(text, " and 112 more; spared: "));
	assert_non_null(strstr(text, " and 92 more"));
}

static void the_row_names_them_and_a_bystander_lives(void **state)
{
	struct enforcer *enforcer;
	struct policy_verdict verdict;
	char start[96];

	begin(false);
	enforcer = enforcer_of();
	process.tgid = (uint32_t)pids[WORKER];
	verdict = verdict_of(KILL_CGROUP);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	assert_int_equal(world.n_group_signals, 0);
	/* They are stopped first, so that none of them forks while they are listed. */
	assert_int_equal(world.n_signals, 6);
	for (int i = SUPERVISOR; i <= HELPER; i++) {
		assert_int_equal(world.pids[i], pids[i]);
		assert_int_equal(world.signals[i], SIGSTOP);
		assert_int_equal(world.pids[3 + i], pids[i]);
		assert_int_equal(world.signals[3 + i], SIGKILL);
	}
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.targets[0], "cgroup /agents");
	snprintf(start, sizeof(start), "done: SIGKILL: test_family (%d), ", pids[SUPERVISOR]);
	assert_int_equal(strncmp(world.results[0], start, strlen(start)), 0);
	enforcer_free(enforcer);
}

static void a_call_soon_after_says_that_it_did_not_help(void **state)
{
	struct enforcer *enforcer;
	struct policy_verdict verdict;

	begin(false);
	enforcer = enforcer_of();
	/* Another caller, who was there before, shows nothing. */
	for (int i = 0; i < 2; i++) {
		process.tgid = (uint32_t)pids[i ? BYSTANDER : WORKER];
		verdict = verdict_of(KILL_CGROUP);
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_rows, 2);
	end(pids[BYSTANDER]);
	usleep(30000); /* start times count hundredths of a second */
	pids[BYSTANDER] = sleeper("/bin/sleep");
	process.tgid = (uint32_t)pids[BYSTANDER];
	verdict = verdict_of(KILL_CGROUP);
	enforcer_apply(enforcer, &verdict, &subject, T0);
	/* For each family before, and its own end. */
	assert_int_equal(world.n_rows, 5);
	assert_int_equal(strncmp(world.results[2], "ineffective: python3 (", 22), 0);
	assert_non_null(strstr(world.results[2], "`whole: true`"));
	assert_int_equal(strncmp(world.results[4], "done: SIGKILL", 13), 0);
	enforcer_free(enforcer);
}

static void a_rehearsal_has_one_row_a_cgroup(void **state)
{
	struct enforcer *enforcer;
	struct policy_verdict verdict;

	begin(false);
	rules.enforce = false;
	enforcer = enforcer_of();
	for (int i = SUPERVISOR; i <= HELPER; i++) {
		process.tgid = (uint32_t)pids[i];
		verdict = verdict_of(KILL_CGROUP);
		enforcer_apply(enforcer, &verdict, &subject, T0);
	}
	assert_int_equal(world.n_signals, 0);
	assert_int_equal(world.n_rows, 1);
	assert_string_equal(world.targets[0], "cgroup /agents");
	enforcer_free(enforcer);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, reset, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kin_is_found_from_the_top_and_others_are_spared),
		TEST(the_init_of_a_container_is_spared_unless_it_calls),
		TEST(a_row_that_is_too_short_is_cut),
		TEST(the_row_names_them_and_a_bystander_lives),
		TEST(a_call_soon_after_says_that_it_did_not_help),
		TEST(a_rehearsal_has_one_row_a_cgroup),
	};

	return cmocka_run_group_tests_name("family", tests, NULL, NULL);
}
