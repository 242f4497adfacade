/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a connection is refused: is there a shut gate over this cgroup, and does this address belong to AI hosts
 * only? gate.bpf.c asks at connect(2), flow.bpf.c at the ClientHello and for live connections. Which gates are shut
 * is decided in user/enforce/gates.c from all who hold one.
 */
#ifndef GATE_H
#define GATE_H

#include "emit.h"

/* How many gates there are, set by user space. While it is 0, no packet costs a look-up. */
extern __u32 gates_live;

/* What arrives at a gate, which may be shut for one of these and open for another. */
enum gate_for {
	GATE_NEW,  /* a connection that begins */
	GATE_LIVE, /* one that was admitted before */
	GATE_QUIC, /* a datagram: requests cannot be told apart in it, so a gate that admits requests is shut for it */
};

/* The gate of this cgroup itself, if its lease has not ended and it is shut. */
static __always_inline struct ctl_gate *gate_own(__u64 cgroup, enum gate_for what)
{
	struct ctl_gate *gate = bpf_map_lookup_elem(&gates, &cgroup);

	if (!gate || gate->lease_ns <= bpf_ktime_get_ns())
		return NULL;
	if (gate->state == CTL_REFUSE || (what != GATE_LIVE && gate->state == CTL_TURN_AWAY) ||
	    (what == GATE_QUIC && gate->has_rate))
		return gate;
	return NULL;
}

/* The shut gate over the socket of this packet. Level 0 is the root of the hierarchy. */
static __always_inline struct ctl_gate *gate_of_skb(struct __sk_buff *skb, enum gate_for what)
{
	struct ctl_gate *gate = gate_own(bpf_skb_cgroup_id(skb), what);

	for (int level = 0; !gate && level < CTL_DEPTH; level++) {
		__u64 cgroup = bpf_skb_ancestor_cgroup_id(skb, level);

		if (!cgroup)
			break;
		gate = gate_own(cgroup, what);
	}
	return gate;
}

/*
 * The id of the current task's cgroup at a level; 0: it is not that deep. Probe programs have the helper from
 * 5.15 on, and the array that it replaces was removed in 6.1.
 */
static __always_inline __u64 current_ancestor(int level)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct cgroup___before_6_1 *ids;
	struct cgroup *cgroup;
	__u64 id = 0;

	if (!bpf_core_field_exists(struct cgroup___before_6_1, ancestor_ids))
		return bpf_get_current_ancestor_cgroup_id(level);
	cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp);
	ids = (void *)cgroup;
	if (level <= BPF_CORE_READ(cgroup, level))
		bpf_probe_read_kernel(&id, sizeof(id),
				      (void *)&ids->ancestor_ids + level * sizeof(id));
	return id;
}

static __always_inline struct ctl_gate *gate_of_current(enum gate_for what)
{
	struct ctl_gate *gate = gate_own(bpf_get_current_cgroup_id(), what);

	for (int level = 0; !gate && level < CTL_DEPTH; level++) {
		__u64 cgroup = current_ancestor(level);

		if (!cgroup)
			break;
		gate = gate_own(cgroup, what);
	}
	return gate;
}

/* The cgroup over the current task, itself first, whose gate has buckets; 0: there is none. */
static __always_inline __u64 gate_pacing_current(void)
{
	__u64 cgroup = bpf_get_current_cgroup_id(), now = bpf_ktime_get_ns();

	for (int level = -1; level < CTL_DEPTH; level++) {
		const struct ctl_gate *gate;

		if (level >= 0)
			cgroup = current_ancestor(level);
		if (!cgroup)
			break;
		gate = bpf_map_lookup_elem(&gates, &cgroup);
		if (gate && gate->lease_ns > now && gate->buckets[0])
			return cgroup;
	}
	return 0;
}

static __always_inline void gate_hit(struct ctl_gate *gate, __u32 counter)
{
	__sync_fetch_and_add(&gate->hits, 1);
	count(counter, 1);
}

/* Inode number of the current task's network namespace; 0: it is ending. */
static __always_inline __u32 current_netns(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, nsproxy, net_ns, ns.inum);
}

/* Network byte order in, the key of ai_addrs out. */
static __always_inline void addr_from_ip4(struct ctl_addr *addr, __u32 ip4)
{
	__builtin_memset(addr->addr, 0, 10);
	addr->addr[10] = addr->addr[11] = 0xff;
	__builtin_memcpy(addr->addr + 12, &ip4, sizeof(ip4));
}

/*
 * Whether the address belongs to AI hosts only. What the node's resolver said takes precedence over what was
 * learned from connections in the network namespace.
 */
static __always_inline bool addr_is_ai_only(const struct ctl_addr *addr)
{
	struct ctl_addr everywhere = *addr;

	everywhere.netns = 0;
	if (bpf_map_lookup_elem(&other_addrs, &everywhere))
		return false;
	if (bpf_map_lookup_elem(&ai_addrs, &everywhere))
		return true;
	return bpf_map_lookup_elem(&ai_addrs, addr) && !bpf_map_lookup_elem(&other_addrs, addr);
}

#endif
