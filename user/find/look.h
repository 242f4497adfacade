/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at processes and at the files that they execute. A tenant can make a look block for as long as it
 * likes, with a file on a hung mount or a command line in pages that never arrive. So each look has a deadline,
 * and a cgroup that missed one is not looked at for a while: its calls are estimated meanwhile.
 */
#ifndef FIND_LOOK_H
#define FIND_LOOK_H

#include <stdint.h>
#include <sys/stat.h>

#include "find/find.h"
#include "find/stack.h"
#include "tap/tap.h"

struct look;

/*
 * How long a look may stand still: a neighbour's first ClientHello waits for half a second (bpf/defer.h). How long it
 * may take: the search of the largest file that is known takes 0.2 s of CPU time.
 */
#define LOOK_STALL_NS 400000000ULL
#define LOOK_NS       5000000000ULL

/* NULL: no memory. The tap and config->cache are the caller's, for good. */
struct look *look_new(struct tap *tap, const struct find_config *config);
struct look *look_free(struct look *look);
/* From another thread: what blocks now is given up, and everything from now on. */
void look_cancel(struct look *look);

/*
 * Every look also returns -ETIMEDOUT if it took too long, its cgroup is not looked at for now, or too many looks are
 * stuck; and -ECANCELED after look_cancel().
 */

struct look_process {
	uint64_t executable, program, cgroup; /* as procs.h says; 0: not known */
};
int look_process(struct look *look, uint32_t tgid, struct look_process *ret);

struct look_mappings {
	struct tap_mapping *rows; /* of executable files; to be freed */
	size_t n;
};
/*
 * What a process maps, or with tgid 0 all processes, with the real inode where the kernel can tell it (5.12; before
 * that an overlay's: a file met twice is sorted out by the programs). 0 or -errno; a process that is gone
 * maps nothing.
 */
int look_mappings(struct look *look, uint32_t tgid, struct look_mappings *ret);

struct look_file {
	struct sites sites;
	off_t size;            /* of the file when its sites were found, with ... */
	struct timespec ctime; /* ... its last change: else they are found again */
	bool is_unfollowed;    /* no sites: its returns are not known (site.h, -EOPNOTSUPP) */
	char why[96];          /* with -EOWNERDEAD: as inspector.h says */
};
/*
 * Where the TLS functions of the file behind a mapping are. 0, or -errno as procs_open() and inspector_find(), which is
 * given when there is a file.
 */
int look_file(struct look *look, const struct tap_mapping *mapping, enum stack_depth depth,
	      struct look_file *ret);

/*
 * Puts probes on it, for the process `pid` or for everyone (0), and finds the sites again when the file is not as
 * it was: a probe at an old offset would corrupt the program. 0 and the probes, or -errno as look_file() and
 * tap_attach(); ret_is_refused: it was tap_attach()'s, so the file is to blame.
 */
int look_attach(struct look *look, const struct tap_mapping *mapping, pid_t pid,
		struct look_file *file, struct tap_probes **ret, bool *ret_is_refused);

/*
 * To be called when a look has failed with -ETIMEDOUT, when look_ended_fd() is readable, and after *ret_next_ns (0: not
 * by time). True: a look was given up that was only slow; another will do better.
 */
bool look_review(struct look *look, uint64_t *ret_next_ns);
int look_ended_fd(const struct look *look); /* the look's */

struct look_stats {
	uint64_t given_up; /* they took too long */
	uint64_t refused;  /* not begun: too many were stuck, of the tenant or of all */
	size_t stuck;      /* of those given up, still not over */
};
void look_stats(struct look *look, struct look_stats *ret);

#endif
