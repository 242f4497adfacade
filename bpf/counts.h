/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Byte counts of an AI flow, and the map from which user space reads them. */
#ifndef COUNTS_H
#define COUNTS_H

#include "emit_flow.h"

static __always_inline void flow_count_in(struct bpf_sock *sk, struct flow *flow)
{
	struct bpf_tcp_sock *tcp = bpf_tcp_sock(sk);

	if (tcp)
		flow->bytes[EV_IN] = tcp->bytes_received - flow->before_in;
}

static __always_inline void flow_count_out(struct flow *flow, const struct segment *s)
{
	__u32 end = s->seq + s->len;

	flow->ack = s->ack;
	/* retransmitted segments come by again: only bytes beyond the last one are new */
	if (s->len && (__s32)(end - flow->seq_next) > 0) {
		flow->bytes[EV_OUT] += end - flow->seq_next;
		flow->seq_next = end;
	}
}

static __always_inline void flow_row(struct ctl_flow *row, const struct flow *flow)
{
	for (int dir = 0; dir < 2; dir++) {
		row->bytes[dir] = flow->bytes[dir];
		row->handshake[dir] = flow->handshake[dir];
		row->framed[dir] = flow->records[dir].bytes;
		row->records[dir] = flow->records[dir].n;
	}
	row->requests = flow->requests;
	row->record_bytes = record_framing(flow);
	row->ends_at_release = flow->ends_at_release;
}

static __always_inline void flow_publish(struct flow *flow)
{
	struct ctl_flow *row = bpf_map_lookup_elem(&flow_counts, &flow->cookie);

	if (row) {
		flow_row(row, flow);
	} else if (flow->is_counted) {
		flow->state = FLOW_OTHER; /* user space has deleted the row */
	}
}

/* Makes this flow an AI flow. */
static __always_inline void flow_enter(struct flow *flow)
{
	struct ctl_flow row = {};

	flow->state = FLOW_AI;
	flow_row(&row, flow);
	if (bpf_map_update_elem(&flow_counts, &flow->cookie, &row, BPF_ANY))
		count(CTL_FLOWS_FULL, 1);
	else
		flow->is_counted = 1;
}

#endif
