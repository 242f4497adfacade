/* SPDX-License-Identifier: Apache-2.0 */
/* What channel.c needs of fetch.c; for no other module. */
#ifndef BASE_FETCH_INTERNAL_H
#define BASE_FETCH_INTERNAL_H

#include <sys/types.h>

#include "base/fetch.h"

/*
 * Only connects, with TLS for https://. `done` is called once; if it has no error, the connection is
 * there until fetch_cancel(), for the functions below.
 */
int fetch_connect(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret);
int fetch_socket(const struct fetch *fetch);
/* How many bytes; -EAGAIN: not now; another -errno: the connection is over. recv: 0, the end. */
ssize_t fetch_send(struct fetch *fetch, const void *bytes, size_t len);
ssize_t fetch_recv(struct fetch *fetch, void *bytes, size_t size);
struct loop *fetcher_loop(const struct fetcher *fetcher);

#endif
