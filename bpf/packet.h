/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Headers of a packet and addresses of a socket, for the cgroup_skb and sockops programs. */
#ifndef PACKET_H
#define PACKET_H

#include "gate.h"

#include <bpf/bpf_endian.h>

#define hello_load(from, at, to, n) bpf_skb_load_bytes((void *)(from), at, to, n)
#include "hello.h"

#define AF_INET    2
#define AF_INET6   10
#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd
#define PROTO_TCP  6
#define PROTO_UDP  17
#define TCP_SYN    0x02

#define PASS 1
#define DROP 0

struct segment {
	__u32 at; /* of the payload in the packet */
	__u32 len;
	__u32 seq; /* of the payload's first byte */
	__u32 ack;
};

/* Offset of the transport header of a packet of that protocol; 0 if it is none. */
static __always_inline __u32 transport(struct __sk_buff *skb, __u8 protocol)
{
	__u8 head[20];

	if (bpf_skb_load_bytes(skb, 0, head, sizeof(head)))
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IP) && head[9] == protocol)
		return (head[0] & 15) * 4;
	if (skb->protocol == bpf_htons(ETH_P_IPV6) && head[6] == protocol)
		return 40;
	return 0;
}

static __always_inline bool segment_read(struct __sk_buff *skb, struct segment *ret)
{
	__u32 at = transport(skb, PROTO_TCP), seq, ack;
	__u8 tcp[14];

	if (!at || bpf_skb_load_bytes(skb, at, tcp, sizeof(tcp)))
		return false;
	__builtin_memcpy(&seq, tcp + 4, sizeof(seq));
	__builtin_memcpy(&ack, tcp + 8, sizeof(ack));
	ret->at = at + (tcp[12] >> 4) * 4;
	ret->len = skb->len > ret->at ? skb->len - ret->at : 0;
	ret->seq = bpf_ntohl(seq) + !!(tcp[13] & TCP_SYN); /* TCP fast open: data after the SYN */
	ret->ack = bpf_ntohl(ack);
	return true;
}

/*
 * Copies words of a bpf_sock to an address, IPv4 in the first. All five are read whatever the family: if the
 * compiler could choose between two of them it would compute a pointer into the socket, which the verifier
 * refuses. The barriers prevent that.
 */
#define words(to, is_ip6, ip4, ip6)                                                           \
	do {                                                                                  \
		__u32 v_ = (ip4), a_ = (ip6)[0], b_ = (ip6)[1], c_ = (ip6)[2], d_ = (ip6)[3]; \
		__u32 *to_ = (__u32 *)(to);                                                   \
		barrier_var(v_);                                                              \
		barrier_var(a_);                                                              \
		barrier_var(b_);                                                              \
		barrier_var(c_);                                                              \
		barrier_var(d_);                                                              \
		to_[0] = (is_ip6) ? a_ : v_;                                                  \
		to_[1] = (is_ip6) ? b_ : 0;                                                   \
		to_[2] = (is_ip6) ? c_ : 0;                                                   \
		to_[3] = (is_ip6) ? d_ : 0;                                                   \
	} while (0)

/* The inode that /proc/PID/fd shows; 0: the program has closed the socket or has no descriptor for it yet. */
static __always_inline __u64 inode_of(struct bpf_sock *sk)
{
	struct sock *sock = (struct sock *)bpf_skc_to_tcp_sock(sk);

	return sock ? BPF_CORE_READ(sock, sk_socket, file, f_inode, i_ino) : 0;
}

static __always_inline __u32 netns_of(struct bpf_sock *sk)
{
	struct sock *sock = (struct sock *)bpf_skc_to_tcp_sock(sk);

	return sock ? BPF_CORE_READ(sock, __sk_common.skc_net.net, ns.inum) : 0;
}

/* Whether a user namespace that is not the initial one owns this network namespace: anybody may have made it. */
static __always_inline bool netns_is_tenants(struct bpf_sock *sk)
{
	struct sock *sock = (struct sock *)bpf_skc_to_tcp_sock(sk);

	return sock && BPF_CORE_READ(sock, __sk_common.skc_net.net, user_ns, level);
}

/*
 * Whether the current task is what sends: it is in a call on this socket. TCP's own transmissions run in
 * whatever task was interrupted, but only while no task owns the socket (sock_owned_by_user).
 */
static __always_inline bool is_owned(struct bpf_sock *sk)
{
	struct sock *sock = (struct sock *)bpf_skc_to_tcp_sock(sk);

	return sock && BPF_CORE_READ(sock, sk_lock.owned);
}

/* The current task's process. The helper that tells it is available to these programs from 6.10 on. */
static __always_inline __u32 task_tgid(void)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();

	return BPF_CORE_READ(task, tgid);
}

/* The peer as the socket knows it: the address given to connect(2), before any NAT. */
static __always_inline void peer_of(struct ctl_addr *addr, struct bpf_sock *sk, bool is_ip6)
{
	__u32 port = sk->dst_port;

	words(addr->addr, is_ip6, sk->dst_ip4, sk->dst_ip6);
	if (!is_ip6)
		addr_from_ip4(addr, *(__u32 *)addr->addr);
	addr->port = bpf_ntohs(port);
	addr->reserved = 0;
	addr->netns = netns_of(sk);
}

/* Bytes received and not read by any program. close() discards them but does not reset these numbers. */
static __always_inline __u32 unread_of(struct bpf_sock *sk)
{
	struct tcp_sock *tcp = (struct tcp_sock *)bpf_skc_to_tcp_sock(sk);

	return tcp ? BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq) : 0;
}

#endif
