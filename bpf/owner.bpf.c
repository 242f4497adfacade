// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Lists which process holds the socket of an AI flow, for connections whose connect was not seen. It covers all
 * network namespaces of the host, which a list of TCP sockets would not.
 */
#include "maps.h"

#define S_IFMT   0170000
#define S_IFSOCK 0140000

SEC("iter/task_file")
int list_owners(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct ev_owner owner = {};
	struct socket *socket;
	struct sock *sk;

	/* a descriptor opened with O_PATH has no data: reading through NULL gives 0 */
	if (!task || !file || (file->f_inode->i_mode & S_IFMT) != S_IFSOCK)
		return 0;
	socket = file->private_data;
	sk = BPF_CORE_READ(socket, sk);
	owner.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	if (!owner.cookie || !bpf_map_lookup_elem(&flow_counts, &owner.cookie))
		return 0;
	owner.tgid = task->tgid;
	bpf_seq_write(ctx->meta->seq, &owner, sizeof(owner));
	return 0;
}
