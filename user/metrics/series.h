/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded table of rows of counters by their labels (the words: metrics.h). A row is the first member
 * of the owner's own struct of counters. One that was not used for SERIES_KEEP_NS is dropped; when the
 * table is full, one that was not used for SERIES_IDLE_NS makes room: a pod that ended, mostly. Where
 * none can, the caller gets no row, and counts in one of its own for the rest.
 *
 * Cells and their birth: a scraper can tell an increase only from two samples, so a counter that first
 * appears with its value would never be counted by rate(). A cell therefore shows 0 first, for
 * SERIES_BIRTH_NS, and its value from the next scrape on. Each kind of reader has births of its own:
 * one that is pushed to does not take a scraper's 0.
 */
#ifndef METRICS_SERIES_H
#define METRICS_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash.h"

#define SERIES_KEEP_NS  86400000000000ULL
#define SERIES_IDLE_NS  600000000000ULL /* twice the 5 minutes after which Prometheus forgets one */
#define SERIES_BIRTH_NS 4000000000ULL   /* shorter than any scrape interval in use */
#define SERIES_CELLS    64

enum series_reader { SERIES_SCRAPED, SERIES_PUSHED, SERIES_READERS };

struct series_row {
	UT_hash_handle hh;
	TAILQ_ENTRY(series_row) lru;
	size_t slot;
	uint64_t made_ns, used_ns;
	struct {
		uint64_t shown, young; /* cells, a bit each */
		uint64_t young_ns;
	} births[SERIES_READERS];
	char *labels; /* `namespace="a",pod="b"`: escaped, as they are shown */
};

struct series_table;

/*
 * Rows of row_size bytes, at most `max`. `dropped` (may be NULL) is called for a row before it is freed.
 * NULL: no memory.
 */
struct series_table *series_new(size_t row_size, size_t max,
				void (*dropped)(void *arg, struct series_row *row), void *arg);
struct series_table *series_free(struct series_table *series);

/* The row of these labels, as one that is used now; zeroed if it is new. NULL: no room, no memory. */
struct series_row *series_get(struct series_table *series, const char *labels, uint64_t now_ns);
/* The same, but never makes one. */
struct series_row *series_find(struct series_table *series, const char *labels, uint64_t now_ns);

/* Forgets a row at once; it may not be while pinned. */
void series_drop(struct series_table *series, struct series_row *row);
/* Drops rows that were not used for SERIES_KEEP_NS; to be called now and then. */
void series_expire(struct series_table *series, uint64_t now_ns);

/* For walks: slots from 0 to below series_slots(); NULL where there is none. */
size_t series_slots(const struct series_table *series);
struct series_row *series_at(const struct series_table *series, size_t slot);
size_t series_count(const struct series_table *series);

/* While pinned no row goes, so that a walk in several steps shows none twice. Calls nest. */
void series_pin(struct series_table *series, bool pinned);

/* What a cell shows a reader now of its value. */
uint64_t series_cell(struct series_row *row, enum series_reader reader, unsigned cell,
		     uint64_t value, uint64_t now_ns);

#endif
