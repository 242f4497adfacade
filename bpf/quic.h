/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * QUIC, which here means UDP to port 443. The first datagrams of a connection are sent up, where the name in
 * them is read. Datagrams of an AI host are counted, and dropped at a shut gate, so that the client gets an
 * error and falls back to TCP.
 *
 * A connection is identified by a number made of socket and peer. One whose start was missed, or whose name
 * cannot be read, is recognised by its address. One that migrates to another address (RFC 9000 9) counts as
 * new.
 */
#ifndef QUIC_H
#define QUIC_H

#include "pace.h"

#define PORT_QUIC 443

/*
 * How many first datagrams of one connection are sent up: a post-quantum hello takes 2, and each may be
 * repeated once. And of all connections together in a second: each costs user space about 50 us.
 */
#define QUIC_LOOKS        4
#define QUIC_LOOKS_SECOND 1000

/* How long a connection behind a shut gate waits for its name to be read. */
#define QUIC_HOLD_NS 1000000000ULL

/*
 * Bytes of a packet that are not application data: header 1 + 8 + 2, tag 16 (RFC 9001 5.3), head of a STREAM
 * frame 7 (RFC 9000 19.8).
 */
#define QUIC_FRAMING 34

#define DROP_SILENTLY 2 /* of cgroup_skb: dropped without an error from sendmsg() */

extern __u64 quic_second;
extern __u32 quic_looks;

struct datagram {
	__u32 at; /* of the payload in the packet */
	__u32 len;
	struct ctl_addr peer;
	__u64 id; /* of socket and peer */
};

static __always_inline __u64 quic_mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 29;
}

/* False: the datagram is not to port 443 (from it, if `is_in`). */
static __always_inline bool quic_read(struct __sk_buff *skb, bool is_in, struct datagram *d)
{
	__u32 at = transport(skb, PROTO_UDP), ip4;
	__u64 words[2];
	__u16 port;

	if (!at || bpf_skb_load_bytes(skb, at + (is_in ? 0 : 2), &port, sizeof(port)))
		return false;
	if (port != bpf_htons(PORT_QUIC))
		return false;
	__builtin_memset(&d->peer, 0, sizeof(d->peer));
	d->peer.port = PORT_QUIC;
	d->at = at + 8;
	d->len = skb->len > d->at ? skb->len - d->at : 0;
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, is_in ? 8 : 24, d->peer.addr, sizeof(d->peer.addr)))
			return false;
	} else {
		if (bpf_skb_load_bytes(skb, is_in ? 12 : 16, &ip4, sizeof(ip4)))
			return false;
		addr_from_ip4(&d->peer, ip4);
	}
	__builtin_memcpy(words, d->peer.addr, sizeof(words));
	d->id = quic_mix(quic_mix(bpf_get_socket_cookie(skb), words[0]), words[1]) | 1ULL << 63;
	return d->len > 0;
}

/* Whether the datagram begins with an Initial packet of a known version (RFC 9000 17.2.2, RFC 9369 3.2). */
static __always_inline bool quic_is_initial(struct __sk_buff *skb, const struct datagram *d)
{
	__u8 head[5];

	if (bpf_skb_load_bytes(skb, d->at, head, sizeof(head)))
		return false;
	if (head[1] == 0 && head[2] == 0 && head[3] == 0 && head[4] == 1)
		return (head[0] & 0xf0) == 0xc0;
	return head[1] == 0x6b && head[2] == 0x33 && head[3] == 0x43 && head[4] == 0xcf &&
	       (head[0] & 0xf0) == 0xd0;
}

static __always_inline void quic_count(struct __sk_buff *skb, struct ctl_quic *q,
				       const struct datagram *d, __u32 dir)
{
	__u8 first;

	q->counts.bytes[dir] += d->len;
	if (bpf_skb_load_bytes(skb, d->at, &first, 1))
		return;
	if (first & 0x80) { /* a long header: a part of the handshake */
		q->counts.handshake[dir] += d->len;
	} else {
		q->counts.framed[dir] += d->len;
		q->counts.records[dir] += skb->gso_segs > 1 ? skb->gso_segs : 1;
	}
}

/* Fills the flow of an event. UDP is sent from within the owner's system call, so the current task is the owner. */
static __always_inline void quic_flow(struct __sk_buff *skb, struct bpf_sock *sk,
				      struct ev_flow *flow, const struct datagram *d)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	flow->is_quic = 1;
	flow->netns = current_netns();
	flow->is_tenants = !!BPF_CORE_READ(task, nsproxy, net_ns, user_ns, level);
	flow->socket = bpf_get_socket_cookie(skb);
	flow->verdict = CTL_AI;
	flow->record_bytes = QUIC_FRAMING;
	flow->remote_port = PORT_QUIC;
	flow->local_port = sk->src_port;
	flow->family = AF_INET6;
	__builtin_memcpy(flow->remote_addr, d->peer.addr, sizeof(flow->remote_addr));
	if (skb->protocol == bpf_htons(ETH_P_IP)) {
		flow->family = AF_INET;
		__builtin_memcpy(flow->remote_addr, d->peer.addr + 12, 4);
		__builtin_memset(flow->remote_addr + 4, 0, 12);
	}
	bpf_probe_read_kernel_str(flow->comm, sizeof(flow->comm), &task->comm);
}

/* Whether one more datagram may be sent up in this second. CPUs that race may admit a few more. */
static __always_inline bool quic_may_look(void)
{
	__u64 second = bpf_ktime_get_ns() / 1000000000;

	if (quic_second != second) {
		quic_second = second;
		quic_looks = 0;
	}
	if (quic_looks >= QUIC_LOOKS_SECOND) {
		count(CTL_QUIC_UNREAD, 1);
		return false;
	}
	quic_looks++;
	return true;
}

static __always_inline void quic_tell(struct __sk_buff *skb, struct bpf_sock *sk,
				      struct ctl_quic *q, const struct datagram *d)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u32 n = d->len < EV_QUIC_MAX ? d->len : EV_QUIC_MAX;
	struct ev_quic *event;

	if (q->told >= QUIC_LOOKS || !quic_may_look())
		return;
	event = emit_reserve(sizeof(*event));
	if (!event)
		return;
	__builtin_memset(&event->flow, 0, sizeof(event->flow));
	emit_head(&event->flow.head, EV_QUIC, BPF_CORE_READ(task, tgid), bpf_skb_cgroup_id(skb),
		  d->id);
	quic_flow(skb, sk, &event->flow, d);
	event->reserved = 0;
	event->len = n;
	if (hello_copy(skb, d->at, event->bytes, n, EV_QUIC_MAX)) {
		emit_discard(event);
		return;
	}
	q->told++;
	emit_submit(event);
}

/* A connection whose start was not seen, to an address of AI hosts only. */
static __always_inline void quic_adopt(struct __sk_buff *skb, struct bpf_sock *sk,
				       const struct datagram *d)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct ev_flow *event = emit_reserve(sizeof(*event));

	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	emit_head(&event->head, EV_FLOW, BPF_CORE_READ(task, tgid), bpf_skb_cgroup_id(skb), d->id);
	quic_flow(skb, sk, event, d);
	event->is_adopted = 1;
	emit_submit(event);
}

/* Adds a connection that is seen for the first time. NULL: no room. */
static __always_inline struct ctl_quic *quic_new(struct __sk_buff *skb, struct bpf_sock *sk,
						 const struct datagram *d)
{
	struct ctl_quic fresh = { .begun_ns = bpf_ktime_get_ns(), .state = CTL_QUIC_OTHER };
	__u64 cookie = bpf_get_socket_cookie(skb);

	fresh.counts.record_bytes = QUIC_FRAMING;
	if (quic_is_initial(skb, d))
		fresh.state = CTL_QUIC_LOOK;
	else if (addr_is_ai_only(&d->peer))
		fresh.state = CTL_QUIC_AI;
	if (bpf_map_update_elem(&quics, &d->id, &fresh, BPF_NOEXIST))
		return NULL;
	if (fresh.state == CTL_QUIC_AI)
		quic_adopt(skb, sk, d);
	if (fresh.state != CTL_QUIC_OTHER) { /* so that the socket's end is reported */
		fresh.counts.ends_at_release = 1;
		bpf_map_update_elem(&flow_counts, &cookie, &fresh.counts, BPF_NOEXIST);
	}
	return bpf_map_lookup_elem(&quics, &d->id);
}

/* Applies what user space has decided. */
static __always_inline void quic_learn(struct ctl_quic *q, const struct datagram *d)
{
	__u64 id = d->id;
	__u32 *verdict = bpf_map_lookup_elem(&verdicts, &id);

	if (!verdict)
		return;
	q->state = *verdict == CTL_AI ? CTL_QUIC_AI : CTL_QUIC_OTHER;
	bpf_map_delete_elem(&verdicts, &id);
}

/*
 * Whether a gate is shut for this datagram. A gate that paces is always shut for QUIC, because the cost of a
 * connection is known only after its end; one that admits the rest of a budget is shut when nothing is left.
 * The client gets EPERM and may fall back to TCP.
 */
static __always_inline bool quic_is_shut_out(struct __sk_buff *skb)
{
	struct ctl_gate *gate = gate_of_skb(skb, GATE_QUIC);

	if (gate)
		__sync_fetch_and_add(&gate->hits, 1);
	if (!gate && !pace_ask(skb, PACE_ASK, 0))
		return false;
	count(CTL_REFUSED_CONNECTS, 1);
	return true;
}

/* A global function for the reason given at records_continue(). */
__weak int quic_out(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct datagram d = {};
	struct ctl_quic *q;

	if (!sk)
		return PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk || !quic_read(skb, false, &d))
		return PASS;
	q = bpf_map_lookup_elem(&quics, &d.id);
	/* A datagram leaves in the call of who sends it. What connections taught holds in their namespace. */
	if (!q || gates_live)
		d.peer.netns = current_netns();
	if (!q)
		q = quic_new(skb, sk, &d);
	if (q && q->state == CTL_QUIC_LOOK)
		quic_learn(q, &d);
	if (gates_live && ((q && q->state == CTL_QUIC_AI) || addr_is_ai_only(&d.peer)) &&
	    quic_is_shut_out(skb))
		return DROP;
	if (!q || q->state == CTL_QUIC_OTHER)
		return PASS;
	if (q->state == CTL_QUIC_LOOK)
		quic_tell(skb, sk, q, &d);
	if (q->state == CTL_QUIC_LOOK && gates_live && gate_of_skb(skb, GATE_QUIC) &&
	    bpf_ktime_get_ns() - q->begun_ns < QUIC_HOLD_NS)
		return DROP_SILENTLY;
	quic_count(skb, q, &d, EV_OUT);
	return PASS;
}

__weak int quic_in(struct __sk_buff *skb)
{
	struct datagram d = {};
	struct ctl_quic *q;

	if (!quic_read(skb, true, &d))
		return 0;
	q = bpf_map_lookup_elem(&quics, &d.id);
	if (!q || q->state == CTL_QUIC_OTHER)
		return 0;
	quic_count(skb, q, &d, EV_IN);
	if (gates_live)
		pace_ask(skb, PACE_COUNT, d.len);
	return 0;
}

#endif
