// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The end of processes and the creation of cgroups. Raw tracepoints need no trampoline, are not refused by
 * lockdown or an old kernel, and their argument lists have only ever grown at the end.
 */
#include "defer.h"

/*
 * Sent once, by the thread that removes the process from `procs`: several threads may see live == 0. If the
 * ring is full the process stays in `procs` for tap_sweep.
 */
static __always_inline void emit_process(__u32 type, __u32 tgid)
{
	struct ev_head *event;

	defer_forget(tgid);
	if (!bpf_map_lookup_elem(&procs, &tgid))
		return;
	event = emit_reserve(sizeof(*event));
	if (!event)
		return;
	if (bpf_map_delete_elem(&procs, &tgid)) {
		emit_discard(event);
		return;
	}
	emit_head(event, type, tgid, bpf_get_current_cgroup_id(), 0);
	emit_submit(event);
}

/* do_exit() has already subtracted this thread from signal->live. */
SEC("raw_tp/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	if (BPF_CORE_READ(task, signal, live.counter) == 0)
		emit_process(EV_EXIT, BPF_CORE_READ(task, tgid));
	return 0;
}

SEC("raw_tp/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	emit_process(EV_EXEC, BPF_CORE_READ(task, tgid));
	return 0;
}

SEC("raw_tp/cgroup_mkdir")
int BPF_PROG(cgroup_made, struct cgroup *cgroup, const char *path)
{
	struct ev_cgroup *event;

	if (BPF_CORE_READ(cgroup, root, hierarchy_id) != 0)
		return 0;
	event = emit_reserve(sizeof(*event));
	if (!event)
		return 0;
	emit_head(&event->head, EV_CGROUP, bpf_get_current_pid_tgid() >> 32,
		  BPF_CORE_READ(cgroup, kn, id), 0);
	if (bpf_probe_read_kernel_str(event->path, sizeof(event->path), path) < 0)
		event->path[0] = 0;
	emit_submit(event);
	return 0;
}
