/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The search for TLS code in a thread of its own, so that no file and no process of a tenant keeps the event
 * loop from its work. All functions are for the event loop's thread and return at once.
 */
#ifndef FIND_FINDER_H
#define FIND_FINDER_H

#include "find/find.h"

struct finder;

/* As find_new(), without `settled`; nothing is listened to yet. */
int finder_new(struct finder **ret, struct tap *tap, const struct find_config *config,
	       char **ret_error);
/*
 * Looks at every process once. To be called before finder_start() alone, and in the caller's thread: the one
 * function that takes its time. 0 or -errno.
 */
int finder_scan(struct finder *finder);
/* Starts the thread, with the privileges that its starter has now. 0 or -errno. */
int finder_start(struct finder *finder);
/* Ends the thread, whatever it waits for, and takes away all probes. NULL is nothing; returns NULL. */
struct finder *finder_free(struct finder *finder);

/*
 * A process of this cgroup greets an AI host. Its probes are put in, if it is to have any; then its
 * ClientHellos are deferred no longer (tap_defer_end()), and the one that waits in `socket` (its cookie, 0: none)
 * leaves.
 */
void finder_greeted(struct finder *finder, uint32_t tgid, uint64_t cgroup, uint64_t socket);
/* A process calls an AI host, as its plaintext or the name that it gave its library says. */
void finder_speaks(struct finder *finder, uint32_t tgid);
/* A process ended, or replaced its image. */
void finder_gone(struct finder *finder, uint32_t tgid);

/*
 * How far a process is reached, by when it greeted last, also when it is gone by now; FIND_WAITING: it is
 * still being looked at, or never greeted.
 */
enum find_reach finder_reach(struct finder *finder, uint32_t tgid);
void finder_stats(struct finder *finder, struct find_stats *ret);

#endif
