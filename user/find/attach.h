/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which processes get probes, and on which files. For everyone: each TLS file once. On sight: when a process
 * has greeted an AI host, the TLS files that it maps, for that process only. The result is remembered for its
 * program, and for its executable in its cgroup, so that their next process is probed before its first call. It
 * is not applied to other programs, nor to processes that were running before.
 */
#ifndef FIND_ATTACH_H
#define FIND_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "find/find.h"
#include "tap/tap.h"

#define PROCESSES_MAX 4096 /* greeted or born of such, alive; of one tenant as many as are free */
#define PEERS_MAX     8    /* processes that are looked at behind a relay that greets */
/*
 * At each hit the kernel asks every link on that inode whether it applies, so beyond this number the single
 * links on one file are replaced by one for all processes. Measured on Linux 6.18, SSL_free of a probed
 * process, ns a hit: 1 link 517, 2: 527, 4: 595, 8: 701, 16: 944, 32: 1413; some 28 ns a link, a third more at
 * 8.
 */
#define LINKS_FILE_MAX 8
#define LINKS_MAX      128 /* on all files: each is some 5 file descriptors, of 1024 by default */

struct attach;

int attach_new(struct attach **ret, struct tap *tap, const struct find_config *config);
/* From another thread: what blocks now is given up, and nothing is looked at from now on (look.h). */
void attach_cancel(struct attach *attach);
/* Takes away all probes. */
struct attach *attach_free(struct attach *attach);

/*
 * A mapping that was made just now, somewhere at `addr`. 0; -ENOENT: its file holds no TLS
 * functions, whatever process maps it; another -errno: not known.
 */
int attach_mapped(struct attach *attach, uint32_t tgid, uint64_t addr);
void attach_greeted(struct attach *attach, uint32_t tgid, uint64_t cgroup);
enum find_reach attach_reach(struct attach *attach, uint32_t tgid);
void attach_forked(struct attach *attach, uint32_t parent, uint32_t child);
void attach_gone(struct attach *attach, uint32_t tgid);
/*
 * A process greets that may be a relay: whoever has connected to its Unix sockets gets probes, as its hello may be theirs.
 * False: nobody has.
 */
bool attach_behind(struct attach *attach, uint32_t relay);
/* Does it serve a Unix socket? Then a hello of its may be another's. */
bool attach_may_relay(struct attach *attach, uint32_t tgid);
/* Does it run a program through which others have called? */
bool attach_is_relay(struct attach *attach, uint32_t tgid);
/*
 * It calls an AI host. True: it may be behind a relay that has greeted; it keeps its probes from now on, and
 * attach_speaks() is to be told of it when it is its tenant's turn.
 */
bool attach_keep(struct attach *attach, uint32_t tgid);
/* Remembers of such a one that its program calls, and that the relay's hellos to come are others', too. */
void attach_speaks(struct attach *attach, uint32_t tgid);
/* Is it one of those that get probes? */
bool attach_knows(struct attach *attach, uint32_t tgid);
/*
 * Goes through all mappings: takes in new files and processes and drops those that are gone. Returns 0 or
 * -errno.
 */
int attach_sweep(struct attach *attach);

/* As look_review() and look_ended_fd(). */
bool attach_review(struct attach *attach, uint64_t *ret_next_ns);
int attach_ended_fd(const struct attach *attach);

void attach_stats(const struct attach *attach, struct find_stats *ret);

#endif
