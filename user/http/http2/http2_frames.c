/* SPDX-License-Identifier: Apache-2.0 */
/* What the frames of a connection mean for its streams. */
#include "http/http2/http2_state.h"

#include <string.h>

#define SETTINGS_HEADER_TABLE_SIZE 1

/* Header blocks. */

static void request_begin(struct http2 *http2, struct direction *direction)
{
	struct stream *stream = streams_find(&http2->streams, direction->block.stream);

	if (!stream) {
		if (direction->block.stream < http2->next_stream)
			return;
		/* a gap held the head of a request: its fields are missing in the table */
		if (http2->had_gap && direction->block.stream != http2->next_stream) {
			give_up(http2);
			return;
		}
		http2->next_stream = direction->block.stream + 2;
		stream = streams_add(&http2->streams, direction->block.stream);
		if (!stream) {
			http2->resyncs++;
			return;
		}
		direction->block.head.is_upgrade = !strcmp(direction->block.head.method, "CONNECT") &&
						   !direction->block.head.is_websocket;
		stream_open(&http2->streams, stream, &direction->block.head);
	}
	if (direction->block.ends_stream)
		stream_end(&http2->streams, stream, HTTP_REQUEST, true);
}

static void answer_begin(struct http2 *http2, struct direction *direction)
{
	struct stream *stream = streams_find(&http2->streams, direction->block.stream);
	struct message *message;

	if (!stream)
		return;
	message = &stream->messages[HTTP_RESPONSE];
	if (message->state == MESSAGE_ENDED ||
	    (message->state == MESSAGE_NONE && direction->block.head.status / 100 == 1))
		return;
	if (message->state == MESSAGE_NONE)
		stream_open(&http2->streams, stream, &direction->block.head);
	/* Of the head, where the answer is one of gRPC without a message, or of the trailers. */
	message->grpc_status = direction->block.head.grpc_status;
	if (direction->block.ends_stream)
		stream_end(&http2->streams, stream, HTTP_RESPONSE, true);
}

static void block_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct direction *direction = direction_of(http2, side);
	bool is_last = !direction->left && direction->frame.flags & FRAME_END_HEADERS;

	if (!block_feed(&direction->block, bytes, n, is_last)) {
		give_up(http2);
		return;
	}
	if (!is_last)
		return;
	if (direction->block.is_promise)
		return;
	if (side == HTTP_REQUEST)
		request_begin(http2, direction);
	else
		answer_begin(http2, direction);
}

/* Frames. */

static void settings_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct direction *own = direction_of(http2, side);
	struct direction *other = direction_of(http2, !side);

	for (size_t i = 0; i < n; i++) {
		const uint8_t *b = own->buf;

		own->buf[own->n_buf++] = bytes[i];
		if (own->n_buf < 6)
			continue;
		own->n_buf = 0;
		if ((b[0] << 8 | b[1]) != SETTINGS_HEADER_TABLE_SIZE)
			continue;
		block_announce(&other->block, (uint32_t)b[2] << 24 | b[3] << 16 | b[4] << 8 | b[5]);
	}
}

/* The four bytes with which a reset and a goodbye begin. */
static void number_take(struct direction *direction, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n && direction->n_buf < 4; i++)
		direction->buf[direction->n_buf++] = bytes[i];
}

static void data_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct stream *stream = streams_find(&http2->streams,
					     direction_of(http2, side)->frame.stream);
	struct message *message = stream ? &stream->messages[side] : NULL;

	if (!message || message->state == MESSAGE_ENDED)
		return;
	if (message->state == MESSAGE_NONE) {
		/* its head is missing, so the table may be */
		give_up(http2);
		return;
	}
	body_feed(&message->body, bytes, n);
	http2->streams.giving = stream;
	/* curl waits for no END_STREAM then, but resets the stream or closes the connection (RFC 9113 8.1.1) */
	if (side == HTTP_RESPONSE && message->length && message->body.wire_bytes >= message->length)
		stream_end(&http2->streams, stream, side, /* is_whole= */ true);
}

void http2_content_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	switch (direction_of(http2, side)->frame.type) {
	case FRAME_DATA:
		if (n)
			data_take(http2, side, bytes, n);
		break;
	case FRAME_HEADERS:
	case FRAME_PUSH_PROMISE:
	case FRAME_CONTINUATION:
		block_take(http2, side, bytes, n);
		break;
	case FRAME_SETTINGS:
		settings_take(http2, side, bytes, n);
		break;
	case FRAME_RST_STREAM:
	case FRAME_GOAWAY:
		number_take(direction_of(http2, side), bytes, n);
		break;
	}
}

#define REFUSED_STREAM 7 /* RFC 9113 7 */

/*
 * A server that refuses a stream, or names a last one before it as it goes away, has not looked at the request
 * (RFC 9113 8.7): clients send it again, and nothing is owed for it.
 */
static void reset_take(struct http2 *http2, enum http_side side, struct stream *stream,
		       uint32_t number)
{
	const struct frame *frame = &direction_of(http2, side)->frame;

	if (frame->type == FRAME_GOAWAY && side == HTTP_RESPONSE &&
	    (!http2->is_leaving || number < http2->last_stream)) {
		http2->is_leaving = true;
		http2->last_stream = number;
	}
	if (frame->type == FRAME_RST_STREAM && stream)
		stream_cut(&http2->streams, stream,
			   side == HTTP_RESPONSE && number == REFUSED_STREAM);
}

/* The frame's last byte was read. */
void http2_frame_end(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const struct frame *frame = &direction->frame;
	struct stream *stream = streams_find(&http2->streams, frame->stream);
	const uint8_t *b = direction->buf;

	if (direction->n_buf >= 4)
		reset_take(http2, side, stream,
			   (uint32_t)(b[0] & 0x7f) << 24 | b[1] << 16 | b[2] << 8 | b[3]);
	direction->part = HEAD;
	direction->n_buf = 0;
	if (frame->type != FRAME_DATA || !(frame->flags & FRAME_END_STREAM) || !stream)
		return;
	if (stream->messages[side].state != MESSAGE_NONE)
		stream_end(&http2->streams, stream, side, /* is_whole= */ true);
	else
		give_up(http2);
}

void http2_part_next(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);

	if (direction->part == PREFIX && direction->prefix)
		return;
	if (direction->part == PREFIX) {
		direction->part = CONTENT;
		/* an empty block or fragment has its end, too */
		if (!direction->left)
			http2_content_take(http2, side, direction->bytes, 0);
	}
	if (direction->part == CONTENT && direction->left)
		return;
	direction->part = PADDING;
	if (!direction->padding)
		http2_frame_end(http2, side);
}

/* The lengths before the content are known: they must fit the frame. */
void http2_content_begin(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const struct frame *frame = &direction->frame;

	direction->prefix = 0;
	if (frame->type == FRAME_HEADERS && frame->flags & FRAME_HAS_PRIORITY)
		direction->prefix = 5;
	else if (frame->type == FRAME_PUSH_PROMISE)
		direction->prefix = 4;
	if ((uint32_t)direction->prefix + direction->padding > direction->left) {
		give_up(http2);
		return;
	}
	direction->left -= direction->prefix + direction->padding;
	direction->part = PREFIX;
	http2_part_next(http2, side);
}

void http2_frame_begin(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const struct frame *frame = &direction->frame;
	bool is_block = frame->type == FRAME_HEADERS || frame->type == FRAME_PUSH_PROMISE;
	bool is_padded = (is_block || frame->type == FRAME_DATA) && frame->flags & FRAME_PADDED;

	/* unknown types are allowed (RFC 9113 5.5), but not within a block (6.10) */
	if ((frame->type <= FRAME_CONTINUATION && !frame_is_valid(frame)) ||
	    direction->block.is_open != (frame->type == FRAME_CONTINUATION) ||
	    (direction->block.is_open && frame->stream != direction->block.stream)) {
		give_up(http2);
		return;
	}
	direction->left = frame->len;
	direction->padding = 0;
	direction->n_buf = 0;
	if (is_block)
		block_begin(&direction->block, side, frame);
	if (frame->type == FRAME_SETTINGS && frame->flags & FRAME_ACK)
		block_acknowledge(&direction->block);
	/* a client that leaves its streams open must not fill the table for good */
	if (side == HTTP_REQUEST && frame->type == FRAME_HEADERS &&
	    http2->streams.n == STREAMS_MAX && !streams_find(&http2->streams, frame->stream))
		stream_cut(&http2->streams, http2->streams.all[0], /* is_refused= */ false);
	if (is_padded)
		direction->part = PAD_LENGTH;
	else
		http2_content_begin(http2, side);
}
