/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a socket is, and who is connected to it: reads the task_file iterator, at most some times a second. */
#include "tap/tap_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* A walk over 10,000 descriptors takes some 5 ms. */
#define WALKS    10
#define WALKS_NS NS_PER_S

/* Whether one more walk is allowed in this second. */
static bool may_walk(uint64_t *since_ns, unsigned *walks)
{
	uint64_t now = clock_mono_ns();

	if (now - *since_ns >= WALKS_NS) {
		*since_ns = now;
		*walks = 0;
	}
	return (*walks)++ < WALKS;
}

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
	_cleanup_close_ int fd = tap_iterate(tap->skel->progs.list_owners, 0);
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
	int err = find(owners, cookie, ret);

	if (!err)
		return 0;
	if (!may_walk(&owners->since_ns, &owners->walks))
		return -EBUSY;
	err = walk(tap);
	return err ? err : find(owners, cookie, ret);
}

/* Keeps the last `max` of what is listed. */
static void keep_peer(uint32_t *ret, size_t *n, size_t max, uint32_t peer)
{
	for (size_t i = 0; i < *n; i++)
		if (ret[i] == peer)
			return;
	if (*n == max)
		memmove(ret, ret + 1, --*n * sizeof(*ret));
	ret[(*n)++] = peer;
}

ssize_t tap_peers(struct tap *tap, uint32_t tgid, uint32_t *ret, size_t max, bool *ret_serves)
{
	struct tap_owners *owners = &tap->owners;
	_cleanup_close_ int fd = -1;
	struct ev_peer row;
	size_t n_found = 0;
	ssize_t n;

	*ret_serves = false;
	fd = tap_iterate(tap->skel->progs.list_peers, tgid);
	if (fd < 0 && fd != -ESRCH) {
		if (!may_walk(&owners->peers_since_ns, &owners->peer_walks))
			return -EBUSY;
		fd = tap_iterate(tap->skel->progs.list_peers, 0);
	}
	if (fd < 0)
		return fd;
	while ((n = read(fd, &row, sizeof(row))) == sizeof(row) || (n < 0 && errno == EAGAIN)) {
		if (n < 0 || row.tgid != tgid)
			continue;
		*ret_serves = true;
		if (row.peer && max)
			keep_peer(ret, &n_found, max, row.peer);
	}
	return n < 0 ? -errno : (ssize_t)n_found;
}

void tap_owners_free(struct tap_owners *owners)
{
	free(owners->rows);
}
