/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a charge to the ledger, the policy and the enforcer: the last stage, whether a call was read
 * or what nobody read is estimated.
 */

#include "pipeline/pipeline_internal.h"

/* A cgroup or a process has appeared: is one of its budgets spent already? */
void pipeline_judge(struct pipeline *pipeline, uint64_t cgroup, const struct who_process *process,
		    const char *host, bool will_call, uint64_t time_ns)
{
	struct policy_subject subject = { .host = host, .model = "", .is_calling = will_call };
	int64_t now_us = pipeline->config.wall_us(time_ns);
	static const struct who_process nobody; /* of a cgroup alone */
	struct verdict_iter verdicts;
	struct who_group group;

	if (!pipeline->config.policy)
		return;
	who_group_get(pipeline->config.who, cgroup, &group);
	subject.group = &group;
	subject.process = process ?: &nobody;
	if (will_call)
		policy_expect(pipeline->config.policy, &subject, now_us, &verdicts);
	else
		policy_judge(pipeline->config.policy, &subject, now_us, &verdicts);
	if (pipeline->config.enforcer)
		enforcer_apply_all(pipeline->config.enforcer, &verdicts, &subject, now_us);
}

static enum enforcer_way way_of(const struct pipeline *pipeline,
				const struct connections_caller *caller)
{
	const struct pairs_sockets *sockets = pairs_get(pipeline->pairs, caller->connection);

	if (!sockets)
		return ENFORCER_UNKNOWN_SOCKET;
	for (size_t i = 0; i < sockets->n; i++)
		if (flow_table_carries(pipeline->flows, sockets->cookies[i]) >= EV_CARRIES_FRAMES)
			return ENFORCER_SHARED_SOCKET;
	return ENFORCER_OWN_SOCKET;
}

void pipeline_charge(struct pipeline *pipeline, const struct connections_caller *caller,
		     const struct charge *charge)
{
	const struct pipeline_config *config = &pipeline->config;
	struct who_group group;
	struct who_process process;
	struct ledger_call row = { .start_us = config->wall_us(charge->start_mono_ns),
				   .charge = charge,
				   .group = &group,
				   .process = &process };
	struct policy_subject subject = { .group = &group,
					  .process = &process,
					  .host = charge->host,
					  .model = charge->model,
					  .client = charge->client,
					  .via = charge->via,
					  .is_calling = true };
	int64_t now_us = config->wall_us(charge->start_mono_ns + charge->duration_ns);
	struct charge assumed = *charge;
	struct verdict_iter verdicts;

	who_group_get(config->who, caller->cgroup, &group);
	who_process_get(config->who, caller->tgid, caller->comm, caller->uid, &process);
	if (pipeline_assume(pipeline, &subject, &assumed))
		row.charge = charge = &assumed;
	pipeline_assume_learn(pipeline, &subject, charge);
	pipeline->stats.charges++;
	if (config->ledger && ledger_add(config->ledger, &row, &row.id) < 0)
		pipeline->stats.charges_unwritten++;
	if (config->hooks.observer.called)
		config->hooks.observer.called(config->hooks.observer.arg, &row);
	if (!config->policy)
		return;
	policy_release(config->policy, caller->call);
	policy_charge(config->policy, &subject, charge, row.id, now_us, &verdicts);
	if (!config->enforcer)
		return;
	enforcer_apply_all(config->enforcer, &verdicts, &subject, now_us);
	if (charge->status && enforcer_holds_gate(config->enforcer, group.cgroup))
		enforcer_answered(config->enforcer, &subject, charge->start_mono_ns,
				  way_of(pipeline, caller), now_us);
	enforcer_review(config->enforcer, config->policy, true, now_us);
}

/* What a call has cost so far is held against its budgets, and may cross a line by itself. */
void pipeline_call_running(struct pipeline *pipeline, const struct connections_caller *caller,
			   const struct charge *so_far)
{
	const struct pipeline_config *config = &pipeline->config;
	struct policy_subject subject = { .host = so_far->host,
					  .model = so_far->model,
					  .client = so_far->client,
					  .is_calling = true };
	int64_t now_us = config->wall_us(pipeline->last_ns);
	struct charge assumed = *so_far;
	struct verdict_iter verdicts;
	struct who_process process;
	struct who_group group;

	if (!config->policy)
		return;
	who_group_get(config->who, caller->cgroup, &group);
	who_process_get(config->who, caller->tgid, caller->comm, caller->uid, &process);
	subject.group = &group;
	subject.process = &process;
	(void)pipeline_assume(pipeline, &subject, &assumed);
	policy_reserve(config->policy, &subject, caller->call, &assumed, now_us, &verdicts);
	if (config->enforcer)
		enforcer_apply_all(config->enforcer, &verdicts, &subject, now_us);
}
