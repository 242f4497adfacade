/* SPDX-License-Identifier: Apache-2.0 */
/* QUIC connections whose first datagrams are being read. */
#ifndef FLOW_QUIC_FLOWS_H
#define FLOW_QUIC_FLOWS_H

#include "event.h"

struct quic_flows;

/* At once, of 10 kB each; a hello is complete within a round trip, and the oldest goes. */
#define QUIC_FLOWS_MAX 256

/* NULL: no memory. */
struct quic_flows *quic_flows_new(void);
struct quic_flows *quic_flows_free(struct quic_flows *quic_flows);

enum quic_flows_result {
	QUIC_FLOWS_MORE, /* the next datagram may have it */
	QUIC_FLOWS_NAME, /* ret_host is set */
	QUIC_FLOWS_NONE, /* it cannot be read, or holds no name */
};
/* Takes one datagram; ret_host has room for EV_HOST_LEN bytes. */
enum quic_flows_result quic_flows_take(struct quic_flows *quic_flows, const struct ev_quic *event,
				       char *ret_host);

#endif
