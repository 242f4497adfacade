/* SPDX-License-Identifier: Apache-2.0 */
#include "find/finder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/thread.h"
#include "tap/tap.h"

/* Messages that wait for the thread; with as many, it is so far behind that greetings settle unseen. */
#define MESSAGES_MAX 4096
/* Processes whose reach is remembered, by their number: one takes the place of another now and then. */
#define REACHES_MAX 8192

struct message {
	uint32_t tgid;
	bool is_end, is_speaker;
	uint64_t cgroup, socket;
};

struct reach {
	uint32_t tgid;
	enum find_reach reach;
};

struct finder {
	/* the thread's, once it runs */
	struct loop *loop;
	struct find *find;
	struct loop_source *mail, *count;
	struct tap *tap;
	pthread_t thread;
	bool runs;
	int wake; /* an eventfd */
	/* both threads' */
	pthread_mutex_t lock;
	bool is_ending;
	struct message messages[MESSAGES_MAX];
	size_t first, n; /* of messages, a ring */
	uint64_t n_unseen;
	struct reach reaches[REACHES_MAX];
	struct find_stats stats;
};

static struct reach *reach_slot(struct finder *finder, uint32_t tgid)
{
	/* numbers are given one after the other */
	return &finder->reaches[tgid % REACHES_MAX];
}

static void set_reach(struct finder *finder, uint32_t tgid, enum find_reach reach)
{
	pthread_mutex_lock(&finder->lock);
	*reach_slot(finder, tgid) = (struct reach){ tgid, reach };
	pthread_mutex_unlock(&finder->lock);
}

/* Whatever came of it: there is nothing more to wait for. What cannot be woken leaves as TCP repeats it. */
static void let_go(struct tap *tap, uint32_t tgid, uint64_t socket)
{
	int err;

	(void)tap_defer_end(tap, tgid);
	err = socket ? tap_defer_wake(tap, socket) : 0;
	if (err)
		log_debug("a deferred ClientHello waits for TCP to repeat it: %s", strerror(-err));
}

static void on_settled(void *arg, uint32_t tgid, uint64_t socket, enum find_reach reach)
{
	struct finder *finder = arg;

	set_reach(finder, tgid, reach);
	let_go(finder->tap, tgid, socket);
}

/* ---- the thread ---- */

/* False: none waits. */
static bool next_message(struct finder *finder, struct message *ret)
{
	bool some;

	pthread_mutex_lock(&finder->lock);
	some = finder->n;
	if (some) {
		*ret = finder->messages[finder->first];
		finder->first = (finder->first + 1) % MESSAGES_MAX;
		finder->n--;
	}
	pthread_mutex_unlock(&finder->lock);
	return some;
}

static void publish(void *arg)
{
	struct finder *finder = arg;
	struct find_stats stats;

	find_stats(finder->find, &stats);
	pthread_mutex_lock(&finder->lock);
	finder->stats = stats;
	pthread_mutex_unlock(&finder->lock);
}

static void on_mail(void *arg)
{
	struct finder *finder = arg;
	struct message message;
	uint64_t n;
	bool is_ending;

	(void)!read(finder->wake, &n, sizeof(n));
	pthread_mutex_lock(&finder->lock);
	is_ending = finder->is_ending;
	pthread_mutex_unlock(&finder->lock);
	if (is_ending)
		return loop_stop(finder->loop);
	while (next_message(finder, &message)) {
		if (message.is_end)
			find_put_end(finder->find, message.tgid);
		else if (message.is_speaker)
			find_put_speaker(finder->find, message.tgid);
		else
			find_put_greeting(finder->find, message.tgid, message.cgroup,
					  message.socket);
	}
	loop_soon(finder->count, NS_PER_S);
}

static void *run(void *arg)
{
	struct finder *finder = arg;
	int err = loop_run(finder->loop);

	if (err)
		log_error("the search for TLS libraries ended: %s; new programs are estimated",
			  strerror(-err));
	return NULL;
}

/* ---- the event loop's side ---- */

int finder_new(struct finder **ret, struct tap *tap, const struct find_config *config,
	       char **ret_error)
{
	struct finder *finder = calloc(1, sizeof(*finder));
	struct find_config own = *config;
	int err;

	if (!finder)
		return -ENOMEM;
	pthread_mutex_init(&finder->lock, NULL);
	finder->tap = tap;
	finder->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	own.settled = on_settled;
	own.arg = finder;
	err = finder->wake < 0 ? -errno : loop_new(&finder->loop);
	if (!err)
		err = find_new(&finder->find, finder->loop, tap, &own, ret_error);
	if (!err)
		err = loop_add_fd(finder->loop, finder->wake, on_mail, finder, &finder->mail);
	if (!err)
		err = loop_add_timer(finder->loop, 0, publish, finder, &finder->count);
	if (err) {
		finder_free(finder);
		return err;
	}
	*ret = finder;
	return 0;
}

int finder_scan(struct finder *finder)
{
	int err = find_scan(finder->find);

	publish(finder);
	return err;
}

int finder_start(struct finder *finder)
{
	int err = thread_start(&finder->thread, run, finder);

	finder->runs = !err;
	return err;
}

static void wake(struct finder *finder)
{
	const uint64_t one = 1;

	(void)!write(finder->wake, &one, sizeof(one));
}

struct finder *finder_free(struct finder *finder)
{
	struct find_stats stats;

	if (!finder)
		return NULL;
	if (finder->runs) {
		pthread_mutex_lock(&finder->lock);
		finder->is_ending = true;
		pthread_mutex_unlock(&finder->lock);
		find_cancel(finder->find);
		wake(finder);
		pthread_join(finder->thread, NULL);
		find_stats(finder->find, &stats);
		if (stats.looks_stuck)
			log_warn("%zu looks at programs are still stuck (mounts that hang?): this "
				 "process stays until they end, and holds nothing meanwhile",
				 stats.looks_stuck);
	}
	loop_remove(finder->mail);
	loop_remove(finder->count);
	find_free(finder->find);
	loop_free(finder->loop);
	if (finder->wake >= 0)
		close(finder->wake);
	pthread_mutex_destroy(&finder->lock);
	free(finder);
	return NULL;
}

/* False: there is no room. */
static bool post(struct finder *finder, const struct message *message)
{
	bool fits;

	pthread_mutex_lock(&finder->lock);
	fits = finder->n < MESSAGES_MAX;
	if (fits)
		finder->messages[(finder->first + finder->n++) % MESSAGES_MAX] = *message;
	else
		finder->n_unseen++;
	pthread_mutex_unlock(&finder->lock);
	if (fits)
		wake(finder);
	return fits;
}

void finder_greeted(struct finder *finder, uint32_t tgid, uint64_t cgroup, uint64_t socket)
{
	const struct message message = { .tgid = tgid, .cgroup = cgroup, .socket = socket };

	set_reach(finder, tgid, FIND_WAITING);
	if (!post(finder, &message))
		let_go(finder->tap, tgid, socket);
}

/* An end that finds no room is found by a sweep. */
void finder_gone(struct finder *finder, uint32_t tgid)
{
	(void)post(finder, &(struct message){ .tgid = tgid, .is_end = true });
}

void finder_speaks(struct finder *finder, uint32_t tgid)
{
	(void)post(finder, &(struct message){ .tgid = tgid, .is_speaker = true });
}

enum find_reach finder_reach(struct finder *finder, uint32_t tgid)
{
	const struct reach *reach = reach_slot(finder, tgid);
	enum find_reach found;

	pthread_mutex_lock(&finder->lock);
	found = reach->tgid == tgid ? reach->reach : FIND_WAITING;
	pthread_mutex_unlock(&finder->lock);
	return found;
}

void finder_stats(struct finder *finder, struct find_stats *ret)
{
	pthread_mutex_lock(&finder->lock);
	*ret = finder->stats;
	ret->crowded += finder->n_unseen;
	pthread_mutex_unlock(&finder->lock);
}
