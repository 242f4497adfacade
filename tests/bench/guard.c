/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a charge costs behind the meter. Prints "what ns" a round: a charge against 1,000 budgets
 * from 500 workloads, where two budgets match a workload and where all do; a call into the ledger, with
 * the commits that this brings.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "budget/policy.h"
#include "ledger/ledger.h"

#define BUDGETS   1000
#define WORKLOADS 500
#define CALLS     100000

static struct policy_step step = { .at_permille = 1000, .action = POLICY_NOTE };
static struct policy_budget budgets[BUDGETS];
static struct who_group groups[WORKLOADS];
static struct who_process process = { .tgid = 70,
				      .user = "app",
				      .comm = "python3",
				      .exe = "/usr/bin/python3.11" };
static const struct charge one = {
	.provider = "anthropic",
	.operation = "chat",
	.host = "api.anthropic.com",
	.path = "/v1/messages",
	.model = "claude-haiku-4-5",
	.price_key = "claude-haiku-4-5",
	.price_origin = "litellm",
	.status = 200,
	.source = CHARGE_USAGE,
	.is_priced = true,
	.usage = { .input = 900, .output = 80 },
	.cost_nanos = 1300000,
	.budget_nanos = 1300000,
};

static void fill(void)
{
	for (int i = 0; i < WORKLOADS; i++) {
		struct who_group *group = &groups[i];

		group->cgroup = (uint64_t)i + 1;
		snprintf(group->path, sizeof(group->path), "/kubepods/burstable/pod%d", i);
		snprintf(group->namespace, sizeof(group->namespace), "team-%d", i % 20);
		snprintf(group->workload, sizeof(group->workload), "Deployment/agent-%d", i);
	}
}

static struct policy *new_policy(bool matches_all)
{
	static struct policy_rules rules = { .budgets = budgets, .n_budgets = BUDGETS };
	static char patterns[BUDGETS][32];
	struct policy *policy;

	for (int i = 0; i < BUDGETS; i++) {
		snprintf(patterns[i], sizeof(patterns[i]), "*/agent-%d", i % WORKLOADS);
		budgets[i] = (struct policy_budget){
			.name = patterns[i],
			.per = POLICY_PER_WORKLOAD,
			.limit_nanos = INT64_MAX,
			.window = POLICY_DAY,
			.zone = "UTC",
			.steps = &step,
			.n_steps = 1,
			.match.workload = matches_all ? NULL : patterns[i],
		};
	}
	policy = policy_new(&rules);
	if (!policy)
		abort();
	return policy;
}

/* In CPU time: neighbours on a busy host are no cost of a charge. */
static double time_policy(struct policy *policy, int calls)
{
	uint64_t begun_ns = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	struct verdict_iter verdicts;
	struct policy_verdict verdict;

	for (int i = 0; i < calls; i++) {
		struct policy_subject subject = { .group = &groups[i * 7 % WORKLOADS],
						  .process = &process,
						  .host = one.host,
						  .model = one.model };

		policy_charge(policy, &subject, &one, i, 1790000000 * US_PER_S + i, &verdicts);
		while (verdict_next(&verdicts, &verdict))
			;
	}
	return (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - begun_ns) / calls;
}

static double time_ledger(struct ledger *ledger)
{
	uint64_t begun_ns = clock_mono_ns();

	for (int i = 0; i < CALLS; i++) {
		struct ledger_call call = { .start_us = 1790000000 * US_PER_S + i,
					    .charge = &one,
					    .group = &groups[i % WORKLOADS],
					    .process = &process };

		if (ledger_add(ledger, &call, NULL))
			abort();
	}
	if (ledger_commit(ledger))
		abort();
	return (double)(clock_mono_ns() - begun_ns) / CALLS;
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 5;
	struct policy *few, *all;
	struct ledger *ledger;
	char *error = NULL;

	if (argc < 2)
		return 2;
	fill();
	few = new_policy(false);
	time_policy(few, WORKLOADS); /* which budgets match is then known */
	for (int i = 0; i < rounds; i++)
		printf("few %.0f\n", time_policy(few, CALLS));
	policy_free(few);
	all = new_policy(true);
	time_policy(all, WORKLOADS);
	for (int i = 0; i < rounds; i++)
		printf("all %.0f\n", time_policy(all, 2 * WORKLOADS));
	policy_free(all);
	if (ledger_open(&ledger, argv[1], true, &error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	for (int i = 0; i < rounds; i++)
		printf("ledger %.0f\n", time_ledger(ledger));
	ledger_free(ledger);
	return 0;
}
