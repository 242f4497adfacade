/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/leases.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/loop.h"
#include "base/thread.h"

/* Between two looks while a gate is shut: a third of a lease and less. */
#define LOOK_NS (2 * NS_PER_S)

struct leases {
	struct tap *tap;
	const struct loop *loop;
	uint64_t lease_ns;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t stopped;
	bool stop;
};

static void look(struct leases *leases)
{
	uint64_t since_ns = loop_busy_since(leases->loop), now_ns = clock_mono_ns();

	if (since_ns && now_ns - since_ns < LEASES_PATIENCE_NS)
		tap_gates_renew(leases->tap, now_ns, now_ns + leases->lease_ns);
}

static void *run(void *arg)
{
	struct leases *leases = arg;
	struct timespec until;
	uint64_t next_ns;

	pthread_mutex_lock(&leases->lock);
	while (!leases->stop) {
		pthread_mutex_unlock(&leases->lock);
		tap_gates_wait(leases->tap);
		look(leases);
		pthread_mutex_lock(&leases->lock);
		next_ns = clock_mono_ns() + LOOK_NS;
		until = (struct timespec){ (time_t)(next_ns / NS_PER_S),
					   (long)(next_ns % NS_PER_S) };
		if (!leases->stop)
			pthread_cond_timedwait(&leases->stopped, &leases->lock, &until);
	}
	pthread_mutex_unlock(&leases->lock);
	return NULL;
}

int leases_new(struct leases **ret, struct tap *tap, const struct loop *loop, uint64_t lease_ns)
{
	struct leases *leases = calloc(1, sizeof(*leases));
	pthread_condattr_t attr;
	int err;

	if (!leases)
		return -ENOMEM;
	*leases = (struct leases){ .tap = tap, .loop = loop, .lease_ns = lease_ns };
	pthread_mutex_init(&leases->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&leases->stopped, &attr);
	pthread_condattr_destroy(&attr);
	err = thread_start(&leases->thread, run, leases);
	if (err) {
		free(leases);
		return err;
	}
	*ret = leases;
	return 0;
}

struct leases *leases_free(struct leases *leases)
{
	if (!leases)
		return NULL;
	pthread_mutex_lock(&leases->lock);
	leases->stop = true;
	pthread_cond_signal(&leases->stopped);
	pthread_mutex_unlock(&leases->lock);
	tap_gates_interrupt(leases->tap);
	pthread_join(leases->thread, NULL);
	pthread_cond_destroy(&leases->stopped);
	pthread_mutex_destroy(&leases->lock);
	free(leases);
	return NULL;
}
