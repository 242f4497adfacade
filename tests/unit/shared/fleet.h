/* SPDX-License-Identifier: Apache-2.0 */
/* A shared budget of 10 USD a day, and what is charged to it here. */
#ifndef UNIT_SHARED_FLEET_H
#define UNIT_SHARED_FLEET_H

#include "unit.h"

#include "fake_loop.h"

#include "base/clock.h"
#include "shared/shared_internal.h"

#define USD  NANOS_PER_USD
#define T0   (1790000000LL * US_PER_S) /* 2026-09-21T14:13:20Z */
#define DAY0 (1789948800LL * US_PER_S) /* its day */

static struct policy_step steps[] = {
	{ .at_permille = 500, .action = POLICY_NOTE },
	{ .at_permille = 1000, .action = POLICY_REFUSE },
};
static struct policy_budget budget = { .name = "fleet",
				       .per = POLICY_PER_MATCH,
				       .limit_nanos = 10 * USD,
				       .window = POLICY_DAY,
				       .zone = "UTC",
				       .is_shared = true,
				       .steps = steps,
				       .n_steps = 2 };

static inline void charge(struct policy *policy, int64_t nanos, int64_t now_us)
{
	static struct who_group group = { .cgroup = 7, .path = "/a" };
	static struct who_process process = { .tgid = 70 };
	struct charge charge = {
		.source = CHARGE_USAGE, .is_priced = true, .cost_nanos = nanos, .budget_nanos = nanos
	};
	struct policy_subject who = {
		.group = &group, .process = &process, .host = "h", .model = "m"
	};

	policy_charge(policy, &who, &charge, 1, now_us, NULL);
}

struct told {
	int n;
	struct policy_verdict last;
};

static inline struct policy *policy_of(struct policy_budget *of)
{
	static struct policy_rules rules;

	rules = (struct policy_rules){ .budgets = of, .n_budgets = 1 };
	return policy_new(&rules);
}

struct own {
	int n;
	struct policy_own last;
};

#endif
