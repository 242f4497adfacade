/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline's plain HTTP: connections to ports that the operator has named, whose bytes come up as their packets
 * pass. Such a connection and its socket are one, so they are a pair from the beginning, and what was lost on the way is
 * charged by its size.
 */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "provider/api.h"
#include "pipeline/connections_internal.h"

/* It is an AI host's: from here on there is a flow, which its connection explains. */
static void enter(struct pipeline *pipeline, struct connection *connection)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	const struct ev_flow *flow = &connection->plain->flow;
	struct ev_pair pair = { .flow = *flow,
				.connection = connection->id,
				.how = EV_PAIR_HOWS, /* it does not have to be found out */
				.carries = EV_CARRIES_OWN };

	if (!connection->tgid && tap->owner)
		pair.flow.head.tgid = connection->tgid = tap->owner(tap->arg, connection->id);
	addresses_learn(pipeline->addresses, flow->netns, flow->family, flow->remote_addr,
			flow->remote_port, connection->host);
	pipeline_pair(pipeline, &pair);
}

/* It is not: nothing more of it comes up, and others than AI hosts have its address. */
static void leave(struct pipeline *pipeline, struct connection *connection)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	struct ev_close end = { .head = { .id = connection->id } };

	if (tap->flow_decide)
		tap->flow_decide(tap->arg, &connection->plain->flow, CTL_IGNORE);
	connections_close(pipeline->connections, &end);
}

void pipeline_plain(struct pipeline *pipeline, const struct ev_flow *event)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	struct connection *connection;
	const struct ev_close end = { .head = event->head };
	struct ev_flow flow = *event;
	const char *host;

	flow.comm[sizeof(flow.comm) - 1] = flow.host[0] = '\0';
	if (flow.state == EV_FLOW_REFUSED) {
		if (tap->destroy)
			tap->destroy(tap->arg, &flow);
		return;
	}
	if (connection_find(pipeline->connections, flow.head.id))
		return;
	connection = connection_add(pipeline->connections, &flow.head, true);
	if (!connection)
		return;
	if (plain_add(connection, &flow) < 0)
		return connections_close(pipeline->connections, &end);
	memcpy(connection->comm, flow.comm, sizeof(connection->comm));
	/*
	 * What only a connection has taught gives way to what this one's head says, and so does any address in a
	 * network namespace of a tenant's own.
	 */
	host = flow.is_tenants ? NULL :
				 addresses_host(pipeline->addresses, 0, flow.family,
						flow.remote_addr, flow.remote_port);
	if (!host)
		return;
	connection_name(pipeline->connections, connection, host);
	connection->is_decided = true;
	if (flow.verdict != CTL_AI && tap->decide)
		tap->decide(tap->arg, connection->id, CTL_AI);
	enter(pipeline, connection);
}

/* Feeds what is in order. False: the connection is not an AI host's, and is gone. */
static bool feed(struct pipeline *pipeline, struct connection *connection,
		 const struct ev_head *event, enum ev_dir dir)
{
	struct reorder_piece piece;
	bool was_decided;

	while (plain_next(pipeline->connections, connection, dir, &piece)) {
		was_decided = connection->is_decided;
		connection_feed(pipeline->connections, connection, event, dir, piece.offset,
				piece.bytes, piece.len);
		if (was_decided || !connection->is_decided)
			continue;
		if (!connection->is_read) {
			leave(pipeline, connection);
			return false;
		}
		enter(pipeline, connection);
	}
	return true;
}

void pipeline_segment(struct pipeline *pipeline, const struct ev_segment *event)
{
	struct connection *connection = connection_find(pipeline->connections, event->head.id);

	if (!connection || !connection->plain || !connection->is_read)
		return;
	plain_feed(pipeline->connections, connection, event);
	feed(pipeline, connection, &event->head, event->dir);
}

void pipeline_plain_end(struct pipeline *pipeline, const struct ev_flow *event)
{
	struct connection *connection = connection_find(pipeline->connections, event->head.id);
	struct ev_close end = { .head = event->head };

	if (!connection || !connection->plain)
		return;
	plain_end(connection);
	if (connection->is_read && (!feed(pipeline, connection, &event->head, EV_OUT) ||
				    !feed(pipeline, connection, &event->head, EV_IN)))
		return;
	memcpy(end.bytes, event->bytes, sizeof(end.bytes));
	connections_close(pipeline->connections, &end);
	pairs_drop(pipeline->pairs, event->head.id);
}
