/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger to begin with: as it is, or what can be read of a damaged one. */
#ifndef DAEMON_SOUND_LEDGER_H
#define DAEMON_SOUND_LEDGER_H

struct ledger;

/* As ledger_open() for a writer; a damaged ledger is set aside and salvaged (ledger/salvage.h), and that is logged. */
int sound_ledger(struct ledger **ret, const char *dir, char **ret_error);

#endif
