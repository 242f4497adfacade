/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that processes execute, by real inode: which hold TLS functions and where. Only those
 * that do are kept; that a file holds none is remembered in a cache of fixed size, for minutes,
 * since an inode number may be used again. Attaches nothing.
 */
#ifndef FIND_FILES_H
#define FIND_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/hash.h"
#include "find/look.h"
#include "tap/tap.h"

#define FILES_MAX   512  /* with TLS functions; a node of 110 pods has some 50 */
#define NOES_MAX    4096 /* slots of the cache; a node maps 200 to 2000 files */
#define NO_LASTS_NS (600ULL * NS_PER_S)

/*
 * Files that hold nothing, direct-mapped: a colliding file takes the slot. Of the table's own a generation of
 * 1 says: nothing by symbols.
 */
struct noes {
	struct {
		uint64_t dev, ino, generation, until_ns;
	} slots[NOES_MAX];
};
bool noes_has(const struct noes *noes, uint64_t dev, uint64_t ino, uint64_t generation);
void noes_add(struct noes *noes, uint64_t dev, uint64_t ino, uint64_t generation);

struct link;

struct file {
	struct {
		uint64_t dev, ino;
	} key;
	struct look_file is;         /* where its functions are */
	struct tap_probes *everyone; /* for all who map it; NULL: not so */
	LIST_HEAD(, link) links;     /* for one process each */
	size_t n_links;
	uint64_t tenant;           /* who brought it first (procs_tenant()) */
	bool has_failed;           /* could not be probed: said once, not tried again */
	bool is_mapped, is_wanted; /* by some process, by one that gets probes: as of this sweep */
	UT_hash_handle hh;
};

struct files {
	struct file *table;
	struct look *look; /* the caller's */
	struct noes noes;
	uint64_t n_seen; /* files looked into */
	uint64_t n_unreadable;
	uint64_t n_set_aside; /* who looked into them died of it */
	uint64_t n_refused; /* not looked into: their tenant has its share of the table, or it is full */
};

/*
 * The file behind a mapping, looked into when it is new, as deep as asked for. 0 and the file, which stays the
 * table's; -ENOENT: it holds no TLS functions; -EAGAIN: none that are found by symbols, but a deeper look
 * might (STACK_SYMBOLS only); -ESRCH, -ESTALE: process or mapping went away; -ENOSPC: no room, as
 * ctl_share_allows() has it, which is asked only of a file that was not looked into before; or -errno of opening,
 * reading and look_file(). A file that is not sound or was set aside holds none for as long as a NO lasts.
 */
int files_meet(struct files *files, const struct tap_mapping *mapping, enum stack_depth depth,
	       struct file **ret);

/* The same, but only if it is in the table; else NULL. */
struct file *files_known(const struct files *files, const struct tap_mapping *mapping);

/* Forgets a file that has no probes. */
void files_drop(struct files *files, struct file *file);

#endif
