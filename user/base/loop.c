/* SPDX-License-Identifier: Apache-2.0 */
#include "base/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum kind { KIND_FD, KIND_TIMER, KIND_SIGNAL };

struct loop_source {
	LIST_ENTRY(loop_source) link;
	struct loop *loop;
	enum kind kind;
	uint64_t due_ns; /* of a timer that fires once; 0: not armed */
	int fd;
	loop_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	bool stop;
	uint64_t busy_since_ns; /* read by other threads */
	struct loop_stats stats;
	loop_fn on_turn;
	void *turn_arg;
	loop_fn on_late;
	void *late_arg;
	LIST_HEAD(, loop_source) sources;
	LIST_HEAD(, loop_source) removed; /* freed after the round that may still name them */
};

int loop_new(struct loop **ret)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return -ENOMEM;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		int err = -errno;

		free(loop);
		return err;
	}
	LIST_INIT(&loop->sources);
	LIST_INIT(&loop->removed);
	*ret = loop;
	return 0;
}

static void free_removed(struct loop *loop)
{
	struct loop_source *source;

	while ((source = LIST_FIRST(&loop->removed))) {
		LIST_REMOVE(source, link);
		free(source);
	}
}

struct loop *loop_free(struct loop *loop)
{
	if (!loop)
		return NULL;
	while (LIST_FIRST(&loop->sources))
		loop_remove(LIST_FIRST(&loop->sources));
	free_removed(loop);
	close(loop->epoll);
	free(loop);
	return NULL;
}

static int add(struct loop *loop, enum kind kind, int fd, loop_fn fn, void *arg,
	       struct loop_source **ret)
{
	struct loop_source *source = calloc(1, sizeof(*source));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = source };

	if (!source)
		return -ENOMEM;
	*source = (struct loop_source){ .loop = loop, .kind = kind, .fd = fd, .fn = fn, .arg = arg };
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) < 0) {
		int err = -errno;

		free(source);
		return err;
	}
	LIST_INSERT_HEAD(&loop->sources, source, link);
	if (ret)
		*ret = source;
	return 0;
}

int loop_add_fd(struct loop *loop, int fd, loop_fn fn, void *arg, struct loop_source **ret)
{
	return add(loop, KIND_FD, fd, fn, arg, ret);
}

int loop_watch(struct loop_source *source, unsigned int what)
{
	struct epoll_event event = { .events = (what & LOOP_READ ? EPOLLIN : 0) |
					       (what & LOOP_WRITE ? EPOLLOUT : 0),
				     .data.ptr = source };

	return epoll_ctl(source->loop->epoll, EPOLL_CTL_MOD, source->fd, &event) < 0 ? -errno : 0;
}

static struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S),
				  .tv_nsec = (long)(ns % NS_PER_S) };
}

int loop_add_timer(struct loop *loop, uint64_t period_ns, loop_fn fn, void *arg,
		   struct loop_source **ret)
{
	struct itimerspec when = { .it_interval = timespec_of(period_ns),
				   .it_value = timespec_of(period_ns) };
	_cleanup_close_ int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	if (timerfd_settime(fd, 0, &when, NULL) < 0)
		return -errno;
	err = add(loop, KIND_TIMER, fd, fn, arg, ret);
	if (!err)
		take_fd(fd);
	return err;
}

int loop_arm(struct loop_source *source, uint64_t after_ns)
{
	struct itimerspec when = { .it_value = timespec_of(after_ns) };

	if (timerfd_settime(source->fd, 0, &when, NULL) < 0)
		return -errno;
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
	_cleanup_close_ int fd = -1;
	sigset_t set;
	int err;

	sigemptyset(&set);
	sigaddset(&set, signal);
	err = -pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (err)
		return err;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	err = add(loop, KIND_SIGNAL, fd, fn, arg, ret);
	if (!err)
		take_fd(fd);
	return err;
}

struct loop_source *loop_remove(struct loop_source *source)
{
	if (!source)
		return NULL;
	epoll_ctl(source->loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	if (source->kind != KIND_FD)
		close(source->fd);
	source->fn = NULL;
	LIST_REMOVE(source, link);
	LIST_INSERT_HEAD(&source->loop->removed, source, link);
	return NULL;
}

static void dispatch(struct loop_source *source)
{
	uint64_t expirations;
	struct signalfd_siginfo info;

	if (!source->fn)
		return;
	if (source->kind == KIND_TIMER)
		(void)!read(source->fd, &expirations, sizeof(expirations));
	else if (source->kind == KIND_SIGNAL)
		(void)!read(source->fd, &info, sizeof(info));
	source->due_ns = 0;
	source->fn(source->arg);
}

uint64_t loop_busy_since(const struct loop *loop)
{
	return __atomic_load_n(&loop->busy_since_ns, __ATOMIC_ACQUIRE);
}

void loop_stats(const struct loop *loop, struct loop_stats *ret)
{
	*ret = loop->stats;
}

void loop_on_late(struct loop *loop, loop_fn fn, void *arg)
{
	loop->on_late = fn;
	loop->late_arg = arg;
}

void loop_on_turn(struct loop *loop, loop_fn fn, void *arg)
{
	loop->on_turn = fn;
	loop->turn_arg = arg;
}

static void turn_begin(struct loop *loop)
{
	__atomic_store_n(&loop->busy_since_ns, clock_mono_ns(), __ATOMIC_RELEASE);
	if (loop->on_turn)
		loop->on_turn(loop->turn_arg);
}

static void turn_end(struct loop *loop)
{
	uint64_t took_ns = clock_mono_ns() - loop->busy_since_ns;

	if (took_ns > loop->stats.longest_ns)
		loop->stats.longest_ns = took_ns;
	if (took_ns > LOOP_LATE_NS) {
		loop->stats.late++;
		if (loop->on_late)
			loop->on_late(loop->late_arg);
	}
	__atomic_store_n(&loop->busy_since_ns, 0, __ATOMIC_RELEASE);
}

int loop_run(struct loop *loop)
{
	struct epoll_event events[64];

	loop->stop = false;
	while (!loop->stop) {
		int n = epoll_wait(loop->epoll, events, ARRAY_SIZE(events), -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		turn_begin(loop);
		for (int i = 0; i < n && !loop->stop; i++)
			dispatch(events[i].data.ptr);
		free_removed(loop);
		turn_end(loop);
	}
	return 0;
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}
