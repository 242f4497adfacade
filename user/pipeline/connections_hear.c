/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the reader says of a connection becomes the daemon's own account of it: its name, its calls, what is known of them. The
 * reader parses bytes of tenants, so nothing of a message is used before message_check() has passed it, and none is
 * heard but of the connection that it was just told something about.
 */
#include "pipeline/joined.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

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

static void item_drop(struct connections *connections, struct connection *connection,
		      struct item *item)
{
	item_leave(connections, connection, item);
	free(item);
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

	if (connection->is_ending && reading_is_cut(&item->reading))
		pipeline_cut(pipeline, &caller, connection->host, &item->reading,
			     take_unread(connection));
	else
		pipeline_call_settle(pipeline, &caller, &item->reading,
				     pipeline_call_is_unsent(pipeline, &caller, &item->reading));
	item_drop(connections, connection, item);
}

/* What it has cost so far. */
static void item_report(struct connections *connections, struct connection *connection,
			struct item *item)
{
	struct connections_caller caller = caller_of(connection, item);
	struct pipeline *pipeline = connections->pipeline;
	struct charge charge;

	reading_charge(&item->reading, pipeline->config.prices, pipeline->calibration, &charge);
	charge.usage = usage_fold(&charge.usage);
	if (!charge.is_poll)
		pipeline_call_running(pipeline, &caller, &charge);
}

/* A request to this host is not charged, and not silent. */
static void pass(struct connections *connections, const struct connection *connection,
		 const char *claimed)
{
	const char *host = api_host(connection->host, claimed);

	if (api_find(host))
		reconcile_other(connections->pipeline->reconcile, connection->tgid, host);
}

/* Whose the call is, who calls and since when is not the reader's to say. */
static void item_take(struct connection *connection, struct item *item,
		      const struct reading *reading)
{
	char client[CHARGE_CLIENT_LEN], api_key[FINGERPRINT_LEN];

	memcpy(client, item->reading.client, sizeof(client));
	memcpy(api_key, item->reading.api_key, sizeof(api_key));
	item->reading = *reading;
	item->reading.tenant = item->cgroup;
	item->reading.start_ns = item->start_ns;
	memcpy(item->reading.client, client, sizeof(client));
	memcpy(item->reading.api_key, api_key, sizeof(api_key));
	memcpy(connection->known, connection->seen, sizeof(connection->known));
}

/* False: it cannot be. */
static bool begin(struct connections *connections, struct connection *connection,
		  const struct message *message)
{
	const struct message_begin *said = &message->begin;
	const struct ev_head *event = connections->order;
	const char *client;
	struct item *item;

	if (message->call != connection->n_told + 1 || connection->n_items >= MESSAGE_CALLS_MAX ||
	    (said->is_inherited && !joined_answered(connections, connection)))
		return false;
	connection->n_told++;
	item = calloc(1, sizeof(*item));
	if (!item) {
		connection->is_short = true;
		pass(connections, connection, said->reading.host);
		return true;
	}
	free(connection->path);
	connection->path = strdup(said->path);
	client = clients_admit(connections->pipeline->clients, event->cgroup, said->reading.client,
			       event->time_ns);
	strncpy(item->reading.client, client, sizeof(item->reading.client) - 1);
	snprintf(item->reading.api_key, sizeof(item->reading.api_key), "%s",
		 clients_admit(connections->pipeline->api_keys, event->cgroup,
			       said->reading.api_key, event->time_ns));
	item->told = message->call;
	item->cgroup = event->cgroup;
	item->start_ns = event->time_ns;
	item->number = ++connections->numbers;
	item_take(connection, item, &said->reading);
	item_enter(connections, connection, item);
	return true;
}

static struct item *item_find(const struct connection *connection, uint64_t told)
{
	struct item *item;

	DL_SEARCH_SCALAR(connection->items, item, told, told);
	return item;
}

/* False: it cannot be. */
static bool go_on(struct connections *connections, struct connection *connection,
		  const struct message *message)
{
	struct item *item = item_find(connection, message->call);

	if (!item)
		return connection->is_short && message->call <= connection->n_told;
	item_take(connection, item, &message->reading);
	if (message->kind == MESSAGE_OVER)
		item_end(connections, connection, item);
	else
		item_report(connections, connection, item);
	return true;
}

/* False: it cannot be, since what was dropped was dropped. */
static bool stand(struct connections *connections, struct connection *connection,
		  const struct message_standing *standing)
{
	if (standing->calls_dropped < connection->standing.calls_dropped)
		return false;
	connections->stats.calls_dropped += standing->calls_dropped -
					    connection->standing.calls_dropped;
	connection->standing = *standing;
	return true;
}

static bool hear(struct connections *connections, struct connection *connection,
		 const struct message *message)
{
	const struct reading_bounds bounds = {
		.bytes = { connection->seen[EV_OUT], connection->seen[EV_IN] },
		.now_ns = connection->newest_ns,
	};

	if (message->connection != connection->id || !message_check(message, &bounds))
		return false;
	switch (message->kind) {
	case MESSAGE_NAMED:
		if (connection->host[0])
			return false;
		memcpy(connection->host, message->host, sizeof(connection->host));
		return true;
	case MESSAGE_PASSED:
		if (message->request.is_post)
			pass(connections, connection, message->request.host);
		return true;
	case MESSAGE_BEGAN:
		return begin(connections, connection, message);
	case MESSAGE_SO_FAR:
	case MESSAGE_OVER:
		return go_on(connections, connection, message);
	default:
		return stand(connections, connection, &message->standing);
	}
}

void connections_hear(struct connections *connections, const struct message *message)
{
	struct connection *connection = connections->ordered;

	if (!connection || connection->is_refused)
		return;
	if (hear(connections, connection, message))
		return;
	connection->is_refused = true;
	connections->stats.refused++;
}

/* What was seen since the last word of any of them is the oldest one's. */
static void take_rest(struct connection *connection, struct reading *oldest)
{
	const uint64_t *seen = connection->seen, *known = connection->known;

	oldest->unread_bytes = seen[EV_IN] - known[EV_IN];
	oldest->has_head |= oldest->unread_bytes > 0; /* so it was answered, whatever that was */
	if (!oldest->request_is_whole)
		oldest->request_bytes += seen[EV_OUT] - known[EV_OUT];
	memcpy(connection->known, seen, sizeof(connection->known));
}

void connection_lose_calls(struct connections *connections, struct connection *connection)
{
	while (connection->items) {
		struct item *item = connection->items;
		struct connections_caller caller = caller_of(connection, item);

		take_rest(connection, &item->reading);
		item->reading.is_over = true;
		item->reading.end_ns = connection->newest_ns;
		pipeline_call_settle(connections->pipeline, &caller, &item->reading, false);
		item_drop(connections, connection, item);
	}
}
