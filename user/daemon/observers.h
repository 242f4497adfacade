/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon shows of itself: counters, the status page's data, the server and who is pushed to, joined
 * to the daemon's parts. Nothing is kept while neither `serve:` nor `otlp:` is configured.
 */
#ifndef DAEMON_OBSERVERS_H
#define DAEMON_OBSERVERS_H

#include "daemon/daemon.h"

struct shown;

/*
 * Begins to serve, if it is configured. A port that is taken is tried again each five seconds: a daemon
 * that is being replaced still has it. 0 or -errno of memory and configuration, logged.
 */
int shown_new(struct shown **ret, struct daemon *daemon);
struct shown *shown_free(struct shown *shown);

/* `serve:` or `otlp:` is another one in daemon->config. As shown_new(). */
int shown_configured(struct shown **shown, struct daemon *daemon);

/* NULL is nothing shown. */
void shown_call(struct shown *shown, const struct ledger_call *call);
void shown_action(struct shown *shown, const struct ledger_action *action);
void shown_drained(struct shown *shown);            /* the ring was looked at */
void shown_committed(struct shown *shown, int err); /* the ledger was, or could not be written */
void shown_expire(struct shown *shown);             /* each minute */

#endif
