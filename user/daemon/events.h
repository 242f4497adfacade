/* SPDX-License-Identifier: Apache-2.0 */
/* The way of an event from the ring into the pipeline. */
#ifndef DAEMON_EVENTS_H
#define DAEMON_EVENTS_H

#include "daemon/daemon.h"

/*
 * A tap_event_fn; arg: the daemon. The event is recorded, if that was asked for, and given to the
 * pipeline. A recording that cannot be written is closed, which is logged.
 */
void daemon_event(void *arg, const struct ev_head *event, size_t size);

#endif
