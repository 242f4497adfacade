// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reports the end of sockets that sockops does not: those opened before the programs were attached have no
 * callback, and UDP never has one. Linux 5.9.
 */
#include "emit.h"

SEC("cgroup/sock_release")
int socket_released(struct bpf_sock *sk)
{
	__u64 cookie = bpf_get_socket_cookie(sk);
	struct ctl_flow *row = bpf_map_lookup_elem(&flow_counts, &cookie);
	struct ev_flow *event;

	if (!row || !row->ends_at_release)
		return 1;
	event = emit_reserve(sizeof(*event));
	if (!event)
		return 1;
	__builtin_memset(event, 0, sizeof(*event));
	emit_head(&event->head, EV_FLOW_END, 0, 0, cookie);
	for (int dir = 0; dir < 2; dir++) {
		event->bytes[dir] = row->bytes[dir];
		event->framed[dir] = row->framed[dir];
		event->records[dir] = row->records[dir];
	}
	event->requests = row->requests;
	event->record_bytes = row->record_bytes;
	bpf_map_delete_elem(&flow_counts, &cookie);
	emit_submit(event);
	return 1;
}
