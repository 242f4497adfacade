/* SPDX-License-Identifier: Apache-2.0 */
#include "base/deadline.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"

/*
 * What the threads share. It outlives its deadline: a thread that was left behind looks at it when its
 * work ends, which may be years later.
 */
struct shared {
	pthread_mutex_t lock;
	pthread_cond_t changed;     /* there is work, or another turn */
	int over;                   /* an eventfd: work is done, or was called off */
	struct deadline_work *work; /* to be run, or running; NULL: none */
	bool is_taken;              /* a thread runs it */
	bool is_done;               /* it ran to its end */
	bool is_cancelled;
	uint64_t turn; /* of the thread that may take work, from 1; earlier ones are left behind */
	uint64_t given_up;
	size_t left;
	size_t users; /* threads, and the deadline itself */
	int late;     /* an eventfd: there is something in ended[] */
	struct {
		uint64_t turn, took_ns;
	} ended[DEADLINE_LEFT_MAX];
	size_t n_ended;
};

struct deadline {
	struct shared *shared;
	uint64_t stall_ns, wait_ns;
	bool has_thread;
	pthread_t thread; /* that may take work */
};

/* A thread's start: which turn it is. */
struct start {
	struct shared *shared;
	uint64_t turn;
};

/* The lock is held, and is not afterwards. */
static void leave(struct shared *shared)
{
	bool is_last = --shared->users == 0;

	pthread_mutex_unlock(&shared->lock);
	if (!is_last)
		return;
	close(shared->over);
	close(shared->late);
	pthread_cond_destroy(&shared->changed);
	pthread_mutex_destroy(&shared->lock);
	free(shared);
}

/* The lock is held. False: this thread was left behind while it ran the work, which nobody waits for. */
static bool run_one(struct shared *shared, uint64_t turn)
{
	struct deadline_work *work = shared->work;
	uint64_t began_ns = clock_mono_ns();

	shared->is_taken = true;
	pthread_mutex_unlock(&shared->lock);
	work->run(work);
	pthread_mutex_lock(&shared->lock);
	if (shared->turn == turn) {
		shared->is_done = true;
		shared->work = NULL;
		(void)eventfd_write(shared->over, 1);
		return true;
	}
	/* There is room: no more are left behind while these were not asked for. */
	shared->ended[shared->n_ended].turn = turn;
	shared->ended[shared->n_ended++].took_ns = clock_mono_ns() - began_ns;
	shared->left--;
	(void)eventfd_write(shared->late, 1);
	pthread_mutex_unlock(&shared->lock);
	work->free(work);
	pthread_mutex_lock(&shared->lock);
	return false;
}

static void *serve(void *arg)
{
	struct start start = *(struct start *)arg;
	struct shared *shared = start.shared;

	free(arg);
	pthread_mutex_lock(&shared->lock);
	while (shared->turn == start.turn) {
		if (!shared->work || shared->is_taken)
			pthread_cond_wait(&shared->changed, &shared->lock);
		else if (!run_one(shared, start.turn))
			break;
	}
	leave(shared);
	return NULL;
}

struct deadline *deadline_new(uint64_t stall_ns, uint64_t wait_ns)
{
	struct deadline *deadline = calloc(1, sizeof(*deadline));
	struct shared *shared = calloc(1, sizeof(*shared));

	if (shared) {
		shared->over = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		shared->late = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	if (!deadline || !shared || shared->over < 0 || shared->late < 0) {
		if (shared && shared->over >= 0)
			close(shared->over);
		if (shared && shared->late >= 0)
			close(shared->late);
		free(deadline);
		free(shared);
		return NULL;
	}
	pthread_mutex_init(&shared->lock, NULL);
	pthread_cond_init(&shared->changed, NULL);
	shared->users = 1;
	shared->turn = 1;
	*deadline = (struct deadline){ .shared = shared, .stall_ns = stall_ns, .wait_ns = wait_ns };
	return deadline;
}

struct deadline *deadline_free(struct deadline *deadline)
{
	if (!deadline)
		return NULL;
	pthread_mutex_lock(&deadline->shared->lock);
	deadline->shared->turn++; /* a thread that waits for work ends */
	pthread_cond_broadcast(&deadline->shared->changed);
	leave(deadline->shared);
	free(deadline);
	return NULL;
}

/* The lock is held. 0 or -errno. */
static int start_thread(struct deadline *deadline)
{
	struct shared *shared = deadline->shared;
	struct start *start = malloc(sizeof(*start));
	int err;

	if (!start)
		return -ENOMEM;
	*start = (struct start){ shared, shared->turn };
	err = thread_start(&deadline->thread, serve, start);
	if (err) {
		free(start);
		return err;
	}
	pthread_detach(deadline->thread); /* while the lock is held, so it is still there */
	shared->users++;
	deadline->has_thread = true;
	return 0;
}

/* CPU time of the thread, which has not been left behind and so has not ended, and of who works for it. */
static uint64_t used_ns(const struct deadline *deadline, const struct deadline_work *work)
{
	struct timespec used = { 0 };
	clockid_t clock;

	if (!pthread_getcpuclockid(deadline->thread, &clock))
		(void)clock_gettime(clock, &used);
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec +
	       (work->used_ns ? work->used_ns(work) : 0);
}

/*
 * The lock is held. Waits for the work's end, no longer than so. By poll(), whose time is relative: what shifts
 * a program's clock for a test shifts the end of a timed wait on a condition with it.
 */
static void wait_for(struct shared *shared, uint64_t ns)
{
	struct pollfd over = { .fd = shared->over, .events = POLLIN };
	uint64_t end = clock_mono_ns() + ns, now = end - ns;
	eventfd_t n;

	while (!shared->is_done && !shared->is_cancelled && now < end) {
		pthread_mutex_unlock(&shared->lock);
		if (poll(&over, 1, (int)((end - now + NS_PER_MS - 1) / NS_PER_MS)) > 0)
			(void)eventfd_read(shared->over, &n);
		pthread_mutex_lock(&shared->lock);
		now = clock_mono_ns();
	}
}

/* The lock is held. Until the work is done, or is to be given up: 0 or -errno. */
static int wait_done(struct deadline *deadline, const struct deadline_work *work)
{
	struct shared *shared = deadline->shared;
	uint64_t began = clock_mono_ns(), now, used = used_ns(deadline, work), before;

	do {
		before = used;
		wait_for(shared, deadline->stall_ns);
		now = clock_mono_ns();
		if (shared->is_done)
			return 0;
		if (shared->is_cancelled)
			return -ECANCELED;
		used = used_ns(deadline, work);
		/* those who worked for it may have ended */
	} while ((used < before || used - before > deadline->stall_ns / 100) &&
		 now - began < deadline->wait_ns);
	return -ETIMEDOUT;
}

/* The lock is held. A thread that runs the work frees it when it ends, and is no longer asked. Its number; 0: none. */
static uint64_t give_up(struct deadline *deadline, struct deadline_work *work)
{
	struct shared *shared = deadline->shared;

	shared->work = NULL;
	if (!shared->is_taken) {
		work->free(work);
		return 0;
	}
	shared->given_up++;
	shared->left++;
	deadline->has_thread = false;
	return shared->turn++;
}

int deadline_run(struct deadline *deadline, struct deadline_work *work, uint64_t *ret_ticket)
{
	struct shared *shared;
	uint64_t ticket;
	int err = 0;

	if (!deadline) {
		work->run(work);
		return 0;
	}
	shared = deadline->shared;
	pthread_mutex_lock(&shared->lock);
	if (shared->is_cancelled)
		err = -ECANCELED;
	else if (shared->left + shared->n_ended >= DEADLINE_LEFT_MAX)
		err = -EBUSY;
	else if (!deadline->has_thread)
		err = start_thread(deadline);
	if (err) {
		pthread_mutex_unlock(&shared->lock);
		work->free(work);
		return err;
	}
	shared->is_taken = shared->is_done = false;
	shared->work = work;
	pthread_cond_broadcast(&shared->changed);
	err = wait_done(deadline, work);
	if (err) {
		ticket = give_up(deadline, work);
		if (err == -ETIMEDOUT && ticket)
			*ret_ticket = ticket;
		else if (err == -ETIMEDOUT)
			err = -EINTR;
	}
	pthread_mutex_unlock(&shared->lock);
	return err;
}

bool deadline_ended(struct deadline *deadline, uint64_t *ret_ticket, uint64_t *ret_took_ns)
{
	struct shared *shared = deadline->shared;
	bool some;
	eventfd_t n;

	pthread_mutex_lock(&shared->lock);
	some = shared->n_ended;
	if (some) {
		shared->n_ended--;
		*ret_ticket = shared->ended[shared->n_ended].turn;
		*ret_took_ns = shared->ended[shared->n_ended].took_ns;
		if (!shared->n_ended)
			(void)eventfd_read(shared->late, &n);
	}
	pthread_mutex_unlock(&shared->lock);
	return some;
}

int deadline_ended_fd(const struct deadline *deadline)
{
	return deadline->shared->late;
}

void deadline_cancel(struct deadline *deadline)
{
	pthread_mutex_lock(&deadline->shared->lock);
	deadline->shared->is_cancelled = true;
	(void)eventfd_write(deadline->shared->over, 1);
	pthread_mutex_unlock(&deadline->shared->lock);
}

void deadline_stats(struct deadline *deadline, struct deadline_stats *ret)
{
	pthread_mutex_lock(&deadline->shared->lock);
	*ret = (struct deadline_stats){ deadline->shared->given_up, deadline->shared->left };
	pthread_mutex_unlock(&deadline->shared->lock);
}
