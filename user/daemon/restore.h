/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rebuilds the sums of budgets from the ledger: at the start, before the first event is read, and for
 * other rules.
 */
#ifndef DAEMON_RESTORE_H
#define DAEMON_RESTORE_H

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

/*
 * Charges the policy with the calls of its windows, then judges each caller whose cgroup still exists,
 * and has the enforcer carry out what its budgets say. 0, or -errno of reading the ledger: what was
 * read until then is charged.
 */
int restore(struct ledger *ledger, struct policy *policy, struct enforcer *enforcer,
	    struct who *who, int64_t now_us);

#endif
