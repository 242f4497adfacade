/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/quic_flows.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "quic/greeting.h"

/* As the kernel sends up of one connection (bpf/quic.h). */
#define DATAGRAMS_MAX 4

struct entry {
	UT_hash_handle hh; /* in the order in which they began */
	__u64 id;
	unsigned datagrams;
	struct greeting *greeting;
};

struct quic_flows {
	struct entry *entries;
};

struct quic_flows *quic_flows_new(void)
{
	return calloc(1, sizeof(struct quic_flows));
}

static void drop(struct quic_flows *quic_flows, struct entry *entry)
{
	HASH_DEL(quic_flows->entries, entry);
	greeting_free(entry->greeting);
	free(entry);
}

struct quic_flows *quic_flows_free(struct quic_flows *quic_flows)
{
	if (!quic_flows)
		return NULL;
	while (quic_flows->entries)
		drop(quic_flows, quic_flows->entries);
	free(quic_flows);
	return NULL;
}

static struct entry *meet(struct quic_flows *quic_flows, __u64 id)
{
	struct entry *entry;

	HASH_FIND(hh, quic_flows->entries, &id, sizeof(id), entry);
	if (entry)
		return entry;
	if (HASH_COUNT(quic_flows->entries) >= QUIC_FLOWS_MAX)
		drop(quic_flows, quic_flows->entries);
	entry = calloc(1, sizeof(*entry));
	if (entry)
		entry->greeting = greeting_new();
	if (!entry || !entry->greeting) {
		free(entry);
		return NULL;
	}
	entry->id = id;
	HASH_ADD(hh, quic_flows->entries, id, sizeof(entry->id), entry);
	if (!entry->hh.tbl) {
		greeting_free(entry->greeting);
		free(entry);
		return NULL;
	}
	return entry;
}

enum quic_flows_result quic_flows_take(struct quic_flows *quic_flows, const struct ev_quic *event,
				       char *ret_host)
{
	struct entry *entry = meet(quic_flows, event->flow.head.id);
	enum greeting_result result;

	if (!entry)
		return QUIC_FLOWS_NONE;
	result = greeting_feed(entry->greeting, event->bytes, event->len);
	if (result == GREETING_MORE && ++entry->datagrams < DATAGRAMS_MAX)
		return QUIC_FLOWS_MORE;
	if (result == GREETING_NAME)
		snprintf(ret_host, EV_HOST_LEN, "%s", greeting_name(entry->greeting));
	drop(quic_flows, entry);
	return result == GREETING_NAME ? QUIC_FLOWS_NAME : QUIC_FLOWS_NONE;
}
