/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finds where a flow's handshake ends, by walking the headers of the client's TLS records up to the first one
 * with application data.
 */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H

#include "records.h"

/*
 * Size of a server's two session tickets. They are sent after the client's Finished, usually also after its
 * first request: 2 * 255 bytes from OpenSSL; others send one or two of 150 to 300.
 */
#define HANDSHAKE_TICKETS 510

/* Records of the client's handshake in one segment: a key exchange, a change of cipher, a Finished. */
#define HANDSHAKE_RECORDS 6

/* Until there is application data, everything counts as handshake. */
static __always_inline void handshake_count(struct flow *flow)
{
	if (flow->handshake_state > HANDSHAKE_FINISHED)
		return;
	flow->handshake[EV_OUT] = flow->bytes[EV_OUT];
	flow->handshake[EV_IN] = flow->bytes[EV_IN];
}

static __always_inline void handshake_lose(struct flow *flow)
{
	flow->handshake_state = HANDSHAKE_LOST;
	flow->handshake[EV_OUT] = 0;
	flow->handshake[EV_IN] = 0;
}

/*
 * TLS 1.3 sends encrypted handshake messages and alerts as application_data (RFC 8446 5.2). They are recognised
 * by their length: a Finished is a header of 4, a hash of 32 or 48, a type and a tag of 16; an alert is 2
 * bytes, a type and a tag.
 */
static __always_inline bool handshake_is_finished(__u32 len)
{
	return len == 4 + 32 + 17 || len == 4 + 48 + 17;
}

#define HANDSHAKE_ALERT (2 + 17)

/* Takes the header of one record and moves on to the next. False: no further header is of interest. */
static __always_inline bool handshake_record(struct flow *flow, const __u8 *head)
{
	__u32 len = hello_u16(head + 3);

	if (head[0] == 23 && flow->handshake_state == HANDSHAKE_HANDSHAKE &&
	    handshake_is_finished(len)) {
		flow->handshake_state = HANDSHAKE_FINISHED;
		flow->finished_in = flow->bytes[EV_IN];
	} else if (head[0] == 23 && len != HANDSHAKE_ALERT) {
		flow->handshake[EV_OUT] = flow->seq_record - flow->seq_first;
		flow->handshake[EV_IN] = flow->bytes[EV_IN];
		if (flow->handshake_state == HANDSHAKE_FINISHED &&
		    flow->finished_in == flow->handshake[EV_IN])
			flow->handshake[EV_IN] += HANDSHAKE_TICKETS;
		flow->handshake_state = HANDSHAKE_DATA;
		flow->records[EV_OUT].next = flow->seq_record;
		flow->records[EV_OUT].is_followed = 1;
		return false;
	} else if (head[0] < 20 || head[0] > 23 || head[1] != 3) {
		handshake_lose(flow);
		return false;
	}
	flow->seq_record += 5 + len;
	return true;
}

/*
 * The first bytes of a ClientHello are at `at`. Keeps part of its random (after the headers of record and
 * message and the version), by which the same hello is recognised when a relay forwards it.
 */
static __always_inline void handshake_greet(struct __sk_buff *skb, struct flow *flow, __u32 at)
{
	__u64 random;

	if (!bpf_skb_load_bytes(skb, at + 5 + 4 + 2, &random, sizeof(random)))
		flow->hello = random;
}

/* Follows the client's records up to its first application data. True: the hello inside a tunnel has begun. */
static __always_inline bool handshake_follow(struct __sk_buff *skb, struct flow *flow,
					     const struct segment *s)
{
	bool has_begun = false;
	__u8 head[5];
	__u32 at;

	if (flow->handshake_state == HANDSHAKE_NONE && s->len &&
	    !bpf_skb_load_bytes(skb, s->at, head, 1) &&
	    hello_is_tls(head[0])) { /* the hello in a tunnel */
		flow->handshake_state = HANDSHAKE_HANDSHAKE;
		flow->seq_record = s->seq;
		handshake_greet(skb, flow, s->at);
		has_begun = true;
	}
	for (int i = 0; i < HANDSHAKE_RECORDS; i++) {
		if (flow->handshake_state != HANDSHAKE_HANDSHAKE &&
		    flow->handshake_state != HANDSHAKE_FINISHED)
			break;
		at = flow->seq_record - s->seq;
		if (at >= s->len) /* beyond this segment, or this one repeats what was read */
			break;
		if (bpf_skb_load_bytes(skb, s->at + at, head, sizeof(head))) {
			handshake_lose(flow); /* a header in two segments */
			break;
		}
		if (!handshake_record(flow, head))
			break;
	}
	return has_begun;
}

#endif
