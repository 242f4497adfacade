/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2.h"

#include <stdlib.h>
#include <string.h>

#include "http/block.h"
#include "http/frame.h"
#include "http/streams.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

#define SETTINGS_HEADER_TABLE_SIZE 1

enum part {
	PREFACE,	/* of the connection */
	HEAD,		/* of a frame */
	PAD_LENGTH,
	PREFIX,		/* priority or promised stream: not read */
	CONTENT,
	PADDING,
	SEARCH,		/* after a gap: for a frame */
};

struct direction {
	struct block block;
	const uint8_t *bytes;	/* fed, not read yet */
	size_t len;
	struct frame frame;
	enum part part;
	uint32_t left;		/* of the frame's content, after its prefix */
	uint8_t prefix, padding; /* bytes left of them */
	uint8_t n_buf;
	uint8_t buf[FRAME_HEAD]; /* a frame's head, or one setting */
};

struct http2 {
	struct direction directions[2];
	struct streams streams;
	uint32_t next_stream;	/* what the next request's number is, if none is left out */
	uint64_t resyncs;
	bool had_gap;		/* of requests, across frames */
	bool is_lost;
	bool is_ending;		/* every stream is to be ended */
};

static struct direction *direction_of(struct http2 *http2, enum http_side side)
{
	return &http2->directions[side];
}

static void give_up(struct http2 *http2)
{
	http2->resyncs++;
	http2->is_lost = true;
	http2->is_ending = true;
}

/* --- header blocks --- */

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
		direction->block.head.is_upgrade = !strcmp(direction->block.head.method, "CONNECT");
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

/* --- frames --- */

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
		block_announce(&other->block,
			       (uint32_t)b[2] << 24 | b[3] << 16 | b[4] << 8 | b[5]);
	}
}

static void data_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct stream *stream = streams_find(&http2->streams, direction_of(http2, side)->frame.stream);
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
}

static void content_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
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
	}
}

/* The frame's last byte was read. */
static void frame_end(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const struct frame *frame = &direction->frame;
	struct stream *stream = streams_find(&http2->streams, frame->stream);

	direction->part = HEAD;
	direction->n_buf = 0;
	if (frame->type == FRAME_RST_STREAM && stream)
		stream_cut(&http2->streams, stream);
	if (frame->type != FRAME_DATA || !(frame->flags & FRAME_END_STREAM) || !stream)
		return;
	if (stream->messages[side].state != MESSAGE_NONE)
		stream_end(&http2->streams, stream, side, /* is_whole= */ true);
	else
		give_up(http2);
}

static void part_next(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);

	if (direction->part == PREFIX && direction->prefix)
		return;
	if (direction->part == PREFIX) {
		direction->part = CONTENT;
		/* an empty block or fragment has its end, too */
		if (!direction->left)
			content_take(http2, side, direction->bytes, 0);
	}
	if (direction->part == CONTENT && direction->left)
		return;
	direction->part = PADDING;
	if (!direction->padding)
		frame_end(http2, side);
}

/* The lengths before the content are known: they must fit the frame. */
static void content_begin(struct http2 *http2, enum http_side side)
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
	part_next(http2, side);
}

static void frame_begin(struct http2 *http2, enum http_side side)
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
		stream_cut(&http2->streams, http2->streams.all[0]);
	if (is_padded)
		direction->part = PAD_LENGTH;
	else
		content_begin(http2, side);
}

/* --- one direction --- */

static size_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void skip(struct direction *direction, size_t n)
{
	direction->bytes += n;
	direction->len -= n;
}

static void head_read(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	size_t n = min(direction->len, FRAME_HEAD - direction->n_buf);

	memcpy(direction->buf + direction->n_buf, direction->bytes, n);
	direction->n_buf += n;
	skip(direction, n);
	if (direction->n_buf < FRAME_HEAD)
		return;
	frame_read(&direction->frame, direction->buf);
	frame_begin(http2, side);
}

static void preface_read(struct http2 *http2, struct direction *direction)
{
	size_t n = min(direction->len, PREFACE_LEN - direction->left);

	if (memcmp(direction->bytes, preface + direction->left, n)) {
		give_up(http2);
		return;
	}
	direction->left += n;
	skip(direction, n);
	if (direction->left == PREFACE_LEN)
		direction->part = HEAD;
}

/* Where frames of a live stream begin: data's head alone must match 6 of its 9 bytes. */
static void search(struct http2 *http2, struct direction *direction)
{
	struct frame frame;

	for (size_t at = 0; at + FRAME_HEAD <= direction->len; at++) {
		frame_read(&frame, direction->bytes + at);
		if (direction->bytes[at + 5] & 0x80 || !frame.stream || !frame_is_valid(&frame) ||
		    frame.type == FRAME_CONTINUATION ||
		    (!streams_find(&http2->streams, frame.stream) && frame.stream != http2->next_stream) ||
		    !frame_is_chain(direction->bytes + at, direction->len - at))
			continue;
		skip(direction, at);
		direction->part = HEAD;
		direction->n_buf = 0;
		return;
	}
	direction->len = 0;
}

static void content_read(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const uint8_t *bytes = direction->bytes;
	size_t n = min(direction->len, direction->left);

	skip(direction, n);
	direction->left -= n;
	content_take(http2, side, bytes, n);
	if (!direction->left)
		part_next(http2, side);
}

static void direction_read(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	size_t n;

	switch (direction->part) {
	case PREFACE:
		preface_read(http2, direction);
		break;
	case HEAD:
		head_read(http2, side);
		break;
	case PAD_LENGTH:
		if (!direction->left) {
			give_up(http2);
			break;
		}
		direction->padding = direction->bytes[0];
		direction->left--;
		skip(direction, 1);
		content_begin(http2, side);
		break;
	case PREFIX:
		n = min(direction->len, direction->prefix);
		direction->prefix -= n;
		skip(direction, n);
		part_next(http2, side);
		break;
	case CONTENT:
		content_read(http2, side);
		break;
	case PADDING:
		n = min(direction->len, direction->padding);
		direction->padding -= n;
		skip(direction, n);
		if (!direction->padding)
			frame_end(http2, side);
		break;
	case SEARCH:
		search(http2, direction);
		break;
	}
}

/* --- the connection --- */

struct http2 *http2_new(void)
{
	struct http2 *http2 = calloc(1, sizeof(*http2));

	if (!http2)
		return NULL;
	http2->next_stream = 1;
	http2->directions[HTTP_RESPONSE].part = HEAD;
	for (size_t i = 0; i < 2; i++)
		if (!block_init(&http2->directions[i].block))
			return http2_free(http2);
	return http2;
}

struct http2 *http2_free(struct http2 *http2)
{
	if (!http2)
		return NULL;
	streams_done(&http2->streams);
	for (size_t i = 0; i < 2; i++)
		block_done(&http2->directions[i].block);
	free(http2);
	return NULL;
}

void http2_feed(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t len)
{
	http2->directions[side].bytes = bytes;
	http2->directions[side].len = len;
}

/* Within one frame's data and padding a gap is a subtraction; n is what lies beyond. */
static uint64_t gap_in_data(struct http2 *http2, enum http_side side, uint64_t n)
{
	struct direction *direction = direction_of(http2, side);
	struct stream *stream = streams_find(&http2->streams, direction->frame.stream);
	bool is_taken = stream && stream->messages[side].state == MESSAGE_OPEN;
	uint64_t in_content = min(n, direction->left);
	uint64_t in_padding = min(n - in_content, direction->padding);
	/* what comes after is more likely this stream's than another's */
	uint64_t lost = n > in_content + in_padding ? n : in_content;

	if (is_taken) {
		body_gap(&stream->messages[side].body, lost);
		http2->streams.giving = stream;
	}
	direction->left -= in_content;
	direction->padding -= in_padding;
	n -= in_content + in_padding;
	if (!n && !direction->left && !direction->padding)
		frame_end(http2, side);
	return n;
}

void http2_gap(struct http2 *http2, enum http_side side, uint64_t n)
{
	struct direction *direction = direction_of(http2, side);

	if (http2->is_lost)
		return;
	if (direction->frame.type == FRAME_DATA &&
	    (direction->part == CONTENT || direction->part == PADDING)) {
		n = gap_in_data(http2, side, n);
		if (!n)
			return;
	}
	if (direction->part == PREFACE || direction->block.is_open) {
		give_up(http2);
		return;
	}
	if (direction->part != SEARCH)
		http2->resyncs++;
	direction->part = SEARCH;
	http2->had_gap |= side == HTTP_REQUEST;
	for (size_t i = 0; i < http2->streams.n; i++)
		http2->streams.all[i]->messages[side].is_holed = true;
}

void http2_end(struct http2 *http2)
{
	http2->is_ending = true;
}

bool http2_next(struct http2 *http2, struct http_piece *ret)
{
	const struct http_head *heads[2] = { &http2->directions[HTTP_REQUEST].block.head,
					     &http2->directions[HTTP_RESPONSE].block.head };

	for (;;) {
		if (streams_give(&http2->streams, heads, ret))
			return true;
		if (http2->is_ending) {
			if (!http2->streams.n)
				return false;
			stream_cut(&http2->streams, http2->streams.all[0]);
			continue;
		}
		if (http2->directions[HTTP_REQUEST].len)
			direction_read(http2, HTTP_REQUEST);
		else if (http2->directions[HTTP_RESPONSE].len)
			direction_read(http2, HTTP_RESPONSE);
		else
			return false;
	}
}

bool http2_is_lost(const struct http2 *http2)
{
	return http2->is_lost;
}

uint64_t http2_resyncs(const struct http2 *http2)
{
	return http2->resyncs;
}

uint64_t http2_bad_encodings(const struct http2 *http2)
{
	return streams_bad_encodings(&http2->streams);
}
