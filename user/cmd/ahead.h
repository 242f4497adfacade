/* SPDX-License-Identifier: Apache-2.0 */
/* Budgets that will be full before their window ends, at the rate at which they fill now. */
#ifndef CMD_AHEAD_H
#define CMD_AHEAD_H

#include <jansson.h>
#include <stdio.h>

#include "ledger/ledger.h"

/*
 * By the fact "budgets" of a running daemon, the soonest first: a line for each, `most` at most, and how many more there
 * are. Nothing if there are none.
 */
void ahead_print(struct ledger *ledger, int64_t now_us, size_t most, FILE *out);
/* [ { budget, counter, full: "2026-11-30T08:00:00Z" } ]; NULL: no memory. */
json_t *ahead_json(struct ledger *ledger, int64_t now_us);

#endif
