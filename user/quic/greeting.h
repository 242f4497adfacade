/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's name out of the first datagrams that a QUIC client sends. Their keys are public: they
 * are derived from the connection id that the client chose (RFC 9001 5.2; RFC 9369 for version 2), so
 * this reads no more than a ClientHello over TCP gives away.
 *
 * The hello comes in CRYPTO frames in any order, over several packets and datagrams (post-quantum key
 * shares need two). Any bytes may come.
 */
#ifndef QUIC_GREETING_H
#define QUIC_GREETING_H

#include <stddef.h>
#include <stdint.h>

/* Of the hello; the largest in use have 1.8 kB, and what is beyond is not waited for. */
#define GREETING_MAX 8192

enum greeting_result {
	GREETING_MORE, /* no name yet: feed the next datagram */
	GREETING_NAME, /* greeting_name() */
	GREETING_NONE, /* a hello without a name, or nothing that can be read */
};

struct greeting; /* one connection's; 10 kB */

/* NULL: no memory. */
struct greeting *greeting_new(void);
struct greeting *greeting_free(struct greeting *greeting);

/* The next datagram of the client; or several at once, one behind the other, as UDP's offload has them. */
enum greeting_result greeting_feed(struct greeting *greeting, const uint8_t *datagram, size_t len);
/* Lower case; "" before GREETING_NAME. */
const char *greeting_name(const struct greeting *greeting);

#endif
