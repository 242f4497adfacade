/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The v2 hierarchy: cgroup id to path, and where it is mounted. A cgroup's id is the inode number
 * of its directory; 64 bits, so it is not used again while a host runs:
 * docs/facts/kernel.md, "Cgroup ids and paths".
 */
#ifndef WHO_CGROUP_H
#define WHO_CGROUP_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CGROUPS_MAX       16384 /* paths kept, least recently used goes first: 10 MB at the very most */
#define CGROUPS_DEPTH     64            /* directories nested deeper are not walked */
#define CGROUPS_RESCAN_NS 1000000000ULL /* walks for an unknown id are no closer together */

struct cgroups;

/* Walks the tree below `root` once; NULL: only what is learned is known. 0 or -errno. */
int cgroups_new(struct cgroups **ret, const char *root);
struct cgroups *cgroups_free(struct cgroups *cgroups);

/* Takes a pair as true. Ids of 0 and paths that do not begin with a slash are ignored. */
void cgroups_learn(struct cgroups *cgroups, uint64_t id, const char *path);
/* The path below the root; NULL: not known. Valid until the next call. */
const char *cgroups_path(struct cgroups *cgroups, uint64_t id);
/*
 * What a cgroup is a part of, as of a second ago at most: the domain in which its processes live (itself, unless
 * it is one of threads), and how much of its path leads to what was delegated; all of it if nothing was.
 */
struct cgroups_place {
	uint64_t domain;
	size_t delegated_len;
};
struct cgroups_place cgroups_place(struct cgroups *cgroups, uint64_t id);
/* Every pair that is known, of directories that are gone, too. The path is valid within fn. */
void cgroups_each(const struct cgroups *cgroups,
		  void (*fn)(void *arg, uint64_t id, const char *path), void *arg);
/* The id of a live directory; 0: there is none, or the path has a "..". */
uint64_t cgroups_id(const struct cgroups *cgroups, const char *path);

/*
 * Picks the v2 mount out of a mountinfo file. Of several, the one that shows most of the tree: seen
 * from inside a cgroup namespace, a mount of the host's root has the root field "/../.." (as many
 * as the namespace is deep), while the container's own mount has "/". 0, -ENOENT, -ENAMETOOLONG.
 */
int cgroups_find_mount(FILE *mountinfo, char *buf, size_t size);

#endif
