/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rows of operators' orders (budget/override.h): a table of the ledger that `aigress override`
 * writes and the daemon reads, the only table that two processes write. Each order is an action row, too.
 */
#ifndef LEDGER_OVERRIDES_H
#define LEDGER_OVERRIDES_H

#include "budget/override.h"
#include "ledger/ledger.h"

#define OVERRIDES_MAX 256 /* in force at a time */

/*
 * Opens the ledger beside the daemon, to give orders. 0 or -errno with a sentence, as ledger_open();
 * ret_daemon: one has the ledger open for writing.
 */
int override_open(struct ledger **ret, const char *dir, bool *ret_daemon, char **ret_error);

/* Writes an order and its action row as one transaction; waits 5 s for the daemon at most. 0 or
 * -errno; -ENOSPC: OVERRIDES_MAX are in force. */
int override_add(struct ledger *ledger, const struct override *override);
/* Ends those with that key, NULL: all. Returns how many there were, or -errno. */
int override_clear(struct ledger *ledger, const char *key, const char *made_by, int64_t now_us);
/* Those in force at a time, oldest first; to be freed. 0 or -errno. */
int overrides_read(struct ledger *ledger, int64_t now_us, struct override **ret, size_t *ret_n);
/* The command that releases what a counter holds, quoted for a shell: "aigress override open 'pod=a/b'". */
#define OVERRIDE_COMMAND_LEN 4096
char *override_open_command(const char *counter, char ret[OVERRIDE_COMMAND_LEN]);
/* A number that changes when another process has written to the ledger; -errno. */
int64_t overrides_version(struct ledger *ledger);

#endif
