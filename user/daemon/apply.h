/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules in force, and how others take their place while the daemon runs. Budgets, protect, enforce,
 * max-kills, keep, webhooks, serve and otlp are taken over; the rest of the configuration needs a
 * restart, which is logged.
 */
#ifndef DAEMON_APPLY_H
#define DAEMON_APPLY_H

#include "daemon/daemon.h"

/* The file cannot be read or is wrong: the rules in force are of an earlier one. */
void config_is_broken(struct daemon *daemon, const char *sentence);
/* Logs what is suspicious in a file that was read. */
void config_warn(const struct config *config);
/* Tells other subcommands ("config" in the ledger) whether it is; keeps one that is right as the last good. */
void config_publish(struct daemon *daemon);

/*
 * Puts another configuration in force, in the order that apply.c states. Takes *config over, which is
 * empty afterwards. 0, or -errno with nothing changed and *config still the caller's: the ledger cannot
 * be written, no watchdog, no memory. What fails later is logged, and the daemon goes on without it.
 */
int rules_apply(struct daemon *daemon, struct config *config);

/*
 * Reads the configuration file, adds the budgets that annotations ask for, and applies it. A file that
 * cannot be read or applied leaves the rules in force as they are. Logs what came of it.
 */
void rules_reload(struct daemon *daemon);

/* Counts every budget again from the ledger's calls, whose names have changed. 0 or -errno. */
int rules_rebuild(struct daemon *daemon);

/* Pins the gates if a budget is to outlive the daemon, else removes the pins. Logs a failure. */
void rules_pin(struct daemon *daemon);

/* Looks for operators' overrides from now on, if there are budgets. 0 or -errno. */
int rules_watch_overrides(struct daemon *daemon);

#endif
