/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The status page's data, /api/status.json: who spends, budgets, gates, the last actions, coverage,
 * what was lost. Every name is plain text (base/text.h); money is a decimal string of USD.
 */
#ifndef WEB_STATUS_H
#define WEB_STATUS_H

#include "metrics/scrape.h"
#include "web/recent_spend.h"

#define STATUS_SPENDERS  1000 /* all that recent_spend.h keeps */
#define STATUS_SPARKS    100  /* of these the first have their 60 minutes */
#define STATUS_BUDGETS   50
#define STATUS_GATES     50
#define STATUS_ACTIONS   20
#define STATUS_PROCESSES 50
#define STATUS_GAPS      20
#define STATUS_FRESH_NS  900000000ULL /* for so long one answer serves all who ask */

struct status;

/* The actions and sums of the ledger's last day are there from the start. NULL: no memory. */
struct status *status_new(struct ledger *ledger, int64_t now_us, uint64_t now_ns);
struct status *status_free(struct status *status);
void status_call(struct status *status, const struct ledger_call *call, uint64_t now_ns);
void status_action(struct status *status, const struct ledger_action *action);
/* Names that came late are in the ledger: they are shown, too. */
void status_rename(struct status *status, struct ledger *ledger, int64_t now_us, uint64_t now_ns);
void status_expire(struct status *status, uint64_t now_ns);
/* To be freed; NULL: no memory. `trouble` is why it is not ready, "" if it is. */
char *status_json(struct status *status, const struct scrape_sources *sources, const char *node,
		  const char *trouble, int64_t now_us, uint64_t now_ns);

#endif
