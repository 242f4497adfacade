/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the TLS programs on a file. With uprobe_multi (6.6) one link holds all sites of a program
 * and goes away in milliseconds; a perf uprobe is one site and takes 0.1 s to go, so a thread takes
 * all of them away (docs/facts/kernel.md, "Attach and detach").
 */
#include "tap/tap_internal.h"

#include <errno.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "tap/multi.h"

/* A program on some sites. */
struct held {
	int fd;                /* of a uprobe_multi link, else -1 */
	struct bpf_link *link; /* of a perf uprobe, else NULL */
};

struct tap_probes {
	STAILQ_ENTRY(tap_probes) link;
	size_t n;
	struct held held[];
};

/*
 * At the end. Each removal waits for the kernel to know that nobody runs the probe any more, and those that wait
 * at once wait for the same: docs/facts/kernel.md, "Attach and detach".
 */
#define LEAVING_THREADS 32

/* More sites than any file has: a function is written at most a few times. */
#define SITES_MAX 256

static struct bpf_program *entry_of(const struct tap *tap, enum tap_role role)
{
	switch (role) {
	case TAP_WRITE:
		return tap->skel->progs.write_enter;
	case TAP_WRITE_ARG4:
		return tap->skel->progs.write_arg4_enter;
	case TAP_WRITE_ARG5:
		return tap->skel->progs.write_arg5_enter;
	case TAP_READ:
		return tap->skel->progs.read_enter;
	case TAP_READ_ARG4:
		return tap->skel->progs.read_arg4_enter;
	case TAP_CTRL:
		return tap->skel->progs.ctrl_enter;
	case TAP_SET_HOST:
		return tap->skel->progs.set_host_enter;
	case TAP_SET_HOST_LEN:
		return tap->skel->progs.set_host_len_enter;
	case TAP_FREE:
		return tap->skel->progs.free_enter;
	case TAP_BIO_WRITE:
		return tap->skel->progs.bio_write_enter;
	case TAP_AEAD_INIT:
		return tap->skel->progs.aead_init_enter;
	case TAP_AEAD_SEAL:
		return tap->skel->progs.aead_seal_enter;
	case TAP_AEAD_OPEN:
		return tap->skel->progs.aead_open_enter;
	case TAP_RUSTLS_OUTGOING:
		return tap->skel->progs.rustls_outgoing_enter;
	case TAP_RUSTLS_ENCRYPT:
		return tap->skel->progs.rustls_encrypt_enter;
	case TAP_RUSTLS_DECRYPT:
		return tap->skel->progs.rustls_decrypt_enter;
	case TAP_GO_WRITE:
		return tap->skel->progs.go_write_enter;
	case TAP_GO_RECORD:
		return tap->skel->progs.go_record_enter;
	case TAP_GO_READ:
		return tap->skel->progs.go_read_enter;
	case TAP_GO_CLOSE:
		return tap->skel->progs.go_close_enter;
	case TAP_GO_RETURN:
		return tap->skel->progs.go_read_return;
	case TAP_RETURN:
		return tap->skel->progs.call_return;
	case TAP_ROLES:
		break;
	}
	return NULL;
}

static bool has_return(enum tap_role role)
{
	return role <= TAP_AEAD_OPEN;
}

/* One program at all of these offsets. */
static int hold(struct tap *tap, struct tap_probes *probes, const struct bpf_program *program,
		const char *path, pid_t pid, const uint64_t *offsets, size_t n, bool is_return)
{
	if (!n)
		return 0;
	if (tap->features.has_uprobe_multi) {
		int fd = multi_link(bpf_program__fd(program), path, pid, offsets, (uint32_t)n,
				    is_return);

		if (fd < 0)
			return fd;
		probes->held[probes->n++] = (struct held){ .fd = fd };
		return 0;
	}
	for (size_t i = 0; i < n; i++) {
		/* libbpf's -1 is every process, and its 0 is the caller */
		struct bpf_link *link = bpf_program__attach_uprobe(
			program, is_return, pid ? pid : -1, path, offsets[i]);

		if (!link)
			return -errno;
		probes->held[probes->n++] = (struct held){ .fd = -1, .link = link };
	}
	return 0;
}

static bool is_by_instruction(const struct tap_site *sites, size_t n_sites)
{
	for (size_t i = 0; i < n_sites; i++)
		if (sites[i].role == TAP_RETURN)
			return true;
	return false;
}

/* Returns first (TAP_RETURN is the last role): an entry whose return is not probed yet would leave a frame behind. */
static int hold_all(struct tap *tap, struct tap_probes *probes, const char *path, pid_t pid,
		    const struct tap_site *sites, size_t n_sites)
{
	uint64_t offsets[SITES_MAX];
	size_t n = 0;
	int err = 0;

	for (size_t i = 0; i < n_sites; i++)
		if (has_return(sites[i].role))
			offsets[n++] = sites[i].offset;
	if (!is_by_instruction(sites, n_sites))
		err = hold(tap, probes, tap->skel->progs.call_exit, path, pid, offsets, n, true);
	for (int role = TAP_ROLES - 1; role >= 0 && !err; role--) {
		n = 0;
		for (size_t i = 0; i < n_sites; i++)
			if (sites[i].role == (enum tap_role)role)
				offsets[n++] = sites[i].offset;
		err = hold(tap, probes, entry_of(tap, role), path, pid, offsets, n, false);
	}
	return err;
}

int tap_attach(struct tap *tap, const char *path, pid_t pid, const struct tap_site *sites,
	       size_t n_sites, struct tap_probes **ret)
{
	struct tap_probes *probes;
	int err;

	if (!n_sites || n_sites > SITES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n_sites; i++)
		if (sites[i].role >= TAP_ROLES)
			return -EINVAL;
	probes = calloc(1, sizeof(*probes) + 2 * n_sites * sizeof(probes->held[0]));
	if (!probes)
		return -ENOMEM;
	err = hold_all(tap, probes, path, pid, sites, n_sites);
	if (err) {
		tap_detach(probes);
		return err;
	}
	*ret = probes;
	return 0;
}

static void release(struct held held)
{
	if (held.link)
		bpf_link__destroy(held.link);
	else
		close(held.fd);
}

struct tap_probes *tap_detach_now(struct tap_probes *probes)
{
	if (!probes)
		return NULL;
	for (size_t i = 0; i < probes->n; i++)
		release(probes->held[i]);
	free(probes);
	return NULL;
}

/* What waits to be taken away, and the threads that are at it. */
static pthread_mutex_t leaving_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t leaving_over = PTHREAD_COND_INITIALIZER;
static STAILQ_HEAD(, tap_probes) leaving = STAILQ_HEAD_INITIALIZER(leaving);
static size_t leaving_threads;

/* False: nothing is left, and the caller is no thread of these any more. */
static bool next_leaving(struct held *ret)
{
	struct tap_probes *probes;

	pthread_mutex_lock(&leaving_lock);
	while ((probes = STAILQ_FIRST(&leaving)) && !probes->n) {
		STAILQ_REMOVE_HEAD(&leaving, link);
		free(probes);
	}
	if (probes)
		*ret = probes->held[--probes->n];
	else if (!--leaving_threads)
		pthread_cond_broadcast(&leaving_over);
	pthread_mutex_unlock(&leaving_lock);
	return probes;
}

static void *release_all(void *arg)
{
	struct held held;

	while (next_leaving(&held))
		release(held);
	return NULL;
}

/* One thread more, which is counted already; without one to be had late is better than never. */
static void start_release(void)
{
	if (thread_start(NULL, release_all, NULL))
		release_all(NULL);
}

struct tap_probes *tap_detach(struct tap_probes *probes)
{
	bool must_run;

	if (!probes)
		return NULL;
	pthread_mutex_lock(&leaving_lock);
	STAILQ_INSERT_TAIL(&leaving, probes, link);
	must_run = !leaving_threads;
	leaving_threads += must_run;
	pthread_mutex_unlock(&leaving_lock);
	if (must_run)
		start_release();
	return NULL;
}

void tap_detach_wait(void)
{
	pthread_mutex_lock(&leaving_lock);
	while (leaving_threads && leaving_threads < LEAVING_THREADS) {
		leaving_threads++;
		pthread_mutex_unlock(&leaving_lock);
		start_release();
		pthread_mutex_lock(&leaving_lock);
	}
	while (leaving_threads)
		pthread_cond_wait(&leaving_over, &leaving_lock);
	pthread_mutex_unlock(&leaving_lock);
}
