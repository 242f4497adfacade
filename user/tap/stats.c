/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs cost. The kernel counts while kernel.bpf_stats_enabled is on, or while anybody
 * holds a descriptor of BPF_ENABLE_STATS.
 */
#include "tap/tap_internal.h"

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
