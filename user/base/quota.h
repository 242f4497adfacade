/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a table that tenants share, so that none takes others' at will. Of a tenant with all the rows it may
 * have, the least recently used gives way; in a full table, that of the tenant with most, so one with many
 * cgroups takes others' only down to what each of its own has. It holds keys alone: what is in a row is the
 * caller's array of as many.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct quota;

#define QUOTA_NONE SIZE_MAX

/* `rows` in all, `per_tenant` of one at most. NULL: no memory. 40 bytes a row. */
struct quota *quota_new(size_t rows, size_t per_tenant);
struct quota *quota_free(struct quota *quota);

/* The row of a key (not 0); QUOTA_NONE: there is none. */
size_t quota_find(const struct quota *quota, uint64_t key);
/* It was used now. */
void quota_touch(struct quota *quota, size_t row);
/* A row for a key that has none, touched; another's may have had to go. What is in it is stale. */
size_t quota_take(struct quota *quota, uint64_t tenant, uint64_t key);

bool quota_is_used(const struct quota *quota, size_t row);
uint64_t quota_tenant(const struct quota *quota, size_t row);

struct quota_stats {
	uint64_t rows;    /* now */
	uint64_t evicted; /* rows that were dropped for another's sake */
};
void quota_stats(const struct quota *quota, struct quota_stats *ret);

#endif
