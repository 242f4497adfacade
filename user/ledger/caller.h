/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One caller, by the name that who_label() gives it: what it spends and will have spent, on what, its last calls, and
 * what was done to it. `explain who`, `top` and the status page show this one document.
 */
#ifndef LEDGER_CALLER_H
#define LEDGER_CALLER_H

#include <jansson.h>

#include "base/zone.h"
#include "ledger/ledger.h"

#define CALLER_ROWS    50 /* models, hosts and programs of 24 hours, the dearest first */
#define CALLER_CALLS   20 /* the last ones */
#define CALLER_ACTIONS 50 /* the last ones of 30 days */

/*
 * { who, time, hour, day, forecast, forecast_in_budgets, rows, calls, actions }; money is a decimal string of USD, null
 * where nothing has a price. NULL: no memory, or *ret_err is the -errno of reading the ledger; -ENOENT: nobody of that
 * name has called within 30 days.
 */
json_t *caller_json(struct ledger *ledger, const char *who, const struct zone *zone, int64_t now_us,
		    int *ret_err);
/*
 * The names of the last 30 days that have `part` in them, in any case; the one that is `part` alone if there is. At most
 * `max`, each to be freed. Returns how many there are, or -errno.
 */
int caller_names(struct ledger *ledger, const char *part, int64_t now_us, char **ret, size_t max);

#endif
