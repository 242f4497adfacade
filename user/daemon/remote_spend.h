/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets over many nodes: what is done on this one when others have spent. */
#ifndef DAEMON_REMOTE_SPEND_H
#define DAEMON_REMOTE_SPEND_H

#include "daemon/daemon.h"

/*
 * Begins with the shared budgets in daemon->config, and ends what was begun for those before. Without
 * one, daemon->shared is NULL. What fails is logged: this host's own sums go on.
 */
void remote_spend_begin(struct daemon *daemon);

#endif
