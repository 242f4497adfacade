/* SPDX-License-Identifier: Apache-2.0 */
/* uprobe_multi links, which libbpf knows from 1.3.0 on: here by the bpf(2) system call itself. */
#include "tap/multi.h"

#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

/* include/uapi/linux/bpf.h from 6.6 on: BPF_F_UPROBE_MULTI_RETURN */
#define FLAG_RETURN 1u

/* The head of union bpf_attr for BPF_LINK_CREATE with attach type BPF_TRACE_UPROBE_MULTI. */
struct link_create {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t count;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t reserved;
};

int multi_link(int prog_fd, const char *path, pid_t pid, const uint64_t *offsets, uint32_t n,
	       bool is_return)
{
	struct link_create attr = {
		.prog_fd = (uint32_t)prog_fd,
		.attach_type = MULTI_ATTACH_TYPE,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.count = n,
		.multi_flags = is_return ? FLAG_RETURN : 0,
		.pid = (uint32_t)pid,
	};
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

/*
 * Asked for a thread that is not its process's first, a kernel that filters by process knows no
 * such process (ESRCH); one that would run the program in that thread alone goes on to the offsets,
 * which are not readable (EFAULT). Kernel commit 46ba0e49b642 (6.10 and stable 6.6) is the border.
 */
static void *try_thread_id(void *arg)
{
	int prog = *(int *)arg;
	int link = multi_link(prog, "/proc/self/exe", gettid(), (const uint64_t *)8, 1, false);

	if (link >= 0)
		close(link);
	return (void *)(intptr_t)link;
}

static bool filters_processes(int prog)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, try_thread_id, &prog) || pthread_join(thread, &result))
		return false;
	return (intptr_t)result == -ESRCH;
}

bool multi_works(void)
{
	/* r0 = 0; exit */
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = MULTI_ATTACH_TYPE);
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "multi_works", "GPL", insns, 2, &opts);
	bool works;

	if (prog < 0)
		return false;
	works = filters_processes(prog);
	close(prog);
	return works;
}
