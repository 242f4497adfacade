/* SPDX-License-Identifier: Apache-2.0 */
/* One caller in words: what it spends on what, its last calls, what was done to it and how that is released. */
#ifndef CMD_EXPLAIN_CALLER_H
#define CMD_EXPLAIN_CALLER_H

#include <stdio.h>

#include "base/zone.h"
#include "ledger/ledger.h"

/* By its whole name (who_label()). 0 or -errno; -ENOENT: nobody of that name has called within 30 days. */
int caller_print(struct ledger *ledger, const struct zone *zone, const char *who, FILE *out);
/* `explain who PART`, in words or as JSON: the only caller with that in its name. Returns an exit code. */
int explain_who(struct ledger *ledger, const struct zone *zone, const char *part, bool json);

#endif
