/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `aigress run` prints on standard output as it happens: a line a call, a JSON line an action.
 * A reader that does not keep up loses lines, which are counted; it never stalls the daemon.
 */
#ifndef NOTIFY_STDOUT_H
#define NOTIFY_STDOUT_H

#include <stdbool.h>

#include "ledger/ledger.h"

struct lines;

/* `quiet`: calls are not printed, actions are. NULL: no memory. */
struct lines *lines_new(bool quiet);
void lines_call(struct lines *lines, const struct ledger_call *call);
void lines_action(struct lines *lines, const struct ledger_action *action);
struct lines *lines_free(struct lines *lines);

#endif
