/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs a TLS connection with the sockets that carry it, by the ciphertext itself: eight bytes of a record are
 * noted where the library hands the record to its BIO (openssl.bpf.c), and looked for in what leaves each
 * socket. This works whatever lies between: a memory BIO, another thread, io_uring, a descriptor that was
 * passed on, a relay on this host (docs/design/051).
 *
 * Records are looked for only for a second after one was noted, and only at the start of a segment, where a
 * record that is written at once begins.
 */
#ifndef PAIR_H
#define PAIR_H

#include "counts.h"
#include "fingerprint.h"

/*
 * How many segments of a connection that is not known as an AI host's are examined: its first records are
 * enough.
 */
#define PAIR_LOOKS 16

static __always_inline bool pair_is_due(struct flow *flow)
{
	if (!pair_until_ns || (flow->state != FLOW_AI && flow->pair_looks >= PAIR_LOOKS))
		return false;
	if (bpf_ktime_get_ns() < pair_until_ns)
		return true;
	pair_until_ns = 0;
	return false;
}

static __always_inline void pair_emit(struct bpf_sock *sk, const struct flow *flow, bool is_refused,
				      bool is_ip6)
{
	struct ev_pair *event = emit_reserve(sizeof(*event));

	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	fill_flow(&event->flow, sk, flow, EV_PAIR, is_ip6);
	event->connection = flow->connection;
	if (is_refused)
		event->flow.state = EV_FLOW_REFUSED;
	emit_submit(event);
}

/* A connection that was not known as an AI host's carries calls: from here on it is counted and gated. */
static __always_inline void pair_enter(struct __sk_buff *skb, struct bpf_sock *sk,
				       struct flow *flow, const struct segment *s)
{
	flow->cookie = bpf_get_socket_cookie(skb);
	flow->cgroup = bpf_skb_cgroup_id(skb);
	flow->netns = netns_of(sk);
	flow->verdict = CTL_AI;
	flow->handshake_state = HANDSHAKE_DATA;
	flow->seq_next = s->seq + s->len;
	flow->before_in = 0;
	flow_count_in(sk, flow);
	flow->before_in = flow->bytes[EV_IN];
	flow->bytes[EV_IN] = 0;
	flow_enter(flow);
}

/*
 * Whether this flow carries the connection of a process behind a shut gate. The socket may be in another
 * cgroup, if the process was moved or was given the descriptor.
 */
static __always_inline bool pair_is_refused(const struct flow *flow)
{
	struct ctl_conn_key key = { .ssl = flow->connection_ssl, .tgid = flow->connection_tgid };
	const struct ctl_conn *conn;

	if (!flow->connection)
		return false;
	conn = bpf_map_lookup_elem(&conns, &key);
	return conn && conn->id == flow->connection && conn->is_refused;
}

/*
 * Looks for a noted record at the start of this packet. 1: it was found and its connection is refused, so the
 * packet is to be dropped. A global function for the reason given at records_continue().
 */
__weak int pair_packet(struct __sk_buff *skb)
{
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	struct bpf_sock *sk = skb->sk;
	const struct fingerprint *found;
	struct ctl_conn_key key = {};
	struct ctl_conn *conn;
	struct flow *flow;
	struct segment s;
	bool is_refused;
	__u8 head[24];
	__u64 print;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow || !segment_read(skb, &s) || s.len < PAIR_LEN ||
	    bpf_skb_load_bytes(skb, s.at, head, PAIR_LEN))
		return 0;
	flow->pair_looks += flow->pair_looks < PAIR_LOOKS;
	print = pair_key(head);
	found = print ? bpf_map_lookup_elem(&fingerprints, &print) : NULL;
	if (!found || !found->connection || found->connection == flow->connection)
		return 0;
	key.ssl = found->ssl;
	key.tgid = found->tgid;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn || conn->id != found->connection)
		return 0;
	/* whether it carries calls is known only after its first request was read */
	if (flow->state != FLOW_AI && conn->state != CTL_AI)
		return 0;
	if (flow->state != FLOW_AI)
		pair_enter(skb, sk, flow, &s);
	conn->is_paired = 1;
	flow->connection = found->connection;
	flow->connection_ssl = key.ssl;
	flow->connection_tgid = key.tgid;
	is_refused = gates_live && (gate_of_skb(skb, GATE_LIVE) || conn->is_refused);
	pair_emit(sk, flow, is_refused, is_ip6);
	return is_refused;
}

#endif
