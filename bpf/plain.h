/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Plain HTTP to a port that the operator has named (docs/design/071). No library has the plaintext in its hands here, but
 * the packets do: they are copied as they pass, and user space puts them in order.
 *
 * - A connection is looked at if the first bytes that it sends are those of a request and go to such a port. Whether it is
 *   an AI host's is known by its address, else user space finds it out from the head of its first request.
 * - What leaves, leaves in order; what TCP repeats is left out.
 * - What comes in comes as the network brings it: in any order, and repeated. Offsets are those of TCP's sequence
 *   numbers. Each piece tells up to where TCP has had everything, so that what is missing before is known to be lost.
 */
#ifndef PLAIN_H
#define PLAIN_H

#include "counts.h"

/* What is shown of a connection, both directions together, before user space has said whose it is. */
#define PLAIN_LOOK_BYTES (256 * 1024)
/* User space has not answered after this many bytes, so its answer was lost and is not waited for any longer. */
#define PLAIN_ASK_BYTES (16 * 1024 * 1024)
/* Segments further ahead of what TCP has received are outside of any window. */
#define PLAIN_WINDOW (16 * 1024 * 1024)
/* Pieces of one packet: 512 KiB, the largest that the kernel merges (GRO_MAX_SIZE with BIG TCP). */
#define PLAIN_PIECES 32

static __always_inline bool plain_is_port(__u32 port)
{
	return bpf_map_lookup_elem(&plain_ports, &port);
}

/* Methods by their first four bytes, and the preface of HTTP/2 (RFC 9113 3.4). */
static __always_inline bool plain_is_request(struct __sk_buff *skb, const struct segment *s)
{
	char start[4];

	if (bpf_skb_load_bytes(skb, s->at, start, sizeof(start)))
		return false;
#define STARTS(a, b, c, d) (start[0] == a && start[1] == b && start[2] == c && start[3] == d)
	return STARTS('P', 'O', 'S', 'T') || STARTS('G', 'E', 'T', ' ') ||
	       STARTS('P', 'R', 'I', ' ') || STARTS('H', 'E', 'A', 'D') ||
	       STARTS('P', 'U', 'T', ' ') || STARTS('O', 'P', 'T', 'I') ||
	       STARTS('D', 'E', 'L', 'E') || STARTS('P', 'A', 'T', 'C');
#undef STARTS
}

/* One piece in a record of `class` bytes. */
static __always_inline int plain_class(struct __sk_buff *skb, const struct flow *flow, __u32 at,
				       __u32 len, __u64 offset, __u64 sure, __u32 dir,
				       const __u32 class)
{
	struct ev_segment *event = emit_reserve(sizeof(*event) + class);
	__u32 last = len - 1;

	if (!event) {
		count(CTL_RING_FULL_BYTES, len);
		return 0;
	}
	emit_head(&event->head, EV_SEGMENT, flow->tgid, flow->cgroup, flow->cookie);
	event->offset = offset;
	event->sure = sure;
	event->len = len;
	event->dir = dir;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	/* From 1 to `class` bytes: the verifier wants to see both bounds. */
	barrier_var(last);
	if (last >= class || bpf_skb_load_bytes(skb, at, event->bytes, last + 1)) {
		emit_discard(event);
		count(CTL_READ_FAILED_BYTES, len);
		return 0;
	}
	emit_submit(event);
	return 0;
}

/* A global function, so that the verifier checks it once and not once for each turn of the loop. */
__weak int plain_piece(struct __sk_buff *skb, __u32 at, __u32 len, __u64 offset, __u32 dir)
{
	struct bpf_sock *sk = skb->sk;
	struct bpf_tcp_sock *tcp;
	struct flow *flow;
	__u64 sure = offset;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	tcp = bpf_tcp_sock(sk);
	if (!flow || !tcp)
		return 0;
	if (dir == EV_IN)
		sure = flow->plain_in +
		       (__s32)(tcp->rcv_nxt - flow->plain_seq_in - (__u32)flow->plain_in);
	if (len <= 256)
		return plain_class(skb, flow, at, len, offset, sure, dir, 256);
	if (len <= 1024)
		return plain_class(skb, flow, at, len, offset, sure, dir, 1024);
	if (len <= 4096)
		return plain_class(skb, flow, at, len, offset, sure, dir, 4096);
	return plain_class(skb, flow, at, len, offset, sure, dir, EV_PIECE_MAX);
}

__weak int plain_pieces(struct __sk_buff *skb, __u32 at, __u32 bytes, __u64 offset, __u32 dir)
{
	for (int i = 0; i < PLAIN_PIECES; i++) {
		__u32 len = bytes < EV_PIECE_MAX ? bytes : EV_PIECE_MAX;

		if (!len)
			return 0;
		plain_piece(skb, at, len, offset, dir);
		at += len;
		offset += len;
		bytes -= len;
	}
	count(CTL_PLAIN_UNREAD, bytes);
	return 0;
}

static __always_inline void plain_copy(struct __sk_buff *skb, struct flow *flow, __u32 at,
				       __u32 len, __u64 offset, __u32 dir)
{
	if (flow->state == FLOW_PLAIN) {
		if (flow->plain_looked >= PLAIN_LOOK_BYTES) {
			count(CTL_PLAIN_UNREAD, len);
			return;
		}
		flow->plain_looked += len;
	}
	plain_pieces(skb, at, len, offset, dir);
}

/* Whether plain_begin() has to be asked: of a first request, and again while that is refused. */
static __always_inline bool plain_is_due(struct __sk_buff *skb, struct bpf_sock *sk,
					 const struct flow *flow, const struct segment *s)
{
	if (flow->state == FLOW_REFUSED)
		return flow->is_plain;
	return flow->state == FLOW_NEW && plain_is_request(skb, s) &&
	       plain_is_port(bpf_ntohs(sk->dst_port));
}

/* The flow of a packet, and its segment. NULL: it has none. */
static __always_inline struct flow *plain_flow(struct __sk_buff *skb, struct bpf_sock **ret_sk,
					       struct segment *ret)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return NULL;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP || !segment_read(skb, ret))
		return NULL;
	*ret_sk = sk;
	return bpf_sk_storage_get(&flows, sk, 0, 0);
}

/*
 * A connection begins with this request. 1: it is refused. By its address, that is, for a name that is still to be
 * read from its head comes too late for a gate; what it turns out to be then is reset. A global function for the
 * reason given at records_continue(), as are the next ones.
 */
__weak int plain_begin(struct __sk_buff *skb)
{
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6), is_ai;
	struct ctl_gate *gate = NULL;
	struct bpf_tcp_sock *tcp;
	struct bpf_sock *sk;
	struct ctl_addr peer;
	struct segment s;
	struct flow *flow = plain_flow(skb, &sk, &s);

	if (!flow)
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return 0;
	peer_of(&peer, sk, is_ip6);
	is_ai = addr_is_ai_only(&peer);
	flow->cookie = bpf_get_socket_cookie(skb);
	flow->cgroup = bpf_skb_cgroup_id(skb);
	flow->netns = peer.netns;
	flow->verdict = is_ai ? CTL_AI : CTL_ASK;
	flow->is_plain = 1;
	flow->is_old = 0;
	if (is_ai && gates_live)
		gate = gate_of_skb(skb, GATE_NEW);
	if (gate) {
		if (flow->state != FLOW_REFUSED) {
			gate_hit(gate, CTL_REFUSED_HELLOS);
			flow->state = FLOW_REFUSED;
			emit_flow(sk, flow, NULL, EV_PLAIN, is_ip6);
		}
		return 1;
	}
	flow->handshake_state = HANDSHAKE_DATA;
	flow->seq_first = flow->seq_next = s.seq;
	flow->before_in = tcp->bytes_received;
	flow->plain_seq_in = tcp->rcv_nxt;
	flow->state = FLOW_PLAIN;
	/* nothing of it can be put together without that */
	if (!emit_flow(sk, flow, NULL, EV_PLAIN, is_ip6))
		flow->state = FLOW_OTHER;
	else if (is_ai)
		flow_enter(flow);
	return 0;
}

/* Takes over what user space has decided about a FLOW_PLAIN, if it has: then that is its state. */
static __always_inline void plain_ask(struct __sk_buff *skb, struct bpf_sock *sk, struct flow *flow,
				      bool is_ip6)
{
	__u32 *verdict = bpf_map_lookup_elem(&verdicts, &flow->cookie);
	struct ctl_gate *gate;

	if (!verdict && flow->bytes[EV_OUT] < PLAIN_ASK_BYTES)
		return;
	flow->state = FLOW_OTHER;
	if (!verdict || *verdict != CTL_AI)
		return;
	flow->verdict = CTL_AI;
	gate = gates_live ? gate_of_skb(skb, GATE_NEW) : NULL;
	if (!gate) {
		flow_enter(flow);
		return;
	}
	flow->state = FLOW_REFUSED;
	gate_hit(gate, CTL_REFUSED_HELLOS);
	emit_flow(sk, flow, NULL, EV_PLAIN, is_ip6);
}

/* What is new of a segment that leaves. To be called before it is counted. */
__weak int plain_out(struct __sk_buff *skb)
{
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	struct bpf_sock *sk;
	struct segment s;
	struct flow *flow = plain_flow(skb, &sk, &s);
	__u32 fresh, len;

	if (!flow)
		return 0;
	if (flow->state == FLOW_PLAIN)
		plain_ask(skb, sk, flow, is_ip6);
	len = fresh = s.seq + s.len - flow->seq_next;
	if (!s.len || (__s32)fresh <= 0 || (flow->state != FLOW_PLAIN && flow->state != FLOW_AI))
		return 0;
	if (len > s.len)
		len = s.len;
	plain_copy(skb, flow, s.at + s.len - len, len, flow->bytes[EV_OUT] + fresh - len, EV_OUT);
	return 0;
}

/* A segment that comes in, unless TCP has had all of it. */
__weak int plain_in(struct __sk_buff *skb)
{
	struct bpf_tcp_sock *tcp;
	struct bpf_sock *sk;
	struct segment s;
	struct flow *flow = plain_flow(skb, &sk, &s);
	__s64 offset;
	__s32 ahead;

	if (!flow || !s.len)
		return 0;
	tcp = bpf_tcp_sock(sk);
	if (!tcp)
		return 0;
	ahead = s.seq + s.len - tcp->rcv_nxt;
	if (ahead <= 0 || ahead > PLAIN_WINDOW)
		return 0;
	offset = flow->plain_in + (__s32)(s.seq - flow->plain_seq_in - (__u32)flow->plain_in);
	if (offset < 0)
		return 0;
	if (offset + s.len > flow->plain_in)
		flow->plain_in = offset + s.len;
	plain_copy(skb, flow, s.at, s.len, offset, EV_IN);
	return 0;
}

#endif
