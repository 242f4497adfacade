/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2/http2.h"

#include <stdlib.h>
#include <string.h>

#include "http/http2/http2_state.h"

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
#define PREFACE_LEN (sizeof(preface) - 1)

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
	http2_frame_begin(http2, side);
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
		    (!streams_find(&http2->streams, frame.stream) &&
		     frame.stream != http2->next_stream) ||
		    !frame_is_chain(direction->bytes + at, direction->len - at))
			continue;
		direction->unread += at;
		skip(direction, at);
		direction->part = HEAD;
		direction->n_buf = 0;
		return;
	}
	direction->unread += direction->len;
	direction->len = 0;
}

static void content_read(struct http2 *http2, enum http_side side)
{
	struct direction *direction = direction_of(http2, side);
	const uint8_t *bytes = direction->bytes;
	size_t n = min(direction->len, direction->left);

	skip(direction, n);
	direction->left -= n;
	http2_content_take(http2, side, bytes, n);
	if (!direction->left)
		http2_part_next(http2, side);
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
		http2_content_begin(http2, side);
		break;
	case PREFIX:
		n = min(direction->len, direction->prefix);
		direction->prefix -= n;
		skip(direction, n);
		http2_part_next(http2, side);
		break;
	case CONTENT:
		content_read(http2, side);
		break;
	case PADDING:
		n = min(direction->len, direction->padding);
		direction->padding -= n;
		skip(direction, n);
		if (!direction->padding)
			http2_frame_end(http2, side);
		break;
	case SEARCH:
		search(http2, direction);
		break;
	}
}

/* The connection. */

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
	struct direction *direction = direction_of(http2, side);

	direction->bytes = bytes;
	direction->len = len;
}

/* No frame is read any more. */
static void pass_over(struct http2 *http2)
{
	for (size_t i = 0; i < 2; i++) {
		http2->directions[i].unread += http2->directions[i].len;
		http2->directions[i].len = 0;
	}
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
	if (!is_taken)
		direction->unread += n;
	if (!n && !direction->left && !direction->padding)
		http2_frame_end(http2, side);
	return n;
}

void http2_gap(struct http2 *http2, enum http_side side, uint64_t n)
{
	struct direction *direction = direction_of(http2, side);

	if (!http2->is_lost && direction->frame.type == FRAME_DATA &&
	    (direction->part == CONTENT || direction->part == PADDING)) {
		n = gap_in_data(http2, side, n);
		if (!n)
			return;
	} else {
		direction->unread += n;
	}
	if (http2->is_lost)
		return;
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

/* One of the streams that the server did not come to when it went away. */
static void refuse_rest(struct http2 *http2)
{
	for (size_t i = 0; i < http2->streams.n; i++)
		if (http2->streams.all[i]->id > http2->last_stream &&
		    http2->streams.all[i]->messages[HTTP_RESPONSE].state == MESSAGE_NONE) {
			stream_cut(&http2->streams, http2->streams.all[i], /* is_refused= */ true);
			return;
		}
	http2->is_leaving = false;
}

bool http2_next(struct http2 *http2, struct http_piece *ret)
{
	const struct http_head *heads[2] = { &http2->directions[HTTP_REQUEST].block.head,
					     &http2->directions[HTTP_RESPONSE].block.head };

	for (;;) {
		if (streams_give(&http2->streams, heads, ret))
			return true;
		if (http2->is_ending) {
			pass_over(http2);
			if (!http2->streams.n)
				return false;
			stream_cut(&http2->streams, http2->streams.all[0], /* is_refused= */ false);
			continue;
		}
		if (http2->is_leaving) {
			refuse_rest(http2);
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

uint64_t http2_unread(const struct http2 *http2, enum http_side side)
{
	return http2->directions[side].unread;
}

uint64_t http2_bad_encodings(const struct http2 *http2)
{
	return streams_bad_encodings(&http2->streams);
}
