/* SPDX-License-Identifier: Apache-2.0 */
/* Carries operators' overrides (ledger/overrides.h) from the ledger to the policy and its gates. */
#ifndef DAEMON_OVERRIDES_H
#define DAEMON_OVERRIDES_H

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

struct loop;
struct overrides;

/*
 * Reads the overrides in force, so that a restore begins with them. The ledger and the policy must
 * outlive it, or be replaced by overrides_hand(). NULL: no memory.
 */
struct overrides *overrides_new(struct ledger *ledger, struct policy *policy, int64_t now_us);
struct overrides *overrides_free(struct overrides *overrides);
/* Another policy takes the place of the last: it gets the overrides in force, which are read again. */
void overrides_hand(struct overrides *overrides, struct policy *policy, int64_t now_us);

/*
 * From now on applies new overrides when another process has closed the ledger in directory `state`,
 * and ends those whose time is over. A second call does nothing. 0 or -errno.
 */
int overrides_watch(struct overrides *overrides, struct loop *loop, struct enforcer *enforcer,
		    const char *state);
/* Shuts the gates of what an operator holds; after a restore. */
void overrides_apply(struct overrides *overrides, struct enforcer *enforcer, int64_t now_us);

#endif
