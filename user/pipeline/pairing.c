/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's sockets that are known to carry a TLS connection, its own or as a relay. */
#include "pipeline/pipeline_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "provider/api.h"

/*
 * The host that matters is the connection's: its flow was not known, since it has no name, another's, or
 * a proxy's address. False: that is no call to an AI host.
 */
static bool name_flow(struct ev_flow *flow, const struct connections_reported *reported)
{
	if (!api_find(reported->host))
		return false;
	snprintf(flow->host, sizeof(flow->host), "%s", reported->host);
	if (!flow->head.tgid)
		flow->head.tgid = reported->tgid;
	return true;
}

static void add_flow(struct pipeline *pipeline, struct ev_flow *flow)
{
	struct who_process process;

	who_process_get(pipeline->config.who, flow->head.tgid, flow->comm, WHO_NO_UID, &process);
	pipeline->stats.flows_dropped += flow_table_put(pipeline->flows, flow) < 0;
	pipeline_ask_name(pipeline, flow);
	pipeline_judge(pipeline, flow->head.cgroup, &process, flow->host, true, flow->head.time_ns);
}

/* Whose it is and where it goes was found out when it came up; the kernel may not know (an adopted one). */
static void name_as(struct ev_flow *flow, const struct ev_flow *known)
{
	flow->head.tgid = known->head.tgid;
	memcpy(flow->comm, known->comm, sizeof(flow->comm));
	memcpy(flow->host, known->host, sizeof(flow->host));
}

/* What had flowed unread is charged as such now, so that the flow's end finds it explained. */
static void explain_late(struct pipeline *pipeline, const struct ev_flow *flow, bool is_known,
			 const uint64_t read[2])
{
	uint64_t late[2];

	reconcile_pair(pipeline->reconcile, flow, is_known, read, late);
	for (int dir = 0; dir < 2; dir++)
		flow_table_explain(pipeline->flows, flow->head.id, dir, late[dir]);
}

void pipeline_pair(struct pipeline *pipeline, const struct ev_pair *event)
{
	const struct ev_flow *known = flow_table_get(pipeline->flows, event->flow.head.id);
	struct connections_reported reported = { .host = "" };
	struct ev_flow flow = event->flow;
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	bool is_known = known, is_paired;
	struct pairs_peer peer;

	if (event->how < EV_PAIR_HOWS)
		pipeline->stats.paired[event->how]++;
	/* Before it is put down: what is new is still reported as of no pair. One without a name opens later. */
	(void)connections_reported(pipeline->connections, event->connection, &reported);
	flow.comm[sizeof(flow.comm) - 1] = '\0';
	flow.host[sizeof(flow.host) - 1] = '\0';
	if (known)
		name_as(&flow, known);
	else if (!name_flow(&flow, &reported))
		return;
	else
		add_flow(pipeline, &flow);
	peer = pipeline_peer(pipeline, &flow, reported.host[0] ? reported.host : flow.host);
	if (pairs_put(pipeline->pairs, event->connection, flow.head.id, &peer) == 0 &&
	    reported.host[0])
		reconcile_pair_read(pipeline->reconcile, reported.tgid, reported.host,
				    reported.bytes, reported.records);
	connections_paired(pipeline->connections, event->connection);
	for (int dir = 0; dir < 2; dir++)
		flow_table_explain(pipeline->flows, flow.head.id, dir, reported.bytes[dir]);
	if (flow.state == EV_FLOW_REFUSED && tap->destroy)
		tap->destroy(tap->arg, &flow);
	is_paired = flow_table_is_paired(pipeline->flows, flow.head.id);
	flow_table_set_paired(pipeline->flows, flow.head.id, event->connection);
	flow_table_set_carries(pipeline->flows, flow.head.id, event->carries);
	if (!is_paired && !flow_table_is_relayed(pipeline->flows, flow.head.id))
		explain_late(pipeline, &flow, is_known, reported.bytes);
}

void pipeline_pair_end(struct pipeline *pipeline, const struct ev_flow *flow)
{
	uint64_t connections[FLOWS_PAIRED_MAX], explained[2], unread;
	size_t n = flow_table_paired(pipeline->flows, flow->head.id, connections);
	struct connections_reported reported;

	for (size_t i = 0; i < n; i++)
		(void)connections_reported(pipeline->connections, connections[i], &reported);
	flow_table_explained(pipeline->flows, flow->head.id, explained);
	pipeline_note_destination(pipeline, flow);
	unread = reconcile_paired_end(pipeline->reconcile, flow, explained);
	for (size_t i = 0; i < n; i++)
		if (pipeline_cut_pair_end(pipeline, connections[i], unread) ||
		    connections_add_unread(pipeline->connections, connections[i], unread))
			unread = 0;
}
