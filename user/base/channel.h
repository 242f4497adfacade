/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP connection, with TLS if wanted, that carries another protocol than HTTP. Names, connecting
 * and TLS are curl's, as in fetch.h; nothing blocks and no byte is logged.
 */
#ifndef BASE_CHANNEL_H
#define BASE_CHANNEL_H

#include "base/fetch.h"

struct channel;

#define CHANNEL_OUT_MAX (1u << 20) /* bytes that wait to be sent */

struct channel_options {
	const char *url; /* http://HOST:PORT, or https:// for TLS */
	struct fetch_tls tls;
	uint32_t timeout_ms; /* to connect */
	void (*opened)(void *arg);
	/* False ends the channel: `closed` follows. Must not free it. */
	bool (*bytes)(void *arg, const char *bytes, size_t len);
	/* Once, whether it had been opened or not; may free the channel as the last thing it does. */
	void (*closed)(void *arg, const char *why);
	void *arg;
};

/* 0 or -errno; no callback before it returns. */
int channel_open(struct channel **ret, struct fetcher *fetcher,
		 const struct channel_options *options);
/* Not from `bytes` or `opened`. NULL is nothing; returns NULL. No `closed` follows. */
struct channel *channel_free(struct channel *channel);
/*
 * Copies, and sends as there is room; what was sent is wiped. -ENOBUFS: CHANNEL_OUT_MAX wait, nothing was taken. -ENOTCONN: not
 * open. An error of the connection itself comes as `closed`.
 */
int channel_write(struct channel *channel, const void *bytes, size_t len);

#endif
