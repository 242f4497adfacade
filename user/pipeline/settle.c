/* SPDX-License-Identifier: Apache-2.0 */
/* A call is over: did it leave the host, was it charged before, is it a part of another? Else it is charged (charge.c). */
#include <stdio.h>
#include <string.h>

#include "pipeline/pipeline_internal.h"

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
	if (!is_unsent) {
		if (!pipeline_leg(pipeline, caller, charge))
			pipeline_charge(pipeline, caller, charge);
		return;
	}
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
