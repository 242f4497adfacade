/* SPDX-License-Identifier: Apache-2.0 */
/* Initial packets of QUIC versions 1 and 2: finding them in a datagram, and undoing their protection. */
#ifndef QUIC_INITIAL_H
#define QUIC_INITIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INITIAL_ID_MAX 20 /* of a connection id, RFC 9000 17.2 */

struct initial_keys {
	uint8_t key[16], iv[12], hp[16];
	uint32_t version;
	uint8_t id[INITIAL_ID_MAX]; /* the destination connection id that they come from */
	uint8_t id_len;
	bool is_set;
};

/* A packet with a long header. */
struct initial_packet {
	uint32_t version;
	uint8_t id[INITIAL_ID_MAX];
	uint8_t id_len;
	bool is_initial;
	size_t number_at; /* of the packet number, from the packet's first byte */
	size_t len;       /* of the packet */
};

/* Reads the header at bytes[0]. False: it is none that can be stepped over. */
bool initial_read(const uint8_t *bytes, size_t len, struct initial_packet *ret);
/* A client's keys. 0 or -errno. */
int initial_derive(struct initial_keys *keys, const struct initial_packet *packet);
/*
 * Opens a packet into plain, which has room for packet->len bytes. 0 and the payload's length, or
 * -EBADMSG: not with these keys; else -errno.
 */
int initial_open(const struct initial_keys *keys, const struct initial_packet *packet,
		 const uint8_t *bytes, uint8_t *plain, size_t *ret_len);

/* A variable-length integer (RFC 9000 16) at *at, which moves on. False: it is cut. */
bool initial_integer(const uint8_t *bytes, size_t len, size_t *at, uint64_t *ret);

#endif
