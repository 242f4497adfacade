/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/joined.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void hear(void *arg, const struct message *message)
{
	connections_hear(arg, message);
}

struct connections *connections_new(struct pipeline *pipeline)
{
	struct connections *connections = calloc(1, sizeof(*connections));

	if (!connections)
		return NULL;
	connections->pipeline = pipeline;
	connections->reader = reader_new(hear, connections);
	if (!connections->reader)
		return connections_free(connections, 0);
	connections_running(connections, CONNECTIONS_RUNNING_NS);
	return connections;
}

void connections_running(struct connections *connections, uint64_t period_ns)
{
	reader_report(connections->reader, period_ns);
}

/* From now on the reader may speak of this connection, and what it says is due to this event; NULL: of none. */
static void order(struct connections *connections, struct connection *connection,
		  const struct ev_head *event)
{
	connections->ordered = connection;
	connections->order = event;
	if (connection && event->time_ns > connection->newest_ns)
		connection->newest_ns = event->time_ns;
}

static void add_stats(struct connections_stats *stats, const struct message_standing *standing)
{
	stats->gaps += standing->gaps;
	stats->gap_bytes += standing->gap_bytes;
	stats->resyncs += standing->resyncs;
	stats->bad_encodings += standing->bad_encodings;
}

/* The connection is not read any more. `totals`: the kernel's last counts; NULL: not known, or of no interest. */
static void connection_stop(struct connections *connections, struct connection *connection,
			    const uint64_t totals[2], const struct ev_head *event)
{
	if (!connection->is_read)
		return;
	order(connections, connection, event);
	reader_end(connections->reader, connection->id, totals, event->time_ns);
	order(connections, NULL, NULL);
	connection_lose_calls(connections,
			      connection); /* the reader has ended each, if it was believed */
	connection_report(connections, connection);
	add_stats(&connections->stats, &connection->standing);
	connection->is_read = false;
}

/* The kernel knows what this connection is, or is told so. */
static void settle(struct connections *connections, struct connection *connection,
		   enum ctl_verdict verdict)
{
	const struct pipeline_find_ops *find = &connections->pipeline->config.hooks.find;

	connection->is_decided = true;
	if (verdict == CTL_AI && find->speaks)
		find->speaks(find->arg, connection->tgid);
}

static void decide(struct connections *connections, struct connection *connection,
		   enum ctl_verdict verdict, const struct ev_head *event)
{
	const struct pipeline_tap_ops *tap = &connections->pipeline->config.hooks.tap;

	settle(connections, connection, verdict);
	if (tap->decide)
		tap->decide(tap->arg, connection->id, verdict);
	if (verdict == CTL_IGNORE)
		connection_stop(connections, connection, NULL, event);
}

/*
 * A connection whose name the kernel did not know is ours as soon as a request on it is a call to
 * be charged, or names an AI host: the next one may be (rustls and Go give the kernel no name). It is not
 * ours if it speaks as a server or no HTTP at all, or if its first request is neither.
 */
static void connection_recognise(struct connections *connections, struct connection *connection,
				 const struct ev_head *event)
{
	enum conn_protocol protocol = connection->standing.protocol;
	bool has_requests = connection->standing.has_requests;

	if (connection->is_decided)
		return;
	if (connection->items || (has_requests && connection->host[0]))
		decide(connections, connection, CTL_AI, event);
	else if (protocol == CONN_SERVER || protocol == CONN_OTHER || has_requests)
		decide(connections, connection, CTL_IGNORE, event);
}

/*
 * This direction has come to `end`, of which the last `len` bytes are in our hands. What lies between
 * those and the bytes before (beyond the pieces of one call, or the ring was full) was framed as well:
 * in full records at the least, and exactly so within a call.
 */
static void connection_see(struct connection *connection, enum ev_dir dir, uint64_t end,
			   uint64_t len)
{
	uint64_t seen = connection->seen[dir];

	if (end - len > seen)
		connection->records[dir] += (end - len - seen + EV_PIECE_MAX - 1) / EV_PIECE_MAX;
	connection->records[dir] += len > 0;
	connection->seen[dir] = end > seen ? end : seen;
}

/* The connection is over. `totals` NULL: the kernel's last counts are not known. */
static void connection_end(struct connections *connections, struct connection *connection,
			   const uint64_t totals[2], const struct ev_head *event)
{
	connection->is_ending = true;
	connection_report(connections, connection); /* before calls ask what flowed unread */
	for (int dir = 0; connection->is_read && totals && dir < 2; dir++)
		connection_see(connection, dir, totals[dir], 0);
	connection_stop(connections, connection, totals, event);
	plain_drop(connections, connection);
	if (connections->last == connection)
		connections->last = NULL;
	HASH_DEL(connections->table, connection);
	holder_drop(connections, connection->holder);
	connections->stats.connections--;
	free(connection->path);
	free(connection);
}

struct connection *connection_add(struct connections *connections, const struct ev_head *event,
				  bool from_start)
{
	struct connection *connection;

	if (HASH_COUNT(connections->table) >= CONNECTIONS_MAX) {
		connections->stats.connections_dropped++;
		connection_end(connections, connection_to_evict(connections), NULL, event);
	}
	connection = calloc(1, sizeof(*connection));
	if (connection)
		connection->holder = holder_add(connections, event->cgroup);
	if (!connection || !connection->holder) {
		free(connection);
		connections->stats.connections_dropped++;
		return NULL;
	}
	connection->id = event->id;
	connection->tgid = event->tgid;
	connection->uid = (uid_t)-1;
	HASH_ADD(hh, connections->table, id, sizeof(connection->id), connection);
	if (connection->hh.tbl)
		connection->is_read = reader_begin(connections->reader, connection->id,
						   from_start) == 0;
	if (!connection->is_read) {
		if (connection->hh.tbl)
			HASH_DEL(connections->table, connection);
		holder_drop(connections, connection->holder);
		free(connection);
		connections->stats.connections_dropped++;
		return NULL;
	}
	connections->stats.connections++;
	return connection;
}

bool connections_open(struct connections *connections, const struct ev_open *event)
{
	struct connection *connection = connection_find(connections, event->head.id);
	char host[EV_HOST_LEN] = "";

	if (connection)
		return false;
	connection = connection_add(connections, &event->head, event->host[0] != '\0');
	if (!connection)
		return false;
	connection->ssl = event->ssl;
	connection->uid = event->uid;
	memcpy(connection->comm, event->comm, sizeof(connection->comm) - 1);
	memcpy(host, event->host, sizeof(event->host) - 1);
	text_trim_root(host);
	connection_name(connections, connection, host);
	if (event->verdict == CTL_AI)
		settle(connections, connection, CTL_AI);
	else if (event->verdict == CTL_ASK)
		decide(connections, connection, api_find(connection->host) ? CTL_AI : CTL_IGNORE,
		       &event->head);
	return connection->is_decided && connection->is_read;
}

void connection_feed(struct connections *connections, struct connection *connection,
		     const struct ev_head *event, enum ev_dir dir, uint64_t offset,
		     const uint8_t *bytes, size_t len)
{
	if (!connection->is_read)
		return;
	connection_see(connection, dir, offset + len, len);
	order(connections, connection, event);
	reader_feed(connections->reader, connection->id,
		    dir == EV_OUT ? HTTP_REQUEST : HTTP_RESPONSE, offset, bytes, len,
		    event->time_ns);
	order(connections, NULL, NULL);
	if (!connection->is_refused)
		connection_recognise(connections, connection, event);
	else if (connection->is_decided)
		connection_stop(connections, connection, NULL, event);
	else
		decide(connections, connection, CTL_IGNORE, event);
}

void connections_data(struct connections *connections, const struct ev_data *event)
{
	struct connection *connection = connection_find(connections, event->head.id);

	if (!connection) /* its EV_OPEN found the ring full */
		connection = connection_add(connections, &event->head, false);
	if (!connection || !connection->is_read)
		return;
	joined_name(connections, connection);
	connection_feed(connections, connection, &event->head, event->dir, event->offset,
			event->bytes, event->len);
}

void connections_close(struct connections *connections, const struct ev_close *event)
{
	struct connection *connection = connection_find(connections, event->head.id);
	uint64_t totals[2] = { event->bytes[EV_OUT], event->bytes[EV_IN] };

	if (connection)
		connection_end(connections, connection, totals, &event->head);
}

void connections_gone(struct connections *connections, const struct ev_head *event)
{
	const struct pipeline_tap_ops *tap = &connections->pipeline->config.hooks.tap;
	struct connection *connection, *next;

	HASH_ITER(hh, connections->table, connection, next) {
		/* plain HTTP ends with its socket, which another process may have */
		if (connection->tgid != event->tgid || connection->plain)
			continue;
		if (tap->forget)
			tap->forget(tap->arg, connection->tgid, connection->ssl);
		connection_end(connections, connection, NULL, event);
	}
}

bool connections_reported(struct connections *connections, uint64_t id,
			  struct connections_reported *ret)
{
	struct connection *connection = connection_find(connections, id);

	if (!connection)
		return false;
	connection_report(connections, connection);
	*ret = (struct connections_reported){ .tgid = connection->tgid,
					      .cgroup = connection->holder->cgroup,
					      .host = connection->host };
	memcpy(ret->bytes, connection->reported, sizeof(ret->bytes));
	memcpy(ret->records, connection->reported_records, sizeof(ret->records));
	return true;
}

void connections_report(struct connections *connections)
{
	struct pipeline *pipeline = connections->pipeline;
	struct connection *connection, *next;

	HASH_ITER(hh, connections->table, connection, next) {
		connection_report(connections, connection);
		if (connection->items && !pairs_get(pipeline->pairs, connection->id))
			reconcile_in_progress(pipeline->reconcile, connection->tgid,
					      connection->host);
	}
}

bool connections_add_unread(struct connections *connections, uint64_t id, uint64_t bytes)
{
	struct connection *connection = connection_find(connections, id);

	if (!connection || !connection->items)
		return false;
	connection->unread = bytes;
	connection->unread_at = connection->reported[EV_IN];
	return true;
}

void connections_stats(const struct connections *connections, struct connections_stats *ret)
{
	*ret = connections->stats;
}

struct connections *connections_free(struct connections *connections, uint64_t now_ns)
{
	struct ev_head now = { .time_ns = now_ns };

	if (!connections)
		return NULL;
	while (connections->table)
		connection_end(connections, connections->table, NULL, &now);
	reader_free(connections->reader);
	free(connections);
	return NULL;
}
