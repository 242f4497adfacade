/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `aigress run` prints on standard output as it happens: a line a call and a line an action, as text or as JSON.
 * A reader that does not keep up loses whole lines, which are counted; it never stalls the daemon.
 * A line longer than PIPE_BUF counts as lost, too.
 */
#ifndef NOTIFY_STDOUT_H
#define NOTIFY_STDOUT_H

#include <stdbool.h>

#include "ledger/ledger.h"

struct stdout_lines;

/* `quiet`: calls are not printed, actions are. NULL: no memory. */
struct stdout_lines *stdout_lines_new(bool quiet, bool as_json);
void stdout_lines_call(struct stdout_lines *stdout_lines, const struct ledger_call *call);
void stdout_lines_action(struct stdout_lines *stdout_lines, const struct ledger_action *action);
/* How many lines were lost until now. */
uint64_t stdout_lines_lost(const struct stdout_lines *stdout_lines);
/* Logs how many lines were lost. */
struct stdout_lines *stdout_lines_free(struct stdout_lines *stdout_lines);

#endif
