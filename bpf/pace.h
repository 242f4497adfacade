/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pace: a request that begins behind a gate with buckets waits until each of them has credit (control.h).
 * Nothing of it leaves: its segments are dropped on their way out (EPERM to TCP), beginning with the one in
 * which it starts; what was sent before is retransmitted and acknowledged as usual. TCP keeps the data, retries
 * 15 times within about 13 minutes, and retries at once when user space wakes it (tap_pace_wake).
 *
 * A request begins where an application data record longer than PACE_SMALL leaves after more than PACE_ANSWER
 * bytes have come in since the last such record, or as the first of its connection. If a dropped segment
 * carried an acknowledgement, TCP considers it sent, and the peer's retransmission provokes the same again. So
 * an answer that arrives beside a held request (HTTP/2) could stall. In that case the request is released on
 * credit, and the next ones pay for it.
 *
 * An answer that comes before the end of its request (an error; APIs otherwise answer a request that they have
 * read) is masked by the rest of the request, so the next request is not recognised.
 *
 * So an upload counts as one request, and so do HTTP/2 requests that leave in succession with no answer between
 * them. Budgets are settled by true costs, whatever is missed here.
 */
#ifndef PACE_H
#define PACE_H

#include "gate.h"
#include "records.h"
#include "handshake.h"

/*
 * The longest application data record that counts as HTTP/2 control frames: a SETTINGS acknowledgement (9), two
 * WINDOW_UPDATEs (13 each) and a PING (17), and 24 of TLS 1.2's nonce and tag. The shortest request of an SDK,
 * with a model in its body, is longer than 100.
 */
#define PACE_SMALL 76

/*
 * The most that arrives while a request is still being sent: two WINDOW_UPDATEs in records of their own (2 *
 * 42), or "100 Continue" (25 + 29). Each answer of an API is longer.
 */
#define PACE_ANSWER 96

/* SETTINGS of eight values (57), an acknowledgement (9) and WINDOW_UPDATEs (13), each in a record. */
#define PACE_SETTINGS 256

/* A little less than twice TCP's shortest retransmission timeout: the first retransmission decides. */
#define PACE_STARVED_NS 300000000ULL

/* How many records of one segment (64 KiB at most) are examined: more must be small control frames. */
#define PACE_RECORDS 12

/*
 * Whether anything longer than control frames begins in this segment. If the start of its records is not known,
 * because part of the stream was missed, the size of the segment decides.
 */
static __always_inline bool pace_is_big(struct __sk_buff *skb, const struct flow *flow,
					const struct segment *s)
{
	const struct records *r = &flow->records[EV_OUT];
	bool is_known = r->is_followed && !r->have && (__s32)(r->next - s->seq) >= 0;
	__u32 at = is_known ? r->next - s->seq : 0;
	__u8 head[8];

	for (int i = 0; i < PACE_RECORDS; i++) {
		if (at >= s->len)
			return false;
		if (bpf_skb_load_bytes(skb, s->at + at, head, 5) || !record_is_sound(head))
			break;
		if (head[0] == 23 && hello_u16(head + 3) > PACE_SMALL)
			return true;
		at += 5 + hello_u16(head + 3);
	}
	return s->len > PACE_SMALL;
}

/* What is asked of the buckets of a packet's gates. */
enum pace_wish {
	PACE_ASK,     /* may a request begin? */
	PACE_ASK_NEW, /* the same, and it is counted if it must wait */
	PACE_TAKE,    /* one begins */
	PACE_COUNT,   /* so many bytes of an answer arrived; may more? */
};

/* False: this bucket has no credit left. */
static __always_inline bool bucket_gives(struct ctl_gate *gate, const struct ctl_allowance *grant,
					 struct ctl_consumed *taken, __u32 wish, __u32 bytes)
{
	if (wish == PACE_TAKE) {
		__sync_fetch_and_add(&taken->consumed_nanos, grant->reserve_nanos);
		__sync_fetch_and_add(&taken->admitted, 1);
		return true;
	}
	if (wish == PACE_COUNT) {
		if (!grant->per_kib_nanos)
			return true;
		__sync_fetch_and_add(&taken->streamed_nanos, bytes * grant->per_kib_nanos >> 10);
		return taken->streamed_nanos < grant->cut_nanos;
	}
	if ((__s64)(grant->granted_nanos - taken->consumed_nanos - taken->streamed_nanos) > 0)
		return true;
	if (wish == PACE_ASK_NEW) {
		__sync_fetch_and_add(&gate->hits, 1);
		__sync_fetch_and_add(&taken->held, 1);
	}
	return false;
}

/*
 * The cgroup whose gate is asked for a packet: of a caller who is not in the socket's cgroup, or the socket's. What a relay
 * carries for others is charged to them, so the relay's own gate is not asked for it; 0: none is.
 */
static __always_inline __u64 pace_cgroup(struct __sk_buff *skb, bool *ret_is_caller)
{
	struct bpf_sock *sk = skb->sk;
	const struct flow *flow = NULL;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk && sk->protocol == PROTO_TCP)
		flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	*ret_is_caller = flow &&
			 (flow->pacing || (flow->connection && flow->carries != EV_CARRIES_OWN));
	return *ret_is_caller ? flow->pacing : bpf_skb_cgroup_id(skb);
}

/*
 * Asks the buckets of all gates over a packet's caller. Returns the last one without credit, or 0; a request
 * that must wait is counted by the first. Level -1 is the cgroup itself; above a caller that is not in the
 * socket's cgroup nothing is looked for. A global function for the reason given at records_continue().
 */
__weak int pace_ask(struct __sk_buff *skb, __u32 wish, __u32 bytes)
{
	bool is_caller;
	__u64 now = bpf_ktime_get_ns(), own = pace_cgroup(skb, &is_caller);
	__u32 lacking = 0;

	for (int level = -1; level < CTL_DEPTH; level++) {
		__u64 cgroup = level < 0 ? own : bpf_skb_ancestor_cgroup_id(skb, level);
		struct ctl_gate *gate;

		if (!cgroup || (level >= 0 && (cgroup == own || is_caller)))
			break; /* the last ancestor is the cgroup itself */
		gate = bpf_map_lookup_elem(&gates, &cgroup);
		if (!gate || gate->lease_ns <= now ||
		    (gate->state != CTL_PACE && gate->state != CTL_TURN_AWAY))
			continue;
		for (int i = 0; i < CTL_BUCKETS; i++) {
			__u32 bucket = gate->buckets[i];
			struct ctl_allowance *grant;
			struct ctl_consumed *taken;

			if (!bucket)
				break;
			grant = bpf_map_lookup_elem(&grants, &bucket);
			taken = bpf_map_lookup_elem(&takes, &bucket);
			if (!grant || !taken || bucket_gives(gate, grant, taken, wish, bytes))
				continue;
			if (wish != PACE_COUNT)
				return bucket;
			lacking = bucket;
		}
	}
	return lacking;
}

/* Counts incoming bytes of an answer against buckets of nearly spent budgets. */
static __always_inline void pace_stream(struct __sk_buff *skb, struct flow *flow, __u32 bytes)
{
	__u8 was_cut = flow->is_cut;

	if (!gates_live) {
		flow->is_cut = 0;
		return;
	}
	if (!bytes || flow->handshake_state < HANDSHAKE_DATA)
		return;
	flow->is_cut = pace_ask(skb, PACE_COUNT, bytes) != 0;
	if (flow->is_cut && !was_cut)
		count(CTL_CUT_STREAMS, 1);
}

/*
 * Whether this segment belongs to an answer that is being cut. It is dropped unacknowledged, so the server
 * retransmits it.
 */
static __always_inline bool pace_cuts(struct __sk_buff *skb, struct flow *flow)
{
	struct segment s;

	if (!flow->is_cut || !segment_read(skb, &s) || !s.len)
		return false;
	flow->is_cut = gates_live && pace_ask(skb, PACE_COUNT, 0);
	return flow->is_cut;
}

/*
 * Whether the program has closed the socket. Then no program waits for the answer, and the request must not be
 * sent.
 */
static __always_inline bool pace_is_orphan(struct sock *sock)
{
	return sock && !BPF_CORE_READ(sock, sk_socket);
}

/*
 * Whether an answer stalls because its acknowledgement was dropped with this segment. That requires incoming
 * bytes since the hold began; a few vain retransmissions of the previous answer's last bytes do no harm. Bytes
 * that arrive before a connection's first request are session tickets and not an answer.
 */
static __always_inline bool pace_starves(struct bpf_sock *sk, struct flow *flow)
{
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);
	__u64 now = bpf_ktime_get_ns();

	if (!tcp || tcp->rcv_nxt == flow->ack || (!flow->has_asked && !flow->is_adopted) ||
	    (__u32)flow->bytes[EV_IN] - flow->in_held <= PACE_ANSWER) {
		flow->starved_since_ns = 0;
		return false;
	}
	if (!flow->starved_since_ns)
		flow->starved_since_ns = now;
	return now - flow->starved_since_ns > PACE_STARVED_NS;
}

/* Notes that the flow waits for this bucket; called for each attempt. */
static __always_inline void pace_note(struct bpf_sock *sk, struct flow *flow, __u32 bucket)
{
	struct ctl_hold *known = bpf_map_lookup_elem(&holds, &flow->cookie), hold = {};

	if (known) {
		known->bucket = bucket;
		return;
	}
	hold.since_ns = flow->held_since_ns;
	hold.tgid = is_owned(sk) ? task_tgid() : flow->tgid;
	hold.bucket = bucket;
	hold.inode = inode_of(sk);
	if (bpf_map_update_elem(&holds, &flow->cookie, &hold, BPF_ANY))
		count(CTL_HOLDS_FULL, 1);
}

static __always_inline void pace_forget(struct flow *flow)
{
	if (!flow->held_since_ns)
		return;
	flow->held_since_ns = flow->starved_since_ns = 0;
	bpf_map_delete_elem(&holds, &flow->cookie);
}

/* Begins a hold: from this segment on nothing new leaves. */
static __always_inline void pace_begin(struct flow *flow, const struct segment *s)
{
	flow->held_since_ns = bpf_ktime_get_ns();
	flow->seq_held = s->seq;
	flow->in_held = (__u32)flow->bytes[EV_IN];
}

/* A refusal drops this segment of a live flow: a request that begins in it waits, for no bucket. */
static __always_inline void pace_refuse(struct bpf_sock *sk, struct flow *flow,
					const struct segment *s)
{
	if (flow->held_since_ns || s->len <= PACE_SMALL ||
	    (__s32)(s->seq + s->len - flow->seq_next) <= 0)
		return;
	pace_begin(flow, s);
	pace_note(sk, flow, 0);
}

/* The wait has ended, but user space still has to learn what became of the request (control.h). */
static __always_inline void pace_abandon(struct flow *flow)
{
	struct ctl_hold *hold;

	if (!flow->held_since_ns)
		return;
	hold = bpf_map_lookup_elem(&holds, &flow->cookie);
	if (hold)
		hold->bucket = 0;
}

/*
 * Whether a request appears to begin here. After the first one that requires more incoming bytes than session
 * tickets, or than the SETTINGS of an HTTP/2 server and its acknowledgement.
 */
static __always_inline bool pace_is_request(const struct flow *flow)
{
	__u32 in = (__u32)flow->bytes[EV_IN];

	return !flow->has_asked || (in - flow->in_asked > PACE_SETTINGS &&
				    (__s32)(in - flow->handshake[EV_IN]) > PACE_SETTINGS);
}

/*
 * Whether this segment of an AI flow must wait. flow->bytes[EV_IN] is up to date, and the handshake was
 * followed up to this segment.
 */
static __always_inline bool pace_holds(struct __sk_buff *skb, struct bpf_sock *sk,
				       struct flow *flow, const struct segment *s)
{
	__u32 bucket = 0;
	bool is_answered, is_big;

	/* what has left before may be retransmitted */
	if ((__s32)(s->seq + s->len - (flow->held_since_ns ? flow->seq_held : flow->seq_next)) <= 0)
		return false;
	if (flow->handshake_state != HANDSHAKE_DATA && flow->handshake_state != HANDSHAKE_LOST)
		return false; /* a handshake, or a dialogue with a proxy */
	is_answered = !flow->has_asked || (__u32)flow->bytes[EV_IN] - flow->in_asked > PACE_ANSWER;
	is_big = pace_is_big(skb, flow, s);
	/* whether or not the gate is still shut */
	if (flow->held_since_ns && pace_is_orphan((struct sock *)bpf_skc_to_tcp_sock(sk))) {
		pace_abandon(flow);
		return true;
	}
	if (!gates_live) {
		pace_forget(flow);
	} else if (flow->held_since_ns || (is_big && is_answered)) {
		bucket = pace_ask(skb, flow->held_since_ns ? PACE_ASK : PACE_ASK_NEW, 0);
		if (bucket && !flow->held_since_ns) {
			pace_begin(flow, s);
			count(CTL_HELD_REQUESTS, 1);
		}
		if (bucket && !pace_starves(sk, flow)) {
			pace_note(sk, flow, bucket);
			return true;
		}
		pace_ask(skb, PACE_TAKE, 0);
		pace_forget(flow);
	}
	if (is_big && pace_is_request(flow))
		flow->requests++;
	if (is_big) { /* or more of a request; control frames do not mask the last answer */
		flow->has_asked = 1;
		flow->in_asked = (__u32)flow->bytes[EV_IN];
	}
	return false;
}

#endif
