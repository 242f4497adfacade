// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What processes hold, in all network namespaces of the host, which a list of sockets would not cover: the sockets of AI
 * flows, for connections whose connect was not seen, and those Unix sockets by which others have connected to them.
 */
#include "maps.h"

#define S_IFMT          0170000
#define S_IFSOCK        0140000
#define AF_UNIX         1
#define SOCK_STREAM     1
#define TCP_ESTABLISHED 1
#define TCP_LISTEN      10

/* NULL: the file is no socket. A descriptor opened with O_PATH has no data: reading through NULL gives 0. */
static __always_inline struct sock *socket_of(struct file *file)
{
	struct socket *socket;

	if (!file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return NULL;
	socket = file->private_data;
	return BPF_CORE_READ(socket, sk);
}

SEC("iter/task_file")
int list_owners(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx->file);
	struct task_struct *task = ctx->task;
	struct ev_owner owner = {};

	if (!task || !sk)
		return 0;
	owner.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (!owner.cookie || !bpf_map_lookup_elem(&flow_counts, &owner.cookie))
		return 0;
	owner.tgid = task->tgid;
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}

/*
 * Whether a connected socket was accepted: it has the name of the one that listens, and its peer has none. Who connects need
 * not have one, but the peer of whoever connects always has.
 */
static __always_inline bool is_accepted(struct sock *sk)
{
	struct unix_sock *own = (struct unix_sock *)sk, *peer;

	if (!bpf_core_field_exists(own->peer) || !BPF_CORE_READ(own, addr))
		return false;
	peer = (struct unix_sock *)BPF_CORE_READ(own, peer);
	return peer && !BPF_CORE_READ(peer, addr);
}

SEC("iter/task_file")
int list_peers(struct bpf_iter__task_file *ctx)
{
	struct sock *sk = socket_of(ctx->file);
	struct task_struct *task = ctx->task;
	struct ev_peer peer = {};
	__u8 state;

	if (!task || !sk || BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX ||
	    BPF_CORE_READ(sk, sk_type) != SOCK_STREAM)
		return 0;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state != TCP_LISTEN && (state != TCP_ESTABLISHED || !is_accepted(sk)))
		return 0;
	peer.tgid = task->tgid;
	if (state == TCP_ESTABLISHED)
		peer.peer = BPF_CORE_READ(sk, sk_peer_pid, numbers[0].nr);
	if (peer.peer != peer.tgid)
		bpf_seq_write(ctx->meta->seq, &peer, sizeof(peer));
	return 0;
}
