/* SPDX-License-Identifier: Apache-2.0 */
#include "web/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"

/* What the loop and a thread share. The second of them to leave it frees it. */
struct run {
	struct aside_work *work;
	int wake; /* an eventfd of its own: the loop's may be closed before the thread ends */
	bool is_done, is_left;
};

struct aside_request {
	TAILQ_ENTRY(aside_request) link;
	struct MHD_Connection *connection;
	struct aside_work *work; /* NULL: it runs, or was run */
	char *text;
};

struct aside {
	TAILQ_HEAD(, aside_request) requests; /* the first is the one that runs */
	struct run *run;                      /* NULL: none */
	size_t n;
	int wake;
	struct loop_source *source;
	loop_fn on_answer;
	void *arg;
};

static void free_work(struct aside_work *work)
{
	if (!work)
		return;
	free(work->text);
	work->free(work);
}

static void leave(struct run *run)
{
	if (!__atomic_exchange_n(&run->is_left, true, __ATOMIC_ACQ_REL))
		return;
	free_work(run->work);
	close(run->wake);
	free(run);
}

static void *in_thread(void *arg)
{
	struct run *run = arg;

	run->work->run(run->work);
	__atomic_store_n(&run->is_done, true, __ATOMIC_RELEASE);
	(void)eventfd_write(run->wake, 1);
	leave(run);
	return NULL;
}

static int start(struct aside *aside, struct aside_request *request)
{
	_cleanup_close_ int wake = fcntl(aside->wake, F_DUPFD_CLOEXEC, 0);
	_cleanup_free_ struct run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	if (wake < 0)
		return -errno;
	run->work = request->work;
	run->wake = wake;
	err = thread_start(NULL, in_thread, run);
	if (err)
		return err;
	request->work = NULL;
	take_fd(wake);
	aside->run = run;
	run = NULL;
	return 0;
}

/* To its connection, which is served when libmicrohttpd runs next. */
static void resume(struct aside *aside, struct aside_request *request)
{
	TAILQ_REMOVE(&aside->requests, request, link);
	aside->n--;
	MHD_resume_connection(request->connection);
}

/* Begins with the first that a thread can be had for; those before it get no answer. */
static void begin(struct aside *aside)
{
	struct aside_request *request;

	while (!aside->run && (request = TAILQ_FIRST(&aside->requests)))
		if (start(aside, request) < 0)
			resume(aside, request);
}

static void on_wake(void *arg)
{
	struct aside *aside = arg;
	struct aside_request *request = TAILQ_FIRST(&aside->requests);
	eventfd_t n;

	(void)eventfd_read(aside->wake, &n);
	if (!aside->run || !__atomic_load_n(&aside->run->is_done, __ATOMIC_ACQUIRE))
		return;
	request->text = aside->run->work->text;
	aside->run->work->text = NULL;
	leave(aside->run);
	aside->run = NULL;
	resume(aside, request);
	begin(aside);
	aside->on_answer(aside->arg);
}

int aside_new(struct aside **ret, struct loop *loop, loop_fn on_answer, void *arg)
{
	struct aside *aside = calloc(1, sizeof(*aside));
	int err;

	if (!aside)
		return -ENOMEM;
	TAILQ_INIT(&aside->requests);
	aside->on_answer = on_answer;
	aside->arg = arg;
	aside->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = aside->wake < 0 ? -errno :
				loop_add_fd(loop, aside->wake, on_wake, aside, &aside->source);
	if (err)
		aside_free(aside);
	else
		*ret = aside;
	return err;
}

struct aside *aside_free(struct aside *aside)
{
	struct aside_request *request;

	if (!aside)
		return NULL;
	if (aside->run)
		leave(aside->run);
	while ((request = TAILQ_FIRST(&aside->requests)))
		resume(aside, request);
	loop_remove(aside->source);
	if (aside->wake >= 0)
		close(aside->wake);
	free(aside);
	return NULL;
}

struct aside_request *aside_ask(struct aside *aside, struct MHD_Connection *connection,
				struct aside_work *work)
{
	struct aside_request *request = aside->n < ASIDE_MAX ? calloc(1, sizeof(*request)) : NULL;

	if (!request) {
		free_work(work);
		return NULL;
	}
	request->connection = connection;
	request->work = work;
	MHD_suspend_connection(connection);
	TAILQ_INSERT_TAIL(&aside->requests, request, link);
	aside->n++;
	begin(aside);
	return request;
}

char *aside_answer(struct aside_request *request)
{
	char *text = request->text;

	request->text = NULL;
	return text;
}

void aside_forget(struct aside_request *request)
{
	if (!request)
		return;
	free_work(request->work);
	free(request->text);
	free(request);
}
