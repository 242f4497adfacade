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

struct withheld {
	struct entry entries[WITHHELD_MAX]; /* a ring */
	size_t n, next;
};

struct withheld *withheld_new(void)
{
	return calloc(1, sizeof(struct withheld));
}

struct withheld *withheld_free(struct withheld *withheld)
{
	free(withheld);
	return NULL;
}

static struct entry *find(struct withheld *withheld, uint64_t cookie)
{
	for (size_t i = 0; i < withheld->n; i++)
		if (withheld->entries[i].cookie == cookie)
			return &withheld->entries[i];
	return NULL;
}

void withheld_put(struct withheld *withheld, const struct ev_flow *flow, uint64_t since_ns)
{
	struct entry *entry = find(withheld, flow->head.id);

	if (!entry) {
		entry = &withheld->entries[withheld->next];
		withheld->next = (withheld->next + 1) % WITHHELD_MAX;
		if (withheld->n < WITHHELD_MAX)
			withheld->n++;
		*entry = (struct entry){ .cookie = flow->head.id, .tgid = flow->head.tgid };
		memcpy(entry->host, flow->host, sizeof(entry->host));
	}
	entry->since_ns = since_ns;
}

void withheld_drop(struct withheld *withheld, uint64_t cookie)
{
	struct entry *entry = find(withheld, cookie);

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
	return ns >= entry->since_ns || distance(entry, ns) <= WITHHELD_BEFORE_NS;
}

/* May it be the one that was held first? */
static bool fits(const struct entry *entry, const struct withheld_call *call)
{
	if (is_behind(entry, call->start_ns))
		return distance(entry, call->start_ns) <= WITHHELD_AFTER_NS;
	return distance(entry, call->start_ns) <= WITHHELD_EARLY_NS &&
	       (!call->next_ns || (call->next_ns > entry->since_ns &&
				   distance(entry, call->next_ns) > WITHHELD_BEFORE_NS));
}

bool withheld_explains(struct withheld *withheld, const struct withheld_call *call)
{
	struct entry *nearest = NULL;

	for (size_t i = 0; i < withheld->n; i++) {
		struct entry *entry = &withheld->entries[i];

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
