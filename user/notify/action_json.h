/* SPDX-License-Identifier: Apache-2.0 */
/* An action with its evidence as JSON: the line that `run` prints, and what `explain` lists. */
#ifndef NOTIFY_ACTION_JSON_H
#define NOTIFY_ACTION_JSON_H

#include <jansson.h>

#include "ledger/ledger.h"

/*
 * Time, budget, rule and its line, the counter and its sum, the window (until null: it has no end
 * that is known), the last calls, how much was measured, what was done and to what target, and the result. "id"
 * is there if the action has one. The caller's reference; NULL: no memory.
 */
json_t *action_json(const struct ledger_action *action);

#endif
