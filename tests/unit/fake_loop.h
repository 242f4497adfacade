/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/loop.h on clocks of its own, which a test lets pass. It takes the place of loop.o and of
 * clock_gettime() in the program that includes it, once. Descriptors are real and come first: only when
 * none is ready does time pass to the next timer that is due.
 */
#ifndef UNIT_FAKE_LOOP_H
#define UNIT_FAKE_LOOP_H

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"

#define FAKE_WALL_NS   (1790000000ULL * NS_PER_S) /* 2026-09-21T14:13:20Z, when the test begins */
#define FAKE_MONO_NS   (5000ULL * NS_PER_S)
#define FAKE_SOURCES   64
#define FAKE_ROUNDS    100000 /* of the loop in one step of a test: it runs in circles */
#define FAKE_SIGNAL_FD (-2)

static uint64_t fake_passed_ns; /* since the test began */

struct loop_source {
	LIST_ENTRY(loop_source) link;
	struct loop *loop;
	int fd; /* FAKE_SIGNAL_FD, -1: a timer */
	int signal;
	short events;
	uint64_t due_ns, period_ns; /* due: 0, not armed */
	loop_fn fn;
	void *arg;
};

struct loop {
	bool stop;
	LIST_HEAD(, loop_source) sources, removed;
};

int clock_gettime(clockid_t id, struct timespec *ret)
{
	uint64_t ns = fake_passed_ns + (id == CLOCK_REALTIME ? FAKE_WALL_NS : FAKE_MONO_NS);

	*ret = (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
				  .tv_nsec = (long)(ns % NS_PER_S) };
	return 0;
}

int loop_new(struct loop **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

static inline void fake_loop_bury(struct loop *loop)
{
	struct loop_source *source;

	while ((source = LIST_FIRST(&loop->removed))) {
		LIST_REMOVE(source, link);
		free(source);
	}
}

struct loop_source *loop_remove(struct loop_source *source)
{
	if (!source)
		return NULL;
	source->fn = NULL;
	LIST_REMOVE(source, link);
	LIST_INSERT_HEAD(&source->loop->removed, source, link);
	return NULL;
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	while (LIST_FIRST(&loop->sources))
		loop_remove(LIST_FIRST(&loop->sources));
	fake_loop_bury(loop);
	free(loop);
	return NULL;
}

static inline int fake_loop_add(struct loop *loop, struct loop_source value,
				struct loop_source **ret)
{
	struct loop_source *source = malloc(sizeof(*source));

	if (!source)
		return -ENOMEM;
	*source = value;
	source->loop = loop;
	LIST_INSERT_HEAD(&loop->sources, source, link);
	if (ret)
		*ret = source;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, loop_fn fn, void *arg, struct loop_source **ret)
{
	return fake_loop_add(
		loop, (struct loop_source){ .fd = fd, .events = POLLIN, .fn = fn, .arg = arg }, ret);
}

int loop_watch(struct loop_source *source, unsigned int what)
{
	source->events = (short)((what & LOOP_READ ? POLLIN : 0) | (what & LOOP_WRITE ? POLLOUT : 0));
	return 0;
}

int loop_add_timer(struct loop *loop, uint64_t period_ns, loop_fn fn, void *arg,
		   struct loop_source **ret)
{
	return fake_loop_add(
		loop,
		(struct loop_source){ .fd = -1,
				      .period_ns = period_ns,
				      .due_ns = period_ns ? clock_mono_ns() + period_ns : 0,
				      .fn = fn,
				      .arg = arg },
		ret);
}

int loop_arm(struct loop_source *source, uint64_t after_ns)
{
	source->period_ns = 0;
	source->due_ns = after_ns ? clock_mono_ns() + after_ns : 0;
	return 0;
}

void loop_soon(struct loop_source *source, uint64_t after_ns)
{
	if (source && (!source->due_ns || source->due_ns > clock_mono_ns() + after_ns))
		(void)loop_arm(source, after_ns);
}

int loop_add_signal(struct loop *loop, int signal, loop_fn fn, void *arg, struct loop_source **ret)
{
	return fake_loop_add(
		loop,
		(struct loop_source){ .fd = FAKE_SIGNAL_FD, .signal = signal, .fn = fn, .arg = arg },
		ret);
}

uint64_t loop_busy_since(const struct loop *loop)
{
	(void)loop;
	return 0;
}

void loop_stats(const struct loop *loop, struct loop_stats *ret)
{
	(void)loop;
	*ret = (struct loop_stats){ 0 };
}

void loop_on_late(struct loop *loop, loop_fn fn, void *arg)
{
	(void)loop;
	(void)fn;
	(void)arg;
}

void loop_on_turn(struct loop *loop, loop_fn fn, void *arg)
{
	(void)loop;
	(void)fn;
	(void)arg;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

/* Calls what waits for the signal, as if it had come. */
static inline void loop_signal(struct loop *loop, int signal)
{
	struct loop_source *source;

	LIST_FOREACH(source, &loop->sources, link)
		if (source->fd == FAKE_SIGNAL_FD && source->signal == signal)
			return source->fn(source->arg);
}

static inline bool fake_loop_has_fds(const struct loop *loop)
{
	const struct loop_source *source;

	LIST_FOREACH(source, &loop->sources, link)
		if (source->fd >= 0)
			return true;
	return false;
}

/* Calls what is ready by its descriptor, waiting for it for wait_ms of real time. How many were. */
static inline size_t fake_loop_poll(struct loop *loop, int wait_ms)
{
	struct loop_source *ready[FAKE_SOURCES], *source;
	struct pollfd fds[FAKE_SOURCES];
	size_t n = 0, called = 0;

	LIST_FOREACH(source, &loop->sources, link) {
		if (source->fd < 0 || n == FAKE_SOURCES)
			continue;
		ready[n] = source;
		fds[n++] = (struct pollfd){ .fd = source->fd, .events = source->events };
	}
	if (poll(fds, n, wait_ms) <= 0)
		return 0;
	for (size_t i = 0; i < n && !loop->stop; i++)
		if (fds[i].revents && ready[i]->fn) {
			ready[i]->fn(ready[i]->arg);
			called++;
		}
	return called;
}

static inline struct loop_source *fake_loop_next(struct loop *loop)
{
	struct loop_source *source, *next = NULL;

	LIST_FOREACH(source, &loop->sources, link)
		if (source->fd == -1 && source->due_ns && (!next || source->due_ns < next->due_ns))
			next = source;
	return next;
}

static inline void fake_loop_fire(struct loop_source *source)
{
	uint64_t late_ns = source->due_ns - FAKE_MONO_NS;

	if (late_ns > fake_passed_ns)
		fake_passed_ns = late_ns;
	source->due_ns = source->period_ns ? source->due_ns + source->period_ns : 0;
	source->fn(source->arg);
}

/* Runs the loop until so much time has passed, or it was stopped. False: it runs in circles. */
static inline bool loop_pass(struct loop *loop, uint64_t ns)
{
	uint64_t end_ns = clock_mono_ns() + ns;

	loop->stop = false;
	for (size_t round = 0; !loop->stop; round++) {
		struct loop_source *next;

		if (round == FAKE_ROUNDS)
			return false;
		if (fake_loop_poll(loop, 0)) {
			fake_loop_bury(loop);
			continue;
		}
		next = fake_loop_next(loop);
		if (!next || next->due_ns > end_ns)
			break;
		fake_loop_fire(next);
		fake_loop_bury(loop);
	}
	if (!loop->stop)
		fake_passed_ns = end_ns - FAKE_MONO_NS;
	return true;
}

/* The real time that another thread has to answer where a descriptor is waited for. */
#define FAKE_ANSWER_MS 1000

/* Until it is stopped. Time passes only when no descriptor is waited for, or none was answered. */
int loop_run(struct loop *loop)
{
	loop->stop = false;
	while (!loop->stop) {
		if (!fake_loop_poll(loop, fake_loop_has_fds(loop) ? FAKE_ANSWER_MS : 0)) {
			struct loop_source *next = fake_loop_next(loop);

			if (!next)
				return -EDEADLK;
			fake_loop_fire(next);
		}
		fake_loop_bury(loop);
	}
	return 0;
}

#endif
