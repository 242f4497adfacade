/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Defers the first ClientHello of a process that is not known to be probed, by dropping it before it leaves,
 * until its probes are in. The same holds for what a process sends first on a connection that another one made:
 * a child has inherited it, and probes are none of what it inherits. User space then makes TCP send it at once
 * (tap_defer_wake), so it waits for as long as the probes take instead of TCP's timer.
 *
 * It fails open. A segment dropped on its way out (EPERM to TCP) is retransmitted after 0.2 s at the earliest
 * (TCP_RTO_MIN, include/net/tcp.h), later on longer paths, then after 0.6 and 1.4 s. The first retransmission
 * passes unless user space has read the event by then, so a daemon that is late, stopped or gone delays a
 * connection by one retransmission. After that nothing of its cgroup is deferred for DEFER_BACKOFF_NS, or until
 * user space reads an event. Other cgroups are not concerned: one that starts more processes than user space
 * can look at must not have everyone's first calls pass unread.
 *
 * Few connections of a cgroup can be woken. One that finds no place passes with its first retransmission: by then its
 * probes are in as well, unless user space has too much to do.
 */
#ifndef DEFER_H
#define DEFER_H

#include "packet.h"

/* Set by user space: hellos are to be deferred. */
extern __u32 defer_is_on;
/* When user space last read of a deferred hello. */
extern __u64 defer_answered_ns;

/* Segments sent within this time belong to the same transmission: a hello may take several. */
#define DEFER_SEGMENTS_NS 100000000ULL
/* The longest deferral. Releasing after half a second keeps the wait below a second. */
#define DEFER_NS         500000000ULL
#define DEFER_BACKOFF_NS 10000000000ULL

/* The cgroup's row; NULL: there is no memory. */
static __always_inline struct deferring *deferring_of(__u64 cgroup)
{
	static const struct deferring fresh = {};
	struct deferring *deferring = bpf_map_lookup_elem(&deferrings, &cgroup);

	if (deferring)
		return deferring;
	bpf_map_update_elem(&deferrings, &cgroup, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&deferrings, &cgroup);
}

/* Takes one of the cgroup's places, or goes with what the process has. False: all are taken. */
static __always_inline bool defer_enter(struct deferring *deferring, __u32 tgid, __u64 now)
{
	__u32 to = DEFERRING_MAX;

	for (__u32 i = 0; i < DEFERRING_MAX; i++) {
		bool is_free = now - deferring->since_ns[i] >= DEFER_NS;

		if (!is_free && deferring->tgid[i] == tgid)
			return deferring->hellos[i]++ < DEFERRING_HELLOS;
		if (is_free)
			to = i;
	}
	if (to >= DEFERRING_MAX)
		return false;
	deferring->since_ns[to] = now;
	deferring->tgid[to] = tgid;
	deferring->hellos[to] = 1;
	return true;
}

static __always_inline void defer_leave(struct flow *flow, __u32 tgid)
{
	struct deferring *deferring = bpf_map_lookup_elem(&deferrings, &flow->cgroup);

	flow->deferred_ns = 0;
	bpf_map_delete_elem(&deferrals, &flow->cookie);
	for (int i = 0; deferring && i < DEFERRING_MAX; i++)
		if (deferring->tgid[i] == tgid)
			deferring->since_ns[i] = 0;
}

/* Whether a hello of this cgroup was deferred in vain a short time ago, and nothing has been read since. */
static __always_inline bool defer_is_in_vain(const struct deferring *deferring, __u64 now)
{
	return deferring->missed_ns && now - deferring->missed_ns < DEFER_BACKOFF_NS &&
	       deferring->missed_ns > defer_answered_ns;
}

/* What user space needs to wake the connection, if it has a place. */
static __always_inline void defer_note(struct bpf_sock *sk, const struct flow *flow, __u32 tgid)
{
	struct ctl_deferral deferral = { .tgid = tgid, .inode = inode_of(sk) };

	if (flow->is_crowded)
		return;
	bpf_map_update_elem(&deferrals, &flow->cookie, &deferral, BPF_ANY);
}

/* Whether this is the first that the process sends here and it must wait; then sets flow->deferred_ns. */
static __always_inline bool defer_begins(struct flow *flow, __u32 tgid, __u64 now)
{
	struct deferring *deferring = deferring_of(flow->cgroup);

	if (!deferring || defer_is_in_vain(deferring, now)) {
		count(CTL_FIRST_CALLS_MISSED, 1);
		return false;
	}
	flow->deferred_ns = now;
	flow->is_crowded = !defer_enter(deferring, tgid, now);
	count(flow->is_crowded ? CTL_FIRST_CALLS_CROWDED : CTL_FIRST_CALLS_DEFERRED, 1);
	return true;
}

/* Whether what this process sends on this flow must wait. flow->cookie and flow->cgroup are set. */
static __always_inline bool defer_is_due(struct flow *flow, __u32 tgid)
{
	struct deferring *deferring;
	__u64 now, waited;
	__u8 *state;

	if (!tgid || (!defer_is_on && !flow->deferred_ns))
		return false;
	state = bpf_map_lookup_elem(&probed, &tgid);
	now = bpf_ktime_get_ns();
	if (!flow->deferred_ns)
		return !(state && *state == CTL_PROBED) && defer_begins(flow, tgid, now);
	waited = now - flow->deferred_ns;
	if (!state || *state != CTL_PROBED) {
		if (waited < DEFER_SEGMENTS_NS || (state && !flow->is_crowded && waited < DEFER_NS))
			return true;
		deferring = state ? NULL : deferring_of(flow->cgroup);
		if (deferring)
			deferring->missed_ns = now;
		count(CTL_FIRST_CALLS_MISSED, 1);
	}
	defer_leave(flow, tgid);
	return false;
}

/* The process ended or has a new image, whose libraries are not probed yet. */
static __always_inline void defer_forget(__u32 tgid)
{
	if (defer_is_on)
		bpf_map_delete_elem(&probed, &tgid);
}

#endif
