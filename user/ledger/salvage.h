/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A ledger that is damaged is set aside under a name with its date, and what can be read of it becomes the new one:
 * whoever enforces must not stop for a broken page. What was lost, nobody knows; that it may be is a fact of the
 * new ledger ("damage"), and every surface says so.
 */
#ifndef LEDGER_SALVAGE_H
#define LEDGER_SALVAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/ledger.h"

struct salvage {
	char aside[512]; /* where the damaged file is now */
	uint64_t rows;   /* that could be read */
	uint64_t holes;  /* rows in a row that could not, each counted once; 0: all could */
};

/*
 * Reads what a start needs: the dictionaries, the latest calls, and their index. 0; -EBADMSG: it is damaged; another
 * -errno.
 */
int ledger_probe(struct ledger *ledger, int64_t since_us);
/*
 * In dir, where nobody writes: sets the ledger aside and makes a new one. 0 or -errno: the rename, or the new one,
 * failed; then the old may be back in its place or aside.
 */
int ledger_salvage(const char *dir, int64_t now_us, struct salvage *ret);

#endif
