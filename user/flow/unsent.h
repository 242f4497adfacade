/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls without an answer never left the machine. The kernel reports of a flow that its last
 * request was held at a gate, and since when; the plaintext shows when a call began, and on
 * which TLS connection. A flow is paired with the connection of a call that began as the holding did, and
 * then explains the calls that began on that connection from there on: TCP lets nothing overtake.
 */
#ifndef FLOW_UNSENT_H
#define FLOW_UNSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "event.h"

struct unsent;

/* Flows that wait for their calls at once; the oldest goes first, and its calls are charged. */
#define UNSENT_MAX 4096

/*
 * A blocking write returns, and is seen, after its segment was dropped: as late as its thread ran
 * again. Where TLS writes to memory the segment follows in the same turn of the program: 2 to 5 ms
 * later, measured of Node. Where Nagle's algorithm holds it back, it follows with an acknowledgement: 45 ms
 * later, measured of httpx with HTTP/2. So early only the last call is the one that was held.
 */
#define UNSENT_AFTER_NS  1000000000ULL
#define UNSENT_BEFORE_NS 20000000ULL
#define UNSENT_EARLY_NS  300000000ULL

/* NULL: no memory. */
struct unsent *unsent_new(void);
struct unsent *unsent_free(struct unsent *unsent);

/* Since then nothing that was written on this flow has left. Again: only the time may be another. */
void unsent_put(struct unsent *unsent, const struct ev_flow *flow, uint64_t since_ns);
/* It has left after all, or nothing waited. */
void unsent_drop(struct unsent *unsent, uint64_t cookie);

struct unsent_call {
	uint32_t tgid;
	const char *host;
	uint64_t connection; /* of TLS */
	uint64_t start_ns;
	uint64_t next_ns; /* when the next call on it began; 0: none did */
};
/* Did this call wait in one of those flows? To be asked once of each call that got no answer. */
bool unsent_explains(struct unsent *unsent, const struct unsent_call *call);

#endif
