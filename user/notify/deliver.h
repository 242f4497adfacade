/* SPDX-License-Identifier: Apache-2.0 */
/* Notices on their way: the request or the mail that a webhook's rule asks for. */
#ifndef NOTIFY_DELIVER_H
#define NOTIFY_DELIVER_H

#include "base/fetch.h"
#include "notify/body.h"

/*
 * Starts it. `key` tells a repeated delivery from a new one. input->secret is not looked at, but read from the rule's file.
 * `done` is called as by fetch_start(), which gives the errors, too.
 */
int deliver(struct fetcher *fetcher, const struct body_input *input, const char *key,
	    void (*done)(void *arg, const struct fetch_answer *answer), void *arg,
	    struct fetch **ret);

#endif
