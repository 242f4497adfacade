/* SPDX-License-Identifier: Apache-2.0 */
/* What the status page shows of 30 days, /api/timeline.json: spend by hours, when nobody measured, what was done. */
#ifndef WEB_TIMELINE_H
#define WEB_TIMELINE_H

#include "ledger/forecast.h"

#define TIMELINE_HOURS   (30 * 24)
#define TIMELINE_GAPS    200 /* the last ones */
#define TIMELINE_ACTIONS 300 /* likewise */

/*
 * { from_us, hours: { priced, counted }, gaps, actions }: micro-dollars of each hour, oldest first; actions as actions_json()
 * has them. NULL: no memory, or the ledger cannot be read.
 */
json_t *timeline_json(struct ledger *ledger, const struct zone *zone, int64_t now_us);

#endif
