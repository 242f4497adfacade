/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every map, once, with what bounds its size. They are weak, so that each .bpf.c may include this
 * file and `bpftool gen object` still makes one map of each.
 */
#ifndef MAPS_H
#define MAPS_H

#include "kernel.h"
#include "control.h"
#include "event.h"

__weak char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Everything that goes up. Its size is set before load (tap_config.ring_bytes). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events __weak SEC(".maps");

/* Failures and losses by enum ctl_counter. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CTL_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} counters __weak SEC(".maps");

/* The AI hosts, by reversed name (control.h); value: enum ctl_verdict. Filled by tap_add_host. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct ctl_host_key);
	__type(value, __u32);
} hosts __weak SEC(".maps");

/* Freed by SSL_free, tap_forget and tap_sweep. Its size is set before load (conns_max). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 32768);
	__type(key, struct ctl_conn_key);
	__type(value, struct ctl_conn);
} conns __weak SEC(".maps");

/* What user space decided, by connection id, until the connection's next call takes it over. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, __u64);
	__type(value, __u32);
} verdicts __weak SEC(".maps");

/* Processes whose exec and exit are told: those that own connections which user space knows. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, __u32);
	__type(value, __u8);
} procs __weak SEC(".maps");

/* A TLS call that has been entered and has not returned. */
struct frame {
	__u64 ssl;
	__u64 buf;
	__u64 count;	/* address of the size_t that holds the count at return; 0: it is returned */
	__u64 sp;	/* at entry: of all calls in flight on a thread, each has its own */
	__u32 dir;	/* enum ev_dir */
	__u32 reserved;
};

/* TLS inside TLS is two deep, and node writes inside a read: four is that twice over. */
#define FRAMES 4
struct thread {
	__u32 n;
	__u32 reserved;
	struct frame frames[FRAMES];
};

/* By pid_tgid. Least recently used: a thread that was killed inside a call is never cleaned up. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __u64);
	__type(value, struct thread);
} threads __weak SEC(".maps");

#endif
