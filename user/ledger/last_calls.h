/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that led to an action: who made them, with what, and how fast they spent. */
#ifndef LEDGER_LAST_CALLS_H
#define LEDGER_LAST_CALLS_H

#include "ledger/ledger.h"

struct last_calls {
	size_t n; /* that the ledger still has; 0: nothing below is known */
	/* Of the last one. */
	char who[WHO_LABEL_LEN], model[CHARGE_MODEL_LEN], host[256], command[WHO_COMM_LEN];
	uint32_t pid;
	int64_t nanos; /* as budgets count them */
	int64_t from_us, to_us;
};

void last_calls_read(struct ledger *ledger, const struct ledger_action *action,
		     struct last_calls *ret);
/* Nano-dollars an hour; 0: not known, as of one call or of less than a second, which says nothing of an hour. */
int64_t last_calls_rate(const struct last_calls *calls);

#endif
