/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/answer_internal.h"

#include <string.h>

/* Strings of a chunk that are not the model's words. */
static const char *const chunk_mute[] = {
	"id",          "object",   "model", "system_fingerprint", "service_tier",
	"obfuscation", "role",     "type",  "finish_reason",      "native_finish_reason",
	"provider",    "logprobs", "token", "signature",          "stop_reason",
	"stopReason",  "p",        NULL,
};

void answer_init(struct answer *answer, struct answer_reading *reading, enum dialect dialect,
		 enum http_content content, bool expects_usage)
{
	memset(answer, 0, sizeof(*answer));
	memset(reading, 0, sizeof(*reading));
	answer->reading = reading;
	reading->dialect = answer->keys = dialect;
	answer->expects_usage = expects_usage;
	answer->sink = (struct json_sink){
		.value = answer_take_value,
		.mute = chunk_mute,
		.arg = answer,
	};
	answer->reading->is_eventstream = content == HTTP_CONTENT_EVENTSTREAM;
	answer->is_messages = content == HTTP_CONTENT_MESSAGES;
	if (dialect == DIALECT_NONE)
		answer->reading->form = ANSWER_UNREADABLE;
	else if (content == HTTP_CONTENT_SSE || answer->reading->is_eventstream ||
		 answer->is_messages)
		answer->reading->form = ANSWER_SSE;
	json_init(&answer->scan, usage_keys(dialect), &answer->sink);
}

void answer_done(struct answer *answer)
{
	sse_done(&answer->sse);
	answer->grpc = grpc_reader_free(answer->grpc);
}

void answer_use_grpc(struct answer *answer, enum http_encoding encoding,
		     const struct protobuf_node *wanted, bool is_stream)
{
	answer->reading->form = is_stream ? ANSWER_SSE : ANSWER_JSON;
	answer->reading->is_grpc = true;
	answer->grpc = grpc_reader_new(encoding, wanted, &answer->sink, answer_grpc_message);
	if (!wanted || !answer->grpc)
		answer->reading->form = ANSWER_UNREADABLE;
}

/* No usable content type: the first byte that is not a space decides. */
static void sniff(struct answer *answer, const uint8_t *bytes, size_t len)
{
	size_t i = 0;

	while (i < len &&
	       (bytes[i] == ' ' || bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t' ||
		bytes[i] == 0xef || bytes[i] == 0xbb || bytes[i] == 0xbf))
		i++;
	if (i == len)
		return;
	if (bytes[i] == '{' || bytes[i] == '[')
		answer->reading->form = ANSWER_JSON;
	else if (memchr("dei:r", bytes[i], 5))
		answer->reading->form = ANSWER_SSE;
	else
		answer->reading->form = ANSWER_UNREADABLE;
}

/* Results of a batch: each line is an answer of its own, perhaps of a model of its own. */
static void feed_lines(struct answer *answer, const uint8_t *bytes, size_t len)
{
	while (len) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t n = end ? (size_t)(end - bytes) + 1 : len;

		if (json_feed(&answer->scan, bytes, n) == JSON_BAD)
			answer->is_stopped = true;
		/* A line feed inside an object is a blank. */
		if (end && !answer->scan.depth)
			answer_end_line(answer);
		bytes += n;
		len -= n;
	}
}

static void feed_json(struct answer *answer, const uint8_t *bytes, size_t len)
{
	answer->has_content = true;
	if (answer->is_stopped)
		return;
	if (answer->is_lines)
		feed_lines(answer, bytes, len);
	else if (json_feed(&answer->scan, bytes, len) == JSON_BAD)
		answer->is_stopped = true;
}

void answer_feed(struct answer *answer, const uint8_t *bytes, size_t len)
{
	struct eventstream_piece piece;
	struct sse_event event;

	/* What is called an event stream may still be one JSON: an error, a gateway's whim. */
	if (!len)
		return;
	if (answer->reading->form == ANSWER_UNKNOWN ||
	    (answer->reading->form == ANSWER_SSE && !answer->is_started &&
	     (*bytes == '{' || *bytes == '[')))
		sniff(answer, bytes, len);
	answer->is_started = true;
	switch (answer->reading->form) {
	case ANSWER_JSON:
		feed_json(answer, bytes, len);
		break;
	case ANSWER_SSE:
		if (answer->reading->is_eventstream) {
			eventstream_feed(&answer->eventstream, bytes, len);
			while (eventstream_next(&answer->eventstream, &piece))
				answer_message(answer, &piece);
			break;
		}
		sse_feed(&answer->sse, bytes, len);
		while (sse_next(&answer->sse, &event))
			answer_event(answer, &event);
		break;
	case ANSWER_UNREADABLE:
		answer->has_content = true;
		break;
	case ANSWER_UNKNOWN:
		break;
	}
}

void answer_feed_message(struct answer *answer, const struct http_piece *piece)
{
	const struct sse_event event = { .name = "",
					 .data = piece->bytes,
					 .len = piece->len,
					 .is_first = piece->is_first,
					 .is_last = piece->is_last };

	answer_event(answer, &event);
}

void answer_gap(struct answer *answer)
{
	answer->reading->has_gap = answer->is_started = true;
	if (answer->is_messages)
		answer->skips = true; /* the rest of a long one */
	else if (answer->reading->form == ANSWER_SSE && answer->reading->is_eventstream)
		eventstream_gap(&answer->eventstream);
	else if (answer->reading->form == ANSWER_SSE)
		sse_gap(&answer->sse);
	else
		answer->is_stopped = true;
}

void answer_end(struct answer *answer, bool is_whole)
{
	struct sse_event event;

	if (answer->grpc && !grpc_reader_end(answer->grpc))
		answer->is_stopped = true;
	if (answer->reading->form == ANSWER_SSE) {
		if (sse_end(&answer->sse, &event))
			answer_event(answer, &event);
		answer_end_document(answer);
		/* Gemini's counts are cumulative, without a terminator: the end makes them final. */
		answer->reading->is_final |= is_whole && !answer->is_stopped &&
					     answer->reading->dialect == DIALECT_GEMINI;
		return;
	}
	if (answer->is_lines)
		answer_end_line(answer);
	answer_end_document(answer);
	answer->reading->is_final = is_whole && !answer->is_stopped;
}
