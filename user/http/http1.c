/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http1.h"

#include "http/http1_stream.h"

#include <stdio.h>
#include "base/text.h"
#include "http/sniff.h"

static void headers_begin(struct stream *stream)
{
	stream->mode = HEADERS;
	stream->head_bytes = 0;
	stream->is_between_chunks = false;
	llhttp_init(&stream->parser,
		    stream->head.side == HTTP_REQUEST ? LLHTTP_IS_REQUEST : LLHTTP_IS_RESPONSE,
		    &http1_settings);
	stream->parser.data = stream;
	llhttp_set_lenient_headers(&stream->parser, 1);
	llhttp_set_lenient_chunked_length(&stream->parser, 1);
	llhttp_set_lenient_transfer_encoding(&stream->parser, 1);
}

/* Not to be made sense of from here on. A message that was open stays so: what comes is its loss. */
static void pass_over(struct stream *stream, uint64_t n)
{
	if (stream->message.state == MESSAGE_OPEN)
		body_gap(&stream->message.body, n);
	else
		stream->unread += n;
}

static void stream_lose(struct http1 *http1, struct stream *stream)
{
	http1->resyncs++;
	reader_drop(stream);
	stream->mode = WAITING;
	stream->is_resynced = true;
	pass_over(stream, stream->len);
	stream->len = 0;
}

/* The gap ends at a chunk: llhttp is told a head after which it reads just that. */
static void chunks_resume(struct stream *stream)
{
	static const char *const heads[] = {
		[HTTP_REQUEST] = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
		[HTTP_RESPONSE] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
	};
	const char *head = heads[stream->head.side];

	headers_begin(stream);
	stream->is_resuming = true;
	(void)llhttp_execute(&stream->parser, head, strlen(head));
	llhttp_resume(&stream->parser);
	stream->is_resuming = false;
	stream->mode = CHUNKED;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t';
}

/*
 * Some servers write blanks behind a chunk's size, which RFC 9112 7.1.1 has a recipient step over and llhttp does
 * not: it is told the size again, with an extension that has no meaning. False: it was something else.
 */
static bool chunk_blank_pass(struct stream *stream, llhttp_errno_t err, size_t at)
{
	uint64_t size = stream->parser.content_length;
	char text[32];

	if (stream->mode != CHUNKED || err != HPE_INVALID_CHUNK_SIZE || at >= stream->len ||
	    !is_blank(stream->bytes[at]) ||
	    !(at ? text_hex_digit(stream->bytes[at - 1]) >= 0 : stream->ends_in_digit))
		return false;
	stream->bytes += at;
	stream->len -= at;
	chunks_resume(stream);
	stream->skips_blanks = true;
	snprintf(text, sizeof(text), "%llx;b", (unsigned long long)size);
	return llhttp_execute(&stream->parser, text, strlen(text)) == HPE_OK;
}

static void parse(struct http1 *http1, struct stream *stream)
{
	bool is_head = stream->mode == HEADERS;
	llhttp_errno_t err;
	size_t n;

	for (; stream->skips_blanks && stream->len && is_blank(*stream->bytes); stream->bytes++)
		stream->len--;
	n = stream->len;
	if (!n)
		return;
	stream->skips_blanks = false;
	stream->is_between_chunks = false;
	err = llhttp_execute(&stream->parser, (const char *)stream->bytes, n);
	if (err != HPE_OK)
		n = (const uint8_t *)llhttp_get_error_pos(&stream->parser) - stream->bytes;
	if (err != HPE_OK && chunk_blank_pass(stream, err, n))
		return;
	if (err != HPE_OK && err != HPE_PAUSED) {
		stream_lose(http1, stream);
		return;
	}
	stream->ends_in_digit = n && text_hex_digit(stream->bytes[n - 1]) >= 0;
	stream->bytes += n;
	stream->len -= n;
	if (err == HPE_PAUSED)
		llhttp_resume(&stream->parser);
	if (is_head && stream->mode == HEADERS) {
		stream->head_bytes += n;
		if (stream->head_bytes > HTTP1_HEAD_MAX) {
			stream_lose(http1, stream);
			return;
		}
	}
	if (!stream->is_complete)
		return;
	stream->is_complete = false;
	if (stream->mode == CHUNKED)
		stream_end(stream, /* is_whole= */ true);
	if (stream->mode == CHUNKED || stream->is_interim)
		headers_begin(stream);
}

static size_t take_body(struct stream *stream, uint64_t max)
{
	size_t n = stream->len < max ? stream->len : max;

	body_feed(&stream->message.body, stream->bytes, n);
	stream->bytes += n;
	stream->len -= n;
	return n;
}

/*
 * A plain chunk (RFC 9112 7.1) that lies whole in the bytes, which llhttp need not read: servers send
 * one an event, and two rounds through llhttp cost more than all else that is done about most events.
 */
static bool take_chunk(struct stream *stream)
{
	const uint8_t *at = stream->bytes, *end = at + stream->len;
	size_t n = 0, digits;

	if (!stream->is_between_chunks)
		return false;
	for (digits = 0; digits < 6 && at < end && text_hex_digit(*at) >= 0; digits++)
		n = n << 4 | (size_t)text_hex_digit(*at++);
	if (!n || (size_t)(end - at) < n + 4 || memcmp(at, "\r\n", 2) ||
	    memcmp(at + 2 + n, "\r\n", 2))
		return false;
	body_feed(&stream->message.body, at + 2, n);
	at += n + 4;
	stream->len = (size_t)(end - at);
	stream->bytes = at;
	stream->ends_in_digit = false;
	return true;
}

/* A piece, from its beginning, of a stream that waits. */
static void wait_for_start(struct stream *stream)
{
	size_t blank = sniff_blank(stream->head.side, stream->bytes, stream->len);
	bool is_start = stream->head.side == HTTP_REQUEST ?
				sniff_is_request(stream->bytes + blank, stream->len - blank) :
				sniff_is_response(stream->bytes, stream->len);

	if (is_start) {
		stream_end(stream, /* is_whole= */ false);
		headers_begin(stream);
		return;
	}
	if (stream->message.state == MESSAGE_OPEN && stream->is_chunked &&
	    sniff_is_chunk(stream->bytes, stream->len)) {
		chunks_resume(stream);
		stream->message.is_holed = true;
		return;
	}
	pass_over(stream, stream->len);
	if (stream->message.state == MESSAGE_OPEN) {
		/* the last chunk, RFC 9112 7.1, as a server writes it */
		if (stream->len >= 5 && !memcmp(stream->bytes + stream->len - 5, "0\r\n\r\n", 5))
			stream_end(stream, /* is_whole= */ false);
	}
	stream->len = 0;
}

/* Reads on until there is something to give. */
static void stream_read(struct http1 *http1, struct stream *stream)
{
	switch (stream->mode) {
	case WAITING:
		wait_for_start(stream);
		break;
	case CHUNKED:
		if (take_chunk(stream))
			break;
		/* fall through */
	case HEADERS:
		parse(http1, stream);
		break;
	case COUNTED:
		stream->left -= take_body(stream, stream->left);
		break;
	case TO_END:
		(void)take_body(stream, UINT64_MAX);
		break;
	case TUNNEL:
		stream->unread += stream->len;
		stream->len = 0;
		break;
	}
}

/* A counted body that has come to its end needs no byte more to be known. */
static void counted_end(struct stream *stream)
{
	if (stream->mode != COUNTED || stream->left || stream->message.has_head)
		return;
	stream_end(stream, /* is_whole= */ true);
	if (stream->head.is_upgrade && stream->head.side == HTTP_RESPONSE) {
		stream->mode = TUNNEL;
		return;
	}
	headers_begin(stream);
}

static bool stream_give(struct stream *stream, struct http_piece *ret)
{
	if (!message_may_give(&stream->message))
		return false;
	memset(ret, 0, sizeof(*ret));
	ret->side = stream->head.side;
	ret->exchange = stream->exchange;
	return message_give(&stream->message, &stream->head, ret);
}

bool http1_next(struct http1 *http1, struct http_piece *ret)
{
	for (size_t i = 0; i < 2; i++) {
		struct stream *stream = &http1->streams[i];

		for (;;) {
			/* an end that another's event decided is given before what follows it */
			if (stream_give(stream, ret))
				return true;
			counted_end(stream);
			if (stream->message.has_end)
				continue;
			if (!stream->len)
				break;
			stream_read(http1, stream);
		}
	}
	/* reading the answer may have ended the request */
	return stream_give(&http1->streams[HTTP_REQUEST], ret);
}

/* The connection. */

struct http1 *http1_new(bool from_start)
{
	struct http1 *http1 = calloc(1, sizeof(*http1));

	if (!http1)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		struct stream *stream = &http1->streams[i];

		stream->head.side = i;
		if (from_start)
			headers_begin(stream);
		stream->is_resynced = !from_start;
	}
	return http1;
}

struct http1 *http1_free(struct http1 *http1)
{
	if (!http1)
		return NULL;
	for (size_t i = 0; i < 2; i++) {
		reader_drop(&http1->streams[i]);
		body_end(&http1->streams[i].message.body);
	}
	free(http1);
	return NULL;
}

void http1_feed(struct http1 *http1, enum http_side side, const uint8_t *bytes, size_t len)
{
	http1->streams[side].bytes = bytes;
	http1->streams[side].len = len;
}

void http1_gap(struct http1 *http1, enum http_side side, uint64_t n)
{
	struct stream *stream = &http1->streams[side];
	uint64_t in_body;

	switch (stream->mode) {
	case TUNNEL:
		stream->unread += n;
		return;
	case WAITING:
		pass_over(stream, n);
		stream->is_resynced = true;
		return;
	case TO_END:
		body_gap(&stream->message.body, n);
		return;
	case COUNTED:
		in_body = n < stream->left ? n : stream->left;
		body_gap(&stream->message.body, in_body);
		stream->left -= in_body;
		n -= in_body;
		counted_end(stream);
		stream->unread += n;
		if (n)
			stream_lose(http1, stream);
		return;
	case CHUNKED:
	case HEADERS:
		pass_over(stream, n);
		stream_lose(http1, stream);
		return;
	}
}

void http1_end(struct http1 *http1)
{
	for (size_t i = 0; i < 2; i++) {
		struct stream *stream = &http1->streams[i];

		stream_end(stream, stream->mode == TO_END);
		stream->mode = TUNNEL;
		stream->len = 0;
	}
}

bool http1_is_tunnel(const struct http1 *http1)
{
	return http1->is_tunnel;
}

uint64_t http1_resyncs(const struct http1 *http1)
{
	return http1->resyncs;
}

uint64_t http1_unread(const struct http1 *http1, enum http_side side)
{
	return http1->streams[side].unread;
}

uint64_t http1_bad_encodings(const struct http1 *http1)
{
	return http1->streams[HTTP_REQUEST].message.body.bad_encodings +
	       http1->streams[HTTP_RESPONSE].message.body.bad_encodings;
}
