/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the search of a whole file found in it: places, which are looked at again each time, so that what is
 * remembered saves reading and proves nothing. Kept by the file itself (inode, size, times): a build-id is
 * not there in every program (Codex), and anybody can write one into his own to have a neighbour's overlooked.
 */
#ifndef FIND_ANCHOR_CACHE_H
#define FIND_ANCHOR_CACHE_H

#include <sys/stat.h>

#include "find/anchor/image.h"
#include "find/anchor/scan.h"

#define CACHE_FILES_MAX 512 /* of 0.1 to 35 kB; then the folder is emptied */

struct cache_places {
	size_t n_hits, n_refs;
	struct scan_hit hits[SCAN_HITS_MAX];
	struct scan_ref refs[SCAN_REFS_MAX];
};

/* What is remembered of this file in the folder. 0; -ENOENT: nothing, or of another version; -errno. */
int cache_load(const char *folder, const struct stat *st, struct cache_places *ret);
/* Remembers it; makes the folder. 0 or -errno, which costs nothing but the next search. */
int cache_save(const char *folder, const struct stat *st, const struct cache_places *places);

#endif
