/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Other rules while the daemon runs: on SIGHUP, and when the configuration file changes (also by a
 * rename, or a symbolic link's swap as Kubernetes does). Budgets, protect, enforce, max-kills and
 * keep are taken over; the rest needs a restart, which is said. A file that cannot be read keeps
 * the rules in force.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include "daemon/daemon.h"

struct reload;

/* Watches daemon->options.config; without one, *ret is NULL. 0 or -errno. */
int reload_new(struct reload **ret, struct daemon *daemon);
/* As if the file had changed: what is added to it has. */
void reload_now(struct reload *reload);
struct reload *reload_free(struct reload *reload);

#endif
