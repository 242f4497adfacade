/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the programs. Their name was sent before anything could read it, so they are
 * recognised by their peer, if its address belongs to AI hosts only. Addresses that are learned later count
 * too: each new one makes the old connections ask again.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include "records.h"

/* How many addresses were learned so far; both halves increment it. */
extern __u32 addrs_generation;

/*
 * Learns that this flow's peer is an AI host, for its own network namespace only: the client asked for that
 * name, and the server has answered, in TLS or to plain HTTP. A ClientHello alone is the client's claim, with which one packet
 * could turn any server into an AI host.
 */
static __always_inline void adopt_learn(struct bpf_sock *sk, struct flow *flow, bool is_ip6)
{
	struct ctl_addr peer;
	__u8 yes = 1;

	if (flow->is_learned || flow->is_tunnelled || flow->is_adopted)
		return;
	if (flow->is_plain ? !flow->bytes[EV_IN] : !flow->records[EV_IN].n)
		return;
	flow->is_learned = 1;
	peer_of(&peer, sk, is_ip6);
	if (!bpf_map_lookup_elem(&ai_addrs, &peer))
		__sync_fetch_and_add(&addrs_generation, 1);
	bpf_map_update_elem(&ai_addrs, &peer, &yes, BPF_ANY);
}

/* Whether an address was learned since this connection, whose beginning was not seen, last asked. */
static __always_inline bool adopt_may_be_due(const struct flow *flow)
{
	return flow->is_old && flow->generation != addrs_generation;
}

/* How many segments of an old connection are searched for a TLS record. */
#define ADOPT_LOOKS 16

/* Whether this segment begins with a record of application data. What is not TLS is not an AI API. */
static __always_inline bool adopt_is_tls(struct __sk_buff *skb, const struct segment *s)
{
	__u8 head[8];

	return s->len >= 5 && !bpf_skb_load_bytes(skb, s->at, head, 5) && head[0] == 23 &&
	       record_is_sound(head);
}

/*
 * Whether to adopt it now. A connection that has received nothing is about to send its ClientHello and will be
 * known by name. One whose segment does not begin with a record may still do so later.
 */
static __always_inline bool adopt_is_due(struct __sk_buff *skb, struct bpf_sock *sk,
					 struct flow *flow, const struct segment *s, bool is_ip6)
{
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);
	struct ctl_addr peer;

	if (!tcp || !tcp->bytes_received)
		return false;
	if (s->len && !adopt_is_tls(skb, s) && flow->segments++ < ADOPT_LOOKS)
		return false;
	flow->generation = addrs_generation;
	peer_of(&peer, sk, is_ip6);
	if (!adopt_is_tls(skb, s) || !addr_is_ai_only(&peer))
		return false;
	flow->before_in = tcp->bytes_received;
	return true;
}

#endif
