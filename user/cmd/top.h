/* SPDX-License-Identifier: Apache-2.0 */
/* One frame of the live view, as text: what `top` draws, and `run` on a terminal. */
#ifndef CMD_TOP_H
#define CMD_TOP_H

#include <stdio.h>

#include "ledger/ledger.h"

/*
 * Writes who spends by `key`, budgets in force and the last actions to `out`, at most `height`
 * lines of `width` columns (0: no limit). 0 or -errno.
 */
int top_frame(struct ledger *ledger, enum ledger_key key, FILE *out, unsigned width,
	      unsigned height);

#endif
