/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pointers among a program's data. In one that is relocated they are written by its loader: what it is told stands in
 * a table (RELA), or at the place itself (RELR, and where nothing is relocated).
 */
#ifndef FIND_ANCHOR_RELOCS_H
#define FIND_ANCHOR_RELOCS_H

#include "find/anchor/image.h"

#define RELOCS_RANGES_MAX 16

struct relocs {
	const struct image *image;
	uint64_t rela,
		n_rela; /* virtual; the table's relative entries come first, in order of place */
};

/* Reads the dynamic section. 0, also if there is none; -errno of reading. */
int relocs_open(struct relocs *ret, const struct image *image);

/* The pointer at a place of the data, as the loader makes it; 0: there is none. 0 or -errno. */
int relocs_pointer(const struct relocs *relocs, uint64_t place, uint64_t *ret);

struct relocs_range {
	uint64_t from, to; /* addresses in [from, to) */
};
struct relocs_place {
	uint64_t at, pointer;
};
/*
 * Every place whose pointer lies in one of the ranges (up to RELOCS_RANGES_MAX). How many were noted in ret (room for
 * `max`); -E2BIG: more; -errno.
 */
int relocs_places(const struct relocs *relocs, const struct relocs_range *ranges, size_t n_ranges,
		  struct relocs_place *ret, size_t max);

#endif
