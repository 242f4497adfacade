/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts the TLS records of application data, because their framing is not plaintext: an event stream has one
 * record for each event, so a third of its bytes may be framing.
 *
 * A direction that was lost (a segment out of order, a connection older than the programs) is followed again
 * from the first segment that begins with a header. Bytes and records are counted together, so a missed part
 * does not distort their ratio.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "packet.h"

/*
 * Records that one call of records_continue() follows (5.10's verifier walks 62 instructions for each), and the
 * calls per segment. TCP merges what a slow reader has not taken, up to 64 KiB: 2,978 of the smallest records.
 */
#define RECORDS_CALL  64
#define RECORDS_CALLS 47

#define RECORD_MAX   (16384 + 256) /* RFC 8446 5.2 */
#define RECORD_TLS13 22            /* framing: header 5, type 1, tag 16 (RFC 8446 5.2) */
#define RECORD_TLS12 29 /* with GCM: header 5, nonce 8, tag 16 (RFC 5246 6.2.3.3, RFC 5288 3) */

/*
 * 1 if a < b, else 0; both below 2^31. It has no branch, and is opaque to the compiler, which would create one:
 * the verifier walks a loop once for each combination of values that it can tell apart.
 */
static __always_inline __u32 record_less(__u32 a, __u32 b)
{
	__u32 difference = a - b;

	barrier_var(difference);
	return difference >> 31;
}

static __always_inline bool record_is_sound(const __u8 *head)
{
	return !(((head[0] & 0xfc) ^ 20) | (head[1] ^ 3) |
		 record_less(RECORD_MAX, hello_u16(head + 3)));
}

/* An adopted flow's handshake was not seen: TLS 1.3 is more likely than not. */
static __always_inline __u8 record_framing(const struct flow *flow)
{
	if (flow->is_plain)
		return 0;
	return flow->records[EV_IN].is_tls13 || flow->is_adopted ? RECORD_TLS13 : RECORD_TLS12;
}

/*
 * Takes a whole header. `counts` is 0 or 1 and is added without a branch, which would double the verifier's
 * states in each turn.
 */
static __always_inline bool record_take(struct records *r, const __u8 *head, __u32 counts)
{
	__u32 len = 5 + hello_u16(head + 3);

	if (!record_is_sound(head))
		return false;
	r->is_tls13 |= head[0] & head[0] >> 1 & (counts ^ 1); /* of 20 to 23, 23 has both bits */
	r->n += counts;
	r->bytes += (__u64)len * counts;
	r->next += len;
	return true;
}

/* A header extends beyond a segment: reads the part of it at `at`. True: the header is complete now. */
static __always_inline bool record_part(struct __sk_buff *skb, struct records *r,
					const struct segment *s, __u32 at)
{
	__u32 have = r->have & 7, n = 5 - have;

	if (have > 4)
		return false;
	if (n > s->len - at)
		n = s->len - at;
	if (hello_copy(skb, s->at + at, r->head + have, n, 5))
		return false;
	r->have = have + n;
	return have + n == 5;
}

/* Finds `next` in this segment. After a gap the direction is lost. */
static __always_inline bool records_find(struct __sk_buff *skb, struct records *r,
					 const struct segment *s)
{
	if (r->is_followed && (__s32)(r->next + r->have - s->seq) < 0)
		r->is_followed = 0;
	if (r->is_followed)
		return r->next + r->have - s->seq < s->len;
	r->have = 0;
	r->next = s->seq;
	if (bpf_skb_load_bytes(skb, s->at, r->head, 5) || !record_is_sound(r->head))
		return false;
	r->is_followed = 1;
	return true;
}

/* Follows records of this segment; `counts`: 1 if they are application data. True: there are more. */
static __always_inline bool records_follow(struct __sk_buff *skb, struct records *r,
					   const struct segment *s, __u32 counts)
{
	__u32 at, base = s->at, len = s->len, seq = s->seq;
	__u8 head[8];

	if (!len || !records_find(skb, r, s))
		return false;
	if (r->have) {
		if (!record_part(skb, r, s, r->next + r->have - seq))
			return false;
		r->have = 0;
		if (!record_take(r, r->head, counts)) {
			r->is_followed = 0;
			return false;
		}
	}
	for (int i = 0; i < RECORDS_CALL; i++) {
		at = r->next - seq;
		if (at + 5 > len)
			break;
		if (bpf_skb_load_bytes(skb, base + at, head, 5) || !record_take(r, head, counts)) {
			r->is_followed = 0;
			return false;
		}
	}
	at = r->next - seq;
	if (at < len && at + 5 > len)
		record_part(skb, r, s, at);
	return at + 5 <= len;
}

/*
 * Follows records of an AI flow's packet from where the last call stopped; 1: there are more. A global
 * function, so that the verifier walks it once and not once for each path to it; therefore it takes only the
 * context and numbers.
 */
__weak int records_continue(struct __sk_buff *skb, __u32 dir)
{
	struct bpf_sock *sk = skb->sk;
	struct flow *flow;
	struct segment s;
	__u32 counts;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow || !segment_read(skb, &s))
		return 0;
	counts = record_less(HANDSHAKE_DATA - 1, flow->handshake_state);
	dir &= 1;
	barrier_var(dir);
	/* the server's records are followed from the handshake on; the client's from its first data */
	if (!(dir | counts))
		return 0;
	return records_follow(skb, &flow->records[dir], &s, counts);
}

/*
 * Follows all records of an AI flow's packet, however small. The first ones are not representative: they hold
 * the answer's head, while an event stream in records of a few bytes is nearly all framing.
 */
static __always_inline void records_count(struct __sk_buff *skb, __u32 dir)
{
	for (int i = 0; i < RECORDS_CALLS; i++)
		if (!records_continue(skb, dir))
			return;
}

#endif
