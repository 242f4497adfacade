/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon shows of itself: the counters, the status page's data, the HTTP server and the OTLP
 * push, joined to the daemon's parts. Nothing is kept while neither `serve:` nor `otlp:` is configured.
 */
#ifndef DAEMON_OBSERVERS_H
#define DAEMON_OBSERVERS_H

#include "daemon/daemon.h"

struct observers;

/*
 * Begins to serve and push as daemon->config says; if it says neither, *ret is NULL. A port that is
 * taken is tried again every five seconds, because a daemon that is being replaced still has it. The
 * daemon must outlive it. 0 or -errno (memory, a bad token file), and then *ret is NULL.
 */
int observers_new(struct observers **ret, struct daemon *daemon);
struct observers *observers_free(struct observers *observers);

/*
 * `serve:` or `otlp:` of daemon->config has changed. Counters go on unless nothing is shown any more.
 * Errors as observers_new().
 */
int observers_configured(struct observers **observers, struct daemon *daemon);

/* What happened, for the counters and the health checks. NULL: nothing is shown, nothing is done. */
void observers_call(struct observers *observers, const struct ledger_call *call);
void observers_action(struct observers *observers, const struct ledger_action *action);
/* The ring was read. */
void observers_drained(struct observers *observers);
/* The ledger was committed, or could not be (-errno). */
void observers_committed(struct observers *observers, int err);
/* Names that came late are in the ledger. */
void observers_renamed(struct observers *observers, struct ledger *ledger);
/* Drops what was not used for long; each minute. */
void observers_expire(struct observers *observers);

#endif
