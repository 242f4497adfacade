/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of a connection, and what of it no parser made sense of, for the reconciliation. */
#include "pipeline/connections_internal.h"

/* Behind a gap the parsers wait for the next message: all that is passed over then is due to it. */
static void connection_report_missed(struct connections *connections, struct connection *connection,
				     const struct message_standing *standing)
{
	uint64_t missed[2];

	if (!standing->gaps && !standing->is_upgraded)
		return;
	for (int dir = 0; dir < 2; dir++) {
		missed[dir] = standing->unread_bytes[dir] > connection->reported_missed[dir] ?
				      standing->unread_bytes[dir] - connection->reported_missed[dir] :
				      0;
		connection->reported_missed[dir] += missed[dir];
	}
	if (missed[EV_OUT] || missed[EV_IN])
		pipeline_missed(connections->pipeline, connection->id, connection->tgid,
				connection->host,
				standing->is_upgraded ? UNMETERED_UPGRADED : UNMETERED_LOST, missed);
}

void connection_report(struct connections *connections, struct connection *connection)
{
	const struct message_standing *standing = &connection->standing;

	if (!connection->is_read || !connection->host[0])
		return;
	connection_report_missed(connections, connection, standing);
	for (int dir = 0; dir < 2; dir++) {
		uint64_t read = connection->seen[dir] - standing->unread_bytes[dir];

		if (read <= connection->reported[dir])
			continue;
		pipeline_read(connections->pipeline, connection->id, connection->tgid,
			      connection->host, dir, read - connection->reported[dir],
			      connection->records[dir] - connection->reported_records[dir]);
		connection->reported[dir] = read;
		connection->reported_records[dir] = connection->records[dir];
	}
}
