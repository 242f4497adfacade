/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks up the addresses of the known AI hosts and of their neighbours once, at the start: for
 * connections that are older than this process, and so that a connect from behind a shut gate fails at
 * once. In a thread of its own, because a resolver may take its time.
 */
#ifndef DAEMON_RESOLVE_H
#define DAEMON_RESOLVE_H

#include <sys/socket.h>

struct loop;
struct resolve;

/*
 * fn is called on the loop for each address (port 443) of each name of api_neighbour() and of each host
 * that api_pattern() names in full, and at the end with a NULL address. The address and the name are
 * valid during the call. 0 or -errno.
 */
int resolve_new(struct resolve **ret, struct loop *loop,
		void (*fn)(void *arg, const struct sockaddr *address, const char *host), void *arg);
/* fn is not called any more; the thread ends by itself after the look-up that it is at. */
struct resolve *resolve_free(struct resolve *resolve);

#endif
