/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/relays.h"

#include <stdlib.h>

#include "base/hash.h"

struct entry {
	UT_hash_handle hh; /* in the order in which they came */
	uint64_t hello;
	uint64_t cookie; /* of the flow that sent it first */
};

struct relays {
	struct entry *entries;
};

struct relays *relays_new(void)
{
	return calloc(1, sizeof(struct relays));
}

static void drop(struct relays *relays, struct entry *entry)
{
	HASH_DEL(relays->entries, entry);
	free(entry);
}

struct relays *relays_free(struct relays *relays)
{
	if (!relays)
		return NULL;
	while (relays->entries)
		drop(relays, relays->entries);
	free(relays);
	return NULL;
}

bool relays_is_relayed(struct relays *relays, uint64_t hello, uint64_t cookie)
{
	struct entry *entry;

	HASH_FIND(hh, relays->entries, &hello, sizeof(hello), entry);
	if (entry)
		return entry->cookie != cookie;
	if (HASH_COUNT(relays->entries) >= RELAYS_MAX)
		drop(relays, relays->entries);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return false;
	entry->hello = hello;
	entry->cookie = cookie;
	HASH_ADD(hh, relays->entries, hello, sizeof(entry->hello), entry);
	if (!entry->hh.tbl)
		free(entry);
	return false;
}
