/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/pairs.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

struct pair {
	UT_hash_handle hh; /* the oldest first */
	uint64_t connection;
	struct pairs_sockets sockets;
};

struct pairs {
	struct pair *table;
};

struct pairs *pairs_new(void)
{
	return calloc(1, sizeof(struct pairs));
}

static struct pair *find(const struct pairs *pairs, uint64_t connection)
{
	struct pair *pair;

	HASH_FIND(hh, pairs->table, &connection, sizeof(connection), pair);
	return pair;
}

static void drop(struct pairs *pairs, struct pair *pair)
{
	HASH_DEL(pairs->table, pair);
	free(pair);
}

struct pairs *pairs_free(struct pairs *pairs)
{
	if (!pairs)
		return NULL;
	while (pairs->table)
		drop(pairs, pairs->table);
	free(pairs);
	return NULL;
}

static int add_socket(struct pairs_sockets *sockets, uint64_t cookie, const struct pairs_peer *peer)
{
	for (size_t i = 0; i < sockets->n; i++)
		if (sockets->cookies[i] == cookie)
			return -EEXIST;
	if (sockets->n < PAIRS_SOCKETS_MAX) {
		sockets->peers[sockets->n] = *peer;
		sockets->cookies[sockets->n++] = cookie;
	}
	return -EEXIST;
}

int pairs_put(struct pairs *pairs, uint64_t connection, uint64_t cookie,
	      const struct pairs_peer *peer)
{
	struct pair *pair = find(pairs, connection);

	if (pair)
		return add_socket(&pair->sockets, cookie, peer);
	if (HASH_COUNT(pairs->table) >= PAIRS_MAX)
		drop(pairs, pairs->table);
	pair = calloc(1, sizeof(*pair));
	if (!pair)
		return -ENOMEM;
	pair->connection = connection;
	(void)add_socket(&pair->sockets, cookie, peer);
	HASH_ADD(hh, pairs->table, connection, sizeof(pair->connection), pair);
	if (pair->hh.tbl)
		return 0;
	free(pair);
	return -ENOMEM;
}

const struct pairs_sockets *pairs_get(const struct pairs *pairs, uint64_t connection)
{
	const struct pair *pair = find(pairs, connection);

	return pair ? &pair->sockets : NULL;
}

bool pairs_is_tunnelled(const struct pairs *pairs, uint64_t connection)
{
	const struct pairs_sockets *sockets = pairs_get(pairs, connection);

	for (size_t i = 0; sockets && i < sockets->n; i++)
		if (sockets->peers[i].is_tunnelled)
			return true;
	return false;
}

void pairs_drop(struct pairs *pairs, uint64_t connection)
{
	struct pair *pair = find(pairs, connection);

	if (pair)
		drop(pairs, pair);
}
