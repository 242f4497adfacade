/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections older than the programs: their name went by unseen, so they are known by where they go,
 * if that is an address of AI hosts alone. What was learned later counts too: each new address lets
 * the old connections ask once more.
 */
#ifndef ADOPT_H
#define ADOPT_H

#include "packet.h"

/* Counts the addresses that were ever learned; kept by both halves. */
extern __u32 addrs_generation;

/* An AI host was reached at this socket's peer. */
static __always_inline void adopt_learn(struct bpf_sock *sk, bool is_ip6)
{
	struct ctl_addr peer;
	__u8 yes = 1;

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

/*
 * Is it to be adopted? One that has received nothing is about to greet, and will be known by name.
 */
static __always_inline bool adopt_is_due(struct bpf_sock *sk, struct flow *flow, bool is_ip6)
{
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);
	struct ctl_addr peer;

	if (!tcp || !tcp->bytes_received)
		return false;
	flow->generation = addrs_generation;
	peer_of(&peer, sk, is_ip6);
	if (!addr_is_ai_only(&peer))
		return false;
	flow->before_in = tcp->bytes_received;
	return true;
}

#endif
