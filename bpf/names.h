/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Answers of name servers (RFC 1035) about AI hosts, as programs receive them by UDP: they say which addresses a provider
 * has where the program runs, which the node's own resolver may not have been given (docs/design/050).
 *
 * An answer goes up if it comes from a name server that user space has named, answers a question that this socket has
 * asked it, and did not come over loopback, on which whoever may open a raw socket sends what he likes under any
 * address. In the daemon's own namespace loopback counts, for there resolvers of the node (systemd-resolved, dnsmasq)
 * listen on it, and only root may bind port 53. In a network namespace of another user namespace nothing counts.
 */
#ifndef NAMES_H
#define NAMES_H

#include "hosts.h"
#include "packet.h"

#define PORT_NAMES  53
#define NAMES_HEAD  12
#define NAMES_FLAGS 2 /* where they lie in the head */
#define LOOPBACK    1 /* ifindex: the first interface of each network namespace */

/* How many questions of a socket are remembered: A and AAAA, each repeated. */
#define QUESTIONS 8

/* How many answers of a network namespace go up in a second. */
#define ANSWERS_SECOND 64

__u32 name_servers_live = 0; /* user space has named some */
__u32 own_netns = 0;

struct questions {
	__u32 netns;
	__u16 ids[QUESTIONS];
	__u8 is_open[QUESTIONS];
	__u8 next;
};

/* What a socket has asked about AI hosts. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct questions);
} questions SEC(".maps");

/* A question's name, as it is read. */
struct asked_name {
	char name[EV_HOST_LEN];
};
MAP(asked_names, PERCPU_ARRAY, 1, __u32, struct asked_name);

/* How many answers went up, by network namespace. */
struct answer_rate {
	__u64 second;
	__u32 n;
	__u32 reserved;
};
MAP(answer_rates, LRU_HASH, 1024, __u32, struct answer_rate);

/*
 * The network namespace of a UDP socket. There is no cast to its struct that works for IPv4, and no arithmetic on the
 * pointer, so its first bytes are read.
 */
static __always_inline struct net *net_of_udp(struct bpf_sock *sk)
{
	__u32 at = bpf_core_field_offset(struct sock, __sk_common.skc_net.net);
	__u64 words[16];

	if (at > sizeof(words) - sizeof(__u64) || bpf_probe_read_kernel(words, sizeof(words), sk))
		return NULL;
	return *(struct net **)((char *)words + at);
}

/* Offset of the message in a datagram to a name server that is known (from it, if `is_in`); 0: it is none. */
static __always_inline __u32 names_message(struct __sk_buff *skb, bool is_in)
{
	__u32 at = transport(skb, PROTO_UDP), ip4;
	struct ctl_addr server = { .port = PORT_NAMES };
	__u16 port;

	if (!at || bpf_skb_load_bytes(skb, at + (is_in ? 0 : 2), &port, sizeof(port)) ||
	    port != bpf_htons(PORT_NAMES))
		return 0;
	if (skb->protocol == bpf_htons(ETH_P_IPV6)) {
		if (bpf_skb_load_bytes(skb, is_in ? 8 : 24, server.addr, sizeof(server.addr)))
			return 0;
	} else {
		if (bpf_skb_load_bytes(skb, is_in ? 12 : 16, &ip4, sizeof(ip4)))
			return 0;
		addr_from_ip4(&server, ip4);
	}
	return bpf_map_lookup_elem(&name_servers, &server) ? at + 8 : 0;
}

/*
 * Where the name ends that was read last, before its zero; 0: nowhere. A global function: what calls it then knows no
 * more than that it is a number, and is not checked for each length by itself.
 */
__weak int names_len(struct __sk_buff *skb)
{
	__u32 zero = 0;
	const struct asked_name *asked = bpf_map_lookup_elem(&asked_names, &zero);

	for (__u32 i = 1; asked && i < EV_HOST_LEN; i++)
		if (!asked->name[i])
			return i;
	return 0;
}

/*
 * Turns the end of it into plain text as patterns are compared with: in lower case, with dots for the lengths of labels but
 * the first, before which a pattern ends with a zero. What is shorter than any character of a name is taken for such a
 * length, so this may take for an AI host's what is none; user space reads the answer more strictly.
 */
static __always_inline void names_plain(char *name, __u32 len)
{
	for (__u32 i = 0; i < CTL_HOST_KEY; i++) {
		__u32 at = len - 1 - i;
		__u8 c;

		if (at >= EV_HOST_LEN)
			break;
		c = name[at];
		if (c < '-')
			name[at] = '.';
		else if (c >= 'A' && c <= 'Z')
			name[at] = c + 'a' - 'A';
	}
	name[0] = 0;
}

/* Whether the question at this offset is about an AI host. */
static __always_inline bool names_is_ai(struct __sk_buff *skb, __u32 at)
{
	__u32 zero = 0, n = skb->len - at, len, verdict;
	struct asked_name *asked = bpf_map_lookup_elem(&asked_names, &zero);

	if (!asked || skb->len <= at)
		return false;
	if (n > EV_HOST_LEN)
		n = EV_HOST_LEN;
	if (hello_copy(skb, at, asked->name, n, EV_HOST_LEN))
		return false;
	len = names_len(skb);
	if (!len)
		return false;
	names_plain(asked->name, len);
	verdict = hosts_ask(asked->name, len);
	return verdict == CTL_AI || verdict == CTL_ASK;
}

/* Notes a question about an AI host. A global function for the reason given at records_continue(). */
__weak int names_out(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct questions *mine;
	__u8 head[NAMES_HEAD];
	struct net *net;
	__u32 at, slot;

	if (!sk || !name_servers_live)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	at = names_message(skb, false);
	if (!at || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return 0;
	/* a question, and one of them */
	if (head[NAMES_FLAGS] & 0x80 || head[4] || head[5] != 1 ||
	    !names_is_ai(skb, at + NAMES_HEAD))
		return 0;
	net = net_of_udp(sk);
	if (!net || BPF_CORE_READ(net, user_ns, level))
		return 0;
	mine = bpf_sk_storage_get(&questions, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	if (!mine)
		return 0;
	mine->netns = BPF_CORE_READ(net, ns.inum);
	slot = mine->next++ & (QUESTIONS - 1);
	mine->ids[slot] = head[0] << 8 | head[1];
	mine->is_open[slot] = 1;
	return 0;
}

/* Removes the question that this answers. False: this socket has not asked it. */
static __always_inline bool names_take(struct questions *mine, __u16 id)
{
	for (int i = 0; i < QUESTIONS; i++) {
		if (!mine->is_open[i] || mine->ids[i] != id)
			continue;
		mine->is_open[i] = 0;
		return true;
	}
	return false;
}

/* Whether one more answer of this namespace may go up in this second. CPUs that race may admit a few more. */
static __always_inline bool names_may_tell(__u32 netns)
{
	struct answer_rate fresh = { .second = bpf_ktime_get_ns() / 1000000000, .n = 1 };
	struct answer_rate *rate = bpf_map_lookup_elem(&answer_rates, &netns);

	if (!rate || rate->second != fresh.second) {
		bpf_map_update_elem(&answer_rates, &netns, &fresh, BPF_ANY);
		return true;
	}
	if (rate->n++ < ANSWERS_SECOND)
		return true;
	count(CTL_ANSWERS_UNREAD, 1);
	return false;
}

/* Sends up the answer to a question that was noted. */
__weak int names_in(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct ev_answer *event;
	struct questions *mine;
	__u8 head[NAMES_HEAD];
	__u32 at, n;

	if (!sk)
		return 0;
	sk = bpf_sk_fullsock(sk);
	if (!sk)
		return 0;
	mine = bpf_sk_storage_get(&questions, sk, 0, 0);
	if (!mine || (skb->ingress_ifindex == LOOPBACK && mine->netns != own_netns))
		return 0;
	at = names_message(skb, true);
	if (!at || bpf_skb_load_bytes(skb, at, head, sizeof(head)))
		return 0;
	/* an answer without an error, in which there is one */
	if (!(head[NAMES_FLAGS] & 0x80) || head[NAMES_FLAGS + 1] & 15 || !(head[6] | head[7]))
		return 0;
	if (!names_take(mine, head[0] << 8 | head[1]) || !names_may_tell(mine->netns))
		return 0;
	n = skb->len - at;
	if (n > EV_ANSWER_MAX)
		n = EV_ANSWER_MAX;
	event = emit_reserve(sizeof(*event));
	if (!event)
		return 0;
	emit_head(&event->head, EV_ANSWER, 0, bpf_skb_cgroup_id(skb), bpf_get_socket_cookie(skb));
	event->netns = mine->netns;
	event->len = n;
	if (hello_copy(skb, at, event->bytes, n, EV_ANSWER_MAX)) {
		emit_discard(event);
		return 0;
	}
	emit_submit(event);
	return 0;
}

#endif
