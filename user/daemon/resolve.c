/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "base/quota.h"
#include "base/thread.h"
#include "provider/api.h"

#define HOST_LEN  256
#define PORT      443
#define HOSTS_MAX 512 /* asked about; the table has some 50, an operator may add 256 */

/* What a thread owns. */
struct job {
	int fd;
	uint64_t deadline_ns; /* CLOCK_MONOTONIC; UINT64_MAX: none */
	size_t n;
	struct {
		char host[HOST_LEN], port[6];
	} names[HOSTS_MAX];
};

/* One thread's questions, and where its answers arrive. */
struct round {
	struct resolve *resolve;
	struct loop_source *source; /* NULL: no thread is at it */
	int fd;
};

struct resolve {
	struct loop *loop;
	struct round first, again;
	struct job *waiting; /* what is asked once `again` is free; NULL: nothing */
	char more[RESOLVE_MORE][HOST_LEN];
	size_t n_more;
	uint64_t more_asked_ns; /* of all of them */
	uint64_t asked_ns[HOSTS_MAX]; /* of hosts that are named in full, by their number in api_pattern() */
	struct quota *cgroups; /* that have chosen a name */
	struct {
		uint64_t since_ns;
		unsigned n;
	} chosen[RESOLVE_CGROUPS];
	resolve_fn fn;
	void *arg;
};

/* One datagram from a thread. */
struct answer {
	char host[HOST_LEN];
	struct sockaddr_storage address;
};

static void job_free(struct job *job)
{
	if (job && job->fd >= 0)
		close(job->fd);
	free(job);
}

static struct job *job_new(uint64_t deadline_ns)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->fd = -1;
	job->deadline_ns = deadline_ns;
	return job;
}

/* `port` 0: that of HTTPS. */
static void job_add(struct job *job, const char *host, uint16_t port)
{
	if (job->n >= HOSTS_MAX)
		return;
	snprintf(job->names[job->n].host, HOST_LEN, "%s", host);
	snprintf(job->names[job->n].port, sizeof(job->names[job->n].port), "%u", port ?: PORT);
	job->n++;
}

/* False: the other end is closed. */
static bool ask(const struct job *job, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list, *info;
	struct answer answer = { 0 };
	char bare[HOST_LEN];
	bool is_heard = true;

	/* an IPv6 address is a host in brackets */
	if (sscanf(host, "[%255[^]]", bare) != 1)
		snprintf(bare, sizeof(bare), "%s", host);
	if (getaddrinfo(bare, port, &hints, &list))
		return true;
	snprintf(answer.host, sizeof(answer.host), "%s", host);
	for (info = list; info && is_heard; info = info->ai_next) {
		if (info->ai_addrlen > sizeof(answer.address))
			continue;
		memcpy(&answer.address, info->ai_addr, info->ai_addrlen);
		is_heard = send(job->fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer);
	}
	freeaddrinfo(list);
	return is_heard;
}

static void *run(void *arg)
{
	struct job *job = arg;

	for (size_t i = 0; i < job->n && clock_mono_ns() < job->deadline_ns; i++)
		if (!ask(job, job->names[i].host, job->names[i].port))
			break;
	job_free(job);
	return NULL;
}

static void ask_what_waits(struct resolve *resolve);

static void on_answer(void *arg)
{
	struct round *round = arg;
	struct resolve *resolve = round->resolve;
	bool is_again = round == &resolve->again;
	struct answer answer;
	ssize_t n = recv(round->fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n == sizeof(answer))
		resolve->fn(resolve->arg, (const struct sockaddr *)&answer.address, answer.host,
			    is_again);
	if (n == sizeof(answer) || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	round->source = loop_remove(round->source);
	close(round->fd);
	if (is_again)
		ask_what_waits(resolve);
	else
		resolve->fn(resolve->arg, NULL, NULL, false);
}

/* Takes the job. 0 or -errno. */
static int round_begin(struct round *round, struct job *job)
{
	int pair[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err = -errno;
		job_free(job);
		return err;
	}
	job->fd = pair[1];
	round->fd = pair[0];
	err = loop_add_fd(round->resolve->loop, round->fd, on_answer, round, &round->source);
	if (!err)
		err = thread_start(NULL, run, job);
	if (!err)
		return 0;
	job_free(job);
	round->source = loop_remove(round->source);
	close(round->fd);
	return err;
}

static void ask_what_waits(struct resolve *resolve)
{
	struct job *job = resolve->waiting;

	if (!job || resolve->again.source)
		return;
	resolve->waiting = NULL;
	job->deadline_ns = clock_mono_ns() + RESOLVE_DEADLINE_NS;
	(void)round_begin(&resolve->again, job);
}

int resolve_new(struct resolve **ret, struct loop *loop, const char *const *more, size_t n_more,
		resolve_fn fn, void *arg)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	struct job *job = job_new(UINT64_MAX);
	const char *pattern, *name;
	int err;

	if (resolve)
		*resolve = (struct resolve){ .loop = loop,
					     .first = { .resolve = resolve },
					     .again = { .resolve = resolve },
					     .cgroups = quota_new(RESOLVE_CGROUPS, 1),
					     .fn = fn,
					     .arg = arg };
	if (!resolve || !job || !resolve->cgroups) {
		job_free(job);
		resolve_free(resolve);
		return -ENOMEM;
	}
	/* Neighbours first, so that no address counts as an AI host's alone for a moment. */
	for (size_t i = 0; (name = api_neighbour(i)); i++)
		if (!api_find(name))
			job_add(job, name, 0);
	for (size_t i = 0; (pattern = api_pattern(i)); i++)
		if (!strchr(pattern, '*'))
			job_add(job, pattern, api_pattern_port(i));
	for (size_t i = 0; i < n_more && i < RESOLVE_MORE; i++) {
		snprintf(resolve->more[resolve->n_more++], HOST_LEN, "%s", more[i]);
		job_add(job, more[i], 0);
	}
	err = round_begin(&resolve->first, job);
	if (err) {
		resolve_free(resolve);
		return err;
	}
	*ret = resolve;
	return 0;
}

static void round_end(struct round *round)
{
	if (!round->source)
		return;
	loop_remove(round->source);
	close(round->fd);
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return NULL;
	round_end(&resolve->first);
	round_end(&resolve->again);
	job_free(resolve->waiting);
	quota_free(resolve->cgroups);
	free(resolve);
	return NULL;
}

/* A name below a pattern: one more may be asked about for this cgroup. */
static bool may_choose(struct resolve *resolve, uint64_t cgroup, uint64_t now_ns)
{
	size_t row = quota_find(resolve->cgroups, cgroup);

	if (!cgroup)
		return false;
	if (row == QUOTA_NONE) {
		row = quota_take(resolve->cgroups, cgroup, cgroup);
		resolve->chosen[row].since_ns = now_ns;
		resolve->chosen[row].n = 0;
	}
	quota_touch(resolve->cgroups, row);
	if (now_ns - resolve->chosen[row].since_ns >= RESOLVE_AGAIN_NS) {
		resolve->chosen[row].since_ns = now_ns;
		resolve->chosen[row].n = 0;
	}
	return resolve->chosen[row].n++ < RESOLVE_CHOSEN;
}

static bool may_ask(struct resolve *resolve, uint64_t cgroup, const char *host, uint64_t now_ns,
		    uint16_t *ret_port)
{
	const char *pattern;
	uint64_t *asked_ns;

	*ret_port = 0;
	for (size_t i = 0; i < HOSTS_MAX && (pattern = api_pattern(i)); i++) {
		if (strcmp(pattern, host) != 0)
			continue;
		*ret_port = api_pattern_port(i);
		asked_ns = &resolve->asked_ns[i];
		if (*asked_ns && now_ns - *asked_ns < RESOLVE_AGAIN_NS)
			return false;
		*asked_ns = now_ns;
		return true;
	}
	return may_choose(resolve, cgroup, now_ns);
}

static void wait_for(struct resolve *resolve, const char *host, uint16_t port)
{
	if (!resolve->waiting)
		resolve->waiting = job_new(0);
	if (resolve->waiting)
		job_add(resolve->waiting, host, port);
}

void resolve_again(struct resolve *resolve, uint64_t cgroup, const char *host)
{
	uint64_t now_ns = clock_mono_ns();
	uint16_t port;

	if (may_ask(resolve, cgroup, host, now_ns, &port))
		wait_for(resolve, host, port);
	if (!resolve->more_asked_ns || now_ns - resolve->more_asked_ns >= RESOLVE_AGAIN_NS) {
		resolve->more_asked_ns = now_ns;
		for (size_t i = 0; i < resolve->n_more; i++)
			wait_for(resolve, resolve->more[i], 0);
	}
	ask_what_waits(resolve);
}
