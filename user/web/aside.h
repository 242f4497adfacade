/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers that may take long, as those that read 30 days of a ledger: each is made in a thread, one after the other, while its
 * connection is suspended, so that neither the loop nor other connections wait for it.
 */
#ifndef WEB_ASIDE_H
#define WEB_ASIDE_H

#include <microhttpd.h>

#include "base/loop.h"

/* Beyond, a client is told to come again: those that wait take connections from others. */
#define ASIDE_MAX 8

/* Embedded at the start of what makes an answer, which is on the heap. */
struct aside_work {
	/* In a thread; shares nothing with the loop but this struct, and sets `text`. */
	void (*run)(struct aside_work *work);
	/* Frees the work without `text`; in either thread. */
	void (*free)(struct aside_work *work);
	char *text; /* the answer, to be freed; NULL: there is none */
};

struct aside;
struct aside_request;

/* `on_answer` is called in the loop after connections were resumed: libmicrohttpd has to run. 0 or -errno. */
int aside_new(struct aside **ret, struct loop *loop, loop_fn on_answer, void *arg);
/*
 * Resumes what waits, without an answer; a work that runs is left to its thread. Before MHD_stop_daemon(). NULL is nothing;
 * returns NULL.
 */
struct aside *aside_free(struct aside *aside);

/* Takes the work and suspends the connection. NULL: too many wait, or no memory; then it does not suspend. */
struct aside_request *aside_ask(struct aside *aside, struct MHD_Connection *connection,
				struct aside_work *work);
/* Of a request whose connection was resumed: its text, which is the caller's now; NULL: there is none. */
char *aside_answer(struct aside_request *request);
/* When its connection is done. NULL is nothing. */
void aside_forget(struct aside_request *request);

#endif
