/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs a TLS connection with the sockets that carry it (docs/design/051, 063). In this order:
 *
 * - by the ciphertext itself: eight bytes of a record are noted where the library has it in its hands, and
 *   looked for in what leaves each socket. This works whatever lies between: a memory BIO, another thread,
 *   io_uring, a descriptor that was passed on, a relay on this host;
 * - by the call: what leaves was sent by this task, inside of a write to the library, and is as long as that
 *   write makes it;
 * - by the length: what leaves was sent by this process, and only one of its connections has written that much
 *   which was not seen to leave.
 *
 * Records are looked for only for a second after one was noted, and only in a segment that begins with one, as
 * what is written at once does; the Finished of a handshake may lie before the first request.
 */
#ifndef PAIR_H
#define PAIR_H

#include "counts.h"
#include "fingerprint.h"

/*
 * How many segments of a connection that is not known as an AI host's are examined, whoever sends them: its first
 * records are enough. One that is older than the programs may have used them up for others before its own TLS is
 * read, so those of a process that notes records are examined beyond.
 */
#define PAIR_LOOKS 16
/* Records of a segment: a change of cipher spec, a Finished, HTTP/2's preface, a request. */
#define PAIR_RECORDS 4

/* Whether this process sends, and has noted a record since. Its looks are not counted: it pays for them itself. */
static __always_inline bool pair_is_noter(struct bpf_sock *sk, __u64 now)
{
	__u32 tgid;
	__u64 *noted;

	if (!is_owned(sk))
		return false;
	tgid = task_tgid();
	noted = bpf_map_lookup_elem(&noters, &tgid);
	return noted && now - *noted < PAIR_WAIT_NS;
}

static __always_inline bool pair_is_due(struct bpf_sock *sk, const struct flow *flow)
{
	__u64 now;

	if (flow->state != FLOW_AI && flow->connection)
		return true;
	if (!pair_until_ns)
		return false;
	now = bpf_ktime_get_ns();
	if (now >= pair_until_ns) {
		pair_until_ns = 0;
		return false;
	}
	return flow->state == FLOW_AI || flow->pair_looks < PAIR_LOOKS || pair_is_noter(sk, now);
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
	event->how = flow->connection_how;
	event->carries = flow->carries;
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
	flow->is_tenants = netns_is_tenants(sk);
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
 * Whose connections the socket carries, with this caller's. Others than the caller may have some on it if it is
 * another's and has a framing of its own, as a relay's that has several clients. What is refused to one of them
 * cannot be dropped there without a loss for the rest.
 */
static __always_inline __u8 pair_carries(struct __sk_buff *skb, const struct flow *flow,
					 __u64 caller)
{
	if (flow->carries == EV_CARRIES_MANY ||
	    (flow->connection && flow->connection_cgroup != caller))
		return EV_CARRIES_MANY;
	if (bpf_skb_cgroup_id(skb) == caller)
		return EV_CARRIES_OWN;
	return flow->is_mixed ? EV_CARRIES_FRAMES : EV_CARRIES_OTHERS;
}

/* Notes who paces it: only of the first socket that carries the connection, for each that is asked takes credit. */
static __always_inline void pair_pace(struct flow *flow, const struct ctl_conn *conn)
{
	bool is_first = flow->carries < EV_CARRIES_FRAMES && conn->socket == flow->cookie;
	bool is_own = flow->carries == EV_CARRIES_OWN && conn->pacing == flow->cgroup;

	flow->pacing = is_first && !is_own ? conn->pacing : 0;
}

/* The connection that the flow was last seen to carry; NULL: none, or it has ended. */
static __always_inline struct ctl_conn *pair_conn_of(const struct flow *flow)
{
	struct ctl_conn_key key = { .ssl = flow->connection_ssl, .tgid = flow->connection_tgid };
	struct ctl_conn *conn = flow->connection ? bpf_map_lookup_elem(&conns, &key) : NULL;

	return conn && conn->id == flow->connection ? conn : NULL;
}

/*
 * Whether a gate drops what this flow sends. Its own cgroup's does, and the one of the process that writes,
 * which may be in another, if it was moved or was given the descriptor. But what a relay carries for others is
 * charged to them: it obeys their gates, not the relay's; and where there may be several of them, no gate but one
 * over both the relay and the only caller that is known.
 */
static __always_inline bool pair_is_refused(struct __sk_buff *skb, struct flow *flow)
{
	const struct ctl_conn *conn = pair_conn_of(flow);
	bool is_shut = gate_of_skb(skb, GATE_LIVE);

	if (!conn)
		return is_shut;
	pair_pace(flow, conn);
	switch (flow->carries) {
	case EV_CARRIES_OWN:
		return is_shut || conn->is_refused;
	case EV_CARRIES_OTHERS:
		return conn->is_refused;
	case EV_CARRIES_FRAMES:
		return is_shut && conn->is_refused;
	}
	return false;
}

/* Whether a write of `len` bytes makes a record of this length. */
static __always_inline bool pair_makes(__u32 len, __u32 record)
{
	return len && (record == len + PAIR_ADDS_TLS13 || record == len + PAIR_ADDS_CHACHA ||
		       record == len + PAIR_ADDS_GCM);
}

/* The write in which this task sends the record. */
static __always_inline bool pair_by_call(__u64 task, __u32 record, struct claim *ret)
{
	const struct thread *thread = bpf_map_lookup_elem(&threads, &task);
	struct ctl_conn_key key = { .tgid = task >> 32 };
	const struct ctl_conn *conn;
	const struct frame *call;
	__u32 last;

	if (!thread)
		return false;
	last = thread->n - 1; /* huge if there is none */
	barrier_var(
		last); /* the compared value is the index: Linux 5.10 does not infer one from another */
	if (last >= FRAMES)
		return false;
	call = &thread->frames[last];
	if (call->dir != EV_OUT || call->sealed || !pair_makes(call->len, record))
		return false;
	key.ssl = call->ssl;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		return false;
	ret->connection = conn->id;
	ret->ssl = key.ssl;
	ret->tgid = key.tgid;
	return true;
}

/* The write of this process that makes a record of this length, if it is the only one. Takes it. */
static __always_inline bool pair_by_len(__u32 tgid, __u32 record, struct claim *ret)
{
	static const __u32 adds[] = { PAIR_ADDS_TLS13, PAIR_ADDS_CHACHA, PAIR_ADDS_GCM };
	__u64 key, of = 0, now = bpf_ktime_get_ns();
	const struct claim *claim;

	for (int i = 0; i < 3; i++) {
		key = pair_len_key(tgid, record - adds[i]);
		claim = bpf_map_lookup_elem(&written, &key);
		if (!claim || now - claim->time_ns > PAIR_WAIT_NS)
			continue;
		if (of) /* it may be either of two */
			return false;
		of = key;
		*ret = *claim;
	}
	if (of)
		bpf_map_delete_elem(&written, &of);
	return of && ret->connection;
}

/* Finds the connection whose record the packet begins with. False: it is not known. */
static __always_inline bool pair_owner(struct bpf_sock *sk, const struct flow *flow,
				       const __u8 *head, struct claim *ret, enum ev_pair_how *how)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	__u64 print = pair_key(head), caller;
	const struct claim *claim;

	if (!print)
		return false;
	claim = bpf_map_lookup_elem(&fingerprints, &print);
	if (claim) {
		*how = EV_PAIR_RECORD;
		*ret = *claim;
		return ret->connection;
	}
	/* the rest names a connection's own socket, of which there is one; what TCP repeats says nothing */
	if (flow->connection || !is_owned(sk))
		return false;
	caller = (__u64)BPF_CORE_READ(task, tgid) << 32 | (__u32)BPF_CORE_READ(task, pid);
	ret->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	*how = EV_PAIR_CALL;
	if (pair_by_call(caller, pair_record_len(head), ret))
		return true;
	*how = EV_PAIR_LEN;
	return flow->state == FLOW_AI && pair_by_len(caller >> 32, pair_record_len(head), ret);
}

/* The first record of the segment whose owner is known. */
static __always_inline bool pair_find(struct __sk_buff *skb, struct bpf_sock *sk,
				      const struct flow *flow, const struct segment *s,
				      struct claim *ret, enum ev_pair_how *how)
{
	__u32 at = 0;
	__u8 head[24];

	for (int i = 0; i < PAIR_RECORDS; i++) {
		if (at + PAIR_LEN > s->len || bpf_skb_load_bytes(skb, s->at + at, head, PAIR_LEN))
			return false;
		if (pair_owner(sk, flow, head, ret, how))
			return true;
		if (head[0] < 20 || head[0] > 23 || head[1] != 3)
			return false;
		at += PAIR_HEAD + pair_record_len(head);
	}
	return false;
}

/* Looks for a noted record in this segment. True: the flow carries a connection that it was not known to carry. */
static __always_inline bool pair_begin(struct __sk_buff *skb, struct bpf_sock *sk,
				       struct flow *flow, const struct segment *s, const __u8 *head)
{
	enum ev_pair_how how = EV_PAIR_RECORD;
	struct ctl_conn_key key = {};
	struct ctl_conn *conn;
	struct claim owner = {};

	/* what comes before is its sender's to make long: a hello in records of a byte each */
	if (pair_is_data(head))
		flow->pair_looks += flow->pair_looks < PAIR_LOOKS;
	if (!pair_find(skb, sk, flow, s, &owner, &how) || owner.connection == flow->connection)
		return false;
	key.ssl = owner.ssl;
	key.tgid = owner.tgid;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn || conn->id != owner.connection)
		return false;
	flow->cookie = bpf_get_socket_cookie(skb);
	if (!conn->is_paired)
		conn->socket = flow->cookie;
	conn->is_paired = 1;
	if (flow->state != FLOW_AI)
		flow->is_mixed = flow->handshake_state == HANDSHAKE_NONE;
	flow->carries = pair_carries(skb, flow, owner.cgroup);
	flow->connection = owner.connection;
	flow->connection_cgroup = owner.cgroup;
	flow->connection_ssl = key.ssl;
	flow->connection_tgid = key.tgid;
	flow->connection_how = how;
	return true;
}

/*
 * Whether the connection of a flow that is not counted is known to carry calls, and so the flow enters. User space
 * knows after its first request was read, and a client that is older than the daemon may have sent hundreds by
 * then: the flow is paired at the first and waits here.
 */
static __always_inline bool pair_enters(struct flow *flow)
{
	const struct ctl_conn *conn = pair_conn_of(flow);

	if (conn && conn->state == CTL_AI)
		return true;
	if (!conn || conn->state == CTL_IGNORE)
		flow->connection = 0;
	return false;
}

/*
 * Finds out which connection this packet carries. 1: one that is refused, so the packet is to be dropped. A global
 * function for the reason given at records_continue().
 */
__weak int pair_packet(struct __sk_buff *skb)
{
	bool is_ip6 = skb->protocol == bpf_htons(ETH_P_IPV6);
	struct bpf_sock *sk = skb->sk;
	struct flow *flow;
	struct segment s;
	bool is_refused;
	__u8 head[5];

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow || !segment_read(skb, &s) || s.len < PAIR_HEAD ||
	    bpf_skb_load_bytes(skb, s.at, head, sizeof(head)))
		return 0;
	if ((flow->state == FLOW_AI || !flow->connection) && !pair_begin(skb, sk, flow, &s, head))
		return 0;
	if (flow->state != FLOW_AI) {
		if (!pair_is_data(head) || !pair_enters(flow))
			return 0;
		pair_enter(skb, sk, flow, &s);
	}
	is_refused = gates_live && pair_is_refused(skb, flow);
	pair_emit(sk, flow, is_refused, is_ip6);
	return is_refused;
}

#endif
