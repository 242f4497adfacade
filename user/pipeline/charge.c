/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a charge to the ledger, the policy and the enforcer: the last stage, whether a call was read
 * or what nobody read is estimated.
 */
#include <stdio.h>
#include <string.h>

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

struct look {
	struct pipeline *pipeline;
	const struct connections_caller *caller;
	const char *host;
};

/* Its end may come minutes after its program's, or has come and waits in the ring. */
static void look_at_held(void *arg, const struct ev_flow *flow)
{
	const struct look *look = arg;
	const struct pipeline_tap_ops *tap = &look->pipeline->config.hooks.tap;
	uint64_t since_ns;

	if (flow->is_quic || flow->head.tgid != look->caller->tgid || strcmp(flow->host, look->host))
		return;
	since_ns = tap->held(tap->arg, flow->head.id);
	if (since_ns)
		unsent_put(look->pipeline->unsent, flow, since_ns);
	else
		unsent_drop(look->pipeline->unsent, flow->head.id);
}

static bool charge_is_unsent(struct pipeline *pipeline, const struct connections_caller *caller,
			     const struct charge *charge)
{
	struct look look = { pipeline, caller, charge->host };
	struct unsent_call call = { .tgid = caller->tgid,
				    .host = charge->host,
				    .connection = caller->connection,
				    .start_ns = charge->start_mono_ns,
				    .next_ns = caller->next_ns };

	if (charge->outcome != CHARGE_NO_ANSWER || charge->source == CHARGE_FREE)
		return false;
	if (pipeline->config.hooks.tap.held)
		flow_table_each(pipeline->flows, look_at_held, &look);
	return unsent_explains(pipeline->unsent, &call);
}

bool pipeline_call_is_unsent(struct pipeline *pipeline, const struct connections_caller *caller,
			     const struct reading *reading)
{
	struct charge charge;

	if (!reading_is_cut(reading))
		return false;
	reading_charge(reading, pipeline->config.prices, pipeline->calibration, &charge);
	return charge_is_unsent(pipeline, caller, &charge);
}

static void call_over(struct pipeline *pipeline, const struct connections_caller *caller,
		      const struct charge *charge, bool is_unsent)
{
	struct charge waived;

	if (jobs_seen(&pipeline->jobs, pipeline->config.ledger, charge,
		      pipeline->config.wall_us(charge->start_mono_ns)))
		return;
	if (!is_unsent)
		return pipeline_charge(pipeline, caller, charge);
	waived = *charge;
	charge_waive(&waived);
	/* Should it leave after all, it is not explained by what was read. */
	reconcile_unsent(pipeline->reconcile, caller->tgid, charge->host, charge->request_bytes);
	pipeline_charge(pipeline, caller, &waived);
}

void pipeline_call_over(struct pipeline *pipeline, const struct connections_caller *caller,
			const struct charge *charge)
{
	call_over(pipeline, caller, charge, charge_is_unsent(pipeline, caller, charge));
}

void pipeline_call_settle(struct pipeline *pipeline, const struct connections_caller *caller,
			  const struct reading *reading, bool is_unsent)
{
	const struct pairs_sockets *sockets = caller->sockets.n ?
						      &caller->sockets :
						      pairs_get(pipeline->pairs, caller->connection);
	struct charge charge;

	reading_charge(reading, pipeline->config.prices, pipeline->calibration, &charge);
	snprintf(charge.destination, sizeof(charge.destination), "%s",
		 pipeline_destination(pipeline, sockets, charge.host));
	if (!charge_is_unconfirmed(&charge))
		reading_teach(reading, pipeline->calibration);
	charge.usage = usage_fold(&charge.usage);
	/* Who asks after a job that is not done makes no call. */
	if (!charge.is_poll || charge.source != CHARGE_FREE)
		call_over(pipeline, caller, &charge, is_unsent);
}
