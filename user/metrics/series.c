/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/series.h"

#include <stdlib.h>
#include <string.h>

TAILQ_HEAD(rows, series_row);

struct series_table {
	size_t row_size, max;
	void (*dropped)(void *arg, struct series_row *row);
	void *arg;
	unsigned pins;
	struct series_row *hash;
	struct rows lru;           /* the least recently used first */
	struct series_row **slots; /* as many as there ever were at once, at most max */
	size_t n_slots, n_room;
};

struct series_table *series_new(size_t row_size, size_t max,
				void (*dropped)(void *arg, struct series_row *row), void *arg)
{
	struct series_table *series = calloc(1, sizeof(*series));

	if (!series)
		return NULL;
	series->row_size = row_size;
	series->max = max;
	series->dropped = dropped;
	series->arg = arg;
	TAILQ_INIT(&series->lru);
	return series;
}

void series_drop(struct series_table *series, struct series_row *row)
{
	if (series->dropped)
		series->dropped(series->arg, row);
	HASH_DEL(series->hash, row);
	TAILQ_REMOVE(&series->lru, row, lru);
	series->slots[row->slot] = NULL;
	free(row->labels);
	free(row);
}

struct series_table *series_free(struct series_table *series)
{
	if (!series)
		return NULL;
	while (!TAILQ_EMPTY(&series->lru))
		series_drop(series, TAILQ_FIRST(&series->lru));
	free(series->slots);
	free(series);
	return NULL;
}

void series_expire(struct series_table *series, uint64_t now_ns)
{
	struct series_row *oldest;

	while (!series->pins && (oldest = TAILQ_FIRST(&series->lru)) &&
	       now_ns - oldest->used_ns >= SERIES_KEEP_NS)
		series_drop(series, oldest);
}

static bool grow(struct series_table *series)
{
	size_t room = series->n_room ? series->n_room * 2 : 64;
	struct series_row **slots;

	if (series->n_slots < series->n_room)
		return true;
	if (room > series->max)
		room = series->max;
	slots = realloc(series->slots, room * sizeof(*slots));
	if (!slots)
		return false;
	series->slots = slots;
	series->n_room = room;
	return true;
}

/* A slot for one more row; the oldest idle row may have to go. False: there is none. */
static bool make_room(struct series_table *series, uint64_t now_ns, size_t *ret_slot)
{
	struct series_row *oldest = TAILQ_FIRST(&series->lru);

	if (HASH_COUNT(series->hash) < series->n_slots) {
		*ret_slot = series->n_slots - 1;
		while (series->slots[*ret_slot]) /* few: only what expired or had no memory */
			--*ret_slot;
		return true;
	}
	if (series->n_slots < series->max) {
		if (!grow(series))
			return false;
		series->slots[series->n_slots] = NULL;
		*ret_slot = series->n_slots++;
		return true;
	}
	if (!oldest || series->pins || now_ns - oldest->used_ns < SERIES_IDLE_NS)
		return false;
	*ret_slot = oldest->slot;
	series_drop(series, oldest);
	return true;
}

struct series_row *series_find(struct series_table *series, const char *labels, uint64_t now_ns)
{
	struct series_row *row;

	HASH_FIND_STR(series->hash, labels, row);
	if (!row)
		return NULL;
	row->used_ns = now_ns;
	TAILQ_REMOVE(&series->lru, row, lru);
	TAILQ_INSERT_TAIL(&series->lru, row, lru);
	return row;
}

struct series_row *series_get(struct series_table *series, const char *labels, uint64_t now_ns)
{
	struct series_row *row = series_find(series, labels, now_ns);
	size_t slot;

	if (row)
		return row;
	row = calloc(1, series->row_size);
	if (!row)
		return NULL;
	row->labels = strdup(labels);
	if (!row->labels || !make_room(series, now_ns, &slot)) {
		free(row->labels);
		free(row);
		return NULL;
	}
	row->slot = slot;
	series->slots[slot] = row;
	row->made_ns = row->used_ns = now_ns;
	TAILQ_INSERT_TAIL(&series->lru, row, lru);
	HASH_ADD_KEYPTR(hh, series->hash, row->labels, strlen(row->labels), row);
	if (!row->hh.tbl) { /* no memory for the hash */
		series->slots[slot] = NULL;
		TAILQ_REMOVE(&series->lru, row, lru);
		free(row->labels);
		free(row);
		return NULL;
	}
	return row;
}

size_t series_slots(const struct series_table *series)
{
	return series->n_slots;
}

struct series_row *series_at(const struct series_table *series, size_t slot)
{
	return slot < series->n_slots ? series->slots[slot] : NULL;
}

size_t series_count(const struct series_table *series)
{
	return HASH_COUNT(series->hash);
}

void series_pin(struct series_table *series, bool pinned)
{
	series->pins += pinned ? 1 : -1;
}

uint64_t series_cell(struct series_row *row, enum series_reader reader, unsigned cell,
		     uint64_t value, uint64_t now_ns)
{
	uint64_t bit = 1ULL << cell;
	typeof(row->births[0]) *birth = &row->births[reader];

	if (birth->young && now_ns - birth->young_ns >= SERIES_BIRTH_NS)
		birth->young = 0;
	if (!(birth->shown & bit)) {
		birth->shown |= bit;
		birth->young |= bit;
		birth->young_ns = now_ns;
	}
	return birth->young & bit ? 0 : value;
}
