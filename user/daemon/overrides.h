/* SPDX-License-Identifier: Apache-2.0 */
/* Carries what operators ordered (guard/override) from the ledger to the policy and its gates. */
#ifndef DAEMON_OVERRIDES_H
#define DAEMON_OVERRIDES_H

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

struct loop;
struct orders;

/* Reads the orders in force, so that a restore begins with them. NULL: no memory. */
struct orders *orders_new(struct ledger *ledger, struct policy *policy, int64_t now_us);
struct orders *orders_free(struct orders *orders);
/* The policy was made anew (other rules). */
void orders_hand(struct orders *orders, struct policy *policy, int64_t now_us);

/*
 * From now on looks for new ones when somebody else has closed the ledger in directory `state`, for
 * ended ones in time, and carries them out. A second call does nothing. 0 or -errno.
 */
int orders_watch(struct orders *orders, struct loop *loop, struct act *act, const char *state);
/* Gates what is ordered held; after a restore. */
void orders_apply(struct orders *orders, struct act *act, int64_t now_us);

#endif
