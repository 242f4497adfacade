/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the node's resolver for the addresses of AI hosts: once for all that are known in full and their neighbours,
 * at the start, and later for one host at a time, as addresses rotate. In threads of its own, because a resolver may
 * take its time; a thread that has nothing to ask does not exist.
 */
#ifndef DAEMON_RESOLVE_H
#define DAEMON_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct loop;
struct resolve;

#define RESOLVE_MORE 16

/* A host is asked about again after this long at the earliest. */
#define RESOLVE_AGAIN_NS 60000000000ULL
/* A resolver that takes longer for what waits is not asked for the rest of it. */
#define RESOLVE_DEADLINE_NS 10000000000ULL
/* Names below a pattern ("*.openai.azure.com") are their sender's choice: so many of a cgroup are asked about in that time. */
#define RESOLVE_CHOSEN  8
#define RESOLVE_CGROUPS 256

/*
 * fn is called on the loop for each address (port 443) of each name of api_neighbour() and of each host
 * that api_pattern() names in full, and of `more` (RESOLVE_MORE at most, copied), and at their end with a NULL address; with is_again for what resolve_again() has
 * asked. The address and the name are valid during the call. 0 or -errno.
 */
typedef void (*resolve_fn)(void *arg, const struct sockaddr *address, const char *host,
			   bool is_again);
int resolve_new(struct resolve **ret, struct loop *loop, const char *const *more, size_t n_more,
		resolve_fn fn, void *arg);
/* fn is not called any more; the threads end by themselves after the look-ups that they are at. */
struct resolve *resolve_free(struct resolve *resolve);

/*
 * A program of this cgroup goes to this AI host, at an address that is not known: it is asked about, and so are those
 * that resolve_new() was given, if they were not in the last minute. Questions that find no room are forgotten: the next connection asks again.
 */
void resolve_again(struct resolve *resolve, uint64_t cgroup, const char *host);

#endif
