/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps gates shut while the loop is late. A gate is a lease that the loop renews, so that a daemon that
 * died holds nobody; but whatever keeps the loop busy for longer than a lease, be it a tenant's file or a
 * disk, opened every gate. A thread renews them meanwhile: only while a gate is shut, only while the
 * loop is busy, and not beyond LEASES_PATIENCE_NS, because a daemon that hangs must not hold requests for ever.
 */
#ifndef TAP_LEASES_H
#define TAP_LEASES_H

#include <stdint.h>

#include "tap/tap.h"

/* How long the loop may be busy at a time before its gates are left to end. */
#define LEASES_PATIENCE_NS 30000000000ULL

struct loop;
struct leases;

/*
 * Starts the thread. It gives leases that would end meanwhile `lease_ns` from now, the length that the
 * loop itself gives them. The loop and the tap must outlive it. 0 or -errno.
 */
int leases_new(struct leases **ret, struct tap *tap, const struct loop *loop, uint64_t lease_ns);
/* Ends the thread, and waits for it. */
struct leases *leases_free(struct leases *leases);

#endif
