/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel half counts: what it lost and refused, by name, and what its programs cost. */
#include "tap/tap_internal.h"

static const char *const names[CTL_COUNTERS] = {
	[CTL_CONNS_FULL] = "connections_full",
	[CTL_CONNS_REFUSED] = "connections_refused",
	[CTL_RING_FULL_EVENTS] = "ring_full_events",
	[CTL_RING_FULL_BYTES] = "ring_full_bytes",
	[CTL_READ_FAILED_BYTES] = "read_failed_bytes",
	[CTL_CLAMPED_BYTES] = "clamped_bytes",
	[CTL_FRAMES_FULL] = "frames_full",
	[CTL_FLOWS_FULL] = "flows_full",
	[CTL_HELLO_BAD] = "hello_bad",
	[CTL_HELLO_ECH] = "hello_ech",
	[CTL_REFUSED_CONNECTS] = "refused_connects",
	[CTL_REFUSED_HELLOS] = "refused_hellos",
	[CTL_QUIC_UNREAD] = "quic_unread",
	[CTL_ANSWERS_UNREAD] = "answers_unread",
	[CTL_FIRST_CALLS_DEFERRED] = "first_calls_deferred",
	[CTL_FIRST_CALLS_MISSED] = "first_calls_missed",
	[CTL_PLAIN_UNREAD] = "plain_unread_bytes",
	[CTL_FIRST_CALLS_CROWDED] = "first_calls_crowded",
	[CTL_HELD_REQUESTS] = "held_requests",
	[CTL_HOLDS_FULL] = "holds_full",
	[CTL_CUT_STREAMS] = "cut_streams",
};

const char *tap_counter_name(enum ctl_counter which)
{
	return which < CTL_COUNTERS ? names[which] : NULL;
}

/*
 * The kernel counts run times while kernel.bpf_stats_enabled is on, or while a process holds a
 * descriptor of BPF_ENABLE_STATS.
 */
void tap_run_times(const struct tap *tap,
		   void (*fn)(void *arg, const struct tap_run_time *run_time), void *arg)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, tap->skel->obj) {
		struct bpf_prog_info info = { 0 };
		__u32 size = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) < 0 || !info.run_cnt)
			continue;
		fn(arg, &(struct tap_run_time){ .program = bpf_program__name(program),
						.runs = info.run_cnt,
						.run_ns = info.run_time_ns });
	}
}
