/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the programs: their name went by unseen, so they are known by where they go,
 * if that is an address of AI hosts alone. What was learned later counts too: each new address lets
 * the old connections ask once more.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include "records.h"

/* Counts the addresses that were ever learned; kept by both halves. */
extern __u32 addrs_generation;

/*
 * This flow's peer is an AI host, as far as its own network namespace can know: it was asked for by that
 * name, and has answered in TLS. A ClientHello alone is its client's word: a server of another kind would
 * be taken for an AI host by one packet.
 */
static __always_inline void adopt_learn(struct bpf_sock *sk, struct flow *flow, bool is_ip6)
{
	struct ctl_addr peer;
	__u8 yes = 1;

	if (flow->is_learned || flow->is_tunnelled || flow->is_adopted || !flow->records[EV_IN].n)
		return;
	flow->is_learned = 1;
	peer_of(&peer, sk, is_ip6);
	if (!bpf_map_lookup_elem(&ai_addrs, &peer))
		__sync_fetch_and_add(&addrs_generation, 1);
	bpf_map_update_elem(&ai_addrs, &peer, &yes, BPF_ANY);
}

/* Is there news that this connection has not asked about? For those that nobody saw begin. */
static __always_inline bool adopt_may_be_due(const struct flow *flow)
{
	return flow->is_old && flow->generation != addrs_generation;
}

/* Segments of an old connection that are looked at for a record of TLS. */
#define ADOPT_LOOKS 16

/* Does this segment begin with a record of application data? What is no TLS is no AI's. */
static __always_inline bool adopt_is_tls(struct __sk_buff *skb, const struct segment *s)
{
	__u8 head[8];

	return s->len >= 5 && !bpf_skb_load_bytes(skb, s->at, head, 5) && head[0] == 23 &&
	       record_is_sound(head);
}

/*
 * Is it to be adopted? One that has received nothing is about to greet, and will be known by name. One
 * that does not begin a record now may do so with its next segments.
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
