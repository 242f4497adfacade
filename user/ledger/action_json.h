/* SPDX-License-Identifier: Apache-2.0 */
/* An action with its evidence as JSON: the line that `run` prints, and what `explain` lists. */
#ifndef LEDGER_ACTION_JSON_H
#define LEDGER_ACTION_JSON_H

#include <jansson.h>

#include "ledger/ledger.h"

/*
 * Time, budget, rule and its line, the counter and its sum, the window (until null: it has no end
 * that is known), the last calls, how much was measured, what was done and to what target, and the result. "id"
 * is there if the action has one. The caller's reference; NULL: no memory.
 */
json_t *action_json(const struct ledger_action *action);
/*
 * Likewise the last `most` since since_us, newest first, of one caller (who_label(); NULL: of all), into an array. What has
 * ended has "ended" and "because" instead of a row of its own, and what is in force has "release", the command that does it.
 * 0 or -errno.
 */
int actions_json(struct ledger *ledger, const char *who, int64_t since_us, int64_t now_us,
		 size_t most, json_t *array);

#endif
