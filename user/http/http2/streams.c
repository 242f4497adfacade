/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2/streams.h"

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
	message_open(&stream->messages[head->side], head);
	stream->messages[head->side].length = head->content_length;
	streams->giving = stream;
}

void stream_end(struct streams *streams, struct stream *stream, enum http_side side, bool is_whole)
{
	message_end(&stream->messages[side], is_whole);
	streams->giving = stream;
}

void stream_cut(struct streams *streams, struct stream *stream, bool is_refused)
{
	struct message *answer = &stream->messages[HTTP_RESPONSE];

	answer->is_refused = is_refused && answer->state == MESSAGE_NONE;
	stream_end(streams, stream, HTTP_REQUEST, /* is_whole= */ false);
	stream_end(streams, stream, HTTP_RESPONSE, /* is_whole= */ false);
}

bool streams_give(struct streams *streams, const struct http_head *heads[2], struct http_piece *ret)
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
	if (stream->messages[HTTP_REQUEST].state == MESSAGE_ENDED &&
	    stream->messages[HTTP_RESPONSE].state == MESSAGE_ENDED)
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
