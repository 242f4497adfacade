/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resets a TCP connection: SOCK_DESTROY over sock_diag (Linux 4.9, CONFIG_INET_DIAG_DESTROY), in
 * the network namespace that the socket lives in. The namespace is entered by a thread that ends
 * at once: setns(CLONE_NEWNET) is a thread's own, so the daemon's never changes.
 *
 * bpf_sock_destroy (6.5) does no more and would need an iterator run inside that namespace too.
 */
#include "tap/tap.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/cleanup.h"

static int open_netns(const char *pid, uint32_t inode)
{
	char path[64];
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "/proc/%.20s/ns/net", pid);
	if (stat(path, &st) || (inode && st.st_ino != inode))
		return -ENOENT;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The namespace of any process that lives in it: the one that connected may have left. */
static int search_netns(uint32_t inode)
{
	DIR *proc = opendir("/proc");
	const struct dirent *entry;
	int fd = -ENOENT;

	if (!proc)
		return -errno;
	while (fd < 0 && (entry = readdir(proc))) {
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
			fd = open_netns(entry->d_name, inode);
	}
	closedir(proc);
	return fd;
}

/* An fd of the flow's namespace; -1: it is this process's own; else -errno below -1. */
static int find_netns(const struct ev_flow *flow, int *ret_fd)
{
	char pid[16];
	struct stat own;
	int fd;

	if (!flow->netns || (!stat("/proc/self/ns/net", &own) && own.st_ino == flow->netns)) {
		*ret_fd = -1;
		return 0;
	}
	snprintf(pid, sizeof(pid), "%u", flow->head.tgid);
	fd = open_netns(pid, flow->netns);
	if (fd < 0)
		fd = search_netns(flow->netns);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 diag;
};

static void fill(struct request *r, const struct ev_flow *flow)
{
	memset(r, 0, sizeof(*r));
	r->head.nlmsg_len = sizeof(*r);
	r->head.nlmsg_type = SOCK_DESTROY;
	r->head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	r->diag.sdiag_family = flow->family;
	r->diag.sdiag_protocol = IPPROTO_TCP;
	r->diag.id.idiag_sport = htons(flow->local_port);
	r->diag.id.idiag_dport = htons(flow->remote_port);
	memcpy(r->diag.id.idiag_src, flow->local_addr, sizeof(flow->local_addr));
	memcpy(r->diag.id.idiag_dst, flow->remote_addr, sizeof(flow->remote_addr));
	/* the cookie, so that a new connection of the same four numbers is not hit */
	r->diag.id.idiag_cookie[0] = (uint32_t)flow->head.id;
	r->diag.id.idiag_cookie[1] = (uint32_t)(flow->head.id >> 32);
}

static int destroy_here(const struct ev_flow *flow)
{
	_cleanup_close_ int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval limit = { .tv_sec = 1 };
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		char rest[512]; /* the kernel gives the request back */
	} answer;
	struct request request;
	ssize_t n;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	fill(&request, flow);
	if (send(fd, &request, sizeof(request), 0) < 0)
		return -errno;
	n = recv(fd, &answer, sizeof(answer), 0);
	if (n < 0)
		return -errno;
	if ((size_t)n < sizeof(answer.head) + sizeof(answer.error) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return answer.error.error;
}

struct job {
	const struct ev_flow *flow;
	int netns;
	int err;
};

static void *destroy_there(void *arg)
{
	struct job *job = arg;

	job->err = setns(job->netns, CLONE_NEWNET) ? -errno : destroy_here(job->flow);
	return NULL;
}

int tap_destroy(struct tap *tap, const struct ev_flow *flow)
{
	_cleanup_close_ int netns = -1;
	struct job job = { .flow = flow };
	pthread_t thread;
	int err = find_netns(flow, &netns);

	if (err)
		return err;
	if (netns < 0)
		return destroy_here(flow);
	job.netns = netns;
	err = pthread_create(&thread, NULL, destroy_there, &job);
	if (err)
		return -err;
	pthread_join(thread, NULL);
	return job.err;
}
