/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user side of pace: credit down, what was taken of it up, and the waking of flows that wait.
 *
 * A held flow's data lies in its socket, and TCP tries it again by a timer that backs off. Any
 * setsockopt(TCP_NODELAY) makes it try at once (__tcp_sock_set_nodelay), so the socket is borrowed
 * from its process for two system calls (pidfd_getfd), whatever network namespace it lives in.
 */
#include "tap/tap_internal.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"

int tap_allowance_set(struct tap *tap, uint32_t bucket, const struct ctl_allowance *allowed)
{
	const struct ctl_consumed none = { 0 };
	int err = bpf_map_update_elem(bpf_map__fd(tap->skel->maps.takes), &bucket, &none,
				      BPF_NOEXIST);

	if (err && err != -EEXIST)
		return err;
	return bpf_map_update_elem(bpf_map__fd(tap->skel->maps.grants), &bucket, allowed, BPF_ANY);
}

/* The grant first: a bucket without one has credit. */
int tap_allowance_clear(struct tap *tap, uint32_t bucket)
{
	int err = bpf_map_delete_elem(bpf_map__fd(tap->skel->maps.grants), &bucket);

	(void)bpf_map_delete_elem(bpf_map__fd(tap->skel->maps.takes), &bucket);
	return err;
}

int tap_consumed_get(const struct tap *tap, uint32_t bucket, struct ctl_consumed *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.takes), &bucket, ret);
}

int tap_holds(struct tap *tap, void (*fn)(void *arg, uint64_t cookie, const struct ctl_hold *hold),
	      void *arg)
{
	int fd = bpf_map__fd(tap->skel->maps.holds), err;
	uint64_t cookie, next;
	struct ctl_hold hold;

	/* The kernel takes entries away meanwhile: a key that is gone starts the walk over, so count. */
	err = bpf_map_get_next_key(fd, NULL, &next);
	for (unsigned i = 0; !err && i < CTL_HOLDS_MAX; i++) {
		cookie = next;
		err = bpf_map_get_next_key(fd, &cookie, &next);
		if (!bpf_map_lookup_elem(fd, &cookie, &hold))
			fn(arg, cookie, &hold);
	}
	return err == -ENOENT ? 0 : err;
}

int tap_hold_get(const struct tap *tap, uint64_t cookie, struct ctl_hold *ret)
{
	return bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.holds), &cookie, ret);
}

int tap_hold_drop(struct tap *tap, uint64_t cookie)
{
	return bpf_map_delete_elem(bpf_map__fd(tap->skel->maps.holds), &cookie);
}

/* ---- waking ---- */

static int push(int fd, uint64_t cookie)
{
	socklen_t size = sizeof(cookie);
	int was = 1, on = 1;
	uint64_t is;

	if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &is, &size) || is != cookie)
		return -ENOENT;
	size = sizeof(was);
	(void)getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, &size);
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	/* as the program had it; turning it off sends nothing and holds nothing back */
	if (!was)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &was, sizeof(was));
	return 0;
}

/* So many descriptors of a process are looked at, some 8 ms: it is another's to say how many it has. */
#define FDS_MAX 16384

static int find_fd(uint32_t tgid, uint64_t inode)
{
	char path[64], name[64], text[64];
	const struct dirent *entry;
	int found = -ENOENT;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", tgid);
	snprintf(name, sizeof(name), "socket:[%llu]", (unsigned long long)inode);
	dir = opendir(path);
	if (!dir)
		return -errno;
	for (unsigned i = 0; found < 0 && i < FDS_MAX && (entry = readdir(dir)); i++) {
		n = readlinkat(dirfd(dir), entry->d_name, text, sizeof(text) - 1);
		if (n <= 0)
			continue;
		text[n] = '\0';
		if (!strcmp(text, name))
			found = atoi(entry->d_name);
	}
	closedir(dir);
	return found;
}

int tap_wake(uint64_t cookie, const struct ctl_hold *hold)
{
	_cleanup_close_ int process = -1, fd = -1;
	int theirs;

	if (!hold->tgid || !hold->inode)
		return -ENOENT;
	process = (int)syscall(SYS_pidfd_open, hold->tgid, 0);
	if (process < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	theirs = find_fd(hold->tgid, hold->inode);
	if (theirs < 0)
		return theirs;
	fd = (int)syscall(SYS_pidfd_getfd, process, theirs, 0);
	if (fd < 0)
		return errno == EBADF ? -ENOENT : -errno;
	return push(fd, cookie);
}
