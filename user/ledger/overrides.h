/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator has ordered against the rules, for a time: let go, hold, raise. A table of the
 * ledger, which `aigress override` writes and the daemon reads: the only table that two processes
 * write. Each order is an action row, too.
 */
#ifndef LEDGER_OVERRIDES_H
#define LEDGER_OVERRIDES_H

#include "ledger/ledger.h"

enum override_kind {
	OVERRIDE_NONE,
	OVERRIDE_OPEN, /* no step is taken, what holds is let go; sums go on */
	OVERRIDE_HOLD, /* new calls are refused, whatever was spent, and even where steps are rehearsed */
	OVERRIDE_RAISE, /* the limit is that one, if it is more */
};
const char *override_kind_name(enum override_kind kind); /* NULL: no such kind */

#define OVERRIDES_MAX       256 /* in force at a time */
#define OVERRIDE_KEY_LEN    256
#define OVERRIDE_TEXT_LEN   200
#define OVERRIDE_LONGEST_US (30 * 86400LL * 1000000)

struct override {
	int64_t id;
	enum override_kind kind;
	/* A glob (fnmatch) over names of budgets and of counters ("cgroup=/agents"); "*": all. */
	char key[OVERRIDE_KEY_LEN];
	int64_t limit_nanos; /* OVERRIDE_RAISE, one of the two */
	uint64_t limit_tokens;
	int64_t made_us, until_us;
	char made_by[OVERRIDE_TEXT_LEN], reason[OVERRIDE_TEXT_LEN];
};

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
/* A number that changes when another process has written to the ledger; -errno. */
int64_t overrides_version(struct ledger *ledger);

bool override_fits(const struct override *override, const char *budget, const char *counter);

#endif
