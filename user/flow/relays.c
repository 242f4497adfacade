/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/relays.h"

#include <stdlib.h>
#include <uthash.h>

struct entry {
	UT_hash_handle hh; /* in the order in which they came */
	uint64_t hello;
	uint64_t cookie; /* of the flow that sent it first */
};

struct hellos {
	struct entry *entries;
};

struct hellos *hellos_new(void)
{
	return calloc(1, sizeof(struct hellos));
}

static void drop(struct hellos *hellos, struct entry *entry)
{
	HASH_DEL(hellos->entries, entry);
	free(entry);
}

struct hellos *hellos_free(struct hellos *hellos)
{
	if (!hellos)
		return NULL;
	while (hellos->entries)
		drop(hellos, hellos->entries);
	free(hellos);
	return NULL;
}

bool hellos_is_copy(struct hellos *hellos, uint64_t hello, uint64_t cookie)
{
	struct entry *entry;

	HASH_FIND(hh, hellos->entries, &hello, sizeof(hello), entry);
	if (entry)
		return entry->cookie != cookie;
	if (HASH_COUNT(hellos->entries) >= HELLOS_MAX)
		drop(hellos, hellos->entries);
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return false;
	entry->hello = hello;
	entry->cookie = cookie;
	HASH_ADD(hh, hellos->entries, hello, sizeof(entry->hello), entry);
	return false;
}
