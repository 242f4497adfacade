/* SPDX-License-Identifier: Apache-2.0 */
/* Which TLS connections are carried by sockets that are known (bpf/pair.h). */
#ifndef FLOW_PAIRS_H
#define FLOW_PAIRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pairs;

/* As many as there are TLS connections (pipeline/connections.h); beyond that the oldest is forgotten. */
#define PAIRS_MAX 16384

/* NULL: no memory. */
struct pairs *pairs_new(void);
struct pairs *pairs_free(struct pairs *pairs);

/* Its own socket, and those of relays on this host; more are not kept. */
#define PAIRS_SOCKETS_MAX 4

/* Where a socket goes to. */
struct pairs_peer {
	uint8_t addr[16];
	uint32_t netns; /* as in struct ev_flow, also below */
	uint16_t port;
	uint8_t family;
	bool is_tunnelled, is_tenants;
	bool was_confirmed; /* its address was a known one when it was first seen */
};

struct pairs_sockets {
	uint64_t cookies[PAIRS_SOCKETS_MAX];
	struct pairs_peer peers[PAIRS_SOCKETS_MAX];
	size_t n;
};

/* A socket carries this TLS connection. 0: the first; -EEXIST: others do as well; -ENOMEM. */
int pairs_put(struct pairs *pairs, uint64_t connection, uint64_t cookie,
	      const struct pairs_peer *peer);
/* Those that carry it; NULL: none is known. Valid until the next call. */
const struct pairs_sockets *pairs_get(const struct pairs *pairs, uint64_t connection);
/* Does it go through a tunnel? */
bool pairs_is_tunnelled(const struct pairs *pairs, uint64_t connection);
void pairs_drop(struct pairs *pairs, uint64_t connection);

#endif
