/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits at pace gates: each is woken, the longest waiting first, when its bucket has credit,
 * and turned away when it has waited for too long.
 */
#ifndef ENFORCE_WAITERS_H
#define ENFORCE_WAITERS_H

#include <stddef.h>
#include <stdint.h>

#include "control.h"

struct pacer;
struct pipeline;
struct tap;

/*
 * A request that waited so long is refused: its connection is reset, the program is told, tries
 * again if it wants to, and waits anew. Peers close a connection that was idle for about as long.
 */
#define PACER_PATIENCE_NS 60000000000ULL

/* The tap and the pipeline (which may come later, pacer_join) must outlive it, but for pacer_free. */
int pacer_new(struct pacer **ret, struct tap *tap);
void pacer_join(struct pacer *pacer, struct pipeline *pipeline);
/*
 * Reads who waits, while there is a tap: for pacer_waiting(), and for pacer_free(), which wakes them when
 * the gates are gone.
 */
void pacer_read(struct pacer *pacer);
/* How many waited for a bucket, 0: for any, when that was last read. */
size_t pacer_waiting(const struct pacer *pacer, uint32_t bucket);
struct pacer *pacer_free(struct pacer *pacer);

/* Credit of a bucket, as act_levers.grant. 0 or -errno. */
int pacer_grant(struct pacer *pacer, uint32_t bucket, const struct ctl_grant *grant);
/* Wakes whom it can of those last read, with what was granted. Returns how many wait. */
size_t pacer_look(struct pacer *pacer, uint64_t now_ns);

struct pacer_stats {
	uint64_t waiting;        /* at the last look */
	uint64_t woken, unwoken; /* tries; those whose socket was not found, left to TCP's own */
	uint64_t turned_away;
};
void pacer_stats(const struct pacer *pacer, struct pacer_stats *ret);

#endif
