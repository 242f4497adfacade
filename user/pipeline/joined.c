/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/joined.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "provider/api.h"

static const struct connection *connection_of(const struct connections *connections, uint64_t id)
{
	const struct connection *connection;

	HASH_FIND(hh, connections->table, &id, sizeof(id), connection);
	return connection;
}

void joined_note(struct pipeline *pipeline, uint32_t tgid, uint64_t cookie)
{
	struct connections *connections = pipeline->connections;
	uint64_t ids[FLOWS_PAIRED_MAX];
	size_t n = flow_table_paired(pipeline->flows, cookie, ids);

	for (size_t i = 0; i < n; i++) {
		const struct connection *from = connection_of(connections, ids[i]);

		if (!from || !from->host[0])
			continue;
		connections->heirs[connections->n_heirs++ % HEIRS_MAX] = (struct heir){
			.tgid = tgid, .ssl = from->ssl, .from = from->id, .cookie = cookie
		};
	}
}

/* A copy of the other's memory has the object at the same address. */
static const struct heir *heir_of(const struct connections *connections,
				  const struct connection *connection)
{
	for (size_t i = 0; i < HEIRS_MAX; i++) {
		const struct heir *heir = &connections->heirs[i];

		if (heir->ssl && heir->tgid == connection->tgid && heir->ssl == connection->ssl)
			return heir;
	}
	return NULL;
}

/* False: it was not inherited, or what it was before is not known any more. */
static bool name_by_heritage(struct connections *connections, struct connection *connection)
{
	struct pipeline *pipeline = connections->pipeline;
	const struct heir *heir = heir_of(connections, connection);
	const struct connection *from = heir ? connection_of(connections, heir->from) : NULL;
	const struct ev_flow *flow = from ? flow_table_get(pipeline->flows, heir->cookie) : NULL;
	struct pairs_peer peer;

	if (!flow)
		return false;
	peer = pipeline_peer(pipeline, flow, from->host);
	connection->path = from->path ? strdup(from->path) : NULL;
	connection->inherited = heir->cookie;
	connection_name(connections, connection, from->host);
	if (pairs_put(pipeline->pairs, connection->id, heir->cookie, &peer) != -ENOMEM)
		flow_table_set_paired(pipeline->flows, heir->cookie, connection->id);
	return true;
}

void joined_name(struct connections *connections, struct connection *connection)
{
	const struct pairs_sockets *sockets;
	const struct ev_flow *flow;

	if (connection->host[0] || name_by_heritage(connections, connection))
		return;
	sockets = pairs_get(connections->pipeline->pairs, connection->id);
	flow = sockets ? flow_table_get(connections->pipeline->flows, sockets->cookies[0]) : NULL;
	if (flow && api_find(flow->host))
		connection_name(connections, connection, flow->host);
}

/* All that has left the socket is explained. */
static void explain_sent(const struct pipeline *pipeline, uint64_t cookie)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	uint64_t explained[2];
	struct ctl_flow counts;

	if (!flow_table_get(pipeline->flows, cookie) || !tap->flow_get ||
	    tap->flow_get(tap->arg, cookie, &counts))
		return;
	flow_table_explained(pipeline->flows, cookie, explained);
	if (counts.bytes[EV_OUT] > explained[EV_OUT])
		flow_table_explain(pipeline->flows, cookie, EV_OUT,
				   counts.bytes[EV_OUT] - explained[EV_OUT]);
}

bool joined_answered(struct connections *connections, const struct connection *connection)
{
	if (!connection->inherited)
		return false;
	explain_sent(connections->pipeline, connection->inherited);
	return true;
}
