/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/addresses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/hash.h"

struct key {
	uint8_t addr[16];
	uint16_t port;
	uint16_t family;
	uint32_t netns;
};

struct entry {
	UT_hash_handle hh; /* in the order in which they were learned */
	struct key key;
	char host[EV_HOST_LEN];
};

struct addresses {
	struct entry *entries;
};

struct addresses *addresses_new(void)
{
	return calloc(1, sizeof(struct addresses));
}

static void drop(struct addresses *addresses, struct entry *entry)
{
	HASH_DEL(addresses->entries, entry);
	free(entry);
}

struct addresses *addresses_free(struct addresses *addresses)
{
	if (!addresses)
		return NULL;
	while (addresses->entries)
		drop(addresses, addresses->entries);
	free(addresses);
	return NULL;
}

static struct entry *find(const struct addresses *addresses, uint32_t netns, uint8_t family,
			  const uint8_t addr[16], uint16_t port, struct key *ret_key)
{
	struct entry *entry;

	memset(ret_key, 0, sizeof(*ret_key));
	memcpy(ret_key->addr, addr, family == AF_INET ? 4 : 16);
	ret_key->port = port;
	ret_key->family = family;
	ret_key->netns = netns;
	HASH_FIND(hh, addresses->entries, ret_key, sizeof(*ret_key), entry);
	return entry;
}

void addresses_learn(struct addresses *addresses, uint32_t netns, uint8_t family,
		     const uint8_t addr[16], uint16_t port, const char *host)
{
	struct key key;
	struct entry *entry = find(addresses, netns, family, addr, port, &key);

	if (!entry) {
		if (HASH_COUNT(addresses->entries) >= ADDRESSES_MAX)
			drop(addresses, addresses->entries);
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->key = key;
		HASH_ADD(hh, addresses->entries, key, sizeof(entry->key), entry);
		if (!entry->hh.tbl) {
			free(entry);
			return;
		}
	}
	snprintf(entry->host, sizeof(entry->host), "%s", host);
}

const char *addresses_host(const struct addresses *addresses, uint32_t netns, uint8_t family,
			   const uint8_t addr[16], uint16_t port)
{
	struct key key;
	const struct entry *entry = find(addresses, 0, family, addr, port, &key);

	if (!entry)
		entry = find(addresses, netns, family, addr, port, &key);

	return entry ? entry->host : NULL;
}
