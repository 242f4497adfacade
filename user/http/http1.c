/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http1.h"

#include <stdlib.h>
#include <string.h>

/* llhttp's enumerators of these names are not ours. */
#define HTTP_REQUEST LLHTTP_IS_REQUEST
#define HTTP_RESPONSE LLHTTP_IS_RESPONSE
#define HTTP_HEAD LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_REQUEST
#undef HTTP_RESPONSE
#undef HTTP_HEAD

#include "http/guess.h"
#include "http/head.h"
#include "http/message.h"
#include "http/pair.h"

enum mode {
	WAITING,	/* for a plausible message start at the beginning of a fed piece */
	HEADERS,	/* llhttp reads; also between messages */
	CHUNKED,	/* llhttp reads */
	COUNTED,	/* `left` bytes of body to come, may be none */
	TO_END,		/* the body ends with the connection */
	TUNNEL,		/* no longer HTTP, or ended */
};

struct stream {
	llhttp_t parser;
	struct message message;
	const uint8_t *bytes;	/* fed, not read yet */
	size_t len;
	uint64_t left;
	uint64_t exchange;
	uint32_t head_bytes;
	enum mode mode;
	bool is_interim;	/* a 1xx answer */
	bool is_complete;	/* llhttp came to the end of the message */
	bool is_resynced;	/* the next message is the first after a gap */
	bool is_chunked;	/* the message that is open */
	bool is_resuming;	/* llhttp reads a head that was made up */
	bool is_last_chunk;	/* the one that llhttp is in */
	bool is_between_chunks;	/* llhttp stands before a chunk's first byte */
	struct head_reader *reader; /* while a head is being read: an idle connection has none */
	struct http_head head;
};

struct http1 {
	struct stream streams[2];
	struct pair pair;
	uint64_t resyncs;
	bool is_tunnel;
};

static struct http1 *http1_of(struct stream *stream)
{
	return (struct http1 *)(stream - stream->head.side);
}

/* --- what llhttp calls --- */

static bool reader_need(struct stream *stream)
{
	if (!stream->reader)
		stream->reader = malloc(sizeof(*stream->reader));
	if (stream->reader)
		head_read_start(stream->reader);
	return stream->reader;
}

static void reader_drop(struct stream *stream)
{
	free(stream->reader);
	stream->reader = NULL;
}

static int on_message_begin(llhttp_t *parser)
{
	struct stream *stream = parser->data;
	enum http_side side = stream->head.side;

	if (stream->is_resuming)
		return 0;
	memset(&stream->head, 0, sizeof(stream->head));
	stream->head.side = side;
	stream->is_interim = false;
	stream->is_complete = false;
	return reader_need(stream) ? 0 : -1;
}

/* Trailers come when the reader has gone: they may not change the head, RFC 9110 6.5.1. */

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
	struct stream *stream = parser->data;

	if (stream->reader)
		head_read_target(stream->reader, at, len);
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	struct stream *stream = parser->data;

	if (stream->reader)
		head_read_name(stream->reader, at, len);
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	struct stream *stream = parser->data;

	if (stream->reader)
		head_read_value(stream->reader, at, len);
	return 0;
}

static int on_value_complete(llhttp_t *parser)
{
	struct stream *stream = parser->data;

	if (stream->reader)
		head_read_end(stream->reader, &stream->head);
	return 0;
}

/* Nothing ends between messages. */
static void stream_end(struct stream *stream, bool is_whole)
{
	if (stream->message.state == MESSAGE_OPEN)
		message_end(&stream->message, is_whole);
}

static void stream_open(struct stream *stream, uint64_t exchange)
{
	stream->exchange = exchange;
	stream->is_resynced = false;
	message_open(&stream->message, stream->head.encoding);
}

static void request_begin(struct http1 *http1, struct stream *stream, int method)
{
	struct stream *answer = &http1->streams[HTTP_RESPONSE];
	const char *name = llhttp_method_name(method);

	head_set_method(&stream->head, name, strlen(name));
	stream->head.is_upgrade = method == HTTP_CONNECT;
	head_set_target(&stream->head, stream->reader->target, stream->reader->n_target);
	/* the client would not ask again on this connection before the last answer's end */
	if (answer->mode == WAITING)
		stream_end(answer, /* is_whole= */ false);
	stream_open(stream, pair_request(&http1->pair,
					  method == LLHTTP_METHOD_HEAD ? PAIR_HEAD :
					  method == HTTP_CONNECT       ? PAIR_CONNECT :
									 PAIR_OTHER));
}

static void tunnel_begin(struct http1 *http1)
{
	struct stream *request = &http1->streams[HTTP_REQUEST];

	http1->is_tunnel = true;
	stream_end(request, /* is_whole= */ request->mode == COUNTED && !request->left);
	request->mode = TUNNEL;
	request->len = 0;
}

/* The answer's number and whether it has a body at all, RFC 9112 6.3. */
static bool answer_begin(struct http1 *http1, struct stream *stream)
{
	int status = stream->head.status;
	enum pair_method method;
	uint64_t number = pair_answer(&http1->pair, stream->is_resynced, &method);

	stream->head.is_upgrade = status == 101 || (method == PAIR_CONNECT && status / 100 == 2);
	stream_open(stream, number);
	if (stream->head.is_upgrade)
		tunnel_begin(http1);
	return !(stream->head.is_upgrade || method == PAIR_HEAD || status == 204 || status == 304);
}

static int on_headers_complete(llhttp_t *parser)
{
	struct stream *stream = parser->data;
	struct http1 *http1 = http1_of(stream);
	bool has_body = true;

	/* what follows is decided here: llhttp would stop at an upgrade that was only offered */
	parser->upgrade = 0;
	if (stream->is_resuming)
		return HPE_PAUSED;
	if (stream->head.side == HTTP_REQUEST) {
		request_begin(http1, stream, parser->method);
	} else {
		stream->head.status = parser->status_code;
		stream->is_interim = parser->status_code / 100 == 1 && parser->status_code != 101;
		if (stream->is_interim)
			return 1;
		has_body = answer_begin(http1, stream);
	}
	reader_drop(stream);
	stream->head_bytes = 0;
	stream->left = 0;
	stream->is_chunked = has_body && parser->flags & F_CHUNKED;
	if (stream->is_chunked) {
		stream->mode = CHUNKED;
		return HPE_PAUSED;
	}
	stream->mode = COUNTED;
	if (has_body && parser->flags & F_CONTENT_LENGTH && !(parser->flags & F_TRANSFER_ENCODING))
		stream->left = parser->content_length;
	else if (has_body && (stream->head.side == HTTP_RESPONSE ||
			      parser->flags & F_TRANSFER_ENCODING))
		stream->mode = TO_END;
	return 1;	/* for llhttp the message has no body and ends here */
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	struct stream *stream = parser->data;

	body_feed(&stream->message.body, (const uint8_t *)at, len);
	return HPE_PAUSED;
}

static int on_chunk_header(llhttp_t *parser)
{
	struct stream *stream = parser->data;

	stream->is_last_chunk = !parser->content_length;
	return 0;
}

static int on_chunk_complete(llhttp_t *parser)
{
	struct stream *stream = parser->data;

	if (stream->is_last_chunk)
		return 0;
	stream->is_between_chunks = true;
	return HPE_PAUSED;
}

static int on_message_complete(llhttp_t *parser)
{
	struct stream *stream = parser->data;

	stream->is_complete = true;
	return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_message_begin,
	.on_url = on_target,
	.on_header_field = on_name,
	.on_header_value = on_value,
	.on_header_value_complete = on_value_complete,
	.on_headers_complete = on_headers_complete,
	.on_body = on_body,
	.on_chunk_header = on_chunk_header,
	.on_chunk_complete = on_chunk_complete,
	.on_message_complete = on_message_complete,
};

/* --- one direction --- */

static void headers_begin(struct stream *stream)
{
	stream->mode = HEADERS;
	stream->head_bytes = 0;
	stream->is_between_chunks = false;
	llhttp_init(&stream->parser,
		    stream->head.side == HTTP_REQUEST ? LLHTTP_IS_REQUEST : LLHTTP_IS_RESPONSE,
		    &settings);
	stream->parser.data = stream;
	llhttp_set_lenient_headers(&stream->parser, 1);
	llhttp_set_lenient_chunked_length(&stream->parser, 1);
	llhttp_set_lenient_transfer_encoding(&stream->parser, 1);
}

/* Not to be made sense of from here on. A message that was open stays so: what comes is its loss. */
static void stream_lose(struct http1 *http1, struct stream *stream)
{
	http1->resyncs++;
	reader_drop(stream);
	stream->mode = WAITING;
	stream->is_resynced = true;
	if (stream->message.state == MESSAGE_OPEN)
		body_gap(&stream->message.body, stream->len);
	stream->len = 0;
}

static void parse(struct http1 *http1, struct stream *stream)
{
	bool is_head = stream->mode == HEADERS;
	llhttp_errno_t err;
	size_t n = stream->len;

	stream->is_between_chunks = false;
	err = llhttp_execute(&stream->parser, (const char *)stream->bytes, n);
	if (err != HPE_OK)
		n = (const uint8_t *)llhttp_get_error_pos(&stream->parser) - stream->bytes;
	if (err != HPE_OK && err != HPE_PAUSED) {
		stream_lose(http1, stream);
		return;
	}
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

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
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
	for (digits = 0; digits < 6 && at < end && hex_digit(*at) >= 0; digits++)
		n = n << 4 | (size_t)hex_digit(*at++);
	if (!n || (size_t)(end - at) < n + 4 || memcmp(at, "\r\n", 2) || memcmp(at + 2 + n, "\r\n", 2))
		return false;
	body_feed(&stream->message.body, at + 2, n);
	at += n + 4;
	stream->len = (size_t)(end - at);
	stream->bytes = at;
	return true;
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
	stream->message.is_holed = true;
}

/* A piece, from its beginning, of a stream that waits. */
static void wait_for_start(struct stream *stream)
{
	bool is_start = stream->head.side == HTTP_REQUEST ?
		guess_is_request(stream->bytes, stream->len) :
		guess_is_response(stream->bytes, stream->len);

	if (is_start) {
		stream_end(stream, /* is_whole= */ false);
		headers_begin(stream);
		return;
	}
	if (stream->message.state == MESSAGE_OPEN) {
		if (stream->is_chunked && guess_is_chunk(stream->bytes, stream->len)) {
			chunks_resume(stream);
			return;
		}
		body_gap(&stream->message.body, stream->len);
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

/* --- the connection --- */

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
		return;
	case WAITING:
		if (stream->message.state == MESSAGE_OPEN)
			body_gap(&stream->message.body, n);
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
		if (n)
			stream_lose(http1, stream);
		return;
	case CHUNKED:
		body_gap(&stream->message.body, n);
		/* fall through */
	case HEADERS:
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

uint64_t http1_bad_encodings(const struct http1 *http1)
{
	return http1->streams[HTTP_REQUEST].message.body.bad_encodings +
	       http1->streams[HTTP_RESPONSE].message.body.bad_encodings;
}
