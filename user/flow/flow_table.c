/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/flow_table.h"

#include <errno.h>
#include <stdlib.h>

#include "base/hash.h"

struct entry {
	UT_hash_handle hh;
	struct ev_flow flow; /* head.id is the key */
	bool is_relayed, is_reset;
	enum ev_carries carries;
	uint64_t connections[FLOWS_PAIRED_MAX];
	size_t n_connections;  /* ever */
	uint64_t explained[2]; /* plaintext that was read of the connections that it carries */
};

struct flows {
	struct entry *entries;
};

struct flows *flow_table_new(void)
{
	return calloc(1, sizeof(struct flows));
}

static void drop(struct flows *flows, struct entry *entry)
{
	HASH_DEL(flows->entries, entry);
	free(entry);
}

struct flows *flow_table_free(struct flows *flows)
{
	struct entry *entry, *next;

	if (!flows)
		return NULL;
	HASH_ITER(hh, flows->entries, entry, next)
		drop(flows, entry);
	free(flows);
	return NULL;
}

static struct entry *find(const struct flows *flows, __u64 cookie)
{
	struct entry *entry;

	HASH_FIND(hh, flows->entries, &cookie, sizeof(cookie), entry);
	return entry;
}

int flow_table_put(struct flows *flows, const struct ev_flow *flow)
{
	struct entry *entry = find(flows, flow->head.id);

	if (entry) {
		entry->flow = *flow;
		return 0;
	}
	if (HASH_COUNT(flows->entries) >= FLOWS_MAX)
		return -ENOSPC;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	entry->flow = *flow;
	HASH_ADD(hh, flows->entries, flow.head.id, sizeof(entry->flow.head.id), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return -ENOMEM;
	}
	return 0;
}

const struct ev_flow *flow_table_get(const struct flows *flows, __u64 cookie)
{
	struct entry *entry = find(flows, cookie);

	return entry ? &entry->flow : NULL;
}

void flow_table_drop(struct flows *flows, __u64 cookie)
{
	struct entry *entry = find(flows, cookie);

	if (entry)
		drop(flows, entry);
}

void flow_table_set_relayed(struct flows *flows, __u64 cookie)
{
	struct entry *entry = find(flows, cookie);

	if (entry)
		entry->is_relayed = true;
}

bool flow_table_is_relayed(const struct flows *flows, __u64 cookie)
{
	const struct entry *entry = find(flows, cookie);

	return entry && entry->is_relayed;
}

void flow_table_set_carries(struct flows *flows, __u64 cookie, enum ev_carries carries)
{
	struct entry *entry = find(flows, cookie);

	if (entry)
		entry->carries = carries;
}

enum ev_carries flow_table_carries(const struct flows *flows, __u64 cookie)
{
	const struct entry *entry = find(flows, cookie);

	return entry ? entry->carries : EV_CARRIES_OWN;
}

void flow_table_set_paired(struct flows *flows, __u64 cookie, uint64_t connection)
{
	struct entry *entry = find(flows, cookie);

	if (entry)
		entry->connections[entry->n_connections++ % FLOWS_PAIRED_MAX] = connection;
}

size_t flow_table_paired(const struct flows *flows, __u64 cookie,
			 uint64_t ret_connections[FLOWS_PAIRED_MAX])
{
	const struct entry *entry = find(flows, cookie);
	size_t n = entry ? entry->n_connections : 0;

	if (n > FLOWS_PAIRED_MAX)
		n = FLOWS_PAIRED_MAX;
	for (size_t i = 0; i < n; i++)
		ret_connections[i] = entry->connections[i];
	return n;
}

bool flow_table_is_paired(const struct flows *flows, __u64 cookie)
{
	const struct entry *entry = find(flows, cookie);

	return entry && entry->n_connections;
}

void flow_table_explain(struct flows *flows, __u64 cookie, enum ev_dir dir, uint64_t bytes)
{
	struct entry *entry = find(flows, cookie);

	if (entry)
		entry->explained[dir] += bytes;
}

void flow_table_explained(const struct flows *flows, __u64 cookie, uint64_t ret_bytes[2])
{
	const struct entry *entry = find(flows, cookie);

	for (int dir = 0; dir < 2; dir++)
		ret_bytes[dir] = entry ? entry->explained[dir] : 0;
}

bool flow_table_set_reset(struct flows *flows, __u64 cookie)
{
	struct entry *entry = find(flows, cookie);
	bool is_new = entry && !entry->is_reset;

	if (entry)
		entry->is_reset = true;
	return is_new;
}

size_t flow_table_count(const struct flows *flows)
{
	return HASH_COUNT(flows->entries);
}

void flow_table_each(struct flows *flows, void (*fn)(void *arg, const struct ev_flow *flow),
		     void *arg)
{
	struct entry *entry, *next;

	HASH_ITER(hh, flows->entries, entry, next)
		fn(arg, &entry->flow);
}
