/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ClientHellos that were seen, by a part of their random: a relay on this host (a CONNECT proxy, TLS
 * passthrough) sends its client's hello on, so its connection is a second sight of the first.
 */
#ifndef FLOW_RELAYS_H
#define FLOW_RELAYS_H

#include <stdbool.h>
#include <stdint.h>

struct hellos;

/* Those that were seen last, 80 bytes each: a relay greets within milliseconds of its client. */
#define HELLOS_MAX 4096

/* NULL: no memory. */
struct hellos *hellos_new(void);
struct hellos *hellos_free(struct hellos *hellos);

/* The flow `cookie` sent this hello (not 0). True: another flow had sent it before. */
bool hellos_is_copy(struct hellos *hellos, uint64_t hello, uint64_t cookie);

#endif
