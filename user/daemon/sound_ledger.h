/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger to begin with: as it is, or what can be read of a damaged one. */
#ifndef DAEMON_SOUND_LEDGER_H
#define DAEMON_SOUND_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

struct ledger;
struct policy;

/*
 * As ledger_open() for a writer; a damaged ledger is set aside and salvaged (ledger/salvage.h), and that is logged.
 * ret_has_holes: not all of it could be read.
 */
int sound_ledger(struct ledger **ret, const char *dir, bool *ret_has_holes, char **ret_error);

/*
 * After the sums were rebuilt from a ledger with holes: raises them to what the file beside it says (counters_file.h).
 * False, and logged: that could not be; what was spent before is not known.
 */
bool sound_ledger_fill(const char *dir, struct policy *policy, int64_t now_us);

#endif
