/* SPDX-License-Identifier: Apache-2.0 */
/* A subject under budgets, charged and judged; for the tests of budget/policy.h. */
#ifndef UNIT_BUDGETED_H
#define UNIT_BUDGETED_H

#include "unit.h"

#include <time.h>

#include "base/clock.h"
#include "budget/policy.h"
#include "ledger/overrides.h"

#define USD       NANOS_PER_USD
#define MINUTE_US (60 * US_PER_S)
#define HOUR_US   (3600 * US_PER_S)
#define DAY_US    (24 * HOUR_US)
#define T0        (1790000000LL * US_PER_S) /* 2026-09-21T14:13:20Z */

static uint64_t seed = 1;

static inline uint64_t draw(uint64_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 16) % below;
}

static struct policy_step two_steps[] = {
	{ .at_permille = 800, .action = POLICY_NOTE, .line = 5 },
	{ .at_permille = 1000, .action = POLICY_REFUSE, .line = 6 },
};

static inline struct policy_budget day_budget(void)
{
	return (struct policy_budget){ .name = "b",
				       .per = POLICY_PER_CGROUP,
				       .limit_nanos = 10 * USD,
				       .window = POLICY_DAY,
				       .zone = "UTC",
				       .steps = two_steps,
				       .n_steps = 2 };
}

static struct verdict_iter verdicts; /* of the last charge or judgement */
static struct who_group group = { .cgroup = 7, .path = "/a" };
static struct who_process process = { .tgid = 70,
				      .user = "root",
				      .comm = "python3",
				      .exe = "/bin/python3" };

static const char *client; /* of the next charges */

static inline struct policy_subject subject(void)
{
	return (struct policy_subject){
		.group = &group, .process = &process, .host = "api.x", .model = "m", .client = client
	};
}

static inline void charge(struct policy *policy, int64_t nanos, int64_t id, int64_t now_us)
{
	struct charge charge = { .source = CHARGE_USAGE,
				 .is_priced = true,
				 .cost_nanos = nanos,
				 .budget_nanos = nanos,
				 .usage = { .output = (uint64_t)nanos / USD } };
	struct policy_subject who = subject();

	policy_charge(policy, &who, &charge, id, now_us, &verdicts);
}

static inline void sum_counters(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static inline int64_t spent(struct policy *policy, int64_t now_us)
{
	int64_t sum = 0;

	policy_counters(policy, now_us, sum_counters, &sum);
	return sum;
}

static inline int plain_group(void **state)
{
	group = (struct who_group){ .cgroup = 7, .path = "/a" };
	return 0;
}

#endif
