/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a socket is: reads the task_file iterator, at most some times a second. */
#include "tap/tap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* A walk over 10,000 descriptors takes some 5 ms. */
#define WALKS    10
#define WALKS_NS NS_PER_S

/* Makes room for one more. 0 or -ENOMEM. */
static int reserve(struct tap_owners *owners)
{
	size_t room = owners->room ? owners->room * 2 : 64;
	struct ev_owner *rows;

	if (owners->n < owners->room)
		return 0;
	rows = reallocarray(owners->rows, room, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	owners->rows = rows;
	owners->room = room;
	return 0;
}

static int walk(struct tap *tap)
{
	struct tap_owners *owners = &tap->owners;
	_cleanup_close_ int link = bpf_link_create(bpf_program__fd(tap->skel->progs.list_owners), 0,
						   BPF_TRACE_ITER, NULL);
	_cleanup_close_ int fd = link < 0 ? link : bpf_iter_create(link);
	struct ev_owner row;
	ssize_t n;

	if (fd < 0)
		return fd;
	owners->n = 0;
	/* the kernel gives whole rows, and one is smaller than any page */
	while ((n = read(fd, &row, sizeof(row))) == sizeof(row) || (n < 0 && errno == EAGAIN)) {
		if (n < 0)
			continue;
		if (owners->n >= TAP_OWNERS_MAX || reserve(owners))
			break;
		owners->rows[owners->n++] = row;
	}
	return n < 0 ? -errno : 0;
}

static int find(const struct tap_owners *owners, uint64_t cookie, uint32_t *ret)
{
	/* of those who share it, the first: a child that was forked later has a higher number, mostly */
	for (size_t i = 0; i < owners->n; i++) {
		if (owners->rows[i].cookie != cookie)
			continue;
		*ret = owners->rows[i].tgid;
		return 0;
	}
	return -ENOENT;
}

int tap_flow_owner(struct tap *tap, uint64_t cookie, uint32_t *ret)
{
	struct tap_owners *owners = &tap->owners;
	uint64_t now = clock_mono_ns();
	int err = find(owners, cookie, ret);

	if (!err)
		return 0;
	if (now - owners->since_ns >= WALKS_NS) {
		owners->since_ns = now;
		owners->walks = 0;
	}
	if (owners->walks >= WALKS)
		return -EBUSY;
	owners->walks++;
	err = walk(tap);
	return err ? err : find(owners, cookie, ret);
}

void tap_owners_free(struct tap_owners *owners)
{
	free(owners->rows);
}
