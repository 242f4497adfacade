/* SPDX-License-Identifier: Apache-2.0 */
/* base/loop.h: what its sources promise, above all that a callback may remove any of them. */
#include "unit.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/loop.h"

struct source {
	struct loop *loop;
	struct loop_source *source;
	struct source *other; /* to be removed by this one's callback */
	int fd, peer;
	unsigned n, n_last; /* called; the loop stops at n_last */
	char byte;
};

static struct loop *loop;

static int set_up(void **state)
{
	return loop_new(&loop);
}

static int tear_down(void **state)
{
	loop = loop_free(loop);
	return 0;
}

static void count(void *arg)
{
	struct source *source = arg;

	if (++source->n >= source->n_last)
		loop_stop(source->loop);
}

static void read_one(void *arg)
{
	struct source *source = arg;

	assert_int_equal(read(source->fd, &source->byte, 1), 1);
	count(source);
}

static void open_source(struct source *source, loop_fn fn)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
			 0);
	*source = (struct source){ .loop = loop, .fd = ends[0], .peer = ends[1], .n_last = 1 };
	assert_int_equal(loop_add_fd(loop, source->fd, fn, source, &source->source), 0);
}

static void close_source(struct source *source)
{
	close(source->fd);
	close(source->peer);
}

static void a_readable_fd_calls_until_it_is_read(void **state)
{
	struct source source;

	open_source(&source, read_one);
	source.n_last = 3;
	assert_int_equal(write(source.peer, "abc", 3), 3);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(source.n, 3);
	assert_int_equal(source.byte, 'c');
	assert_int_equal(loop_add_fd(loop, -1, count, &source, NULL), -EBADF);
	close_source(&source);
}

static void a_watch_says_for_what(void **state)
{
	struct source source, late = { .loop = loop, .n_last = 1 };

	open_source(&source, count);
	assert_int_equal(write(source.peer, "a", 1), 1);
	assert_int_equal(loop_watch(source.source, 0), 0);
	assert_int_equal(loop_add_timer(loop, 5 * NS_PER_MS, count, &late, &late.source), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(source.n, 0);
	assert_int_equal(late.n, 1);
	loop_remove(late.source);
	assert_int_equal(loop_watch(source.source, LOOP_WRITE), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(source.n, 1);
	/* a hang-up calls whatever is watched */
	assert_int_equal(loop_watch(source.source, 0), 0);
	close(source.peer);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(source.n, 2);
	close(source.fd);
}

static void remove_other(void *arg)
{
	struct source *source = arg;

	source->other->source = loop_remove(source->other->source);
	if (source->other != source)
		source->source = loop_remove(source->source);
	count(source);
}

static void a_callback_may_remove_any_source(void **state)
{
	struct source a, b, own;

	open_source(&a, remove_other);
	open_source(&b, remove_other);
	a.other = &b;
	b.other = &a;
	assert_int_equal(write(a.peer, "x", 1), 1);
	assert_int_equal(write(b.peer, "x", 1), 1);
	/* both are ready in one round: the first that is called takes the second with it */
	a.n_last = b.n_last = 2;
	open_source(&own, remove_other);
	own.other = &own;
	assert_int_equal(write(own.peer, "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.n + b.n, 1);
	assert_int_equal(own.n, 1);
	assert_null(a.source);
	assert_null(b.source);
	assert_null(own.source);
	assert_null(loop_remove(NULL));
	close_source(&a);
	close_source(&b);
	close_source(&own);
}

static void a_timer_fires_each_period(void **state)
{
	struct source timer = { .loop = loop, .n_last = 3 };
	uint64_t start_ns = clock_mono_ns();

	assert_int_equal(loop_add_timer(loop, 3 * NS_PER_MS, count, &timer, &timer.source), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(timer.n, 3);
	assert_true(clock_mono_ns() - start_ns >= 9 * NS_PER_MS);
}

static void an_armed_timer_fires_once(void **state)
{
	struct source once = { .loop = loop, .n_last = 9 }, late = { .loop = loop, .n_last = 1 };

	assert_int_equal(loop_add_timer(loop, 0, count, &once, &once.source), 0);
	assert_int_equal(loop_add_timer(loop, 20 * NS_PER_MS, count, &late, &late.source), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(once.n, 0);
	assert_int_equal(loop_arm(once.source, NS_PER_MS), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(once.n, 1);
	assert_int_equal(loop_arm(once.source, NS_PER_MS), 0);
	assert_int_equal(loop_arm(once.source, 0), 0); /* called off */
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(once.n, 1);
}

static void soon_brings_a_timer_forward_and_never_back(void **state)
{
	struct source once = { .loop = loop, .n_last = 1 };
	uint64_t start_ns = clock_mono_ns();

	assert_int_equal(loop_add_timer(loop, 0, count, &once, &once.source), 0);
	assert_int_equal(loop_arm(once.source, 60 * NS_PER_S), 0);
	loop_soon(once.source, 2 * NS_PER_MS);
	loop_soon(once.source, 60 * NS_PER_S);
	loop_soon(NULL, 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(once.n, 1);
	/* it has fired: it can be armed again */
	loop_soon(once.source, NS_PER_MS);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(once.n, 2);
	assert_true(clock_mono_ns() - start_ns < 30 * NS_PER_S);
}

static void a_signal_calls_instead_of_killing(void **state)
{
	struct source usr = { .loop = loop, .n_last = 1 };
	sigset_t set;

	assert_int_equal(loop_add_signal(loop, SIGUSR1, count, &usr, &usr.source), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(usr.n, 1);
	loop_remove(usr.source);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &set, NULL), 0);
}

static void a_stop_leaves_what_is_ready_for_later(void **state)
{
	struct source a, b;

	open_source(&a, read_one);
	open_source(&b, read_one);
	assert_int_equal(write(a.peer, "x", 1), 1);
	assert_int_equal(write(b.peer, "x", 1), 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.n + b.n, 1);
	assert_int_equal(loop_run(loop), 0);
	assert_int_equal(a.n + b.n, 2);
	close_source(&a);
	close_source(&b);
}

#define LOOP(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP(a_readable_fd_calls_until_it_is_read),
		LOOP(a_watch_says_for_what),
		LOOP(a_callback_may_remove_any_source),
		LOOP(a_timer_fires_each_period),
		LOOP(an_armed_timer_fires_once),
		LOOP(soon_brings_a_timer_forward_and_never_back),
		LOOP(a_signal_calls_instead_of_killing),
		LOOP(a_stop_leaves_what_is_ready_for_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
