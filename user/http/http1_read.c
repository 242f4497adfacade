/* SPDX-License-Identifier: Apache-2.0 */
/* What llhttp calls as it reads a message: its head, where it begins and ends. */
#include "http/http1_stream.h"

static bool reader_need(struct stream *stream)
{
	if (!stream->reader)
		stream->reader = malloc(sizeof(*stream->reader));
	if (stream->reader)
		head_read_start(stream->reader);
	return stream->reader;
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

static void stream_open(struct stream *stream, uint64_t exchange)
{
	stream->exchange = exchange;
	stream->is_resynced = false;
	message_open(&stream->message, &stream->head);
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
	stream_open(stream, pair_request(&http1->pair, method == LLHTTP_METHOD_HEAD ? PAIR_HEAD :
						       method == HTTP_CONNECT       ? PAIR_CONNECT :
										      PAIR_OTHER));
}

/* From here on both sides carry frames, as bodies that end with the connection. */
static void websocket_begin(struct http1 *http1)
{
	struct stream *request = &http1->streams[HTTP_REQUEST];

	if (request->message.state != MESSAGE_OPEN)
		message_resume(&request->message);
	request->exchange = http1->streams[HTTP_RESPONSE].exchange;
	request->mode = TO_END;
}

static void tunnel_begin(struct http1 *http1)
{
	struct stream *request = &http1->streams[HTTP_REQUEST];

	http1->is_tunnel = true;
	stream_end(request, /* is_whole= */ request->mode == COUNTED && !request->left);
	request->mode = TUNNEL;
	request->unread += request->len;
	request->len = 0;
}

/* The answer's number and whether it has a body at all, RFC 9112 6.3. */
static bool answer_begin(struct http1 *http1, struct stream *stream)
{
	int status = stream->head.status;
	enum pair_method method;
	uint64_t number = pair_answer(&http1->pair, stream->is_resynced, &method);

	stream->head.is_upgrade = status == 101 || (method == PAIR_CONNECT && status / 100 == 2);
	stream->head.is_websocket &= status == 101;
	stream_open(stream, number);
	if (stream->head.is_websocket)
		websocket_begin(http1);
	else if (stream->head.is_upgrade)
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
	if (stream->head.side == HTTP_RESPONSE && stream->head.is_websocket) {
		stream->mode = TO_END; /* whatever else the head says */
		return 1;
	}
	stream->is_chunked = has_body && parser->flags & F_CHUNKED;
	if (stream->is_chunked) {
		stream->mode = CHUNKED;
		return HPE_PAUSED;
	}
	stream->mode = COUNTED;
	if (has_body && parser->flags & F_CONTENT_LENGTH && !(parser->flags & F_TRANSFER_ENCODING))
		stream->left = parser->content_length;
	else if (has_body &&
		 (stream->head.side == HTTP_RESPONSE || parser->flags & F_TRANSFER_ENCODING))
		stream->mode = TO_END;
	return 1; /* for llhttp the message has no body and ends here */
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

const llhttp_settings_t http1_settings = {
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
