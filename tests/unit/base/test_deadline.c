/* SPDX-License-Identifier: Apache-2.0 */
/* deadline.h: what blocks is left behind, and what it leaves is freed when it ends. */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "base/deadline.h"

/* Reads a byte that may never come, as a file on a hung mount. */
struct job {
	struct deadline_work work;
	int gate;         /* read from; -1: nothing is */
	uint64_t busy_ns; /* for so long it computes */
	int sum;
};

static unsigned n_ran, n_freed;
static uint64_t ticket;

static void run_job(struct deadline_work *work)
{
	struct job *job = (struct job *)work;
	uint64_t end = clock_mono_ns() + job->busy_ns;
	eventfd_t n;

	while (clock_mono_ns() < end)
		continue;
	if (job->gate >= 0)
		(void)eventfd_read(job->gate, &n);
	job->sum = 6 * 7;
	__atomic_add_fetch(&n_ran, 1, __ATOMIC_SEQ_CST);
}

static void free_job(struct deadline_work *work)
{
	__atomic_add_fetch(&n_freed, 1, __ATOMIC_SEQ_CST);
	free(work);
}

static struct job *job_new(int gate)
{
	struct job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct job){ .work = { .run = run_job, .free = free_job }, .gate = gate };
	return job;
}

static void runs(struct deadline *deadline)
{
	struct job *job = job_new(-1);

	assert_int_equal(deadline_run(deadline, &job->work, &ticket), 0);
	assert_int_equal(job->sum, 42);
	free(job);
}

static void expect_freed(unsigned n)
{
	for (int i = 0; i < 10000 && __atomic_load_n(&n_freed, __ATOMIC_SEQ_CST) < n; i++)
		poll(NULL, 0, 1);
	assert_int_equal(__atomic_load_n(&n_freed, __ATOMIC_SEQ_CST), n);
}

static void expect_left(struct deadline *deadline, size_t left)
{
	struct deadline_stats stats = { .left = SIZE_MAX };

	for (int i = 0; i < 2000 && stats.left != left; i++) {
		deadline_stats(deadline, &stats);
		poll(NULL, 0, 1);
	}
	assert_int_equal(stats.left, left);
}

static int begin(void **state)
{
	n_ran = n_freed = 0;
	/* a machine that is busy keeps a thread from its processor for some tenths of a second */
	*state = deadline_new(300 * NS_PER_MS, 600 * NS_PER_MS);
	return *state ? 0 : -1;
}

static int end(void **state)
{
	deadline_free(*state);
	return 0;
}

static void what_ends_in_time_is_its_callers(void **state)
{
	runs(*state);
	runs(*state);
	runs(NULL);
	assert_int_equal(n_ran, 3);
	assert_int_equal(n_freed, 0);
}

static void what_computes_may_take_its_time(void **state)
{
	struct job *job = job_new(-1);

	job->busy_ns = 450 * NS_PER_MS; /* longer than it may stand still */
	assert_int_equal(deadline_run(*state, &job->work, &ticket), 0);
	free(job);
	/* but not for ever */
	job = job_new(-1);
	job->busy_ns = 2 * NS_PER_S;
	assert_int_equal(deadline_run(*state, &job->work, &ticket), -ETIMEDOUT);
	expect_freed(1);
}

static void what_blocks_is_left_behind(void **state)
{
	struct deadline *deadline = *state;
	int gate = eventfd(0, EFD_CLOEXEC);
	struct pollfd late = { .fd = deadline_ended_fd(deadline), .events = POLLIN };
	struct deadline_stats stats;
	uint64_t ended, took_ns;

	ticket = 0;
	assert_int_equal(deadline_run(deadline, &job_new(gate)->work, &ticket), -ETIMEDOUT);
	assert_true(ticket);
	assert_false(deadline_ended(deadline, &ended, &took_ns));
	deadline_stats(deadline, &stats);
	assert_int_equal(stats.given_up, 1);
	assert_int_equal(stats.left, 1);
	/* others go on meanwhile */
	runs(deadline);
	assert_int_equal(n_freed, 0);
	assert_int_equal(eventfd_write(gate, 1), 0);
	expect_freed(1);
	expect_left(deadline, 0);
	/* it is told once that it ended, and how long it took */
	assert_int_equal(poll(&late, 1, 10000), 1);
	assert_true(deadline_ended(deadline, &ended, &took_ns));
	assert_int_equal(ended, ticket);
	assert_true(took_ns > 0 && took_ns < 60 * NS_PER_S); /* its thread may have begun late */
	assert_false(deadline_ended(deadline, &ended, &took_ns));
	assert_int_equal(poll(&late, 1, 0), 0);
	runs(deadline);
	close(gate);
}

static void no_more_are_left_behind_than_there_may_be(void **state)
{
	struct deadline *deadline = deadline_new(20 * NS_PER_MS, 20 * NS_PER_MS);
	int gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE), err;
	struct deadline_stats stats;
	uint64_t ended, took_ns;
	unsigned n = 0;

	/* on a busy machine one may be given up before a thread took it; it is not left behind */
	while ((err = deadline_run(deadline, &job_new(gate)->work, &ticket)) == -ETIMEDOUT ||
	       err == -EINTR)
		assert_true(n++ < 10 * DEADLINE_LEFT_MAX);
	assert_int_equal(err, -EBUSY);
	assert_true(n >= DEADLINE_LEFT_MAX);
	deadline_stats(deadline, &stats);
	assert_int_equal(stats.left, DEADLINE_LEFT_MAX);
	assert_int_equal(eventfd_write(gate, DEADLINE_LEFT_MAX), 0);
	expect_freed(n + 1);
	expect_left(deadline, 0);
	/* and no more until somebody has asked who ended */
	assert_int_equal(deadline_run(deadline, &job_new(-1)->work, &ticket), -EBUSY);
	for (n = 0; deadline_ended(deadline, &ended, &took_ns); n++)
		continue;
	assert_int_equal(n, DEADLINE_LEFT_MAX);
	runs(deadline);
	deadline_free(deadline);
	close(gate);
}

static void *cancel(void *arg)
{
	poll(NULL, 0, 5);
	deadline_cancel(arg);
	return NULL;
}

static void who_waits_can_be_called_off(void **state)
{
	struct deadline *deadline = deadline_new(60 * NS_PER_S, 60 * NS_PER_S);
	int gate = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, cancel, deadline), 0);
	assert_int_equal(deadline_run(deadline, &job_new(gate)->work, &ticket), -ECANCELED);
	assert_int_equal(deadline_run(deadline, &job_new(-1)->work, &ticket), -ECANCELED);
	pthread_join(thread, NULL);
	/* it outlives the one that it was run by */
	deadline_free(deadline);
	assert_int_equal(eventfd_write(gate, 1), 0);
	expect_freed(2);
	close(gate);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_ends_in_time_is_its_callers),
		TEST(what_computes_may_take_its_time),
		TEST(what_blocks_is_left_behind),
		TEST(no_more_are_left_behind_than_there_may_be),
		TEST(who_waits_can_be_called_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
