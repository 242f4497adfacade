/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the stages call back: the daemon passes it on to the kernel half, to discovery, to the timers
 * and to whoever is shown calls and actions. `arg` is the daemon everywhere.
 */
#ifndef DAEMON_HOOKS_H
#define DAEMON_HOOKS_H

#include "daemon/daemon.h"

struct pipeline_hooks hooks_pipeline(struct daemon *daemon);

/* The enforcer resets the AI connections of a cgroup and of those below it; of one socket. */
size_t hooks_destroy(void *arg, const char *path);
bool hooks_reset(void *arg, uint64_t cookie);
/* The enforcer paces a target: the pace timer is wanted. */
void hooks_pacing(void *arg);
/* The enforcer wrote an action down: printed, sent, counted and shown. */
void hooks_action(void *arg, const struct ledger_action *action);

/* Whether first calls wait for probes: only where probes come late is there something to wait for. */
bool hooks_defer(const struct config *config);

/* A part of the snapshot may have changed. */
void hooks_changed(void *arg);

/* As resolve_new() reports addresses; NULL: that was all. */
struct sockaddr;
void hooks_address(void *arg, const struct sockaddr *address, const char *host, bool is_again);

#endif
