/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outbox of the webhooks. An action's row is its own entry: a webhook is a place in the table
 * of actions, which moves on when the receiver has taken a row. So whatever was written down is
 * delivered, in its order, also after a kill -9, and at least once: a row whose mark was not
 * written is sent again, under the same key.
 */
#ifndef LEDGER_OUTBOX_H
#define LEDGER_OUTBOX_H

#include "ledger/ledger.h"

#define OUTBOX_ROWS 10000 /* that a webhook may lie behind; the oldest are given up */

struct outbox {
	int64_t done_id;     /* the last row that was sent, given up or not wanted */
	uint64_t sent, dead; /* ever */
};

/* Where a webhook is; a new one begins behind the last row. 0 or -errno. */
int outbox_open(struct ledger *ledger, const char *webhook, struct outbox *ret);
/* Forgets the webhooks of other names. 0 or -errno. */
int outbox_keep(struct ledger *ledger, const char *const *webhooks, size_t n);
/*
 * Rows behind after_id, the oldest first, until fn returns false or `max` were given. Texts of an
 * action live until fn returns. 0 or -errno.
 */
int outbox_read(struct ledger *ledger, int64_t after_id, unsigned max,
		bool (*fn)(void *arg, const struct ledger_action *action), void *arg);
/* Writes down where a webhook is. 0 or -errno. */
int outbox_mark(struct ledger *ledger, const char *webhook, const struct outbox *outbox);
/* The last row's id, 0 if there is none. 0 or -errno. */
int outbox_end(struct ledger *ledger, int64_t *ret_id);

#endif
