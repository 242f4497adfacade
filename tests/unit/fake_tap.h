/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What user/find asks of user/tap, without a kernel: the linker takes these instead of the archive's. And
 * clients: processes that map a library, which do nothing.
 */
#ifndef UNIT_FAKE_TAP_H
#define UNIT_FAKE_TAP_H

#include <limits.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/queue.h>
#include <sys/wait.h>

#include "unit.h"

#include "find/procs.h"
#include "tap/tap.h"

#define FAKE_CLIENTS_MAX 32
#define FAKE_SITES_MAX   64

struct tap_probes {
	struct tap *tap;
	pid_t pid; /* 0: for everyone */
	uint64_t ino;
	size_t n_sites;
	LIST_ENTRY(tap_probes) list;
};

struct tap {
	uint32_t clients[FAKE_CLIENTS_MAX]; /* whose mappings the kernel tells */
	size_t n_clients;
	int mappings_err, attach_err;
	LIST_HEAD(, tap_probes) probes; /* that are in */
	size_t n_tries, n_mappings;
	struct tap_site sites[FAKE_SITES_MAX]; /* of the last attach */
	size_t n_sites;
	uint32_t released; /* the last process that tap_defer_end() was called for */
	uint64_t woken;    /* the last socket that tap_defer_wake() was */
	size_t n_released;
	int look_fd;        /* tap_mappings() waits until it can be read; 0: does not ... */
	bool looks_one_way; /* ... where it is asked for all processes alone */
	uint64_t conn_bytes;
	int conn_err;
	void (*attached)(struct tap *tap, pid_t pid);
};

struct fake_walk {
	uint32_t tgid;
	void (*fn)(void *arg, const struct tap_mapping *mapping);
	void *arg;
};

static inline void fake_walk_map(void *arg, const struct procs_map *map)
{
	const struct fake_walk *walk = arg;

	walk->fn(walk->arg, &(struct tap_mapping){ .tgid = walk->tgid,
						   .start = map->start,
						   .end = map->end,
						   .dev = map->dev,
						   .ino = map->ino });
}

ssize_t tap_peers(struct tap *tap, uint32_t tgid, uint32_t *ret, size_t max, bool *ret_serves)
{
	*ret_serves = false;
	return 0;
}

int tap_defer_relay(struct tap *tap, uint32_t tgid)
{
	return 0;
}

int tap_mappings(struct tap *tap, uint32_t tgid,
		 void (*fn)(void *arg, const struct tap_mapping *mapping), void *arg)
{
	eventfd_t n;

	if (tap->look_fd && !(tap->looks_one_way && tgid))
		(void)eventfd_read(tap->look_fd, &n);
	tap->n_mappings++;
	if (tap->mappings_err)
		return tap->mappings_err;
	for (size_t i = 0; i < tap->n_clients; i++) {
		struct fake_walk walk = { tap->clients[i], fn, arg };

		if (!tgid || tgid == tap->clients[i])
			(void)procs_maps(walk.tgid, fake_walk_map, &walk);
	}
	return 0;
}

int tap_attach(struct tap *tap, const char *path, pid_t pid, const struct tap_site *sites,
	       size_t n_sites, struct tap_probes **ret)
{
	struct tap_probes *probes;
	struct stat st;

	tap->n_tries++;
	assert_in_range(n_sites, 1, FAKE_SITES_MAX);
	memcpy(tap->sites, sites, n_sites * sizeof(*sites));
	tap->n_sites = n_sites;
	if (tap->attach_err)
		return tap->attach_err;
	assert_int_equal(stat(path, &st), 0);
	probes = calloc(1, sizeof(*probes));
	assert_non_null(probes);
	*probes = (struct tap_probes){ .tap = tap, .pid = pid, .ino = st.st_ino, .n_sites = n_sites };
	LIST_INSERT_HEAD(&tap->probes, probes, list);
	if (tap->attached)
		tap->attached(tap, pid);
	*ret = probes;
	return 0;
}

struct tap_probes *tap_detach(struct tap_probes *probes)
{
	if (probes)
		LIST_REMOVE(probes, list);
	free(probes);
	return NULL;
}

struct tap_probes *tap_detach_now(struct tap_probes *probes)
{
	return tap_detach(probes);
}

int tap_defer_end(struct tap *tap, uint32_t tgid)
{
	tap->released = tgid;
	__atomic_add_fetch(&tap->n_released, 1, __ATOMIC_SEQ_CST);
	return 0;
}

int tap_defer_wake(struct tap *tap, uint64_t cookie)
{
	tap->woken = cookie;
	return 0;
}

int tap_conn_bytes(const struct tap *tap, uint32_t tgid, uint64_t ssl, uint64_t ret_bytes[2])
{
	if (tap->conn_err)
		return tap->conn_err;
	ret_bytes[EV_OUT] = tap->conn_bytes;
	return 0;
}

void tap_forget(struct tap *tap, uint32_t tgid, uint64_t ssl)
{
}

/* How many probes are in: for one process, or (0) for everyone. */
static inline size_t fake_probes(const struct tap *tap, pid_t pid)
{
	const struct tap_probes *probes;
	size_t n = 0;

	LIST_FOREACH(probes, &tap->probes, list)
		n += probes->pid == pid;
	return n;
}

/* ---- clients ---- */

struct fake_look {
	uint64_t ino, start;
};

static inline void fake_look_at(void *arg, const struct procs_map *map)
{
	struct fake_look *look = arg;

	if (map->ino == look->ino && !look->start)
		look->start = map->start;
}

/* Where a process maps a file's code; 0: it does not. */
static inline uint64_t fake_address(uint32_t tgid, const char *file)
{
	struct fake_look look = { 0 };
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	look.ino = st.st_ino;
	(void)procs_maps(tgid, fake_look_at, &look);
	return look.start;
}

/* Has it opened this file? Then the loader has done its work, and nothing in its memory changes. */
static inline bool fake_has_open(uint32_t tgid, const char *file)
{
	char path[64], link[PATH_MAX];
	ssize_t n = -1;

	for (int fd = 3; fd < 6; fd++) {
		snprintf(path, sizeof(path), "/proc/%u/fd/%d", tgid, fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n > 0 && (size_t)n == strlen(file) && !memcmp(link, file, (size_t)n))
			return true;
	}
	return false;
}

/* A tail(1) that waits on the file `argument`, with the library in its memory; the kernel knows of it. */
static inline uint32_t fake_client(struct tap *tap, const char *library, const char *argument)
{
	pid_t pid = fork();

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("LD_PRELOAD", library, 1);
		execl("/usr/bin/tail", "tail", "-n0", "-f", argument, NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	for (int i = 0; i < 10000 && !fake_has_open((uint32_t)pid, argument); i++)
		usleep(1000);
	assert_true(fake_address((uint32_t)pid, library));
	assert_true(tap->n_clients < FAKE_CLIENTS_MAX);
	tap->clients[tap->n_clients++] = (uint32_t)pid;
	return (uint32_t)pid;
}

static inline void fake_client_end(struct tap *tap, uint32_t tgid)
{
	kill((pid_t)tgid, SIGKILL);
	assert_int_equal(waitpid((pid_t)tgid, NULL, 0), tgid);
	for (size_t i = 0; i < tap->n_clients; i++)
		if (tap->clients[i] == tgid)
			tap->clients[i] = tap->clients[--tap->n_clients];
}

static inline void fake_clients_end(struct tap *tap)
{
	while (tap->n_clients)
		fake_client_end(tap, tap->clients[0]);
}

/* Compiles tests/data/find/shapes.c into a library. */
static inline void fake_library(const char *path, const char *shape, const char *flags)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "%s -shared -fPIC -Wl,-Bsymbolic %s -DSHAPE_%s -o %s tests/data/find/shapes.c",
		 getenv("CC") ?: "cc", flags, shape, path);
	assert_int_equal(system(command), 0);
}

#endif
