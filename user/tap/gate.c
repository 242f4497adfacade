/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates. The programs look for one only while `gates_live` is not zero: this process is the only
 * one that sets and clears them, so it keeps that count.
 */
#include "tap/internal.h"

#include <errno.h>

static int gates_fd(const struct tap *tap)
{
	return bpf_map__fd(tap->skel->maps.gates);
}

int tap_gate_get(const struct tap *tap, uint64_t cgroup, struct ctl_gate *ret)
{
	return bpf_map_lookup_elem(gates_fd(tap), &cgroup, ret);
}

int tap_gate_set(struct tap *tap, uint64_t cgroup, const struct ctl_gate *gate)
{
	struct ctl_gate old, new = *gate;
	bool is_new = tap_gate_get(tap, cgroup, &old) != 0;
	int err;

	/* a hit between these two calls is lost from the count, not from the effect */
	new.hits = is_new ? 0 : old.hits;
	err = bpf_map_update_elem(gates_fd(tap), &cgroup, &new, BPF_ANY);
	if (!err && is_new)
		__atomic_add_fetch(&tap->skel->bss->gates_live, 1, __ATOMIC_RELEASE);
	return err;
}

int tap_gate_clear(struct tap *tap, uint64_t cgroup)
{
	int err = bpf_map_delete_elem(gates_fd(tap), &cgroup);

	if (!err)
		__atomic_sub_fetch(&tap->skel->bss->gates_live, 1, __ATOMIC_RELEASE);
	return err;
}
