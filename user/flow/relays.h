/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHellos that were seen, by a part of their random: a relay on this host (a CONNECT proxy, TLS
 * passthrough) sends its client's hello on, so its connection is a second sight of the first.
 */
#ifndef FLOW_RELAYS_H
#define FLOW_RELAYS_H

#include <stdbool.h>
#include <stdint.h>

struct relays;

/* Those that were seen last, 80 bytes each: a relay greets within milliseconds of its client. */
#define RELAYS_MAX 4096

/* NULL: no memory. */
struct relays *relays_new(void);
struct relays *relays_free(struct relays *relays);

/* The flow `cookie` sent this hello (not 0). True: another flow had sent it before. */
bool relays_is_relayed(struct relays *relays, uint64_t hello, uint64_t cookie);

#endif
