/* SPDX-License-Identifier: Apache-2.0 */
#include "quic/greeting.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "quic/initial.h"

static int hello_load(const void *from, uint32_t at, void *to, uint32_t n)
{
	memcpy(to, (const uint8_t *)from + at, n);
	return 0;
}

#include "hello.h"

#define PACKETS_MAX 8 /* of one datagram that are looked at */

struct greeting {
	struct initial_keys keys;
	struct hello hello;
	uint32_t ready; /* bytes of the hello without a gap */
	uint32_t fed;   /* of these, what the parser has had */
	enum greeting_result result;
	uint8_t bytes[GREETING_MAX];
	uint8_t has[GREETING_MAX / 8];
};

struct greeting *greeting_new(void)
{
	struct greeting *greeting = calloc(1, sizeof(*greeting));

	/* no records inside of QUIC: one without an end */
	if (greeting)
		greeting->hello.left_record = 1u << 24;
	return greeting;
}

struct greeting *greeting_free(struct greeting *greeting)
{
	free(greeting);
	return NULL;
}

static bool has(const struct greeting *greeting, uint32_t at)
{
	return greeting->has[at / 8] >> at % 8 & 1;
}

static void take_crypto(struct greeting *greeting, uint64_t offset, const uint8_t *bytes,
			uint64_t len)
{
	if (offset >= GREETING_MAX)
		return;
	if (len > GREETING_MAX - offset)
		len = GREETING_MAX - offset;
	memcpy(greeting->bytes + offset, bytes, len);
	for (uint32_t i = 0; i < len; i++)
		greeting->has[(offset + i) / 8] |= (uint8_t)(1 << (offset + i) % 8);
	while (greeting->ready < GREETING_MAX && has(greeting, greeting->ready))
		greeting->ready++;
}

static bool skip(const uint8_t *bytes, size_t len, size_t *at, uint64_t n)
{
	uint64_t value;

	while (n--)
		if (!initial_integer(bytes, len, at, &value))
			return false;
	return true;
}

/* An ACK's fields behind its type, RFC 9000 19.3. */
static bool skip_ack(const uint8_t *bytes, size_t len, size_t *at, bool has_counts)
{
	uint64_t ranges;

	return skip(bytes, len, at, 2) && initial_integer(bytes, len, at, &ranges) &&
	       ranges <= len && skip(bytes, len, at, 1 + 2 * ranges + (has_counts ? 3 : 0));
}

/* The frames that an Initial may hold, RFC 9000 12.4; anything else ends the reading. */
static void take_frames(struct greeting *greeting, const uint8_t *bytes, size_t len)
{
	uint64_t type, offset, n;
	size_t at = 0;

	while (initial_integer(bytes, len, &at, &type)) {
		switch (type) {
		case 0x00: /* PADDING */
		case 0x01: /* PING */
			break;
		case 0x02:
		case 0x03:
			if (!skip_ack(bytes, len, &at, type == 0x03))
				return;
			break;
		case 0x06: /* CRYPTO */
			if (!initial_integer(bytes, len, &at, &offset) ||
			    !initial_integer(bytes, len, &at, &n) || n > len - at)
				return;
			take_crypto(greeting, offset, bytes + at, n);
			at += n;
			break;
		default:
			return;
		}
	}
}

/*
 * After a Retry the client's keys come from another connection id; after the server's first answer
 * its packets bear another id, and the keys stay. 0 or -errno.
 */
static int open_packet(struct greeting *greeting, const struct initial_packet *packet,
		       const uint8_t *bytes, uint8_t *plain, size_t *ret_len)
{
	struct initial_keys *keys = &greeting->keys, fresh;
	int err = -EBADMSG;

	if (keys->is_set)
		err = initial_open(keys, packet, bytes, plain, ret_len);
	if (!err || (keys->is_set && keys->version == packet->version &&
		     keys->id_len == packet->id_len && !memcmp(keys->id, packet->id, keys->id_len)))
		return err;
	err = initial_derive(&fresh, packet);
	if (!err)
		err = initial_open(&fresh, packet, bytes, plain, ret_len);
	if (!err)
		*keys = fresh;
	return err;
}

static void parse(struct greeting *greeting)
{
	enum hello_result result;

	if (greeting->fed == greeting->ready)
		return;
	result = hello_feed(&greeting->hello, greeting->bytes, greeting->fed, greeting->ready);
	greeting->fed = greeting->ready;
	if (result == HELLO_NAME) {
		greeting->hello.name[greeting->hello.name_len] = '\0';
		greeting->result = GREETING_NAME;
	} else if (result != HELLO_MORE || greeting->ready == GREETING_MAX) {
		greeting->result = GREETING_NONE;
	}
}

enum greeting_result greeting_feed(struct greeting *greeting, const uint8_t *datagram, size_t len)
{
	_cleanup_free_ uint8_t *plain = malloc(len ? len : 1);
	struct initial_packet packet;
	size_t at = 0, plain_len;

	for (int i = 0; plain && i < PACKETS_MAX && greeting->result == GREETING_MORE; i++) {
		if (!initial_read(datagram + at, len - at, &packet))
			break;
		if (packet.is_initial &&
		    !open_packet(greeting, &packet, datagram + at, plain, &plain_len)) {
			take_frames(greeting, plain, plain_len);
			parse(greeting);
		}
		at += packet.len;
	}
	return greeting->result;
}

const char *greeting_name(const struct greeting *greeting)
{
	return greeting->result == GREETING_NAME ? greeting->hello.name : "";
}
