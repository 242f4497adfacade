// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Classifies each TCP connection, on any port, by the first bytes that it sends: one whose ClientHello (or
 * CONNECT request) names an AI host is reported and counted, and one whose first request is plain HTTP to a port that
 * the operator has named (plain.h); all others are marked and left alone.
 *
 * Incoming bytes are the kernel's own tcp_sock.bytes_received, read when their acknowledgement leaves, so that
 * forged or repeated segments do not count.
 *
 * Not seen: TCP behind IPv6 extension headers.
 *
 * Every failure lets the packet pass.
 */
#include "adopt.h"
#include "defer.h"
#include "hosts.h"
#include "names.h"
#include "pace.h"
#include "pair.h"
#include "plain.h"
#include "quic.h"
#include "emit_flow.h"

/*
 * After CONNECT or a SOCKS greeting: how many segments without the start of a hello are tolerated (a request's
 * headers).
 */
#define TUNNEL_SEGMENTS 8

/* The ClientHello that is being read or was refused: 600 bytes for each socket at that point. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct hello);
} hellos SEC(".maps");

__u32 defer_is_on = 0;
__u64 defer_answered_ns = 0;
__u64 pair_until_ns = 0;
__u32 addrs_generation = 0;
__u64 quic_second = 0;
__u32 quic_looks = 0;

static __always_inline void flow_leave(struct bpf_sock *sk, struct flow *flow)
{
	flow->state = FLOW_OTHER;
	bpf_sk_storage_delete(&hellos, sk);
}

/* A connection whose beginning was not seen, to an address of AI hosts only: it is counted from here on. */
static __always_inline void flow_adopt(struct __sk_buff *skb, struct bpf_sock *sk,
				       struct flow *flow, const struct segment *s, bool is_ip6)
{
	if (!adopt_is_due(skb, sk, flow, s, is_ip6))
		return;
	flow->cookie = bpf_get_socket_cookie(skb);
	flow->cgroup = bpf_skb_cgroup_id(skb);
	flow->netns = netns_of(sk);
	flow->is_tenants = netns_is_tenants(sk);
	flow->verdict = CTL_AI;
	flow->is_adopted = 1;
	flow->handshake_state = HANDSHAKE_DATA;
	flow->seq_next = s->seq;
	flow_count_in(sk, flow);
	flow_count_out(flow, s);
	flow_enter(flow);
	emit_flow(sk, flow, NULL, EV_FLOW, is_ip6);
}

/* The name is an AI host's, and this segment is the last one of the hello or its retransmission. */
static __always_inline int flow_admit(struct __sk_buff *skb, struct bpf_sock *sk, struct flow *flow,
				      struct hello *h, const struct segment *s, bool is_ip6)
{
	struct ctl_gate *gate = gates_live ? gate_of_skb(skb, GATE_NEW) : NULL;

	if (gate) {
		if (flow->state == FLOW_REFUSED)
			return DROP; /* reported already */
		flow->state = FLOW_REFUSED;
		gate_hit(gate, CTL_REFUSED_HELLOS);
		emit_flow(sk, flow, h, EV_FLOW, is_ip6);
		return DROP;
	}
	if (defer_is_due(flow, flow->tgid)) {
		if (flow->state != FLOW_DEFERRED) {
			flow->state = FLOW_DEFERRED;
			defer_note(sk, flow, flow->tgid);
			emit_flow(sk, flow, NULL, EV_FLOW, is_ip6);
		}
		return DROP;
	}
	flow->seq_next = flow->seq_first;
	flow_count_in(sk, flow);
	flow_count_out(flow, s);
	handshake_count(flow);
	flow_enter(flow);
	emit_flow(sk, flow, h, EV_FLOW, is_ip6);
	bpf_sk_storage_delete(&hellos, sk);
	return PASS;
}

/* The verdict on a hello: by the name in `h`; without a name by its address, which must belong to AI hosts only. */
static __always_inline __u32 flow_ask(struct bpf_sock *sk, const struct hello *h, bool is_ip6)
{
	struct ctl_addr peer;

	if (h->name_len)
		return hosts_ask(h->name, h->name_len);
	peer_of(&peer, sk, is_ip6);
	return addr_is_ai_only(&peer) ? CTL_AI : CTL_IGNORE;
}

/* The connection has sent its hello, with the name in `h` if it gives one: may it pass? */
static __always_inline int flow_named(struct __sk_buff *skb, struct bpf_sock *sk, struct flow *flow,
				      struct hello *h, const struct segment *s, bool is_ip6)
{
	struct ctl_addr peer;
	__u8 yes = 1;

	flow->is_old = 0;
	if (flow->state != FLOW_REFUSED && flow->state != FLOW_DEFERRED)
		flow->verdict = flow_ask(sk, h, is_ip6);
	if (flow->verdict == CTL_AI || flow->verdict == CTL_ASK) {
		flow->cookie = bpf_get_socket_cookie(skb);
		flow->cgroup = bpf_skb_cgroup_id(skb);
		flow->netns = netns_of(sk);
		flow->is_tenants = netns_is_tenants(sk);
		return flow_admit(skb, sk, flow, h, s, is_ip6);
	}
	if (flow->state == FLOW_TUNNEL)
		return PASS; /* the hello inside may name another host */
	if (!flow->is_tunnelled && h->name_len) {
		peer_of(&peer, sk, is_ip6);
		bpf_map_update_elem(&other_addrs, &peer, &yes, BPF_ANY);
	}
	flow_leave(sk, flow);
	return PASS;
}

/* A SOCKS client's greeting: version 5 with its methods, in one segment (RFC 1928 3), or version 4. */
static __always_inline bool is_socks(struct __sk_buff *skb, const struct segment *s)
{
	__u8 head[2];

	if (bpf_skb_load_bytes(skb, s->at, head, sizeof(head)))
		return false;
	return (head[0] == 5 && s->len == 2 + head[1]) || (head[0] == 4 && head[1] == 1);
}

/* The first bytes that a connection sends, or sends after its proxy has answered. */
static __always_inline bool flow_begin(struct __sk_buff *skb, struct flow *flow,
				       const struct segment *s)
{
	__u8 head[5];

	if (bpf_skb_load_bytes(skb, s->at, head, 1))
		return false;
	if (flow->state == FLOW_NEW)
		flow->seq_first = s->seq;
	if (hello_is_tls(head[0])) {
		flow->state = FLOW_HELLO;
		flow->seq_next = s->seq;
		handshake_greet(skb, flow, s->at);
		flow->handshake_state = HANDSHAKE_LOST;
		if (!bpf_skb_load_bytes(skb, s->at, head, sizeof(head))) {
			flow->handshake_state = HANDSHAKE_HANDSHAKE;
			flow->seq_record = s->seq + 5 + hello_u16(head + 3);
		}
		return true;
	}
	if (head[0] == 'C' || (flow->state == FLOW_NEW && is_socks(skb, s))) {
		flow->state = FLOW_TUNNEL;
		return true;
	}
	return flow->state == FLOW_TUNNEL && flow->segments++ < TUNNEL_SEGMENTS;
}

/* Feeds this segment to the parser of the connection's name. */
static __always_inline enum hello_result flow_read(struct __sk_buff *skb, struct flow *flow,
						   struct hello *h, const struct segment *s)
{
	enum hello_result result;
	__u32 seen;

	if (flow->state == FLOW_REFUSED || flow->state == FLOW_DEFERRED)
		return HELLO_NAME;
	if (flow->state == FLOW_TUNNEL) {
		flow->is_tunnelled = 1;
		result = hello_connect(h, skb, s->at, s->at + s->len);
		return result == HELLO_NAME ? result : HELLO_MORE;
	}
	seen = flow->seq_next -
	       s->seq; /* bytes seen before; a gap, which cannot occur, would be huge */
	if (seen >= s->len)
		return HELLO_MORE;
	result = hello_feed(h, skb, s->at + seen, s->at + s->len);
	flow->seq_next = s->seq + s->len;
	if (result == HELLO_BAD)
		count(CTL_HELLO_BAD, 1);
	if (result != HELLO_MORE && h->is_ech)
		count(CTL_HELLO_ECH, 1);
	return result;
}

static __always_inline int flow_greet(struct __sk_buff *skb, struct bpf_sock *sk, struct flow *flow,
				      const struct segment *s, bool is_ip6)
{
	enum hello_result result;
	struct hello *h;

	if ((flow->state == FLOW_NEW || flow->state == FLOW_TUNNEL) && !flow_begin(skb, flow, s)) {
		flow_leave(sk, flow);
		return PASS;
	}
	h = bpf_sk_storage_get(&hellos, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!h) {
		count(CTL_FLOWS_FULL, 1);
		flow_leave(sk, flow);
		return PASS;
	}
	result = flow_read(skb, flow, h, s);
	if (result == HELLO_MORE)
		return PASS;
	if (result != HELLO_NAME)
		h->name_len = 0;
	return flow_named(skb, sk, flow, h, s, is_ip6);
}

/* Whether what leaves is sent by a process that has not made this connection and was not seen to send on it before. */
static __always_inline bool flow_is_handed_on(struct bpf_sock *sk, const struct flow *flow)
{
	__u32 tgid;

	if (flow->waiter)
		return true;
	if (!defer_is_on || !flow->tgid || !is_owned(sk))
		return false;
	tgid = task_tgid();
	return tgid != flow->tgid && tgid != flow->sender;
}

/*
 * Of such a segment: 1 if it must wait for the probes of its process. User space is told also if it need not wait, because
 * what it carries may have been written too early for them. A global function for the reason given at
 * records_continue().
 */
__weak int flow_waits(struct __sk_buff *skb)
{
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6), is_new, waits;
	struct bpf_sock *sk = skb->sk;
	struct flow *flow;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow)
		return 0;
	is_new = !flow->waiter;
	if (is_new)
		flow->waiter = task_tgid();
	waits = defer_is_due(flow, flow->waiter);
	if (is_new) {
		if (waits)
			defer_note(sk, flow, flow->waiter);
		emit_flow(sk, flow, NULL, EV_FLOW, is_ip6);
	}
	if (waits)
		return 1;
	flow->sender = flow->waiter;
	flow->waiter = 0;
	return 0;
}

static __always_inline int flow_tcp(struct __sk_buff *skb, struct bpf_sock *sk)
{
	struct flow *flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	struct segment s;
	int verdict = PASS;
	__u64 had_come;

	if (flow && flow->state == FLOW_OTHER && !adopt_may_be_due(flow)) {
		if (pair_is_due(sk, flow) && pair_packet(skb))
			return DROP;
		return PASS;
	}
	if (!segment_read(skb, &s))
		return PASS;
	if (!flow) {
		flow = bpf_sk_storage_get(&flows, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
		if (!flow) {
			count(CTL_FLOWS_FULL, 1);
			return PASS;
		}
		flow->is_old = 1;
		flow->ends_at_release = 1;
	}
	if (s.len && plain_is_due(skb, sk, flow, &s) && plain_begin(skb))
		return DROP;
	if (flow->state == FLOW_PLAIN) {
		flow_count_in(sk, flow);
		plain_out(skb);
		flow_count_out(flow, &s);
		return PASS;
	}
	if (flow->state == FLOW_AI) {
		if (s.len && gates_live && pair_is_refused(skb, flow)) {
			pace_refuse(sk, flow, &s);
			return DROP;
		}
		had_come = flow->bytes[EV_IN];
		flow_count_in(sk, flow);
		pace_stream(skb, flow, flow->bytes[EV_IN] - had_come);
		adopt_learn(sk, flow, is_ip6);
		if (handshake_follow(skb, flow, &s))
			emit_flow(sk, flow, NULL, EV_FLOW, is_ip6);
		if (s.len && flow_is_handed_on(sk, flow) && flow_waits(skb))
			return DROP;
		if (s.len && pair_is_due(sk, flow) && pair_packet(skb))
			return DROP;
		if (s.len && pace_holds(skb, sk, flow, &s))
			return DROP;
		if (flow->is_plain)
			plain_out(skb);
		flow_count_out(flow, &s);
		handshake_count(flow);
		if (!flow->is_plain)
			records_count(skb, EV_OUT);
		flow_publish(flow);
		return PASS;
	}
	if (s.len && flow->state != FLOW_OTHER)
		verdict = flow_greet(skb, sk, flow, &s, is_ip6);
	if ((flow->state == FLOW_NEW || flow->state == FLOW_OTHER) && adopt_may_be_due(flow))
		flow_adopt(skb, sk, flow, &s, is_ip6);
	return verdict;
}

SEC("cgroup_skb/egress")
int flow_egress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;

	if (!sk)
		return PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return PASS;
	if (sk->protocol == PROTO_TCP)
		return flow_tcp(skb, sk);
	if (sk->protocol == PROTO_UDP) {
		names_out(skb);
		return quic_out(skb) & 3; /* a bound that the verifier sees */
	}
	return PASS;
}

/*
 * Incoming bytes are counted by their acknowledgements. Only the records or the plain HTTP of AI flows and QUIC are
 * examined here, so any other packet costs one look-up.
 */
SEC("cgroup_skb/ingress")
int flow_ingress(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct flow *flow;

	if (!sk)
		return PASS;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return PASS;
	if (sk->protocol == PROTO_UDP) {
		names_in(skb);
		quic_in(skb);
	}
	if (sk->protocol != PROTO_TCP)
		return PASS;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow || (flow->state != FLOW_AI && flow->state != FLOW_PLAIN))
		return PASS;
	if (flow->state == FLOW_AI && pace_cuts(skb, flow))
		return DROP;
	if (flow->is_plain)
		plain_in(skb);
	else
		records_count(skb, EV_IN);
	return PASS;
}

/*
 * The task that connects. The helpers that would tell it are available to these programs from 6.10 on; the task
 * itself can be read since 5.8.
 */
static __always_inline void flow_owner(struct flow *flow)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	flow->tgid = BPF_CORE_READ(task, tgid);
	bpf_probe_read_kernel_str(flow->comm, sizeof(flow->comm), &task->comm);
}

/* True: its end was reported. */
static __always_inline bool flow_conclude(struct bpf_sock_ops *ops, struct bpf_sock *sk,
					  struct flow *flow)
{
	bool is_told;

	if (flow->state != FLOW_AI && flow->state != FLOW_REFUSED && flow->state != FLOW_PLAIN)
		return false;
	/* if user space has deleted the row, the flow is not reported again */
	if (flow->is_counted && bpf_map_delete_elem(&flow_counts, &flow->cookie))
		return false;
	flow->bytes[EV_IN] = ops->bytes_received - flow->before_in;
	handshake_count(flow);
	is_told = emit_flow(sk, flow, NULL, EV_FLOW_END, ops->family == AF_INET6);
	flow->state = FLOW_OTHER;
	return is_told;
}

static __always_inline void flow_end(struct bpf_sock_ops *ops, struct bpf_sock *sk)
{
	struct flow *flow = bpf_sk_storage_get(&flows, sk, 0, 0);

	if (!flow)
		return;
	if (flow_conclude(ops, sk, flow))
		pace_abandon(flow); /* user space deletes the hold once it has read of the end */
	else
		pace_forget(flow);
}

/*
 * Reports a process as it connects to an AI address, so that its probes are attached during the TCP handshake.
 * Before 6.10 these programs cannot ask for the socket's cgroup, so the task's is taken.
 */
static __always_inline void flow_approach(struct bpf_sock_ops *ops, struct bpf_sock *sk,
					  const struct flow *flow)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 now = bpf_ktime_get_ns(), *last;
	struct ctl_addr addr = {};
	struct ev_flow *event;
	__u32 tgid = flow->tgid;
	bool is_ip6 = ops->family == AF_INET6;

	words(addr.addr, is_ip6, ops->remote_ip4, ops->remote_ip6);
	if (!is_ip6)
		addr_from_ip4(&addr, *(__u32 *)addr.addr);
	addr.port = bpf_ntohl(ops->remote_port);
	addr.netns = netns_of(sk);
	if (!addr_is_ai_only(&addr) || plain_is_port(addr.port))
		return;
	last = bpf_map_lookup_elem(&approaches, &tgid);
	if (last && now - *last < CTL_APPROACH_NS)
		return;
	bpf_map_update_elem(&approaches, &tgid, &now, BPF_ANY);
	event = emit_reserve(sizeof(*event));
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	emit_head(&event->head, EV_FLOW, tgid, BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id), 0);
	event->state = EV_FLOW_APPROACH;
	event->remote_port = addr.port;
	__builtin_memcpy(event->comm, flow->comm, sizeof(event->comm));
	emit_submit(event);
}

/*
 * `reply` is never written, because other programs of this hook that ran before may have set it. Their flags
 * are kept too.
 */
SEC("sockops")
int flow_sockops(struct bpf_sock_ops *ops)
{
	struct bpf_sock *sk;
	struct flow *flow;

	if (ops->op != BPF_SOCK_OPS_TCP_CONNECT_CB && ops->op != BPF_SOCK_OPS_STATE_CB)
		return 1;
	sk = ops->sk;
	if (!sk)
		return 1;
	if (ops->op == BPF_SOCK_OPS_STATE_CB) {
		if (ops->args[1] == BPF_TCP_CLOSE)
			flow_end(ops, sk);
		return 1;
	}
	flow = bpf_sk_storage_get(&flows, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (flow) {
		flow_owner(flow);
		flow_approach(ops, sk, flow);
	}
	bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_STATE_CB_FLAG);
	return 1;
}
