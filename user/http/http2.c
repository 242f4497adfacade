/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2.h"

#include <nghttp2/nghttp2.h>
#include <stdlib.h>
#include <string.h>

#include "http/frame.h"
#include "http/head.h"
#include "http/streams.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

#define SETTINGS_HEADER_TABLE_SIZE 1
#define TABLE_DEFAULT 4096	/* RFC 9113 6.5.2 */

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
	nghttp2_hd_inflater *inflater;
	const uint8_t *bytes;	/* fed, not read yet */
	size_t len;
	struct frame frame;
	enum part part;
	uint32_t left;		/* of the frame's content, after its prefix */
	uint32_t table_size;	/* announced by the other side, in force when this one says so */
	uint8_t prefix, padding; /* bytes left of them */
	uint8_t n_buf;
	uint8_t buf[FRAME_HEAD]; /* a frame's head, or one setting */
	bool has_table_size;
	bool in_block;		/* a header block is open: CONTINUATION must follow */
	bool block_ends_stream;
	bool is_promise;	/* the block is of a PUSH_PROMISE */
	uint32_t block_stream;
	struct http_head head;	/* of the block */
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

static void field_take(struct http_head *head, const nghttp2_nv *nv)
{
	const char *name = (const char *)nv->name, *value = (const char *)nv->value;

	if (nv->namelen == 7 && !memcmp(name, ":method", 7)) {
		head_set_method(head, value, nv->valuelen);
	} else if (nv->namelen == 5 && !memcmp(name, ":path", 5)) {
		head_set_target(head, value, nv->valuelen);
	} else if (nv->namelen == 7 && !memcmp(name, ":status", 7)) {
		head->status = 0;
		for (size_t i = 0; i < nv->valuelen && i < 3; i++)
			head->status = head->status * 10 + (value[i] & 15);
	} else {
		head_set(head, head_field(name, nv->namelen), value, nv->valuelen);
	}
}

/* False: the table cannot be trusted any more. */
static bool block_inflate(struct direction *direction, const uint8_t *bytes, size_t len,
			  bool is_last)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(direction->inflater, &nv, &flags, bytes, len,
						   is_last);

		if (n < 0)
			return false;
		bytes += n;
		len -= n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			field_take(&direction->head, &nv);
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(direction->inflater);
			return true;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !len)
			return !is_last;
	}
}

static void request_begin(struct http2 *http2, struct direction *direction)
{
	struct stream *stream = streams_find(&http2->streams, direction->block_stream);

	if (!stream) {
		if (direction->block_stream < http2->next_stream)
			return;
		/* a gap held the head of a request: its fields are missing in the table */
		if (http2->had_gap && direction->block_stream != http2->next_stream) {
			give_up(http2);
			return;
		}
		http2->next_stream = direction->block_stream + 2;
		stream = streams_add(&http2->streams, direction->block_stream);
		if (!stream) {
			http2->resyncs++;
			return;
		}
		direction->head.is_upgrade = !strcmp(direction->head.method, "CONNECT");
		stream_open(&http2->streams, stream, &direction->head);
	}
	if (direction->block_ends_stream)
		stream_end(&http2->streams, stream, HTTP_REQUEST, true);
}

static void answer_begin(struct http2 *http2, struct direction *direction)
{
	struct stream *stream = streams_find(&http2->streams, direction->block_stream);
	struct message *message;

	if (!stream)
		return;
	message = &stream->messages[HTTP_RESPONSE];
	if (message->is_done || (!message->is_open && direction->head.status / 100 == 1))
		return;
	if (!message->is_open)
		stream_open(&http2->streams, stream, &direction->head);
	if (direction->block_ends_stream)
		stream_end(&http2->streams, stream, HTTP_RESPONSE, true);
}

static void block_begin(struct direction *direction, enum http_side side)
{
	memset(&direction->head, 0, sizeof(direction->head));
	direction->head.side = side;
	direction->in_block = true;
	direction->is_promise = direction->frame.type == FRAME_PUSH_PROMISE;
	direction->block_stream = direction->frame.stream;
	direction->block_ends_stream = !direction->is_promise &&
				       direction->frame.flags & FRAME_END_STREAM;
}

static void block_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct direction *direction = direction_of(http2, side);
	bool is_last = !direction->left && direction->frame.flags & FRAME_END_HEADERS;

	if (!block_inflate(direction, bytes, n, is_last)) {
		give_up(http2);
		return;
	}
	if (!is_last)
		return;
	direction->in_block = false;
	if (direction->is_promise)
		return;
	if (side == HTTP_REQUEST)
		request_begin(http2, direction);
	else
		answer_begin(http2, direction);
}

/* --- frames --- */

/* A size takes effect on the other side's blocks, where that side acknowledges it: RFC 7541 4.2. */
static void settings_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct direction *own = direction_of(http2, side);
	struct direction *other = direction_of(http2, !side);

	for (size_t i = 0; i < n; i++) {
		const uint8_t *b = own->buf;
		uint32_t value;

		own->buf[own->n_buf++] = bytes[i];
		if (own->n_buf < 6)
			continue;
		own->n_buf = 0;
		if ((b[0] << 8 | b[1]) != SETTINGS_HEADER_TABLE_SIZE)
			continue;
		value = (uint32_t)b[2] << 24 | b[3] << 16 | b[4] << 8 | b[5];
		other->table_size = value < HTTP2_TABLE_MAX ? value : HTTP2_TABLE_MAX;
		other->has_table_size = true;
	}
}

static void data_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n)
{
	struct stream *stream = streams_find(&http2->streams, direction_of(http2, side)->frame.stream);
	struct message *message = stream ? &stream->messages[side] : NULL;

	if (!message || message->is_done)
		return;
	if (!message->is_open) {
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
	if (stream->messages[side].is_open)
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
	    direction->in_block != (frame->type == FRAME_CONTINUATION) ||
	    (direction->in_block && frame->stream != direction->block_stream)) {
		give_up(http2);
		return;
	}
	direction->left = frame->len;
	direction->padding = 0;
	direction->n_buf = 0;
	if (is_block)
		block_begin(direction, side);
	if (frame->type == FRAME_SETTINGS && frame->flags & FRAME_ACK && direction->has_table_size) {
		direction->has_table_size = false;
		(void)nghttp2_hd_inflate_change_table_size(direction->inflater,
							   direction->table_size);
	}
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
		if (nghttp2_hd_inflate_new(&http2->directions[i].inflater))
			return http2_free(http2);
	return http2;
}

struct http2 *http2_free(struct http2 *http2)
{
	if (!http2)
		return NULL;
	streams_done(&http2->streams);
	for (size_t i = 0; i < 2; i++)
		if (http2->directions[i].inflater)
			nghttp2_hd_inflate_del(http2->directions[i].inflater);
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
	bool is_taken = stream && stream->messages[side].is_open && !stream->messages[side].is_done;
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
	if (direction->part == PREFACE || direction->in_block) {
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
	const struct http_head *heads[2] = { &http2->directions[HTTP_REQUEST].head,
					     &http2->directions[HTTP_RESPONSE].head };

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
