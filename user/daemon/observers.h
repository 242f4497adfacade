/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon shows of itself: counters, the status page's data, the server and who is pushed to, joined
 * to the daemon's parts. Nothing is kept while neither `serve:` nor `otlp:` is configured.
 */
#ifndef DAEMON_OBSERVERS_H
#define DAEMON_OBSERVERS_H

#include "daemon/daemon.h"

struct observers;

/*
 * Begins to serve, if it is configured. A port that is taken is tried again each five seconds: a daemon
 * that is being replaced still has it. 0 or -errno of memory and configuration, logged.
 */
int observers_new(struct observers **ret, struct daemon *daemon);
struct observers *observers_free(struct observers *observers);

/* `serve:` or `otlp:` is another one in daemon->config. As observers_new(). */
int observers_configured(struct observers **observers, struct daemon *daemon);

/* NULL is nothing shown. */
void observers_call(struct observers *observers, const struct ledger_call *call);
void observers_action(struct observers *observers, const struct ledger_action *action);
void observers_drained(struct observers *observers); /* the ring was looked at */
void observers_committed(struct observers *observers,
			 int err);                  /* the ledger was, or could not be written */
void observers_expire(struct observers *observers); /* each minute */

#endif
