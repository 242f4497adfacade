/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections: who is found in it, what each is called, whose cgroup has how many, who gives way when it is full; and what
 * those of plain HTTP hold until it is in order.
 */
#include "pipeline/connections_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* Bytes of plain HTTP that wait, of all connections. */
#define HELD_MAX (32u << 20)

struct connection *connection_find(struct connections *connections, uint64_t id)
{
	struct connection *connection = connections->last;

	if (connection && connection->id == id)
		return connection;
	HASH_FIND(hh, connections->table, &id, sizeof(id), connection);
	connections->last = connection;
	return connection;
}

struct holder *holder_add(struct connections *connections, uint64_t cgroup)
{
	struct holder *holder;

	HASH_FIND(hh, connections->holders, &cgroup, sizeof(cgroup), holder);
	if (!holder) {
		holder = calloc(1, sizeof(*holder));
		if (!holder)
			return NULL;
		holder->cgroup = cgroup;
		HASH_ADD(hh, connections->holders, cgroup, sizeof(holder->cgroup), holder);
		if (!holder->hh.tbl) {
			free(holder);
			return NULL;
		}
	}
	holder->n++;
	return holder;
}

void holder_drop(struct connections *connections, struct holder *holder)
{
	if (!holder || --holder->n)
		return;
	HASH_DEL(connections->holders, holder);
	free(holder);
}

struct connection *connection_to_evict(const struct connections *connections)
{
	const struct holder *most = connections->holders, *holder;
	struct connection *connection = connections->table;

	for (holder = most; holder; holder = holder->hh.next)
		if (holder->n > most->n)
			most = holder;
	while (connection->holder != most && connection->hh.next)
		connection = connection->hh.next;
	return connection;
}

void connection_name(struct connections *connections, struct connection *connection,
		     const char *host)
{
	const char *path = connection->path ?: "";

	if (connection->host[0] || !*host)
		return;
	snprintf(connection->host, sizeof(connection->host), "%s", host);
	if (connection->is_read)
		reader_name(connections->reader, connection->id, host,
			    connection->inherited ? path : NULL);
}

int plain_add(struct connection *connection, const struct ev_flow *flow)
{
	connection->plain = calloc(1, sizeof(*connection->plain));
	if (!connection->plain)
		return -ENOMEM;
	connection->plain->flow = *flow;
	return 0;
}

/* What a holder may hold in addition: as much as is free beyond what it has, as with rows (ctl_share_allows()). */
static size_t room_of(const struct connections *connections, const struct holder *holder)
{
	size_t taken = connections->held + holder->held;

	return taken < HELD_MAX ? HELD_MAX - taken : 0;
}

static void count_held(struct connections *connections, struct holder *holder, size_t was, size_t is)
{
	connections->held += is - was;
	holder->held += is - was;
}

void plain_feed(struct connections *connections, struct connection *connection,
		const struct ev_segment *event)
{
	struct reorder *reorder = &connection->plain->reorder[event->dir];
	size_t was = reorder->held_bytes;

	reorder_feed(reorder, event->offset, event->bytes, event->len, event->sure,
		     room_of(connections, connection->holder));
	count_held(connections, connection->holder, was, reorder->held_bytes);
}

void plain_end(struct connection *connection)
{
	for (int dir = 0; dir < 2; dir++)
		reorder_end(&connection->plain->reorder[dir]);
}

bool plain_next(struct connections *connections, struct connection *connection, enum ev_dir dir,
		struct reorder_piece *ret)
{
	struct reorder *reorder = &connection->plain->reorder[dir];
	size_t was = reorder->held_bytes;
	bool is_more = reorder_next(reorder, ret);

	count_held(connections, connection->holder, was, reorder->held_bytes);
	return is_more;
}

void plain_drop(struct connections *connections, struct connection *connection)
{
	struct plain *plain = connection->plain;

	for (int dir = 0; plain && dir < 2; dir++) {
		count_held(connections, connection->holder, plain->reorder[dir].held_bytes, 0);
		reorder_clear(&plain->reorder[dir]);
	}
	free(plain);
	connection->plain = NULL;
}

/* All of them are looked at for each call that ends, so whoever makes more is not waited for. */
static void hop(struct connections *connections, struct connection *connection, struct item *item)
{
	if (item->is_hop || connection->holder->n_hops >= CONNECTIONS_HOPS_MAX)
		return;
	item->is_hop = true;
	connection->holder->n_hops++;
	DL_APPEND2(connections->hops, item, hop_prev, hop_next);
}

void connections_paired(struct connections *connections, uint64_t id)
{
	struct connection *connection = connection_find(connections, id);
	struct item *item;

	if (!connection || !pairs_is_tunnelled(connections->pipeline->pairs, id))
		return;
	DL_FOREACH(connection->items, item)
	{
		hop(connections, connection, item);
	}
}

void item_enter(struct connections *connections, struct connection *connection, struct item *item)
{
	item->tgid = connection->tgid;
	DL_APPEND(connection->items, item);
	connection->n_items++;
	connections->stats.calls++;
	if (api_is_added(item->reading.host) ||
	    pairs_is_tunnelled(connections->pipeline->pairs, connection->id))
		hop(connections, connection, item);
}

void item_leave(struct connections *connections, struct connection *connection, struct item *item)
{
	if (item->is_hop) {
		DL_DELETE2(connections->hops, item, hop_prev, hop_next);
		connection->holder->n_hops--;
	}
	DL_DELETE(connection->items, item);
	connection->n_items--;
	connections->stats.calls--;
}

bool connections_may_be_passed_on(const struct connections *connections, uint32_t tgid,
				  const struct charge *charge)
{
	const struct item *item;

	DL_FOREACH2(connections->hops, item, hop_next)
	{
		const char *host = item->reading.host;
		uint64_t ids[CHARGE_IDS];

		if (item->tgid == tgid || item->start_ns >= charge->start_mono_ns + LEGS_SLACK_NS ||
		    (strcmp(host, charge->host) != 0 && !api_is_added(host)))
			continue;
		reading_ids(&item->reading, ids);
		/* A gateway's header fields may name the call before its body does. */
		if (!ids[0] || charge_shares_id(charge->ids, ids))
			return true;
	}
	return false;
}
