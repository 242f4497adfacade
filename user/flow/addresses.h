/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which AI host is at which address, by greetings and the resolver: for connections whose greeting
 * was not seen.
 */
#ifndef FLOW_ADDRESSES_H
#define FLOW_ADDRESSES_H

#include <stdint.h>

#include "event.h"

struct addresses;

/* As many as the kernel's `ai_addrs`; the one that was learned first goes. 300 bytes each. */
#define ADDRESSES_MAX 8192

/* NULL: no memory. */
struct addresses *addresses_new(void);
struct addresses *addresses_free(struct addresses *addresses);

/*
 * The last name that was reached there counts. `addr` is 16 bytes, IPv4 in the first four; `netns` is the
 * inode number of the network namespace in which it was reached, 0: the node's resolver said so.
 */
void addresses_learn(struct addresses *addresses, uint32_t netns, uint8_t family,
		     const uint8_t addr[16], uint16_t port, const char *host);
/* As the resolver said, else as that namespace knows it. NULL: not known. Valid until the next addresses_learn(). */
const char *addresses_host(const struct addresses *addresses, uint32_t netns, uint8_t family,
			   const uint8_t addr[16], uint16_t port);

#endif
