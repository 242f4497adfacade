/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/resolve.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/thread.h"
#include "meter/api.h"

#define HOST_LEN  256
#define PORT      "443"
#define HOSTS_MAX 512 /* asked about; the table has some 50, an operator may add 256 */

struct resolve {
	struct loop_source *source;
	int fd;
	void (*fn)(void *arg, const struct sockaddr *address, const char *host);
	void *arg;
};

/* What the thread owns. */
struct job {
	int fd;
	size_t n;
	char hosts[HOSTS_MAX][HOST_LEN];
};

/* One datagram from the thread. */
struct answer {
	char host[HOST_LEN];
	struct sockaddr_storage address;
};

static void job_free(struct job *job)
{
	close(job->fd);
	free(job);
}

/* False: the other end is closed. */
static bool ask(const struct job *job, const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG };
	struct addrinfo *list, *info;
	struct answer answer = { 0 };
	bool is_heard = true;

	if (getaddrinfo(host, PORT, &hints, &list))
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

	for (size_t i = 0; i < job->n; i++)
		if (!ask(job, job->hosts[i]))
			break;
	job_free(job);
	return NULL;
}

/* Takes the job. */
static int start(struct job *job)
{
	int err = thread_start(NULL, run, job);

	if (err)
		job_free(job);
	return err;
}

static void on_answer(void *arg)
{
	struct resolve *resolve = arg;
	struct answer answer;
	ssize_t n = recv(resolve->fd, &answer, sizeof(answer), MSG_DONTWAIT);

	if (n == sizeof(answer))
		resolve->fn(resolve->arg, (const struct sockaddr *)&answer.address, answer.host);
	if (n == sizeof(answer) || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	resolve->source = loop_remove(resolve->source);
	resolve->fn(resolve->arg, NULL, NULL);
}

int resolve_new(struct resolve **ret, struct loop *loop,
		void (*fn)(void *arg, const struct sockaddr *address, const char *host), void *arg)
{
	struct resolve *resolve = calloc(1, sizeof(*resolve));
	struct job *job = calloc(1, sizeof(*job));
	const char *pattern, *name;
	int pair[2], err;

	if (!resolve || !job || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair)) {
		err = resolve && job ? -errno : -ENOMEM;
		free(resolve);
		free(job);
		return err;
	}
	*resolve = (struct resolve){ .fd = pair[0], .fn = fn, .arg = arg };
	job->fd = pair[1];
	/* Neighbours first, so that no address counts as an AI host's alone for a moment. */
	for (size_t i = 0; (name = api_neighbour(i)); i++)
		if (!api_find(name))
			snprintf(job->hosts[job->n++], HOST_LEN, "%s", name);
	for (size_t i = 0; (pattern = api_pattern(i)) && job->n < HOSTS_MAX; i++)
		if (!strchr(pattern, '*'))
			snprintf(job->hosts[job->n++], HOST_LEN, "%s", pattern);
	err = loop_add_fd(loop, resolve->fd, on_answer, resolve, &resolve->source);
	if (err)
		job_free(job);
	else
		err = start(job);
	if (err) {
		resolve_free(resolve);
		return err;
	}
	*ret = resolve;
	return 0;
}

struct resolve *resolve_free(struct resolve *resolve)
{
	if (!resolve)
		return NULL;
	loop_remove(resolve->source);
	close(resolve->fd);
	free(resolve);
	return NULL;
}
