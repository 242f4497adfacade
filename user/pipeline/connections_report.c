/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of a connection, and what of it no parser made sense of, for the reconciliation. */
#include "pipeline/connections_internal.h"

/* Behind a gap the parsers wait for the next message: all that is passed over then is due to it. */
static void connection_report_missed(struct connections *connections, struct connection *connection,
				     const struct conn_stats *stats)
{
	uint64_t missed[2];

	if (!stats->gaps && !stats->is_upgraded)
		return;
	for (int dir = 0; dir < 2; dir++) {
		missed[dir] = stats->unread_bytes[dir] > connection->reported_missed[dir] ?
				      stats->unread_bytes[dir] - connection->reported_missed[dir] :
				      0;
		connection->reported_missed[dir] += missed[dir];
	}
	if (missed[EV_OUT] || missed[EV_IN])
		pipeline_missed(connections->pipeline, connection->id, connection->tgid,
				connection->host,
				stats->is_upgraded ? UNMETERED_UPGRADED : UNMETERED_LOST, missed);
}

/* A WebSocket whose messages nobody knows was not read. */
static void connection_stats(const struct connection *connection, struct conn_stats *ret)
{
	uint64_t unread[2];

	conn_stats(connection->conn, ret);
	sessions_unread(connection->sessions, unread);
	for (int dir = 0; dir < 2; dir++)
		ret->unread_bytes[dir] += unread[dir];
	ret->is_upgraded |= unread[EV_OUT] || unread[EV_IN];
}

void connection_report(struct connections *connections, struct connection *connection)
{
	struct conn_stats stats;

	if (!connection->conn || !connection->host[0])
		return;
	connection_stats(connection, &stats);
	connection_report_missed(connections, connection, &stats);
	for (int dir = 0; dir < 2; dir++) {
		uint64_t read = connection->seen[dir] - stats.unread_bytes[dir];

		if (read <= connection->reported[dir])
			continue;
		pipeline_read(connections->pipeline, connection->id, connection->tgid,
			      connection->host, dir, read - connection->reported[dir],
			      connection->records[dir] - connection->reported_records[dir]);
		connection->reported[dir] = read;
		connection->reported_records[dir] = connection->records[dir];
	}
}
