/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Events about a flow: what the daemon learns of it, and when. */
#ifndef EMIT_FLOW_H
#define EMIT_FLOW_H

#include "handshake.h"

/* Copies the name in `h`, which is map memory, into the zeroed host of an event. */
static __always_inline void name_copy(struct ev_flow *event, struct hello *h)
{
	__u32 len = h->name_len;

	if (len > HELLO_NAME_MAX)
		return;
	h->name[len] = 0;
	bpf_probe_read_kernel_str(event->host, sizeof(event->host), h->name);
}

/* Fills a zeroed event, except for the host. */
static __always_inline void fill_flow(struct ev_flow *event, struct bpf_sock *sk,
				      const struct flow *flow, __u32 type, bool is_ip6)
{
	bool waits = type == EV_FLOW && (flow->waiter || flow->state == FLOW_DEFERRED);

	emit_head(&event->head, type, waits && flow->waiter ? flow->waiter : flow->tgid,
		  flow->cgroup, flow->cookie);
	event->bytes[EV_OUT] = flow->bytes[EV_OUT];
	event->bytes[EV_IN] = flow->bytes[EV_IN];
	event->handshake[EV_OUT] = flow->handshake[EV_OUT];
	event->handshake[EV_IN] = flow->handshake[EV_IN];
	for (int dir = 0; dir < 2; dir++) {
		event->framed[dir] = flow->records[dir].bytes;
		event->records[dir] = flow->records[dir].n;
	}
	event->requests = flow->requests;
	event->record_bytes = record_framing(flow);
	if (type == EV_FLOW_END)
		event->unread = unread_of(sk);
	event->hello = flow->hello;
	if (type == EV_FLOW_END && flow->held_since_ns) {
		event->is_unsent = 1;
		event->held_since_ns = flow->held_since_ns;
	}
	event->is_adopted = flow->is_adopted;
	event->is_tenants = flow->is_tenants;
	event->netns = flow->netns;
	event->local_port = sk->src_port;
	event->remote_port = bpf_ntohs(sk->dst_port);
	event->family = is_ip6 ? AF_INET6 : AF_INET;
	words(event->local_addr, is_ip6, sk->src_ip4, sk->src_ip6);
	words(event->remote_addr, is_ip6, sk->dst_ip4, sk->dst_ip6);
	event->state = flow->state == FLOW_REFUSED ? EV_FLOW_REFUSED :
		       waits                       ? EV_FLOW_APPROACH :
						     EV_FLOW_SEEN;
	event->verdict = flow->verdict;
	event->is_tunnelled = flow->is_tunnelled;
	__builtin_memcpy(event->comm, flow->comm, sizeof(event->comm));
}

/* False: there was no room. */
static __always_inline bool emit_flow(struct bpf_sock *sk, const struct flow *flow, struct hello *h,
				      __u32 type, bool is_ip6)
{
	struct ev_flow *event = emit_reserve(sizeof(*event));

	if (!event)
		return false;
	__builtin_memset(event, 0, sizeof(*event));
	fill_flow(event, sk, flow, type, is_ip6);
	if (h)
		name_copy(event, h);
	emit_submit(event);
	return true;
}

#endif
