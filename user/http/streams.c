/* SPDX-License-Identifier: Apache-2.0 */
#include "http/streams.h"

#include <stdlib.h>
#include <string.h>

struct stream *streams_find(const struct streams *streams, uint32_t id)
{
	for (size_t i = streams->n; i-- > 0;)
		if (streams->all[i]->id == id)
			return streams->all[i];
	return NULL;
}

static void stream_drop(struct streams *streams, struct stream *stream)
{
	size_t i = 0;

	while (streams->all[i] != stream)
		i++;
	streams->n--;
	memmove(&streams->all[i], &streams->all[i + 1], (streams->n - i) * sizeof(stream));
	for (i = 0; i < 2; i++) {
		streams->bad_encodings += stream->messages[i].body.bad_encodings;
		body_end(&stream->messages[i].body);
	}
	free(stream);
}

void streams_done(struct streams *streams)
{
	while (streams->n)
		stream_drop(streams, streams->all[streams->n - 1]);
}

struct stream *streams_add(struct streams *streams, uint32_t id)
{
	struct stream *stream;

	if (streams->n == STREAMS_MAX)
		return NULL;
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return NULL;
	stream->id = id;
	stream->exchange = ++streams->requests;
	streams->all[streams->n++] = stream;
	return stream;
}

void stream_open(struct streams *streams, struct stream *stream, const struct http_head *head)
{
	struct message *message = &stream->messages[head->side];

	message->is_open = true;
	message->has_head = true;
	body_begin(&message->body, head->encoding);
	streams->giving = stream;
}

void stream_end(struct streams *streams, struct stream *stream, enum http_side side, bool is_whole)
{
	struct message *message = &stream->messages[side];

	if (message->is_done)
		return;
	message->is_done = true;
	message->has_end = true;
	message->is_whole = is_whole && !message->is_holed;
	streams->giving = stream;
}

void stream_cut(struct streams *streams, struct stream *stream)
{
	stream_end(streams, stream, HTTP_REQUEST, /* is_whole= */ false);
	stream_end(streams, stream, HTTP_RESPONSE, /* is_whole= */ false);
}

static bool message_give(struct message *message, const struct http_head *head,
			 struct http_piece *ret)
{
	if (message->has_head) {
		message->has_head = false;
		ret->type = HTTP_HEAD;
		ret->head = head;
		return true;
	}
	if (body_next(&message->body, ret)) {
		ret->type = HTTP_BODY;
		return true;
	}
	if (!message->has_end)
		return false;
	message->has_end = false;
	ret->type = HTTP_END;
	ret->wire_bytes = message->body.wire_bytes;
	ret->is_whole = message->is_whole;
	body_end(&message->body);
	return true;
}

bool streams_give(struct streams *streams, const struct http_head *heads[2],
		  struct http_piece *ret)
{
	struct stream *stream = streams->giving;

	if (!stream)
		return false;
	for (enum http_side side = HTTP_REQUEST; side <= HTTP_RESPONSE; side++) {
		memset(ret, 0, sizeof(*ret));
		ret->side = side;
		ret->exchange = stream->exchange;
		if (message_give(&stream->messages[side], heads[side], ret))
			return true;
	}
	streams->giving = NULL;
	if (stream->messages[HTTP_REQUEST].is_done && stream->messages[HTTP_RESPONSE].is_done)
		stream_drop(streams, stream);
	return false;
}

uint64_t streams_bad_encodings(const struct streams *streams)
{
	uint64_t sum = streams->bad_encodings;

	for (size_t i = 0; i < streams->n; i++)
		for (size_t side = 0; side < 2; side++)
			sum += streams->all[i]->messages[side].body.bad_encodings;
	return sum;
}
