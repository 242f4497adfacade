/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which addresses a name service gave for the hosts of a provider, and when: what a destination is held against
 * that otherwise only its sender vouches for (docs/design/050). Addresses rotate, and a connection may use one for
 * hours after it was given, so each is kept for a day after it was given last.
 */
#ifndef FLOW_RESOLVED_H
#define FLOW_RESOLVED_H

#include <stdbool.h>
#include <stdint.h>

struct resolved;

#define RESOLVED_KEEP_NS 86400000000000ULL

/*
 * Of the node's own resolver: 50 hosts with several addresses each, which change some times a day. Of the answers
 * that others were given, as many in all, and so many of one network namespace. About 100 bytes each.
 */
#define RESOLVED_NODE          4096
#define RESOLVED_OTHERS        4096
#define RESOLVED_PER_NAMESPACE 256

/* `own_netns`: the inode number of the daemon's network namespace. NULL: no memory. */
struct resolved *resolved_new(uint32_t own_netns);
struct resolved *resolved_free(struct resolved *resolved);

/*
 * The name of an AI host of this provider has this address, 16 bytes with IPv4 in the first four. `netns` is where
 * a program was told so; 0: the node's own resolver says it.
 */
void resolved_learn(struct resolved *resolved, uint32_t netns, uint8_t family,
		    const uint8_t addr[16], const char *provider, uint64_t now_ns);

/*
 * Was it given for this provider in the last day, to the node or in that namespace? What the node's resolver says of
 * a loopback address is true in the daemon's own namespace alone.
 */
bool resolved_knows(const struct resolved *resolved, uint32_t netns, uint8_t family,
		    const uint8_t addr[16], const char *provider, uint64_t now_ns);

/* The same of a proxy of the operator's, by its port, through which any provider may be reached. */
void resolved_learn_proxy(struct resolved *resolved, uint8_t family, const uint8_t addr[16],
			  uint16_t port, uint64_t now_ns);
bool resolved_knows_proxy(const struct resolved *resolved, uint32_t netns, uint8_t family,
			  const uint8_t addr[16], uint16_t port, uint64_t now_ns);

#endif
