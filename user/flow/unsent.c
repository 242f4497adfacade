/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/unsent.h"

#include <stdlib.h>
#include <string.h>

struct entry {
	uint64_t cookie; /* 0: none */
	uint64_t since_ns;
	uint64_t connection; /* whose calls waited here; 0: not known yet */
	uint32_t tgid;
	char host[EV_HOST_LEN];
};

struct unsent {
	struct entry entries[UNSENT_MAX]; /* a ring */
	size_t n, next;
};

struct unsent *unsent_new(void)
{
	return calloc(1, sizeof(struct unsent));
}

struct unsent *unsent_free(struct unsent *unsent)
{
	free(unsent);
	return NULL;
}

static struct entry *find(struct unsent *unsent, uint64_t cookie)
{
	for (size_t i = 0; i < unsent->n; i++)
		if (unsent->entries[i].cookie == cookie)
			return &unsent->entries[i];
	return NULL;
}

void unsent_put(struct unsent *unsent, const struct ev_flow *flow, uint64_t since_ns)
{
	struct entry *entry = find(unsent, flow->head.id);

	if (!entry) {
		entry = &unsent->entries[unsent->next];
		unsent->next = (unsent->next + 1) % UNSENT_MAX;
		if (unsent->n < UNSENT_MAX)
			unsent->n++;
		*entry = (struct entry){ .cookie = flow->head.id, .tgid = flow->head.tgid };
		memcpy(entry->host, flow->host, sizeof(entry->host));
	}
	entry->since_ns = since_ns;
}

void unsent_drop(struct unsent *unsent, uint64_t cookie)
{
	struct entry *entry = find(unsent, cookie);

	if (entry)
		*entry = (struct entry){ 0 };
}

static uint64_t distance(const struct entry *entry, uint64_t ns)
{
	return ns > entry->since_ns ? ns - entry->since_ns : entry->since_ns - ns;
}

/* Did it begin as the holding did, or later? */
static bool is_behind(const struct entry *entry, uint64_t ns)
{
	return ns >= entry->since_ns || distance(entry, ns) <= UNSENT_BEFORE_NS;
}

/* May it be the one that was held first? */
static bool fits(const struct entry *entry, const struct unsent_call *call)
{
	if (is_behind(entry, call->start_ns))
		return distance(entry, call->start_ns) <= UNSENT_AFTER_NS;
	return distance(entry, call->start_ns) <= UNSENT_EARLY_NS &&
	       (!call->next_ns || (call->next_ns > entry->since_ns &&
				   distance(entry, call->next_ns) > UNSENT_BEFORE_NS));
}

bool unsent_explains(struct unsent *unsent, const struct unsent_call *call)
{
	struct entry *nearest = NULL;

	for (size_t i = 0; i < unsent->n; i++) {
		struct entry *entry = &unsent->entries[i];

		if (!entry->cookie || entry->tgid != call->tgid || strcmp(entry->host, call->host))
			continue;
		if (entry->connection == call->connection)
			return is_behind(entry, call->start_ns);
		if (!entry->connection && fits(entry, call) &&
		    (!nearest || distance(entry, call->start_ns) < distance(nearest, call->start_ns)))
			nearest = entry;
	}
	if (nearest)
		nearest->connection = call->connection;
	return nearest;
}
