/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/quic_flows.h"

#include <stdio.h>
#include <stdlib.h>
#include <uthash.h>

#include "quic/greeting.h"

/* As the kernel sends up of one connection (bpf/quic.h). */
#define DATAGRAMS_MAX 4

struct entry {
	UT_hash_handle hh; /* in the order in which they began */
	__u64 id;
	unsigned datagrams;
	struct greeting *greeting;
};

struct quics {
	struct entry *entries;
};

struct quics *quics_new(void)
{
	return calloc(1, sizeof(struct quics));
}

static void drop(struct quics *quics, struct entry *entry)
{
	HASH_DEL(quics->entries, entry);
	greeting_free(entry->greeting);
	free(entry);
}

struct quics *quics_free(struct quics *quics)
{
	if (!quics)
		return NULL;
	while (quics->entries)
		drop(quics, quics->entries);
	free(quics);
	return NULL;
}

static struct entry *meet(struct quics *quics, __u64 id)
{
	struct entry *entry;

	HASH_FIND(hh, quics->entries, &id, sizeof(id), entry);
	if (entry)
		return entry;
	if (HASH_COUNT(quics->entries) >= QUICS_MAX)
		drop(quics, quics->entries);
	entry = calloc(1, sizeof(*entry));
	if (entry)
		entry->greeting = greeting_new();
	if (!entry || !entry->greeting) {
		free(entry);
		return NULL;
	}
	entry->id = id;
	HASH_ADD(hh, quics->entries, id, sizeof(entry->id), entry);
	return entry;
}

enum quics_result quics_take(struct quics *quics, const struct ev_quic *event, char *ret_host)
{
	struct entry *entry = meet(quics, event->flow.head.id);
	enum greeting_result result;

	if (!entry)
		return QUICS_NONE;
	result = greeting_feed(entry->greeting, event->bytes, event->len);
	if (result == GREETING_MORE && ++entry->datagrams < DATAGRAMS_MAX)
		return QUICS_MORE;
	if (result == GREETING_NAME)
		snprintf(ret_host, EV_HOST_LEN, "%s", greeting_name(entry->greeting));
	drop(quics, entry);
	return result == GREETING_NAME ? QUICS_NAME : QUICS_NONE;
}
