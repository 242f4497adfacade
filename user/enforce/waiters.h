/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits at pace gates: each is woken, the longest waiting first, when its bucket has credit,
 * and turned away when it has waited for too long.
 */
#ifndef ENFORCE_WAITERS_H
#define ENFORCE_WAITERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"

struct waiters;
struct tap;

/*
 * A request that waited so long is refused: its connection is reset, the program gets an error, tries
 * again if it wants to, and waits once more. Peers close a connection that was idle for about as long.
 */
#define WAITERS_PATIENCE_NS 60000000000ULL

/*
 * `reset` resets the connection of a socket that has waited for too long, false if it is not known;
 * NULL: nothing is turned away. The tap must outlive all calls but waiters_free(). 0 or -ENOMEM.
 */
int waiters_new(struct waiters **ret, struct tap *tap, bool (*reset)(void *arg, uint64_t cookie),
		void *arg);
/*
 * Reads who waits, while there is a tap: for waiters_waiting(), and for waiters_free(), which wakes them when
 * the gates are gone.
 */
void waiters_read(struct waiters *waiters);
/* How many waited for a bucket, 0: for any, when that was last read. */
size_t waiters_waiting(const struct waiters *waiters, uint32_t bucket);
struct waiters *waiters_free(struct waiters *waiters);

/* Credit of a bucket, as enforcer_ops.grant. 0 or -errno. */
int waiters_allow(struct waiters *waiters, uint32_t bucket, const struct ctl_allowance *allowed);
/* Wakes those last read for which there is credit. Returns how many wait. */
size_t waiters_look(struct waiters *waiters, uint64_t now_ns);

struct waiters_stats {
	uint64_t waiting;        /* at the last look */
	uint64_t woken, unwoken; /* tries; those whose socket was not found, left to TCP's own */
	uint64_t turned_away;
};
void waiters_stats(const struct waiters *waiters, struct waiters_stats *ret);

#endif
