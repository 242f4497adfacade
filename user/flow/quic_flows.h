/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC connections whose first datagrams are being read. */
#ifndef FLOW_QUIC_FLOWS_H
#define FLOW_QUIC_FLOWS_H

#include "event.h"

struct quics;

/* At once, of 10 kB each; a hello is complete within a round trip, and the oldest goes. */
#define QUICS_MAX 256

/* NULL: no memory. */
struct quics *quics_new(void);
struct quics *quics_free(struct quics *quics);

enum quics_result {
	QUICS_MORE, /* the next datagram may tell */
	QUICS_NAME, /* ret_host is set */
	QUICS_NONE, /* it cannot be read, or holds no name */
};
/* Takes one datagram; ret_host has room for EV_HOST_LEN bytes. */
enum quics_result quics_take(struct quics *quics, const struct ev_quic *event, char *ret_host);

#endif
