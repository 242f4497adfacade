// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The gate at connect(2): an immediate EPERM if the address is known to belong to AI hosts only. A connection
 * to an address not yet known is stopped at its ClientHello (flow.bpf.c).
 */
#include "gate.h"

#include <bpf/bpf_endian.h>

__u32 gates_live = 0;

static __always_inline int may_connect(struct ctl_addr *addr)
{
	struct ctl_gate *gate;

	addr->netns = current_netns();
	if (!addr_is_ai_only(addr))
		return 1;
	gate = gate_of_current(GATE_NEW);
	if (!gate)
		return 1;
	gate_hit(gate, CTL_REFUSED_CONNECTS);
	return 0;
}

SEC("cgroup/connect4")
int gate_connect4(struct bpf_sock_addr *ctx)
{
	struct ctl_addr addr = {};

	if (!gates_live)
		return 1;
	addr_from_ip4(&addr, ctx->user_ip4);
	addr.port = bpf_ntohs(ctx->user_port);
	return may_connect(&addr);
}

SEC("cgroup/connect6")
int gate_connect6(struct bpf_sock_addr *ctx)
{
	struct ctl_addr addr = {};
	__u32 word;

	if (!gates_live)
		return 1;
	word = ctx->user_ip6[0];
	__builtin_memcpy(addr.addr, &word, 4);
	word = ctx->user_ip6[1];
	__builtin_memcpy(addr.addr + 4, &word, 4);
	word = ctx->user_ip6[2];
	__builtin_memcpy(addr.addr + 8, &word, 4);
	word = ctx->user_ip6[3];
	__builtin_memcpy(addr.addr + 12, &word, 4);
	addr.port = bpf_ntohs(ctx->user_port);
	return may_connect(&addr);
}
