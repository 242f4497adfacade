/* SPDX-License-Identifier: Apache-2.0 */
/* Carries what operators ordered (guard/override) from the ledger to the policy and its gates. */
#ifndef ORDERS_H
#define ORDERS_H

#include "guard/act.h"
#include "guard/ledger.h"
#include "guard/policy.h"

struct orders;

/* Reads the orders in force, so that a restore begins with them. NULL: no memory. */
struct orders *orders_new(struct ledger *ledger, struct policy *policy, int64_t now_us);
struct orders *orders_free(struct orders *orders);
/* The policy was made anew (other rules). */
void orders_hand(struct orders *orders, struct policy *policy, int64_t now_us);

/*
 * Looks for new or ended ones and carries them out; to be called each second: one pragma while
 * nothing was written. 1: something changed; 0; or -errno, and what was in force stays so.
 */
int orders_look(struct orders *orders, struct act *act, int64_t now_us);
/* Gates what is ordered held; after a restore. */
void orders_apply(struct orders *orders, struct act *act, int64_t now_us);

#endif
