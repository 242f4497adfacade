/* SPDX-License-Identifier: Apache-2.0 */
/* A budget of one cgroup that is nearly spent, and actuators that remember what they were told. */
#ifndef UNIT_ENFORCE_LITTLE_LEFT_H
#define UNIT_ENFORCE_LITTLE_LEFT_H

#include "unit.h"

#include "enforce/enforcer.h"

#define T0     1790000000000000LL
#define DAY_US 86400000000LL

static struct who_group group = { .cgroup = 7, .path = "/a" };
static struct who_process process = { .tgid = 70, .user = "root", .comm = "python3" };
static struct policy_subject subject = { .group = &group,
					 .process = &process,
					 .host = "api.x",
					 .model = "m" };

static struct policy_step steps[] = { { .at_permille = 800, .action = POLICY_NOTE },
				      { .at_permille = 1000, .action = POLICY_REFUSE } };

static struct policy_budget budget;
static struct policy_rules rules;
static struct policy *policy;
static struct enforcer *enforcer;

static struct {
	struct ctl_gate gate;
	struct ctl_allowance allowed;
	struct ctl_consumed take;
	size_t n_gates, n_ended, n_destroyed, n_rows, n_waiting;
	char result[256];
} world;

static inline int gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
{
	assert_int_equal(cgroup, 7);
	world.gate = *gate;
	world.n_gates++;
	return 0;
}

static inline int allowed(void *arg, uint32_t bucket, const struct ctl_allowance *allowed)
{
	if (allowed)
		world.allowed = *allowed;
	else
		world.n_ended++;
	return 0;
}

static inline int taken(void *arg, uint32_t bucket, struct ctl_consumed *ret)
{
	*ret = world.take;
	return 0;
}

static inline size_t waiting(void *arg, uint32_t bucket)
{
	return world.n_waiting;
}

static inline int destroy(void *arg, uint64_t cgroup)
{
	world.n_destroyed++;
	return 0;
}

static inline void told(void *arg, const struct ledger_action *action)
{
	world.n_rows++;
	snprintf(world.result, sizeof(world.result), "%s", action->result);
}

static const struct enforcer_ops actuators = { .gate = gate,
					       .allowed = allowed,
					       .taken = taken,
					       .waiting = waiting,
					       .destroy = destroy,
					       .on_action = told };

static inline void renew(void)
{
	enforcer_free(enforcer);
	policy_free(policy);
	policy = policy_new(&rules);
	enforcer = enforcer_new(NULL, NULL, &rules, &actuators);
	assert_non_null(policy);
	assert_non_null(enforcer);
}

static struct verdict_iter verdicts; /* of the last charge or judgement */

static inline int setup(void **state)
{
	memset(&world, 0, sizeof(world));
	budget = (struct policy_budget){ .name = "b",
					 .per = POLICY_PER_CGROUP,
					 .limit_nanos = 1000,
					 .window = POLICY_DAY,
					 .zone = "UTC",
					 .steps = steps,
					 .n_steps = 2 };
	rules = (struct policy_rules){ .enforce = true, .budgets = &budget, .n_budgets = 1 };
	renew();
	return 0;
}

static inline int teardown(void **state)
{
	enforcer = enforcer_free(enforcer);
	policy = policy_free(policy);
	return 0;
}

/* Carries out what was told; was there a fuse among it? */
static inline bool carry_out(int64_t now_us)
{
	struct policy_verdict verdict;
	bool found = false;

	while (verdict_next(&verdicts, &verdict)) {
		found |= verdict.step == &policy_allowance;
		enforcer_apply(enforcer, &verdict, &subject, now_us);
	}
	return found;
}

static inline bool charge(int64_t nanos, int64_t now_us)
{
	static int64_t id;
	struct charge charge = { .source = CHARGE_USAGE, .is_priced = true, .budget_nanos = nanos };

	policy_charge(policy, &subject, &charge, ++id, now_us, &verdicts);
	return carry_out(now_us);
}

/* A call in flight has cost so much, when so many bytes of its answer have come. */
static inline bool run(uint64_t flight, int64_t nanos, uint64_t bytes)
{
	struct charge so_far = { .source = CHARGE_TEXT,
				 .is_priced = true,
				 .budget_nanos = nanos,
				 .response_bytes = bytes };

	policy_reserve(policy, &subject, flight, &so_far, T0, &verdicts);
	return carry_out(T0);
}

/* Sixteen calls of the days before: what one costs is known, and nothing of them counts now. */
static inline void has_learned(int64_t nanos)
{
	for (int i = 0; i < 16; i++)
		charge(nanos, T0 - (16 - i) * DAY_US);
	policy_judge(policy, &subject, T0, &verdicts);
	(void)carry_out(T0);
	enforcer_expire(enforcer, T0);
	world.n_rows = world.n_ended = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
