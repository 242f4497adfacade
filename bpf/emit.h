/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Reserve, head, submit; and count what could not be. The only file that touches the ring. */
#ifndef EMIT_H
#define EMIT_H

#include "maps.h"

/*
 * 0: the consumer is woken when it had caught up. A lower rate of wake-ups would be
 * BPF_RB_NO_WAKEUP below a fill level and a timer, at the price of later verdicts.
 */
#define EMIT_FLAGS 0

static __always_inline void count(__u32 which, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	/* atomic although per CPU: uprobe programs can be preempted by one another */
	if (value)
		__sync_fetch_and_add(value, n);
}

/* Space for an event of a constant size, or NULL, which is counted. */
#define emit_reserve(size) ({						\
	void *event_ = bpf_ringbuf_reserve(&events, size, 0);		\
	if (!event_)							\
		count(CTL_RING_FULL_EVENTS, 1);				\
	event_; })

static __always_inline void emit_head(struct ev_head *head, __u32 type, __u32 tgid, __u64 cgroup,
				      __u64 id)
{
	head->type = type;
	head->tgid = tgid;
	head->cgroup = cgroup;
	head->id = id;
	head->time_ns = bpf_ktime_get_ns();
}

static __always_inline void emit_submit(void *event)
{
	bpf_ringbuf_submit(event, EMIT_FLAGS);
}

static __always_inline void emit_discard(void *event)
{
	bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
}

#endif
