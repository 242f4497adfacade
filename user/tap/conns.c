/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's table of TLS connections, seen from above: counts, and the leavings of the dead. */
#include "tap/tap_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"

int tap_conn_bytes(const struct tap *tap, uint32_t tgid, uint64_t ssl, uint64_t ret_bytes[2])
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = tgid };
	struct ctl_conn conn;
	int err = bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.conns), &key, &conn);

	if (err)
		return err;
	memcpy(ret_bytes, conn.bytes, sizeof(conn.bytes));
	return 0;
}

static void add_swept(struct tap *tap, uint64_t tenant)
{
	int fd = bpf_map__fd(tap->skel->maps.conn_swept);
	uint64_t n = 0;

	(void)bpf_map_lookup_elem(fd, &tenant, &n);
	n++;
	(void)bpf_map_update_elem(fd, &tenant, &n, BPF_ANY);
}

static void drop(struct tap *tap, const struct ctl_conn_key *key, uint64_t tenant)
{
	if (bpf_map_delete_elem(bpf_map__fd(tap->skel->maps.conns), key))
		return; /* the kernel was first, and has counted it */
	add_swept(tap, tenant);
	add_swept(tap, CTL_SHARE_ALL);
}

void tap_forget(struct tap *tap, uint32_t tgid, uint64_t ssl)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = tgid };
	struct ctl_conn conn;

	if (!bpf_map_lookup_elem(bpf_map__fd(tap->skel->maps.conns), &key, &conn))
		drop(tap, &key, conn.tenant);
}

/* Tenants without a row make room for others. */
static void sweep_shares(struct tap *tap)
{
	int fd = bpf_map__fd(tap->skel->maps.conn_shares);
	int fd_swept = bpf_map__fd(tap->skel->maps.conn_swept);
	uint64_t tenant, next;
	int err = bpf_map_get_next_key(fd, NULL, &next);

	while (!err) {
		struct ctl_share share;
		uint64_t swept = 0;

		tenant = next;
		err = bpf_map_get_next_key(fd, &tenant, &next);
		if (tenant == CTL_SHARE_ALL || bpf_map_lookup_elem(fd, &tenant, &share))
			continue;
		(void)bpf_map_lookup_elem(fd_swept, &tenant, &swept);
		if (ctl_share_rows(&share, swept))
			continue;
		(void)bpf_map_delete_elem(fd, &tenant);
		(void)bpf_map_delete_elem(fd_swept, &tenant);
	}
}

/* include/linux/proc_ns.h: PROC_PID_INIT_INO */
#define INITIAL_PID_NAMESPACE 0xEFFFFFFCu

static bool is_gone(uint32_t tgid)
{
	return kill((pid_t)tgid, 0) < 0 && errno == ESRCH;
}

/* Entries of one look-up; a bucket of the hash must fit. */
#define BATCH 256

static int sweep_conns(struct tap *tap)
{
	int fd = bpf_map__fd(tap->skel->maps.conns);
	_cleanup_free_ struct ctl_conn_key *keys = calloc(BATCH, sizeof(*keys));
	_cleanup_free_ struct ctl_conn *values = calloc(BATCH, sizeof(*values));
	uint64_t place = 0; /* the kernel's: room for its largest kind */
	int err = 0;

	if (!keys || !values)
		return -ENOMEM;
	for (bool first = true; !err; first = false) {
		uint32_t n = BATCH;

		err = bpf_map_lookup_batch(fd, first ? NULL : &place, &place, keys, values, &n,
					   NULL);
		if (err && err != -ENOENT)
			return err;
		for (uint32_t i = 0; i < n; i++)
			if (is_gone(keys[i].tgid))
				drop(tap, &keys[i], values[i].tenant);
	}
	return 0;
}

static void sweep_procs(int fd, tap_event_fn fn, void *arg)
{
	uint32_t tgid, next;
	int err = bpf_map_get_next_key(fd, NULL, &next);

	while (!err) {
		struct ev_head event = { .type = EV_EXIT, .tgid = next, .time_ns = clock_mono_ns() };

		tgid = next;
		err = bpf_map_get_next_key(fd, &tgid, &next);
		/* The tracepoint may be reporting it at this moment: one of the two deletes. */
		if (is_gone(tgid) && !bpf_map_delete_elem(fd, &tgid) && fn)
			fn(arg, &event, sizeof(event));
	}
}

int tap_sweep(struct tap *tap, tap_event_fn fn, void *arg)
{
	struct stat st;
	int err;

	if (stat("/proc/self/ns/pid", &st) < 0)
		return -errno;
	if (st.st_ino != INITIAL_PID_NAMESPACE)
		return -EXDEV;
	sweep_procs(bpf_map__fd(tap->skel->maps.procs), fn, arg);
	err = sweep_conns(tap);
	sweep_shares(tap);
	return err;
}
