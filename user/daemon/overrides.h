/* SPDX-License-Identifier: Apache-2.0 */
/* Carries what operators ordered (guard/override) from the ledger to the policy and its gates. */
#ifndef DAEMON_OVERRIDES_H
#define DAEMON_OVERRIDES_H

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

struct loop;
struct overrides;

/* Reads the orders in force, so that a restore begins with them. NULL: no memory. */
struct overrides *overrides_new(struct ledger *ledger, struct policy *policy, int64_t now_us);
struct overrides *overrides_free(struct overrides *overrides);
/* The policy was made anew (other rules). */
void overrides_hand(struct overrides *overrides, struct policy *policy, int64_t now_us);

/*
 * From now on looks for new ones when somebody else has closed the ledger in directory `state`, for
 * ended ones in time, and carries them out. A second call does nothing. 0 or -errno.
 */
int overrides_watch(struct overrides *overrides, struct loop *loop, struct enforcer *enforcer,
		    const char *state);
/* Gates what is ordered held; after a restore. */
void overrides_apply(struct overrides *overrides, struct enforcer *enforcer, int64_t now_us);

#endif
