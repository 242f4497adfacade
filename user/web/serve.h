/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon shows over HTTP, and to whom: /metrics, /healthz, /readyz, the status page at /
 * and its data at /api/status.json, timeline.json and caller.json. Read-only: GET and HEAD, nothing else. libmicrohttpd without a
 * thread of its own: its epoll descriptor is one source of the loop.
 *
 * A connection serves one request and lives SERVE_LIFE_S at most, however slowly its peer writes
 * or reads. No TLS here: a proxy in front, where the network is not trusted (docs/METRICS.md).
 */
#ifndef WEB_SERVE_H
#define WEB_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "metrics/scrape.h"
#include "web/aside.h"

#define SERVE_PORT             24473 /* no exporter's, and no service's of IANA */
#define SERVE_CONNECTIONS      32 /* beyond, one of those that hold most ends for each that comes */
#define SERVE_RESERVE          16 /* accepted at once beyond them, before those end */
#define SERVE_CONNECTION_BYTES 32768 /* of a request's head, and of what waits to be sent */
#define SERVE_LIFE_S           30
#define SERVE_IDLE_S           10
#define SERVE_TOKEN_MIN        16

struct serve_config {
	bool is_on;
	struct sockaddr_storage listen;
	char *token_file;    /* NULL: none is asked for */
	bool public_metrics; /* /metrics needs no token */
	uint64_t max_series;
};

/* Where what is shown comes from; all are called from the loop. */
struct serve_content {
	struct scrape *(*scrape)(void *arg, enum exposition_format format); /* NULL: no memory */
	char *(*status)(void *arg); /* JSON, to be freed; NULL: no memory */
	/* What makes the JSON of 30 days. NULL: no memory. */
	struct aside_work *(*timeline)(void *arg);
	/* Likewise of one caller (who_label()); without text: nobody has that name. */
	struct aside_work *(*caller)(void *arg, const char *who);
	/* False: buf has a sentence that says why not. */
	bool (*healthy)(void *arg, char *buf, size_t size);
	bool (*ready)(void *arg, char *buf, size_t size);
	void *arg;
};

struct serve;
struct loop;

/* The config must outlive it. 0 or -errno; ret_error is a sentence to free. */
int serve_new(struct serve **ret, struct loop *loop, const struct serve_config *config,
	      const struct serve_content *content, char **ret_error);
struct serve *serve_free(struct serve *serve);

/* "127.0.0.1:24473", "[::1]:24473", without a port SERVE_PORT. No names. 0 or -EINVAL. */
int serve_parse_address(const char *text, struct sockaddr_storage *ret);
bool serve_is_loopback(const struct sockaddr_storage *address);

#endif
