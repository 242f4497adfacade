/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/api.h"
#include "meter/estimate.h"
#include "pipeline/connections.h"

/* A cgroup or a process has appeared: is one of its budgets spent already? */
void pipeline_judge(struct pipeline *pipeline, uint64_t cgroup, const struct who_process *process,
		    const char *host, bool will_call, uint64_t time_ns)
{
	struct policy_subject subject = { .host = host, .model = "" };
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
	struct policy_subject subject = {
		.group = &group, .process = &process, .host = charge->host, .model = charge->model
	};
	int64_t now_us = config->wall_us(charge->start_mono_ns + charge->duration_ns);
	struct verdict_iter verdicts;

	who_group_get(config->who, caller->cgroup, &group);
	who_process_get(config->who, caller->tgid, caller->comm, caller->uid, &process);
	pipeline->stats.charges++;
	if (config->ledger && ledger_add(config->ledger, &row, &row.id) < 0)
		pipeline->stats.charges_unwritten++;
	if (config->hooks.called)
		config->hooks.called(config->hooks.arg, &row);
	if (!config->policy)
		return;
	policy_release(config->policy, caller->call);
	policy_charge(config->policy, &subject, charge, row.id, now_us, &verdicts);
	if (!config->enforcer)
		return;
	enforcer_apply_all(config->enforcer, &verdicts, &subject, now_us);
	enforcer_review(config->enforcer, config->policy, true, now_us);
}

/* What a call has cost so far is held against its budgets, and may cross a line by itself. */
static void on_running(void *arg, const struct connections_caller *caller,
		       const struct charge *so_far)
{
	struct pipeline *pipeline = arg;
	const struct pipeline_config *config = &pipeline->config;
	struct policy_subject subject = { .host = so_far->host, .model = so_far->model };
	int64_t now_us = config->wall_us(pipeline->last_ns);
	struct verdict_iter verdicts;
	struct who_process process;
	struct who_group group;

	if (!config->policy)
		return;
	who_group_get(config->who, caller->cgroup, &group);
	who_process_get(config->who, caller->tgid, caller->comm, caller->uid, &process);
	subject.group = &group;
	subject.process = &process;
	policy_reserve(config->policy, &subject, caller->call, so_far, now_us, &verdicts);
	if (config->enforcer)
		enforcer_apply_all(config->enforcer, &verdicts, &subject, now_us);
}

/* What the connections tell. */

static void on_charged(void *arg, const struct connections_caller *caller,
		       const struct charge *charge)
{
	struct pipeline *pipeline = arg;
	struct charge waived;

	if (!pipeline_unsent(pipeline, caller, charge))
		return pipeline_charge(pipeline, caller, charge);
	waived = *charge;
	charge_waive(&waived);
	/* Should it leave after all, it is not explained by what was read. */
	reconcile_unsent(pipeline->reconcile, caller->tgid, charge->host, charge->request_bytes);
	pipeline_charge(pipeline, caller, &waived);
}

static void on_decided(void *arg, uint64_t connection, enum ctl_verdict verdict)
{
	struct pipeline *pipeline = arg;
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;

	if (hooks->decide)
		hooks->decide(hooks->arg, connection, verdict);
}

static void on_read(void *arg, uint64_t connection, uint32_t tgid, const char *host,
		    enum ev_dir dir, uint64_t bytes, uint64_t records)
{
	struct pipeline *pipeline = arg;

	if (pipeline_explain(pipeline, connection, dir, bytes))
		reconcile_paired_read(pipeline->reconcile, tgid, host, dir, bytes);
	else
		reconcile_read(pipeline->reconcile, tgid, host, dir, bytes, records);
}

static void on_missed(void *arg, uint64_t connection, uint32_t tgid, const char *host,
		      enum connections_miss why, const uint64_t bytes[2])
{
	struct pipeline *pipeline = arg;
	uint64_t sum = bytes[EV_OUT] + bytes[EV_IN];

	/* What no parser made sense of was seen all the same. */
	if (!pipeline_explain(pipeline, connection, EV_OUT, bytes[EV_OUT]))
		reconcile_missed(pipeline->reconcile, tgid, host,
				 why == CONNECTIONS_UPGRADED ? UNMETERED_UPGRADED : UNMETERED_LOST,
				 sum);
	else if (why == CONNECTIONS_LOST)
		reconcile_paired_lost(pipeline->reconcile, tgid, host, sum);
	(void)pipeline_explain(pipeline, connection, EV_IN, bytes[EV_IN]);
}

static void on_other(void *arg, uint32_t tgid, const char *host)
{
	struct pipeline *pipeline = arg;

	reconcile_other(pipeline->reconcile, tgid, host);
}

static void on_forgotten(void *arg, uint32_t tgid, uint64_t ssl)
{
	struct pipeline *pipeline = arg;
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;

	if (hooks->forget)
		hooks->forget(hooks->arg, tgid, ssl);
}

/* What the kernel tells. */

static void on_open(struct pipeline *pipeline, const struct ev_open *event)
{
	char comm[EV_COMM_LEN], host[EV_HOST_LEN];
	struct who_process process;

	if (!connections_open(pipeline->connections, event))
		return;
	memcpy(comm, event->comm, sizeof(comm));
	comm[sizeof(comm) - 1] = '\0';
	memcpy(host, event->host, sizeof(host));
	host[sizeof(host) - 1] = '\0';
	/* Asked now, while the process is sure to be there. */
	who_process_get(pipeline->config.who, event->head.tgid, comm, event->uid, &process);
	pipeline_judge(pipeline, event->head.cgroup, &process, host, false, event->head.time_ns);
}

static void on_gone(struct pipeline *pipeline, const struct ev_head *event)
{
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;

	connections_gone(pipeline->connections, event);
	if (hooks->gone)
		hooks->gone(hooks->arg, event->tgid);
	/* Sockets are closed after EV_EXIT: their process must still have its name. */
	if (event->type == EV_EXEC)
		who_forget(pipeline->config.who, event->tgid);
}

static void on_cgroup(struct pipeline *pipeline, const struct ev_cgroup *event)
{
	char path[EV_PATH_LEN];

	memcpy(path, event->path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	who_learn(pipeline->config.who, event->head.cgroup, path);
	pipeline_judge(pipeline, event->head.cgroup, NULL, "", false, event->head.time_ns);
}

static bool is_sound(const struct ev_head *event, size_t size)
{
	static const size_t sizes[] = {
		[EV_DATA] = sizeof(struct ev_data),   [EV_OPEN] = sizeof(struct ev_open),
		[EV_CLOSE] = sizeof(struct ev_close), [EV_EXEC] = sizeof(struct ev_head),
		[EV_EXIT] = sizeof(struct ev_head),   [EV_CGROUP] = sizeof(struct ev_cgroup),
		[EV_FLOW] = sizeof(struct ev_flow),   [EV_FLOW_END] = sizeof(struct ev_flow),
		[EV_QUIC] = sizeof(struct ev_quic),   [EV_PAIR] = sizeof(struct ev_pair),
	};
	const struct ev_data *data = (const struct ev_data *)event;

	if (size < sizeof(*event) || !event->type || event->type > EV_PAIR ||
	    size < sizes[event->type])
		return false;
	if (event->type == EV_QUIC)
		return ((const struct ev_quic *)event)->len <= EV_QUIC_MAX;
	return event->type != EV_DATA || (data->len <= size - sizeof(*data) && data->dir <= EV_IN);
}

void pipeline_event(struct pipeline *pipeline, const struct ev_head *event, size_t size)
{
	pipeline->stats.events++;
	if (!is_sound(event, size)) {
		pipeline->stats.bad_events++;
		return;
	}
	pipeline->last_ns = event->time_ns;
	switch (event->type) {
	case EV_DATA:
		return connections_data(pipeline->connections, (const struct ev_data *)event);
	case EV_OPEN:
		return on_open(pipeline, (const struct ev_open *)event);
	case EV_CLOSE:
		connections_close(pipeline->connections, (const struct ev_close *)event);
		return pairs_drop(pipeline->pairs, event->id);
	case EV_EXEC:
	case EV_EXIT:
		return on_gone(pipeline, event);
	case EV_CGROUP:
		return on_cgroup(pipeline, (const struct ev_cgroup *)event);
	case EV_FLOW:
		return pipeline_flow(pipeline, (const struct ev_flow *)event);
	case EV_FLOW_END:
		return pipeline_flow_end(pipeline, (const struct ev_flow *)event);
	case EV_PAIR:
		return pipeline_pair(pipeline, (const struct ev_pair *)event);
	case EV_QUIC:
		return pipeline_quic(pipeline, (const struct ev_quic *)event);
	}
}

void pipeline_follow(struct pipeline *pipeline, bool closely)
{
	connections_running(pipeline->connections,
			    closely ? CONNECTIONS_CLOSELY_NS : CONNECTIONS_RUNNING_NS);
}

void pipeline_policy(struct pipeline *pipeline, struct policy *policy)
{
	pipeline->config.policy = policy;
}

void pipeline_coverage(const struct pipeline *pipeline,
		       void (*fn)(void *arg, const struct reconcile_row *row), void *arg)
{
	reconcile_each(pipeline->reconcile, fn, arg);
}

void pipeline_estimates(const struct pipeline *pipeline,
			void (*fn)(void *arg, const struct calibration_row *row), void *arg)
{
	calibration_each(pipeline->calibration, fn, arg);
}

void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret)
{
	*ret = pipeline->stats;
	connections_stats(pipeline->connections, &ret->connections);
	ret->flows = flow_table_count(pipeline->flows);
	reconcile_stats(pipeline->reconcile, &ret->reconcile);
}

int pipeline_new(struct pipeline **ret, const struct pipeline_config *config)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	struct connections_out out = { .charged = on_charged,
				       .running = on_running,
				       .decided = on_decided,
				       .read = on_read,
				       .missed = on_missed,
				       .other = on_other,
				       .forgotten = on_forgotten,
				       .arg = pipeline };

	if (!pipeline)
		return -ENOMEM;
	pipeline->config = *config;
	pipeline->flows = flow_table_new();
	pipeline->pairs = pairs_new();
	pipeline->relays = relays_new();
	pipeline->addresses = addresses_new();
	pipeline->quic_flows = quic_flows_new();
	pipeline->reconcile = reconcile_new();
	pipeline->unsent = unsent_new();
	if (calibration_new(&pipeline->calibration) == 0)
		pipeline->connections = connections_new(&out, config->prices, pipeline->calibration);
	if (!pipeline->flows || !pipeline->pairs || !pipeline->relays || !pipeline->addresses ||
	    !pipeline->quic_flows || !pipeline->reconcile || !pipeline->unsent ||
	    !pipeline->connections) {
		pipeline_free(pipeline);
		return -ENOMEM;
	}
	*ret = pipeline;
	return 0;
}

struct pipeline *pipeline_free(struct pipeline *pipeline)
{
	if (!pipeline)
		return NULL;
	/* What waits now is not lost: it leaves when this program has gone. */
	pipeline->config.hooks.held = NULL;
	connections_free(pipeline->connections, pipeline->last_ns);
	reconcile_free(pipeline->reconcile);
	unsent_free(pipeline->unsent);
	flow_table_free(pipeline->flows);
	pairs_free(pipeline->pairs);
	relays_free(pipeline->relays);
	addresses_free(pipeline->addresses);
	quic_flows_free(pipeline->quic_flows);
	calibration_free(pipeline->calibration);
	free(pipeline);
	return NULL;
}
