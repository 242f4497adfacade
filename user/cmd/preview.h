/* SPDX-License-Identifier: Apache-2.0 */
/* What rules would do now, by the calls in the ledger: to whom, and when. */
#ifndef CMD_PREVIEW_H
#define CMD_PREVIEW_H

#include <stdio.h>

#include "budget/policy.h"
#include "cmd/table.h"
#include "ledger/ledger.h"

/*
 * Counts the ledger's calls by these rules and prints each counter that has reached a step, with what would
 * be done as if they were enforced: sentences, or with TABLE_JSON { "rows": [ { budget, counter, spent_usd, limit_usd
 * (or spent_tokens, limit_tokens), action, line, when, rehearsed, members: [ { who, cgroup } ] } ] }. 0 or -errno.
 */
int preview_print(struct ledger *ledger, const struct policy_rules *rules, int64_t now_us,
		  enum table_format format, FILE *out);

/* Prints what differs from the rules that the daemon published ("rules"); nothing if it published none. */
void preview_print_changes(struct ledger *ledger, const struct policy_rules *rules, FILE *out);

#endif
