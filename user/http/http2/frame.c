/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2/frame.h"

void frame_read(struct frame *frame, const uint8_t bytes[FRAME_HEAD])
{
	frame->len = (uint32_t)bytes[0] << 16 | bytes[1] << 8 | bytes[2];
	frame->type = bytes[3];
	frame->flags = bytes[4];
	/* the first bit is reserved */
	frame->stream = (uint32_t)(bytes[5] & 0x7f) << 24 | bytes[6] << 16 | bytes[7] << 8 |
			bytes[8];
}

bool frame_is_valid(const struct frame *frame)
{
	switch (frame->type) {
	case FRAME_DATA:
	case FRAME_HEADERS:
	case FRAME_CONTINUATION:
	case FRAME_PUSH_PROMISE:
		return frame->stream;
	case FRAME_PRIORITY:
		return frame->stream && frame->len == 5;
	case FRAME_RST_STREAM:
		return frame->stream && frame->len == 4;
	case FRAME_SETTINGS:
		return !frame->stream && frame->len % 6 == 0;
	case FRAME_PING:
		return !frame->stream && frame->len == 8;
	case FRAME_GOAWAY:
		return !frame->stream && frame->len >= 8;
	case FRAME_WINDOW_UPDATE:
		return frame->len == 4;
	default:
		return false;
	}
}

bool frame_is_chain(const uint8_t *bytes, size_t len)
{
	struct frame frame;

	while (len >= FRAME_HEAD) {
		frame_read(&frame, bytes);
		if (!frame_is_valid(&frame))
			return false;
		if (frame.len >= len - FRAME_HEAD)
			return true;
		bytes += FRAME_HEAD + frame.len;
		len -= FRAME_HEAD + frame.len;
	}
	return true;
}
