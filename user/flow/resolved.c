/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/resolved.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"
#include "base/quota.h"
#include "usage/charge.h"

struct key {
	char provider[CHARGE_NAME_LEN]; /* "": it is a proxy */
	uint8_t addr[16];
	uint32_t netns;
	uint16_t family, port; /* port: of a proxy */
};

struct row {
	struct key key;
	uint64_t given_ns;
};

struct table {
	struct quota *quota;
	struct row *rows;
};

struct resolved {
	uint32_t own_netns;
	struct table node, others;
};

static bool table_new(struct table *table, size_t rows, size_t per_tenant)
{
	table->quota = quota_new(rows, per_tenant);
	table->rows = calloc(rows, sizeof(*table->rows));
	return table->quota && table->rows;
}

static void table_free(struct table *table)
{
	quota_free(table->quota);
	free(table->rows);
}

struct resolved *resolved_new(uint32_t own_netns)
{
	struct resolved *resolved = calloc(1, sizeof(*resolved));

	if (!resolved)
		return NULL;
	resolved->own_netns = own_netns;
	if (!table_new(&resolved->node, RESOLVED_NODE, RESOLVED_NODE) ||
	    !table_new(&resolved->others, RESOLVED_OTHERS, RESOLVED_PER_NAMESPACE))
		return resolved_free(resolved);
	return resolved;
}

struct resolved *resolved_free(struct resolved *resolved)
{
	if (!resolved)
		return NULL;
	table_free(&resolved->node);
	table_free(&resolved->others);
	free(resolved);
	return NULL;
}

static struct key key_of(uint32_t netns, uint8_t family, const uint8_t addr[16],
			 const char *provider)
{
	struct key key = { .netns = netns, .family = family };

	memcpy(key.addr, addr, family == AF_INET ? 4 : 16);
	snprintf(key.provider, sizeof(key.provider), "%s", provider);
	return key;
}

/* FNV-1a; never 0, which is no key of a quota. Two keys with one number share a row, which then has the last. */
static uint64_t number_of(const struct key *key)
{
	return hash_fnv1a(FNV1A_BASIS, key, sizeof(*key)) ?: 1;
}

static void learn(struct resolved *resolved, const struct key *key, uint64_t now_ns)
{
	struct table *table = key->netns ? &resolved->others : &resolved->node;
	uint64_t number = number_of(key);
	size_t row = quota_find(table->quota, number);

	if (row == QUOTA_NONE)
		row = quota_take(table->quota, key->netns, number);
	else
		quota_touch(table->quota, row);
	table->rows[row] = (struct row){ *key, now_ns };
}

void resolved_learn(struct resolved *resolved, uint32_t netns, uint8_t family,
		    const uint8_t addr[16], const char *provider, uint64_t now_ns)
{
	struct key key = key_of(netns, family, addr, provider);

	learn(resolved, &key, now_ns);
}

void resolved_learn_proxy(struct resolved *resolved, uint8_t family, const uint8_t addr[16],
			  uint16_t port, uint64_t now_ns)
{
	struct key key = key_of(0, family, addr, "");

	key.port = port;
	learn(resolved, &key, now_ns);
}

static bool table_knows(const struct table *table, const struct key *key, uint64_t now_ns)
{
	size_t row = quota_find(table->quota, number_of(key));

	return row != QUOTA_NONE && !memcmp(&table->rows[row].key, key, sizeof(*key)) &&
	       now_ns < table->rows[row].given_ns + RESOLVED_KEEP_NS;
}

static bool is_loopback(uint8_t family, const uint8_t addr[16])
{
	static const uint8_t loopback6[16] = { [15] = 1 };

	return family == AF_INET ? addr[0] == 127 : !memcmp(addr, loopback6, sizeof(loopback6));
}

/* By what the node was told. */
static bool node_knows(const struct resolved *resolved, uint32_t netns, const struct key *key,
		       uint64_t now_ns)
{
	return (netns == resolved->own_netns || !is_loopback((uint8_t)key->family, key->addr)) &&
	       table_knows(&resolved->node, key, now_ns);
}

bool resolved_knows(const struct resolved *resolved, uint32_t netns, uint8_t family,
		    const uint8_t addr[16], const char *provider, uint64_t now_ns)
{
	struct key key = key_of(0, family, addr, provider);

	if (node_knows(resolved, netns, &key, now_ns))
		return true;
	key.netns = netns;
	return netns && table_knows(&resolved->others, &key, now_ns);
}

bool resolved_knows_proxy(const struct resolved *resolved, uint32_t netns, uint8_t family,
			  const uint8_t addr[16], uint16_t port, uint64_t now_ns)
{
	struct key key = key_of(0, family, addr, "");

	key.port = port;
	return node_knows(resolved, netns, &key, now_ns);
}
