/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/joined.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/text.h"

struct connections *connections_new(struct pipeline *pipeline)
{
	struct connections *connections = calloc(1, sizeof(*connections));

	if (connections)
		*connections = (struct connections){ .pipeline = pipeline,
						     .running_ns = CONNECTIONS_RUNNING_NS };
	return connections;
}

void connections_running(struct connections *connections, uint64_t period_ns)
{
	connections->running_ns = period_ns;
}

static void item_drop(struct connections *connections, struct connection *connection,
		      struct item *item)
{
	DL_DELETE(connection->items, item);
	connection->n_items--;
	connections->stats.calls--;
	free(item);
}

static struct connections_caller caller_of(const struct connection *connection,
					   const struct item *item)
{
	return (struct connections_caller){ .cgroup = item->cgroup,
					    .call = item->number,
					    .connection = connection->id,
					    .next_ns = item->next ? item->next->start_ns : 0,
					    .tgid = connection->tgid,
					    .uid = connection->uid,
					    .comm = connection->comm };
}

/* What an ended socket held of its answers, less what was read of it since; once. */
static uint64_t take_unread(struct connection *connection)
{
	uint64_t since = connection->reported[EV_IN] - connection->unread_at;
	uint64_t unread = connection->unread > since ? connection->unread - since : 0;

	connection->unread = 0;
	return unread;
}

/* The call is over, one way or another: its charge leaves, or waits, and it is forgotten. */
static void item_end(struct connections *connections, struct connection *connection,
		     struct item *item)
{
	struct connections_caller caller = caller_of(connection, item);
	struct pipeline *pipeline = connections->pipeline;

	if (connection->is_ending && call_is_cut(item->call)) {
		pipeline_cut(pipeline, &caller, connection->host, item->call,
			     take_unread(connection));
	} else {
		pipeline_call_settle(pipeline, &caller, item->call,
				     pipeline_call_is_unsent(pipeline, &caller, item->call));
		call_free(item->call);
	}
	item_drop(connections, connection, item);
}

/* It names an AI host, if no call yet: what is read of it must be found beside its flow. */
static void connection_name(struct connection *connection, const struct http_head *head)
{
	if (!connection->host[0] && api_find(head->host))
		memcpy(connection->host, head->host, sizeof(connection->host));
}

/* Telemetry, files, an operation that nobody has heard of: not charged, and not silent. */
static void item_pass(struct connections *connections, struct connection *connection,
		      const struct http_head *head)
{
	const char *host = api_host(connection->host, head->host);

	connection_name(connection, head);
	if (!strcmp(head->method, "POST") && api_find(host))
		reconcile_other(connections->pipeline->reconcile, connection->tgid, host);
}

static void item_add(struct connections *connections, struct connection *connection,
		     const struct http_piece *piece, const struct ev_head *event)
{
	struct item *item;

	if (connection->n_items >= CONNECTIONS_CALLS_MAX) {
		connections->stats.calls_dropped++;
		return;
	}
	item = calloc(1, sizeof(*item));
	if (item)
		item->call = call_new(piece->head, connection->host, event->time_ns);
	if (!item || !item->call) {
		free(item);
		item_pass(connections, connection, piece->head);
		return;
	}
	call_set_tenant(item->call, event->cgroup);
	call_set_client(item->call, clients_admit(connections->pipeline->clients, event->cgroup,
						  piece->head->client, event->time_ns));
	/* Seen only from its middle on: what is read of it must be found beside its flow. */
	if (!connection->host[0])
		memcpy(connection->host, piece->head->host, sizeof(connection->host));
	free(connection->path);
	connection->path = strdup(piece->head->path);
	item->exchange = piece->exchange;
	item->cgroup = event->cgroup;
	item->start_ns = event->time_ns;
	item->number = ++connections->numbers;
	DL_APPEND(connection->items, item);
	connection->n_items++;
	connections->stats.calls++;
}

/* An answer whose request was not read. NULL: nothing is known of that. */
static struct item *item_inherit(struct connections *connections, struct connection *connection,
				 const struct http_piece *answer, const struct ev_head *event)
{
	struct http_piece request = { .side = HTTP_REQUEST, .exchange = answer->exchange };
	struct http_head head;
	struct item *item;

	if (!joined_request(connections, connection, &head))
		return NULL;
	request.type = HTTP_HEAD;
	request.head = &head;
	item_add(connections, connection, &request, event);
	DL_SEARCH_SCALAR(connection->items, item, exchange, answer->exchange);
	request = (struct http_piece){ .type = HTTP_END, .side = HTTP_REQUEST };
	if (item)
		call_feed(item->call, &request, event->time_ns);
	return item;
}

static void item_report(struct connections *connections, struct connection *connection,
			struct item *item, const struct http_piece *piece, uint64_t now_ns)
{
	struct connections_caller caller = caller_of(connection, item);
	struct pipeline *pipeline = connections->pipeline;
	struct charge charge;

	/* Before the request has ended its model may not be known. */
	if ((!item->reported_ns && piece->side == HTTP_REQUEST && piece->type != HTTP_END) ||
	    (item->reported_ns && now_ns - item->reported_ns < connections->running_ns))
		return;
	item->reported_ns = now_ns;
	call_charge(item->call, pipeline->config.prices, pipeline->calibration, &charge);
	charge.usage = usage_fold(&charge.usage);
	if (!charge.is_poll)
		pipeline_call_running(pipeline, &caller, &charge);
}

static void piece_take(struct connections *connections, struct connection *connection,
		       const struct http_piece *piece, const struct ev_head *event)
{
	struct item *item;

	DL_SEARCH_SCALAR(connection->items, item, exchange, piece->exchange);
	if (!item && piece->type == HTTP_HEAD && piece->side == HTTP_REQUEST) {
		item_add(connections, connection, piece, event);
		return;
	}
	if (!item && piece->type == HTTP_HEAD)
		item = item_inherit(connections, connection, piece, event);
	if (!item)
		return;
	call_feed(item->call, piece, event->time_ns);
	if (call_is_done(item->call))
		item_end(connections, connection, item);
	else
		item_report(connections, connection, item, piece, event->time_ns);
}

/* Pulls what the connection has to say; returns how many requests began. */
static size_t connection_pull(struct connections *connections, struct connection *connection,
			      const struct ev_head *event)
{
	struct http_piece piece, turn;
	size_t requests = 0;

	while (conn_next(connection->conn, &piece)) {
		requests += piece.type == HTTP_HEAD && piece.side == HTTP_REQUEST;
		if (!sessions_feed(&connection->sessions, &piece, connection->host)) {
			piece_take(connections, connection, &piece, event);
			continue;
		}
		if (piece.type == HTTP_HEAD && piece.side == HTTP_REQUEST)
			connection_name(connection, piece.head);
		while (sessions_next(connection->sessions, &turn))
			piece_take(connections, connection, &turn, event);
	}
	return requests;
}

/* The connection's bytes are of no more interest. */
static void connection_stop(struct connections *connections, struct connection *connection)
{
	struct conn_stats stats;

	if (!connection->conn)
		return;
	connection_report(connections, connection);
	conn_stats(connection->conn, &stats);
	connections->stats.gaps += stats.gaps;
	connections->stats.gap_bytes += stats.gap_bytes;
	connections->stats.resyncs += stats.resyncs;
	connections->stats.bad_encodings += stats.bad_encodings;
	connection->conn = conn_free(connection->conn);
	connection->sessions = sessions_free(connection->sessions);
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
		   enum ctl_verdict verdict)
{
	const struct pipeline_tap_ops *tap = &connections->pipeline->config.hooks.tap;

	settle(connections, connection, verdict);
	if (tap->decide)
		tap->decide(tap->arg, connection->id, verdict);
	if (verdict == CTL_IGNORE)
		connection_stop(connections, connection);
}

/*
 * A connection whose name the kernel did not know is ours as soon as a request on it is a call to
 * be charged, or names an AI host: the next one may be (rustls and Go give the kernel no name). It is not
 * ours if it speaks as a server or no HTTP at all, or if its first request is neither.
 */
static void connection_recognise(struct connections *connections, struct connection *connection,
				 size_t requests)
{
	enum conn_protocol protocol = conn_protocol(connection->conn);

	if (connection->is_decided)
		return;
	if (connection->items || (requests && connection->host[0]))
		decide(connections, connection, CTL_AI);
	else if (protocol == CONN_SERVER || protocol == CONN_OTHER || requests)
		decide(connections, connection, CTL_IGNORE);
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
	connection->seen[dir] = end;
}

/* The connection is over. `totals` NULL: the kernel's last counts are not known. */
static void connection_end(struct connections *connections, struct connection *connection,
			   const uint64_t totals[2], const struct ev_head *event)
{
	connection->is_ending = true;
	connection_report(connections, connection); /* before calls ask what flowed unread */
	if (connection->conn && totals) {
		for (int dir = 0; dir < 2; dir++)
			connection_see(connection, dir, totals[dir], 0);
		conn_end(connection->conn, totals);
		connection_pull(connections, connection, event);
	}
	while (connection->items) {
		call_end(connection->items->call, event->time_ns);
		item_end(connections, connection, connection->items);
	}
	connection_stop(connections, connection);
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
		connection->conn = conn_new(from_start);
	if (connection && connection->conn)
		connection->holder = holder_add(connections, event->cgroup);
	if (!connection || !connection->conn || !connection->holder) {
		if (connection)
			conn_free(connection->conn);
		free(connection);
		connections->stats.connections_dropped++;
		return NULL;
	}
	connection->id = event->id;
	connection->tgid = event->tgid;
	connection->uid = (uid_t)-1;
	HASH_ADD(hh, connections->table, id, sizeof(connection->id), connection);
	if (!connection->hh.tbl) {
		holder_drop(connections, connection->holder);
		conn_free(connection->conn);
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

	if (connection)
		return false;
	connection = connection_add(connections, &event->head, event->host[0] != '\0');
	if (!connection)
		return false;
	connection->ssl = event->ssl;
	connection->uid = event->uid;
	memcpy(connection->comm, event->comm, sizeof(connection->comm) - 1);
	memcpy(connection->host, event->host, sizeof(connection->host) - 1);
	text_trim_root(connection->host);
	if (event->verdict == CTL_AI)
		settle(connections, connection, CTL_AI);
	else if (event->verdict == CTL_ASK)
		decide(connections, connection, api_find(connection->host) ? CTL_AI : CTL_IGNORE);
	return connection->is_decided && connection->conn;
}

void connection_feed(struct connections *connections, struct connection *connection,
		     const struct ev_head *event, enum ev_dir dir, uint64_t offset,
		     const uint8_t *bytes, size_t len)
{
	connection_see(connection, dir, offset + len, len);
	conn_feed(connection->conn, dir == EV_OUT ? HTTP_REQUEST : HTTP_RESPONSE, offset, bytes,
		  len);
	connection_recognise(connections, connection,
			     connection_pull(connections, connection, event));
}

void connections_data(struct connections *connections, const struct ev_data *event)
{
	struct connection *connection = connection_find(connections, event->head.id);

	if (!connection) /* its EV_OPEN found the ring full */
		connection = connection_add(connections, &event->head, false);
	if (!connection || !connection->conn)
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
	free(connections);
	return NULL;
}
