/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pairs a call's entry with its return. Each thread has a small stack of frames, identified by their stack
 * pointers. A stack grows down, so outer calls have greater pointers, and a frame whose pointer is not greater
 * than that of a new call was left without a return (longjmp, or a missed return probe). Stale frames need not
 * be deleted for the rest to be right. Not supported: fibers that leave one TLS call open and enter another on
 * a second stack.
 */
#ifndef FRAMES_H
#define FRAMES_H

#include "emit.h"
#include "machine.h"

/* How many frames of this thread are still in flight when a call is entered at `sp`. */
static __always_inline __u32 frames_live(const struct thread *thread, __u64 sp)
{
	__u32 n = 0;

	for (__u32 i = 0; i < FRAMES; i++) {
		if (i >= thread->n || thread->frames[i].sp <= sp)
			break;
		n = i + 1;
	}
	return n;
}

/* Records the entry of a call; if `is_ignored`, only drops stale frames. */
static __always_inline void frames_enter(const struct frame *frame, bool is_ignored)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &task);
	struct frame *outer;
	__u32 n;

	if (!thread) {
		struct thread fresh = { .n = 1 };

		if (is_ignored)
			return;
		fresh.frames[0] = *frame;
		if (bpf_map_update_elem(&threads, &task, &fresh, BPF_ANY))
			count(CTL_FRAMES_FULL, 1);
		return;
	}
	n = frames_live(thread, frame->sp);
	thread->n = n;
	if (is_ignored)
		return;
	if (n >= FRAMES) {
		count(CTL_FRAMES_FULL, 1);
		return;
	}
	/* SSL_read_ex calling SSL_read, or the like: the outer call reports for both. */
	if (n > 0 && n <= FRAMES) {
		outer = &thread->frames[n - 1];
		if (outer->ssl == frame->ssl && outer->dir == frame->dir)
			return;
	}
	thread->frames[n] = *frame;
	thread->n = n + 1;
}

/*
 * Takes off the call that was entered with this stack pointer and now returns, and all above it. False: there
 * is none.
 */
static __always_inline bool frames_leave(__u64 sp, struct frame *ret)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &task);

	if (!thread)
		return false;
	for (__u32 i = 0; i < FRAMES; i++) {
		if (i >= thread->n)
			return false;
		if (thread->frames[i].sp == sp) {
			*ret = thread->frames[i];
			thread->n = i;
			return true;
		}
	}
	return false;
}

#endif
