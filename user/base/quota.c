/* SPDX-License-Identifier: Apache-2.0 */
#include "base/quota.h"

#include <stdlib.h>

struct tenant {
	uint64_t id;
	size_t rows; /* 0: a free slot */
};

struct quota {
	size_t n_rows, per_tenant;
	uint64_t *keys; /* 0: free */
	uint64_t *used; /* clock of the last use */
	size_t *tenant_of;
	struct tenant *tenants; /* as many slots as rows */
	uint64_t clock, evicted;
};

struct quota *quota_new(size_t rows, size_t per_tenant)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return NULL;
	*quota = (struct quota){ .n_rows = rows, .per_tenant = per_tenant };
	quota->keys = calloc(rows, sizeof(*quota->keys));
	quota->used = calloc(rows, sizeof(*quota->used));
	quota->tenant_of = calloc(rows, sizeof(*quota->tenant_of));
	quota->tenants = calloc(rows, sizeof(*quota->tenants));
	if (!quota->keys || !quota->used || !quota->tenant_of || !quota->tenants)
		return quota_free(quota);
	return quota;
}

struct quota *quota_free(struct quota *quota)
{
	if (!quota)
		return NULL;
	free(quota->keys);
	free(quota->used);
	free(quota->tenant_of);
	free(quota->tenants);
	free(quota);
	return NULL;
}

size_t quota_find(const struct quota *quota, uint64_t key)
{
	for (size_t i = 0; i < quota->n_rows; i++)
		if (quota->keys[i] == key)
			return i;
	return QUOTA_NONE;
}

void quota_touch(struct quota *quota, size_t row)
{
	quota->used[row] = ++quota->clock;
}

/* The tenant's slot; a free one if it has none yet. QUOTA_NONE: none is free, so no row is either. */
static size_t slot_of(const struct quota *quota, uint64_t tenant)
{
	size_t free_slot = QUOTA_NONE;

	for (size_t i = 0; i < quota->n_rows; i++) {
		if (quota->tenants[i].rows && quota->tenants[i].id == tenant)
			return i;
		if (!quota->tenants[i].rows && free_slot == QUOTA_NONE)
			free_slot = i;
	}
	return free_slot;
}

/* The row that was used least recently, of one tenant, or (QUOTA_NONE) of those that have `rows`. */
static size_t oldest(const struct quota *quota, size_t slot, size_t rows)
{
	size_t found = QUOTA_NONE;

	for (size_t i = 0; i < quota->n_rows; i++) {
		size_t of = quota->tenant_of[i];

		if (!quota->keys[i] ||
		    (slot != QUOTA_NONE ? of != slot : quota->tenants[of].rows != rows))
			continue;
		if (found == QUOTA_NONE || quota->used[i] < quota->used[found])
			found = i;
	}
	return found;
}

static size_t row_to_evict(const struct quota *quota)
{
	size_t most = 0;

	for (size_t i = 0; i < quota->n_rows; i++)
		if (quota->tenants[i].rows > most)
			most = quota->tenants[i].rows;
	return oldest(quota, QUOTA_NONE, most);
}

/* Room for one more row of the tenant in this slot; what was there is dropped. */
static size_t make_room(struct quota *quota, size_t slot)
{
	size_t row = 0;

	if (slot != QUOTA_NONE && quota->tenants[slot].rows >= quota->per_tenant)
		row = oldest(quota, slot, 0);
	else
		while (row < quota->n_rows && quota->keys[row])
			row++;
	if (row == quota->n_rows)
		row = row_to_evict(quota);
	if (quota->keys[row]) {
		quota->evicted++;
		quota->tenants[quota->tenant_of[row]].rows--;
		quota->keys[row] = 0;
	}
	return row;
}

size_t quota_take(struct quota *quota, uint64_t tenant, uint64_t key)
{
	size_t row = make_room(quota, slot_of(quota, tenant));
	size_t slot = slot_of(quota, tenant); /* one may have become free only now */

	quota->tenants[slot].id = tenant;
	quota->tenants[slot].rows++;
	quota->tenant_of[row] = slot;
	quota->keys[row] = key;
	quota_touch(quota, row);
	return row;
}

bool quota_is_used(const struct quota *quota, size_t row)
{
	return quota->keys[row];
}

uint64_t quota_tenant(const struct quota *quota, size_t row)
{
	return quota->tenants[quota->tenant_of[row]].id;
}

void quota_stats(const struct quota *quota, struct quota_stats *ret)
{
	*ret = (struct quota_stats){ .evicted = quota->evicted };
	for (size_t i = 0; i < quota->n_rows; i++)
		ret->rows += quota->keys[i] != 0;
}
