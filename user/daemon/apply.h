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
 * Puts another configuration in force. Takes *config over, which is empty afterwards. Returns 0, or -errno
 * with nothing changed and *config still the caller's: the ledger cannot be written, no watchdog, no memory.
 * What fails after step 1 is logged, and the daemon goes on without it. The order matters:
 *
 *  1. What may fail comes first. The ledger is flushed, because sums are rebuilt from it and would lack a call
 *     that it has not taken. The watchdog is started if the new rules may stop or freeze something. The new
 *     policy is made.
 *  2. The configuration changes place. daemon->config keeps its address, to which the enforcer, the webhooks
 *     and kube point; its old contents live until step 8, because incidents refer to their budgets.
 *  3. The enforcer moves each incident to the budget of the same name, or ends it. This comes before step 4,
 *     whose verdicts must find the incidents that go on instead of making second ones. If `enforce` or
 *     `protect` has changed, every incident ends.
 *  4. The policy changes place:
 *     a. Overrides: a raised limit counts before the new policy judges anything.
 *     b. The pipeline reserves calls in flight with the new policy and no longer with the old one.
 *     c. The sums are rebuilt from the ledger's calls, and the gates of what is over its budget are shut. If
 *        this fails, the sums are too low, which is logged; the old sums belong to other rules.
 *     d. Shared budgets: what other nodes spent is added to what this one did.
 *     e. The enforcer ends what the sums no longer justify, then gates what an operator holds.
 *     f. The old policy is freed: nothing refers to it any more.
 *  5. Shared budgets are connected to their server, if the new rules are the first to have any.
 *  6. Webhooks, metrics, the status page and OTLP follow. From here on nothing affects spending.
 *  7. Gates are pinned if a budget asks for it, after step 4 has set them. Overrides are watched if these are
 *     the first budgets.
 *  8. Changes that need a restart are logged, and the old configuration is freed.
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
