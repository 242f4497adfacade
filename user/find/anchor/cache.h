/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers the places that the search of a whole file has found. They are examined again each time, so the
 * cache only saves reading and proves nothing. The key is the file itself (inode, size, times): not every
 * program has a build-id (Codex), and a tenant could copy another program's build-id into its own file.
 *
 * Who searches may have no file system (find/inspect.h), so records come and go as bytes, and who keeps them
 * looks into none.
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

#define CACHE_RECORD_MAX (9 * sizeof(uint64_t) + sizeof(struct cache_places))

struct cache_record {
	size_t size;
	uint8_t bytes[CACHE_RECORD_MAX];
};

/* Opens what the folder has about this file: a descriptor, or -errno. */
int cache_open(const char *folder, const struct stat *st);
/* Remembers a record of it; makes the folder. 0 or -errno, which costs nothing but the next search. */
int cache_put(const char *folder, const struct stat *st, const void *bytes, size_t size);

/* Reads a record of this file. 0; -ENOENT: it is none, or of another version. */
int cache_load(int fd, const struct stat *st, struct cache_places *ret);
void cache_record(const struct stat *st, const struct cache_places *places,
		  struct cache_record *ret);

#endif
