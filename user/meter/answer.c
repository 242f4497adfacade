/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/answer_internal.h"

#include <string.h>

/* Strings of a chunk that are not the model's words. */
static const char *const chunk_mute[] = {
	"id",          "object",   "model", "system_fingerprint", "service_tier",
	"obfuscation", "role",     "type",  "finish_reason",      "native_finish_reason",
	"provider",    "logprobs", "token", "signature",          NULL,
};

void answer_init(struct answer *answer, enum dialect dialect, enum http_content content,
		 bool expects_usage)
{
	memset(answer, 0, sizeof(*answer));
	answer->dialect = dialect;
	answer->expects_usage = expects_usage;
	answer->sink = (struct json_sink){
		.value = answer_take_value,
		.mute = chunk_mute,
		.arg = answer,
	};
	if (dialect == DIALECT_NONE || content == HTTP_CONTENT_EVENTSTREAM)
		answer->form = ANSWER_UNREADABLE;
	else if (content == HTTP_CONTENT_SSE)
		answer->form = ANSWER_SSE;
	json_init(&answer->scan, usage_keys(dialect), &answer->sink);
}

void answer_done(struct answer *answer)
{
	sse_done(&answer->sse);
}

/* No usable content type: the first byte that is no space tells. */
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
		answer->form = ANSWER_JSON;
	else if (memchr("dei:r", bytes[i], 5))
		answer->form = ANSWER_SSE;
	else
		answer->form = ANSWER_UNREADABLE;
}

static void feed_json(struct answer *answer, const uint8_t *bytes, size_t len)
{
	answer->has_content = true;
	if (answer->is_stopped)
		return;
	if (json_feed(&answer->scan, bytes, len) == JSON_BAD)
		answer->is_stopped = true;
}

void answer_feed(struct answer *answer, const uint8_t *bytes, size_t len)
{
	struct sse_event event;

	/* What is called an event stream may still be one JSON: an error, a gateway's whim. */
	if (!len)
		return;
	if (answer->form == ANSWER_UNKNOWN ||
	    (answer->form == ANSWER_SSE && !answer->is_started && (*bytes == '{' || *bytes == '[')))
		sniff(answer, bytes, len);
	answer->is_started = true;
	switch (answer->form) {
	case ANSWER_JSON:
		feed_json(answer, bytes, len);
		break;
	case ANSWER_SSE:
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

void answer_gap(struct answer *answer)
{
	answer->has_gap = answer->is_started = true;
	if (answer->form == ANSWER_SSE)
		sse_gap(&answer->sse);
	else
		answer->is_stopped = true;
}

void answer_end(struct answer *answer, bool is_whole)
{
	struct sse_event event;

	if (answer->form == ANSWER_SSE) {
		if (sse_end(&answer->sse, &event))
			answer_event(answer, &event);
		/* Gemini's counts are cumulative, without a terminator: the end makes them final. */
		answer->is_final |= is_whole && answer->dialect == DIALECT_GEMINI;
		return;
	}
	answer_end_document(answer);
	answer->is_final = is_whole && !answer->is_stopped;
}
