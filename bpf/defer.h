/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Defers the first ClientHello of a process that is not known to be probed, by dropping it before it leaves,
 * until its probes are in. User space then makes TCP send it at once (tap_defer_wake), so it waits for as long
 * as the probes take instead of TCP's timer.
 *
 * It fails open. A segment dropped on its way out (EPERM to TCP) is retransmitted after 0.2 s at the earliest
 * (TCP_RTO_MIN, include/net/tcp.h), later on longer paths, then after 0.6 and 1.4 s. The first retransmission
 * passes unless user space has read the event by then, so a daemon that is late, stopped or gone delays a
 * connection by one retransmission. After that nothing is deferred for DEFER_BACKOFF_NS, so a late daemon does
 * not delay other connections.
 */
#ifndef DEFER_H
#define DEFER_H

#include "packet.h"

/* Set by user space: hellos are to be deferred. */
extern __u32 defer_is_on;
/*
 * When a deferred hello was last released without an answer from user space, which clears this as it reads an
 * event.
 */
extern __u64 defer_missed_ns;

/* Segments sent within this time belong to the same transmission: a hello may take several. */
#define DEFER_SEGMENTS_NS 100000000ULL
/* The longest deferral. Releasing after half a second keeps the wait below a second. */
#define DEFER_NS         500000000ULL
#define DEFER_BACKOFF_NS 10000000000ULL

/* Takes one of the cgroup's DEFERRING_MAX places. False: all are taken. */
static __always_inline bool defer_enter(__u64 cgroup, __u64 now)
{
	struct deferring *deferring = bpf_map_lookup_elem(&deferrings, &cgroup), fresh = {};

	if (!deferring) {
		fresh.since_ns[0] = now;
		bpf_map_update_elem(&deferrings, &cgroup, &fresh, BPF_ANY);
		return true;
	}
	for (int i = 0; i < DEFERRING_MAX; i++) {
		if (now - deferring->since_ns[i] < DEFER_NS)
			continue;
		deferring->since_ns[i] = now;
		return true;
	}
	return false;
}

static __always_inline void defer_leave(const struct flow *flow)
{
	struct deferring *deferring = bpf_map_lookup_elem(&deferrings, &flow->cgroup);

	bpf_map_delete_elem(&deferrals, &flow->cookie);
	for (int i = 0; deferring && i < DEFERRING_MAX; i++)
		if (deferring->since_ns[i] == flow->deferred_ns)
			deferring->since_ns[i] = 0;
}

/* What user space needs to wake the connection. */
static __always_inline void defer_note(struct bpf_sock *sk, const struct flow *flow)
{
	struct ctl_deferral deferral = { .tgid = flow->tgid, .inode = inode_of(sk) };

	bpf_map_update_elem(&deferrals, &flow->cookie, &deferral, BPF_ANY);
}

/* Whether this is the connection's first hello and it must wait; then sets flow->deferred_ns. */
static __always_inline bool defer_begins(struct flow *flow, __u64 now)
{
	if (now - defer_missed_ns < DEFER_BACKOFF_NS) {
		count(CTL_FIRST_CALLS_MISSED, 1);
		return false;
	}
	if (!defer_enter(flow->cgroup, now)) {
		count(CTL_FIRST_CALLS_CROWDED, 1);
		return false;
	}
	flow->deferred_ns = now;
	count(CTL_FIRST_CALLS_DEFERRED, 1);
	return true;
}

/* Whether this flow's hello must wait. flow->cookie and flow->cgroup are set. */
static __always_inline bool defer_is_due(struct flow *flow)
{
	__u32 tgid = flow->tgid;
	__u8 *state;
	__u64 now, waited;

	if (!tgid || (!defer_is_on && !flow->deferred_ns))
		return false;
	state = bpf_map_lookup_elem(&probed, &tgid);
	now = bpf_ktime_get_ns();
	if (!flow->deferred_ns)
		return !(state && *state == CTL_PROBED) && defer_begins(flow, now);
	waited = now - flow->deferred_ns;
	if (!state || *state != CTL_PROBED) {
		if (waited < DEFER_SEGMENTS_NS || (state && waited < DEFER_NS))
			return true;
		if (!state)
			defer_missed_ns = now;
		count(CTL_FIRST_CALLS_MISSED, 1);
	}
	defer_leave(flow);
	return false;
}

/* The process ended or has a new image, whose libraries are not probed yet. */
static __always_inline void defer_forget(__u32 tgid)
{
	if (defer_is_on)
		bpf_map_delete_elem(&probed, &tgid);
}

#endif
