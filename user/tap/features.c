/* SPDX-License-Identifier: Apache-2.0 */
/* What the running kernel can do for us: each answer by trying, none by a version number. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "base/cleanup.h"
#include "tap/multi.h"
#include "tap/tap.h"

static bool has_ring(void)
{
	_cleanup_close_ int fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "has_ring", 0, 0,
						(uint32_t)sysconf(_SC_PAGESIZE), NULL);

	return fd >= 0;
}

static bool has_iterator(const char *function)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, function, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/*
 * Resets a listener of its own on a loopback port that the kernel chooses: without tcp_diag, a module
 * on most distributions, the answer is the same ENOENT as for a socket that is gone.
 */
static bool has_sock_destroy(void)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in own = { .sin_family = AF_INET };
	struct ev_flow flow = { .family = AF_INET };
	socklen_t size = sizeof(own), cookie_size = sizeof(flow.head.id);

	own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) || listen(fd, 1) ||
	    getsockname(fd, (struct sockaddr *)&own, &size) ||
	    getsockopt(fd, SOL_SOCKET, SO_COOKIE, &flow.head.id, &cookie_size))
		return false;
	flow.local_port = ntohs(own.sin_port);
	memcpy(flow.local_addr, &own.sin_addr, sizeof(own.sin_addr));
	return !tap_destroy(NULL, &flow);
}

void tap_probe_features(struct tap_features *ret)
{
	*ret = (struct tap_features){
		.has_btf = !access("/sys/kernel/btf/vmlinux", R_OK),
		.has_ring = has_ring(),
		.has_uprobe_multi = multi_works(),
		.has_task_vma = has_iterator("bpf_iter_task_vma"),
		.has_cgroup_skb = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SKB, NULL) == 1,
		.has_connect_gate = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
							       NULL) == 1,
		.has_sock_destroy = has_sock_destroy(),
	};
}
