/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebuilds the budgets from the ledger at start, and sets the gates of what is over its line before
 * the first event is read.
 */
#ifndef DAEMON_RESTORE_H
#define DAEMON_RESTORE_H

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

/* 0 or -errno. */
int restore(struct ledger *ledger, struct policy *policy, struct enforcer *enforcer,
	    struct who *who, int64_t now_us);

#endif
