/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * first-call: hold. The first ClientHello of a process that is not known to be probed waits until
 * it is, by being dropped before it leaves: TCP tries again by itself.
 */
#ifndef HOLD_H
#define HOLD_H

#include "emit.h"

/* Until when (CLOCK_MONOTONIC) hellos are held at all, kept ahead by a living daemon; 0: never. */
extern __u64 hold_lease_ns;

/*
 * What is dropped on its way out (EPERM to TCP) is tried again after 0.2, 0.6 and 1.4 s, more where
 * the path is longer. So letting go at half a second keeps the wait below one.
 */
#define HOLD_NS 500000000ULL

static __always_inline bool hold_is_on(void)
{
	return hold_lease_ns && bpf_ktime_get_ns() < hold_lease_ns;
}

/* Must this flow's hello wait? Its `held_ns` begins at the first such question. */
static __always_inline bool hold_is_due(struct flow *flow)
{
	__u32 tgid = flow->tgid;
	__u64 now;

	if (!tgid || !hold_is_on() || bpf_map_lookup_elem(&probed, &tgid))
		return false;
	now = bpf_ktime_get_ns();
	if (!flow->held_ns)
		flow->held_ns = now;
	return now - flow->held_ns < HOLD_NS;
}

/* The process ended or has a new image, whose libraries are not probed yet. */
static __always_inline void hold_forget(__u32 tgid)
{
	if (hold_is_on())
		bpf_map_delete_elem(&probed, &tgid);
}

#endif
