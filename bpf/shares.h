/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How many rows of `conns` each tenant has, so that none takes those of others (control.h, ctl_share_allows()). */
#ifndef SHARES_H
#define SHARES_H

#include "gate.h"

/*
 * The cgroup that stands for a tenant, whatever it makes below: the third level is a pod under the kubelet
 * (kubepods.slice/kubepods-burstable.slice/...), and a user's service manager (user.slice/user-1000.slice/...).
 * Nearer to the root it is the task's own.
 */
#define SHARE_LEVEL 3
static __always_inline __u64 share_tenant(void)
{
	__u64 id = current_ancestor(SHARE_LEVEL);

	return id ? id : bpf_get_current_cgroup_id();
}

static __always_inline __u64 share_rows(__u64 tenant)
{
	const struct ctl_share *share = bpf_map_lookup_elem(&conn_shares, &tenant);
	const __u64 *swept = bpf_map_lookup_elem(&conn_swept, &tenant);

	return share ? ctl_share_rows(share, swept ? *swept : 0) : 0;
}

static __always_inline bool share_allows(__u64 tenant)
{
	return ctl_share_allows(share_rows(tenant), share_rows(CTL_SHARE_ALL), conns_rows);
}

static __always_inline void share_took(__u64 tenant)
{
	struct ctl_share *share = bpf_map_lookup_elem(&conn_shares, &tenant), fresh = {};

	if (!share) {
		/* no room: its rows count among all */
		bpf_map_update_elem(&conn_shares, &tenant, &fresh, BPF_NOEXIST);
		share = bpf_map_lookup_elem(&conn_shares, &tenant);
	}
	if (share)
		__sync_fetch_and_add(&share->taken, 1);
}

static __always_inline void share_gave(__u64 tenant)
{
	struct ctl_share *share = bpf_map_lookup_elem(&conn_shares, &tenant);

	if (share)
		__sync_fetch_and_add(&share->given, 1);
}

#endif
