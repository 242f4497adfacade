/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of WebSockets as peers make them, for tests: RFC 6455 5.2, RFC 7692 7.2.1. */
#ifndef UNIT_WEBSOCKET_FRAMES_H
#define UNIT_WEBSOCKET_FRAMES_H

#include "unit.h"

#include <zlib.h>

#define FRAME_TEXT       0x01
#define FRAME_BINARY     0x02
#define FRAME_GOES_ON    0x00
#define FRAME_CLOSE      0x08
#define FRAME_PING       0x09
#define FRAME_FIN        0x80
#define FRAME_COMPRESSED 0x40

struct bytes {
	uint8_t *at;
	size_t len;
};

static inline void bytes_add(struct bytes *bytes, const void *more, size_t len)
{
	bytes->at = realloc(bytes->at, bytes->len + len + 1);
	assert_non_null(bytes->at);
	memcpy(bytes->at + bytes->len, more, len);
	bytes->len += len;
	bytes->at[bytes->len] = '\0';
}

static inline void bytes_done(struct bytes *bytes)
{
	free(bytes->at);
}
#define _cleanup_bytes_ __attribute__((cleanup(bytes_done)))

static inline void frame_add(struct bytes *to, uint8_t first, bool is_masked, const void *payload,
			     size_t len)
{
	static const uint8_t mask[4] = { 0x37, 0xfa, 0x21, 0x3d };
	uint8_t head[14] = { first, is_masked ? 0x80 : 0 };
	size_t n = 2, long_bytes = len > 0xffff ? 8 : len > 125 ? 2 : 0, begin;

	head[1] |= long_bytes == 8 ? 127 : long_bytes == 2 ? 126 : (uint8_t)len;
	while (long_bytes)
		head[n++] = (uint8_t)(len >> 8 * --long_bytes);
	if (is_masked) {
		memcpy(head + n, mask, 4);
		n += 4;
	}
	bytes_add(to, head, n);
	begin = to->len;
	bytes_add(to, payload, len);
	for (size_t i = 0; is_masked && i < len; i++)
		to->at[begin + i] ^= mask[i % 4];
}

static inline void text_add(struct bytes *to, bool is_masked, const char *text)
{
	frame_add(to, FRAME_FIN | FRAME_TEXT, is_masked, text, strlen(text));
}

/* A message's bytes, compressed; the stream's window is kept unless `resets`. */
static inline struct bytes deflated(z_stream *z, const char *text, bool resets)
{
	struct bytes out = { 0 };
	size_t room = strlen(text) + 1024;
	_cleanup_free_ uint8_t *buf = malloc(room);

	if (!*text) { /* RFC 7692 7.2.3.6 */
		bytes_add(&out, "", 1);
		return out;
	}
	z->next_in = (Bytef *)text;
	z->avail_in = (uInt)strlen(text);
	z->next_out = buf;
	z->avail_out = (uInt)room;
	assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
	bytes_add(&out, buf, room - z->avail_out - 4); /* 00 00 ff ff is left out */
	if (resets)
		deflateReset(z);
	return out;
}

static inline void deflated_add(struct bytes *to, z_stream *z, bool is_masked, const char *text,
				bool resets)
{
	_cleanup_bytes_ struct bytes packed = deflated(z, text, resets);

	frame_add(to, FRAME_FIN | FRAME_COMPRESSED | FRAME_TEXT, is_masked, packed.at, packed.len);
}

static inline void deflate_begin(z_stream *z)
{
	memset(z, 0, sizeof(*z));
	assert_int_equal(deflateInit2(z, 6, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

#endif
