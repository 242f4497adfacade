/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reserving, heading and submitting events, and counting those that did not fit. The only file that touches the
 * ring.
 */
#ifndef EMIT_H
#define EMIT_H

#include "maps.h"

/*
 * 0: the consumer is woken if it had caught up. Fewer wake-ups would need BPF_RB_NO_WAKEUP below a fill level
 * and a timer, at the price of later verdicts.
 */
#define EMIT_FLAGS 0

static __always_inline void count(__u32 which, __u64 n)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &which);

	/* atomic although per CPU, because uprobe programs can preempt one another */
	if (value)
		__sync_fetch_and_add(value, n);
}

/* Reserves space for an event of a constant size. NULL: no room, which is counted. */
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
 * Wakes the consumer as a submission does. Otherwise it would count as not caught up for the records after this
 * one, and would never be woken.
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
	/* A clamp, not a mask: 8192 & 8191 is 0. Without the barrier clang would remove the test. */
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

/* A global function, so that the verifier checks it once and not once for each turn of the loop. */
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
 * Pieces of one call: 1 MiB, and then the last piece, so that the end of the call is known even if the
 * connection is never freed (Node's process.exit, asyncio). The rest shows as a jump of the offset.
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
