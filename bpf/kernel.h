/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every kernel struct and field that the programs read, cut by hand over the UAPI headers and
 * relocated by CO-RE. So this file is the list of what the kernel must keep, and there are no
 * 2.8 MB of vmlinux.h. Floor: 5.10.
 */
#ifndef KERNEL_H
#define KERNEL_H

#include <stdbool.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
};

struct css_set {
	struct cgroup *dfl_cgrp; /* in the v2 hierarchy */
};

typedef struct {
	int owned; /* by a program that is in a call on the socket */
} socket_lock_t;

struct task_struct {
	int pid;
	int tgid;
	struct signal_struct *signal;
	struct nsproxy *nsproxy; /* NULL: the task is ending */
	struct css_set *cgroups;
	char comm[16]; /* TASK_COMM_LEN */
};

struct ns_common {
	unsigned int inum;
};

struct user_namespace {
	int level; /* 0: the initial one */
};

struct net {
	struct ns_common ns;
	struct user_namespace *user_ns; /* whose root may give it any address */
};

typedef struct {
	struct net *net;
} possible_net_t;

struct nsproxy {
	struct net *net_ns;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	possible_net_t skc_net;
	atomic64_t skc_cookie; /* 0: nobody has asked for it */
	unsigned short skc_family;
	volatile unsigned char skc_state;
};

struct kernfs_node {
	__u64 id; /* 5.5: one 64-bit number, of a cgroup directory its id */
};

struct cgroup_root {
	int hierarchy_id; /* 0: the v2 hierarchy */
};

struct cgroup {
	struct kernfs_node *kn;
	struct cgroup_root *root;
	int level;
};

struct cgroup___before_6_1 {
	__u64 ancestor_ids[0]; /* by level, the cgroup itself the last; since 6.1 pointers */
};

struct super_block {
	__u32 s_dev;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct file {
	struct inode *f_inode;
	void *private_data; /* of a socket: its struct socket */
};

struct socket {
	struct file *file;
	struct sock *sk;
};

struct sock {
	struct sock_common __sk_common;
	socket_lock_t sk_lock;
	struct socket *sk_socket; /* NULL once the program has closed it */
	__u16 sk_type;
	struct pid *sk_peer_pid; /* of a Unix socket: who connected, or who listened */
};

struct upid {
	int nr;
};

struct pid {
	struct upid numbers[1]; /* as the initial namespace numbers it */
};

struct unix_sock {
	struct unix_address *addr; /* NULL: it has no name */
	struct sock *peer;
};

struct tcp_sock {
	__u32 rcv_nxt;
	__u32 copied_seq; /* up to where the program has taken what came */
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	struct file *vm_file;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__task_vma {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	struct vm_area_struct *vma;
};

#pragma clang attribute pop

/* include/linux/mm.h */
#define VM_EXEC 0x4

#endif
