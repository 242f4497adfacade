/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts TLS records of application data, whose framing is no plaintext: an event stream has a record
 * an event, so that a third of its bytes may be framing.
 *
 * A direction that cannot be followed (a segment out of order, a connection older than the programs)
 * is followed again from the first segment that begins with a header, as what is written at once
 * does. Bytes and records are counted in pairs, so a part that was missed spoils no ratio.
 */
#ifndef RECORDS_H
#define RECORDS_H

#include "packet.h"

/* Records in one segment; more are taken to be like these. Each costs a verifier 230 to 900 steps. */
#define RECORDS_SEGMENT 64

#define RECORD_MAX   (16384 + 256) /* RFC 8446 5.2 */
#define RECORD_TLS13 22            /* framing: header 5, type 1, tag 16 (RFC 8446 5.2) */
#define RECORD_TLS12 29 /* with GCM: header 5, nonce 8, tag 16 (RFC 5246 6.2.3.3, RFC 5288 3) */

static __always_inline bool record_is_sound(const __u8 *head)
{
	/* without a branch but the last: this is walked 64 times */
	return !(((head[0] & 0xfc) ^ 20) | (head[1] ^ 3) | (RECORD_MAX - hello_u16(head + 3)) >> 31);
}

/* An adopted flow's handshake was not seen: TLS 1.3 is more likely than not. */
static __always_inline __u8 record_framing(const struct flow *flow)
{
	return flow->records[EV_IN].is_tls13 || flow->is_adopted ? RECORD_TLS13 : RECORD_TLS12;
}

/* A whole header; counts: 0 or 1, for a branch would be two states each turn. */
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

/* A header lies over the end of a segment: reads what there is of it at `at`. True: it is whole now. */
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

/* Is `next` in this segment, or before or behind it? A gap before it, and it is lost. */
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

/* Follows the records of this segment; `counts`: they are application data. */
static __always_inline void records_follow(struct __sk_buff *skb, struct records *r,
					   const struct segment *s, __u32 counts)
{
	__u32 at, base = s->at, len = s->len, seq = s->seq;
	__u8 head[8];

	if (!len || !records_find(skb, r, s))
		return;
	if (r->have) {
		if (!record_part(skb, r, s, r->next + r->have - seq))
			return;
		r->have = 0;
		if (!record_take(r, r->head, counts)) {
			r->is_followed = 0;
			return;
		}
	}
	for (int i = 0; i < RECORDS_SEGMENT; i++) {
		at = r->next - seq;
		if (at + 5 > len)
			break;
		if (bpf_skb_load_bytes(skb, base + at, head, 5) || !record_take(r, head, counts)) {
			r->is_followed = 0;
			return;
		}
	}
	at = r->next - seq;
	if (at + 5 <= len)
		r->is_followed = 0; /* more than are counted */
	else if (at < len)
		record_part(skb, r, s, at);
}

/*
 * Follows the records of an AI flow's packet. A function of its own, and global: the verifier walks it
 * once, not once a way to it; so it takes nothing but the context.
 */
__weak int records_count(struct __sk_buff *skb, __u32 dir)
{
	struct bpf_sock *sk = skb->sk;
	struct flow *flow;
	struct segment s;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk || sk->protocol != PROTO_TCP)
		return 0;
	flow = bpf_sk_storage_get(&flows, sk, 0, 0);
	if (!flow || !segment_read(skb, &s))
		return 0;
	/* of the server's, those of the handshake are followed as well; the client's begin at its data */
	if (dir == EV_OUT && flow->handshake_state < HANDSHAKE_DATA)
		return 0;
	dir &= 1;
	barrier_var(dir);
	records_follow(skb, &flow->records[dir], &s, flow->handshake_state >= HANDSHAKE_DATA);
	return 0;
}

#endif
