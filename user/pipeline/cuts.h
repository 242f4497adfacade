/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls whose TLS connection ended inside their answer. What of it came to the host and was not
 * read is known when the socket's flow ends, which may be before or after: a killed program's
 * sockets are closed after its last event, while one that closes by itself may close its socket
 * first. So they wait for it. Those bytes belong to the call, which would otherwise be charged
 * twice: as what was read of it, and as bytes of a flow that nothing explains.
 */
#ifndef PIPELINE_CUTS_H
#define PIPELINE_CUTS_H

#include "pipeline/connections.h"

struct cuts;

/* Calls that wait at once; beyond that they are charged as they were read. */
#define CUTS_MAX 1024
/*
 * A socket that is closed with bytes in it is reset and ends at once; one that lives on has no more
 * to say of this call. Its bytes are reconciled when it ends.
 */
#define CUTS_WAIT_NS 2000000000ULL

/* NULL: no memory. */
struct cuts *cuts_new(void);
struct cuts *cuts_free(struct cuts *cuts); /* those that wait are not charged */

/*
 * A call was cut short by the end of its connection, which was to `host`; sockets that carried it
 * and ended before held `unread` bytes of plaintext for it. It waits, or is charged at once if all is
 * known of it.
 */
void pipeline_cut(struct pipeline *pipeline, const struct connections_caller *caller,
		  const char *host, struct reading *reading, uint64_t unread);

/* A flow of this process and host has ended that is not known to carry any one connection. */
void pipeline_cut_flow_end(struct pipeline *pipeline, uint32_t tgid, const char *host);

/*
 * A flow that carried this connection has ended, with so many bytes of plaintext that were not
 * read. True: a call took them.
 */
bool pipeline_cut_pair_end(struct pipeline *pipeline, uint64_t connection, uint64_t unread);

/* Charges the calls that have waited for CUTS_WAIT_NS at now_ns (CLOCK_MONOTONIC). */
void pipeline_cuts_expire(struct pipeline *pipeline, uint64_t now_ns);

#endif
