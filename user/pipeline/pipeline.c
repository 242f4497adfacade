/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/pipeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/api.h"
#include "usage/estimate.h"

/* What the kernel reports. */

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
	const struct pipeline_find_ops *find = &pipeline->config.hooks.find;

	connections_gone(pipeline->connections, event);
	if (find->gone)
		find->gone(find->arg, event->tgid);
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
		[EV_DATA] = sizeof(struct ev_data),     [EV_OPEN] = sizeof(struct ev_open),
		[EV_CLOSE] = sizeof(struct ev_close),   [EV_EXEC] = sizeof(struct ev_head),
		[EV_EXIT] = sizeof(struct ev_head),     [EV_CGROUP] = sizeof(struct ev_cgroup),
		[EV_FLOW] = sizeof(struct ev_flow),     [EV_FLOW_END] = sizeof(struct ev_flow),
		[EV_QUIC] = sizeof(struct ev_quic),     [EV_PAIR] = sizeof(struct ev_pair),
		[EV_PLAIN] = sizeof(struct ev_flow),    [EV_SEGMENT] = sizeof(struct ev_segment),
		[EV_ANSWER] = sizeof(struct ev_answer),
	};
	const struct ev_data *data = (const struct ev_data *)event;
	const struct ev_segment *segment = (const struct ev_segment *)event;

	if (size < sizeof(*event) || !event->type || event->type > EV_ANSWER ||
	    size < sizes[event->type])
		return false;
	if (event->type == EV_ANSWER)
		return ((const struct ev_answer *)event)->len <= EV_ANSWER_MAX;
	if (event->type == EV_QUIC)
		return ((const struct ev_quic *)event)->len <= EV_QUIC_MAX;
	if (event->type == EV_SEGMENT)
		return segment->len <= size - sizeof(*segment) && segment->dir <= EV_IN;
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
		pipeline_plain_end(pipeline, (const struct ev_flow *)event);
		return pipeline_flow_end(pipeline, (const struct ev_flow *)event);
	case EV_PLAIN:
		return pipeline_plain(pipeline, (const struct ev_flow *)event);
	case EV_SEGMENT:
		return pipeline_segment(pipeline, (const struct ev_segment *)event);
	case EV_PAIR:
		return pipeline_pair(pipeline, (const struct ev_pair *)event);
	case EV_ANSWER:
		return pipeline_answer(pipeline, (const struct ev_answer *)event);
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

struct covering {
	struct who *who;
	void (*fn)(void *arg, const struct reconcile_row *row, const struct who_group *group);
	void *arg;
};

static void name_process(void *arg, const struct reconcile_row *row)
{
	const struct covering *covering = arg;
	struct reconcile_row named = *row;
	struct who_process process;
	struct who_group group;

	if (row->cgroup)
		who_group_get(covering->who, row->cgroup, &group);
	if (!*row->comm) {
		who_process_get(covering->who, row->tgid, "", WHO_NO_UID, &process);
		named.comm = process.comm;
	}
	covering->fn(covering->arg, &named, row->cgroup ? &group : NULL);
}

void pipeline_coverage(const struct pipeline *pipeline,
		       void (*fn)(void *arg, const struct reconcile_row *row,
				  const struct who_group *group),
		       void *arg)
{
	struct covering covering = { pipeline->config.who, fn, arg };

	reconcile_each(pipeline->reconcile, name_process, &covering);
}

struct naming {
	struct who *who;
	void (*fn)(void *arg, const struct calibration_row *row, const struct who_group *group);
	void *arg;
};

static void name_tenant(void *arg, const struct calibration_row *row)
{
	const struct naming *naming = arg;
	struct who_group group;

	who_group_get(naming->who, row->key.tenant, &group);
	naming->fn(naming->arg, row, &group);
}

void pipeline_estimates(const struct pipeline *pipeline,
			void (*fn)(void *arg, const struct calibration_row *row,
				   const struct who_group *group),
			void *arg)
{
	struct naming naming = { pipeline->config.who, fn, arg };

	calibration_each(pipeline->calibration, name_tenant, &naming);
}

void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret)
{
	*ret = pipeline->stats;
	connections_stats(pipeline->connections, &ret->connections);
	ret->flows = flow_table_count(pipeline->flows);
	reconcile_stats(pipeline->reconcile, &ret->reconcile);
	calibration_stats(pipeline->calibration, &ret->calibration);
	mix_stats(pipeline->mix, &ret->mix);
	legs_stats(pipeline->legs, &ret->legs);
}

int pipeline_new(struct pipeline **ret, const struct pipeline_config *config)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return -ENOMEM;
	pipeline->config = *config;
	pipeline->flows = flow_table_new();
	pipeline->pairs = pairs_new();
	pipeline->relays = relays_new();
	pipeline->addresses = addresses_new();
	pipeline->resolved = resolved_new(config->netns);
	pipeline->quic_flows = quic_flows_new();
	pipeline->reconcile = reconcile_new();
	pipeline->unsent = unsent_new();
	pipeline->cuts = cuts_new();
	pipeline->legs = legs_new();
	pipeline->mix = mix_new();
	pipeline->clients = clients_new();
	pipeline->api_keys = clients_new();
	if (calibration_new(&pipeline->calibration) == 0)
		pipeline->connections = connections_new(pipeline);
	if (!pipeline->flows || !pipeline->pairs || !pipeline->relays || !pipeline->addresses ||
	    !pipeline->resolved || !pipeline->quic_flows || !pipeline->reconcile ||
	    !pipeline->unsent || !pipeline->cuts || !pipeline->legs || !pipeline->mix ||
	    !pipeline->clients || !pipeline->api_keys || !pipeline->connections) {
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
	pipeline->config.hooks.tap.held = NULL;
	pipeline->config.hooks.observer.settle_soon = NULL;
	connections_free(pipeline->connections, pipeline->last_ns);
	if (pipeline->cuts)
		pipeline_cuts_expire(pipeline, UINT64_MAX);
	if (pipeline->legs)
		pipeline_legs_expire(pipeline, UINT64_MAX);
	cuts_free(pipeline->cuts);
	legs_free(pipeline->legs);
	reconcile_free(pipeline->reconcile);
	unsent_free(pipeline->unsent);
	flow_table_free(pipeline->flows);
	pairs_free(pipeline->pairs);
	relays_free(pipeline->relays);
	addresses_free(pipeline->addresses);
	resolved_free(pipeline->resolved);
	quic_flows_free(pipeline->quic_flows);
	calibration_free(pipeline->calibration);
	mix_free(pipeline->mix);
	clients_free(pipeline->clients);
	clients_free(pipeline->api_keys);
	free(pipeline);
	return NULL;
}
