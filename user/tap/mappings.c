/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the task_vma iterator. */
#include "tap/tap_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"

int tap_iterate(const struct bpf_program *program, uint32_t tgid)
{
	union bpf_iter_link_info info = { .task.pid = tgid };
	LIBBPF_OPTS(bpf_link_create_opts, opts, .iter_info = tgid ? &info : NULL,
		    .iter_info_len = tgid ? sizeof(info) : 0);
	_cleanup_close_ int link = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_ITER,
						   &opts);
	int fd = link < 0 ? link : bpf_iter_create(link);

	return link >= 0 && fd < 0 ? -errno : fd;
}

static void hand_over(const struct ev_mapping *raw, uint32_t tgid,
		      void (*fn)(void *arg, const struct tap_mapping *mapping), void *arg)
{
	/* include/linux/kdev_t.h: MINORBITS is 20 in the kernel, and only there */
	struct tap_mapping mapping = {
		.tgid = raw->tgid,
		.start = raw->start,
		.end = raw->end,
		.dev = makedev(raw->dev >> 20, raw->dev & 0xfffff),
		.ino = raw->ino,
	};

	if (!tgid || tgid == raw->tgid)
		fn(arg, &mapping);
}

int tap_mappings(struct tap *tap, uint32_t tgid,
		 void (*fn)(void *arg, const struct tap_mapping *mapping), void *arg)
{
	struct ev_mapping raw[128];
	char *bytes = (char *)raw;
	size_t have = 0;
	_cleanup_close_ int fd = -1;

	if (!tap->features.has_task_vma)
		return -EOPNOTSUPP;
	fd = tap_iterate(tap->skel->progs.list_vmas, tgid);
	if (fd < 0 && fd != -ESRCH && tgid)
		fd = tap_iterate(tap->skel->progs.list_vmas, 0);
	if (fd < 0)
		return fd;
	for (;;) {
		ssize_t n = read(fd, bytes + have, sizeof(raw) - have);
		size_t whole;

		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		if (n == 0)
			return 0;
		if (n < 0)
			continue;
		have += (size_t)n;
		whole = have / sizeof(raw[0]);
		for (size_t i = 0; i < whole; i++)
			hand_over(&raw[i], tgid, fn, arg);
		have -= whole * sizeof(raw[0]);
		memmove(raw, &raw[whole], have);
	}
}
