/* SPDX-License-Identifier: Apache-2.0 */
/* The nine bytes before each HTTP/2 frame, RFC 9113 4.1, and what may follow them (section 6). */
#ifndef HTTP_HTTP2_FRAME_H
#define HTTP_HTTP2_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_HEAD 9

enum frame_type {
	FRAME_DATA,
	FRAME_HEADERS,
	FRAME_PRIORITY,
	FRAME_RST_STREAM,
	FRAME_SETTINGS,
	FRAME_PUSH_PROMISE,
	FRAME_PING,
	FRAME_GOAWAY,
	FRAME_WINDOW_UPDATE,
	FRAME_CONTINUATION,
};

enum frame_flag {
	FRAME_END_STREAM = 0x1,
	FRAME_ACK = 0x1,
	FRAME_END_HEADERS = 0x4,
	FRAME_PADDED = 0x8,
	FRAME_HAS_PRIORITY = 0x20,
};

struct frame {
	uint32_t len;
	uint32_t stream;
	uint8_t type;
	uint8_t flags;
};

void frame_read(struct frame *frame, const uint8_t bytes[FRAME_HEAD]);
/* Whether the standard allows it: type, stream and length agree. */
bool frame_is_valid(const struct frame *frame);
/* Whether valid frames follow each other from here on; the last may end beyond the bytes. */
bool frame_is_chain(const uint8_t *bytes, size_t len);

#endif
