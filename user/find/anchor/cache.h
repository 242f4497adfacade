/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers the places that the search of a whole file has found. They are examined again each time, so the
 * cache only saves reading and proves nothing. The key is the file itself (inode, size, times): not every
 * program has a build-id (Codex), and a tenant could copy another program's build-id into its own file.
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

/*
 * Loads what the folder has about this file. Returns 0; -ENOENT if there is nothing, or only of another
 * version; -errno.
 */
int cache_load(const char *folder, const struct stat *st, struct cache_places *ret);
/* Remembers it; makes the folder. 0 or -errno, which costs nothing but the next search. */
int cache_save(const char *folder, const struct stat *st, const struct cache_places *places);

#endif
