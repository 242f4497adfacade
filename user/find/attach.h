/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets probes, and on what. For everyone: each TLS file once. On sight: the TLS files that a
 * process maps once it has greeted an AI host, for that process alone; and what was learned sticks
 * to its cgroup and its program, so that their next process is probed before its first call.
 */
#ifndef FIND_ATTACH_H
#define FIND_ATTACH_H

#include <stddef.h>
#include <stdint.h>

#include "find/find.h"
#include "tap/tap.h"

#define PROCESSES_MAX 4096	/* greeted or born of such, alive */
#define STICKY_MAX 1024		/* cgroups, and as many programs, that are remembered */
/*
 * Every process that maps a probed file hits every breakpoint of it that is in its pages, and the
 * kernel then asks each link on that inode; so many single links on one file become one for all.
 */
#define LINKS_FILE_MAX 8
#define LINKS_MAX 512		/* on all files: each is some 5 file descriptors */

struct attach;

int attach_new(struct attach **ret, struct tap *tap, enum find_mode mode);
/* Takes away all probes. */
struct attach *attach_free(struct attach *attach);

/*
 * A mapping that was made just now, somewhere at `addr`. 0; -ENOENT: its file holds no TLS
 * functions, whatever process maps it; another -errno: not known.
 */
int attach_mapped(struct attach *attach, uint32_t tgid, uint64_t addr);
void attach_greeted(struct attach *attach, uint32_t tgid, uint64_t cgroup);
void attach_forked(struct attach *attach, uint32_t parent, uint32_t child);
void attach_gone(struct attach *attach, uint32_t tgid);
/* Looks at all mappings: meets what is new, lets go of files and processes that are gone. 0 or -errno. */
int attach_sweep(struct attach *attach);

void attach_stats(const struct attach *attach, struct find_stats *ret);

#endif
