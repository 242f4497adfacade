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
#define emit_reserve(size)                                            \
	({                                                            \
		void *event_ = bpf_ringbuf_reserve(&events, size, 0); \
		if (!event_)                                          \
			count(CTL_RING_FULL_EVENTS, 1);               \
		event_;                                               \
	})

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

/*
 * Wakes like a submission: without, the records behind this one would find a consumer that has not
 * caught up, and nobody would ever wake it.
 */
static __always_inline void emit_discard(void *event)
{
	bpf_ringbuf_discard(event, EMIT_FLAGS);
}

/* One piece in a record of `class` bytes: the ring wants a size that the verifier knows. */
static __always_inline int emit_class(__u64 id, __u64 from, __u32 len, __u64 offset, __u32 dir,
				      const __u32 class)
{
	struct ev_data *event = emit_reserve(sizeof(*event) + class);

	if (!event) {
		count(CTL_RING_FULL_BYTES, len);
		return 0;
	}
	emit_head(&event->head, EV_DATA, bpf_get_current_pid_tgid() >> 32,
		  bpf_get_current_cgroup_id(), id);
	event->offset = offset;
	event->len = len;
	event->dir = dir;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	/* A clamp, never a mask: 8192 & 8191 is 0. clang would fold the test away without the barrier. */
	barrier_var(len);
	if (len > class)
		len = class;
	if (bpf_probe_read_user(event->bytes, len, (const void *)from)) {
		emit_discard(event);
		count(CTL_READ_FAILED_BYTES, len);
		return 0;
	}
	emit_submit(event);
	return 0;
}

/* A function of its own, and global: the verifier looks at it once, not once a turn of the loop. */
__weak int emit_piece(__u64 id, __u64 from, __u32 len, __u64 offset, __u32 dir)
{
	if (len <= 256)
		return emit_class(id, from, len, offset, dir, 256);
	if (len <= 1024)
		return emit_class(id, from, len, offset, dir, 1024);
	if (len <= 4096)
		return emit_class(id, from, len, offset, dir, 4096);
	return emit_class(id, from, len, offset, dir, EV_PIECE_MAX);
}

/*
 * Pieces of one call: 1 MiB, then the last one, so that where the call ended is known even of a
 * connection that is never freed (Node's process.exit, asyncio). What lies between shows as a jump.
 */
#define EMIT_PIECES 64

__weak int emit_pieces(__u64 id, __u64 from, __u64 bytes, __u64 offset, __u32 dir)
{
	for (int i = 0; i < EMIT_PIECES; i++) {
		__u32 len = bytes < EV_PIECE_MAX ? bytes : EV_PIECE_MAX;

		if (!len)
			return 0;
		emit_piece(id, from, len, offset, dir);
		from += len;
		offset += len;
		bytes -= len;
	}
	if (bytes > EV_PIECE_MAX) {
		count(CTL_CLAMPED_BYTES, bytes - EV_PIECE_MAX);
		from += bytes - EV_PIECE_MAX;
		offset += bytes - EV_PIECE_MAX;
		bytes = EV_PIECE_MAX;
	}
	if (bytes)
		emit_piece(id, from, bytes, offset, dir);
	return 0;
}

#endif
