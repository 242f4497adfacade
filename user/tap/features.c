/* SPDX-License-Identifier: Apache-2.0 */
/* What the running kernel can do for us: each answer by trying, none by a version number. */
#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
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

/* Asks for the end of a socket that cannot be: a kernel that could have done it says ENOENT. */
static bool has_sock_destroy(void)
{
	struct {
		struct nlmsghdr head;
		struct inet_diag_req_v2 body;
	} request = {
		.head = { .nlmsg_len = sizeof(request), .nlmsg_type = SOCK_DESTROY,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.body = { .sdiag_family = AF_INET, .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = ~0u },
	};
	struct {
		struct nlmsghdr head;
		struct nlmsgerr body;
	} answer;
	struct timeval second = { .tv_sec = 1 };
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);

	memset(request.body.id.idiag_cookie, 0xff, sizeof(request.body.id.idiag_cookie));
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second)) < 0 ||
	    send(fd, &request, sizeof(request), 0) < 0 ||
	    recv(fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.head) + (ssize_t)sizeof(int))
		return false;
	return answer.head.nlmsg_type == NLMSG_ERROR && answer.body.error == -ENOENT;
}

void tap_probe_features(struct tap_features *ret)
{
	*ret = (struct tap_features){
		.has_btf = !access("/sys/kernel/btf/vmlinux", R_OK),
		.has_ring = has_ring(),
		.has_uprobe_multi = multi_works(),
		.has_task_vma = has_iterator("bpf_iter_task_vma"),
		.has_cgroup_skb = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SKB, NULL) == 1,
		.has_connect_gate = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, NULL) == 1,
		.has_sock_destroy = has_sock_destroy(),
	};
}
