/* SPDX-License-Identifier: Apache-2.0 */
/* The events of a stream: which of them are parsed, and what is counted of the others. */
#include "usage/answer_internal.h"

#include <stdio.h>
#include <string.h>

#define EVENT_IDS 4 /* keys of an event up to its type */

static bool parse_event(struct answer *answer, const struct sse_event *event)
{
	answer_begin_parse(answer, false);
	(void)json_feed(&answer->scan, event->data, event->len);
	return answer_end_parse(answer);
}

static const uint8_t *skip(const uint8_t *at, const uint8_t *end, uint8_t what)
{
	while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
		at++;
	return at < end && *at == what ? at + 1 : NULL;
}

/* A string without escapes, as all keys and names are that count here. NULL: there is none. */
static const uint8_t *skip_string(const uint8_t *at, const uint8_t *end, const uint8_t **ret,
				  size_t *ret_len)
{
	at = skip(at, end, '"');
	*ret = at;
	at = at ? memchr(at, '"', (size_t)(end - at)) : NULL;
	if (!at || memchr(*ret, '\\', (size_t)(at - *ret)))
		return NULL;
	*ret_len = (size_t)(at - *ret);
	return at + 1;
}

/*
 * What kind of event it is: its name, or its "type" where a gateway strips names or no event has any (a
 * WebSocket's), and one of the first keys says it, as it does at Anthropic, OpenAI and Cohere. Before it stand
 * ids, if anything. "" for a chat chunk.
 */
static const char *event_type(const struct sse_event *event, char *buf, size_t size)
{
	const uint8_t *end = event->data + event->len, *at, *key, *value;
	size_t n_key, n_value;

	if (event->name[0] && strcmp(event->name, "message"))
		return event->name;
	buf[0] = '\0';
	at = skip(event->data, end, '{');
	for (int i = 0; at && i < EVENT_IDS; i++) {
		at = skip_string(at, end, &key, &n_key);
		at = at ? skip(at, end, ':') : NULL;
		at = at ? skip_string(at, end, &value, &n_value) : NULL;
		if (at && n_key == 4 && !memcmp(key, "type", 4)) {
			snprintf(buf, size, "%.*s", (int)n_value, value);
			break;
		}
		at = at ? skip(at, end, ',') : NULL;
	}
	return buf;
}

static bool ends_with(const char *text, const char *tail)
{
	size_t len = strlen(text), tail_len = strlen(tail);

	return len >= tail_len && !strcmp(text + len - tail_len, tail);
}

/*
 * The value of the first `"key":` from at on, or NULL. Colon by colon: in the few bytes before it memmem
 * spends more on its table than on the search.
 */
static const uint8_t *value_after(const uint8_t *at, const uint8_t *end, const char *key, size_t len)
{
	const uint8_t *begin = at;

	while ((at = memchr(at, ':', (size_t)(end - at)))) {
		if ((size_t)(at - begin) >= len && !memcmp(at - len, key, len))
			return at + 1;
		at++;
	}
	return NULL;
}

/* The text in the next `":"..."`, or NULL. */
static const uint8_t *string_after(const uint8_t *at, const uint8_t *end)
{
	while ((at = value_after(at, end, "\"", 1)))
		if (at < end && *at == '"')
			return at + 1;
	return NULL;
}

#define STARTS(at, end, text) \
	((size_t)((end) - (at)) >= sizeof(text) - 1 && !memcmp(at, text, sizeof(text) - 1))

/*
 * Bytes of the text in a delta without parsing it: from the last `":"` to the last quote. Padding follows the
 * quote or is in a separate field; escapes count as they are written.
 */
static void count_delta(struct answer *answer, const struct sse_event *event)
{
	const uint8_t *end = memrchr(event->data, '"', event->len);
	const uint8_t *at = event->data, *delta;

	answer->reading->content_events++;
	answer->has_content = true;
	/* Anthropic's begin so, and its key is where it is expected to be; else it is looked for. */
	if (end && STARTS(at, end, "{\"type\":\"content_block_delta\",\"index\":")) {
		at += sizeof("{\"type\":\"content_block_delta\",\"index\":") - 1;
		while (*at >= '0' && *at <= '9')
			at++; /* a quote ends the data */
	}
	if (end && STARTS(at, end, ",\"delta\":"))
		at += sizeof(",\"delta\":") - 1;
	else
		at = end ? value_after(at, end, "\"delta\"", 7) : NULL;
	delta = at;
	at = at ? string_after(at, end) : NULL;
	/* The first is the type of the delta; the second its text. */
	if (at && STARTS(at, end, "text_delta"))
		at = string_after(at, end);
	else if (at && value_after(delta, end, "\"signature\"", 11))
		return;
	else if (at && (STARTS(at, end, "input_json") || STARTS(at, end, "thinking_d")))
		at = string_after(at, end);
	if (at && at < end)
		answer->reading->content_bytes += (uint64_t)(end - at);
}

/* What a chunk has besides text; its keys are looked at colon by colon, for the reason at value_after(). */
struct signs {
	bool has_usage; /* an object, not the null of every other chunk */
	bool has_error;
	bool is_empty; /* its delta has nothing in it */
};

static struct signs signs_of(const struct sse_event *event)
{
	const uint8_t *begin = event->data, *end = begin + event->len, *at = begin;
	struct signs signs = { 0 };

	while ((at = memchr(at, ':', (size_t)(end - at)))) {
		const uint8_t *key = at, *value = ++at;

		while (key > begin && key[-1] == ' ')
			key--;
		if (key - begin < 7)
			continue;
		while (value < end && *value == ' ')
			value++;
		if (value == end || *value != '{')
			continue;
		/* inside a string their quotes are escaped */
		signs.has_usage |= !memcmp(key - 6, "usage\"", 6);
		signs.has_error |= !memcmp(key - 7, "\"error\"", 7);
		signs.is_empty |= !memcmp(key - 7, "\"delta\"", 7) && value + 1 < end &&
				  value[1] == '}';
	}
	return signs;
}

static bool is_delta(const char *type)
{
	return !strcmp(type, "content_block_delta") || ends_with(type, ".delta") ||
	       !strcmp(type, "content-delta");
}

/* Realtime's, by its name of 2024 and by that of 2025. */
static bool is_speech(const char *type)
{
	return !strcmp(type, "response.audio.delta") || !strcmp(type, "response.output_audio.delta");
}

/* Nearly all of it is speech in base64, whose length is what there is to know before its usage. */
static void count_speech(struct answer *answer, const struct sse_event *event)
{
	answer->has_content = true;
	answer->reading->speech_bytes += event->len;
}

static bool is_last(const char *type)
{
	return !strcmp(type, "response.completed") || !strcmp(type, "response.incomplete") ||
	       !strcmp(type, "response.failed") || !strcmp(type, "response.done") ||
	       !strcmp(type, "message-end");
}

/* Deepgram's and AssemblyAI's, of speech that is written down live. */
static bool tells_duration(const char *type)
{
	return !strcmp(type, "Results") || !strcmp(type, "Metadata") || !strcmp(type, "Termination");
}

/* Handles a parsed event that has a type. told: it contained a count of output. */
static void end_typed(struct answer *answer, const char *type, bool told)
{
	if (is_last(type)) {
		answer->reading->is_final |= told;
		answer->reading->is_done = true;
		answer->reading->has_error |= !strcmp(type, "response.failed") ||
					      (!strcmp(type, "response.done") &&
					       !strcmp(answer->reading->status, "failed"));
	} else if (strcmp(type, "response.created")) {
		answer_take_count(answer, type, told);
	}
}

/* Anthropic, OpenAI Responses, Cohere: events with a type. Deltas, which are most, are asked first. */
static void take_typed(struct answer *answer, const struct sse_event *event, const char *type)
{
	if (is_speech(type)) {
		count_speech(answer, event);
	} else if (is_delta(type)) {
		count_delta(answer, event);
	} else if (!strcmp(type, "error")) {
		answer->reading->has_error = true;
	} else if (!strcmp(type, "message_stop")) {
		answer_take_count(answer, type, false);
		answer->reading->is_done = true;
	} else if (is_last(type) || !strcmp(type, "message_delta") ||
		   !strcmp(type, "message_start") || !strcmp(type, "response.created") ||
		   tells_duration(type) || signs_of(event).has_usage) {
		/* The last case: an unknown type that contains usage. */
		end_typed(answer, type, parse_event(answer, event));
	}
}

/* A chunk whose text counts: a stream that may end without usage, and Gemini's, which may be cut. */
static bool counts_text(const struct answer *answer)
{
	return !answer->expects_usage || answer->reading->dialect == DIALECT_GEMINI;
}

static void take_text_chunk(struct answer *answer, const struct sse_event *event)
{
	struct text_meter before = answer->text;
	bool had_error = answer->reading->has_error, had_content = answer->has_content, told;

	answer_begin_parse(answer, true);
	(void)json_feed(&answer->scan, event->data, event->len);
	told = answer_end_parse(answer);
	answer->reading->is_final |= told && answer->reading->dialect != DIALECT_GEMINI;
	if (answer->reading->has_error && !had_error) {
		/* The words of an error are not the model's. */
		answer->text = before;
		answer->has_content = had_content;
		return;
	}
	answer->reading->content_events += answer->text.count.bytes != before.count.bytes;
}

/* A chunk of chat, completions or Gemini: the first for its model, then those with usage. */
static void take_chunk(struct answer *answer, const struct sse_event *event)
{
	struct signs signs;

	if (counts_text(answer)) {
		take_text_chunk(answer, event);
		return;
	}
	if (answer->events == 1) {
		answer->reading->is_final |= parse_event(answer, event);
		return;
	}
	signs = signs_of(event);
	/* Where the shape is not known, nor are the names of its counts. */
	if (signs.has_usage || (answer->keys == DIALECT_ANY && !answer->reading->is_eventstream)) {
		answer->reading->is_final |= parse_event(answer, event);
	} else if (signs.has_error) {
		(void)parse_event(answer, event);
	} else if (!signs.is_empty) {
		answer->reading->content_events++;
		answer->has_content = true;
	}
}

/*
 * An event that comes in pieces, since it is too long to be held: an image in base64, the whole answer
 * repeated. Its type is known by its first piece; what is not a delta is parsed as it passes.
 */
static void take_long(struct answer *answer, const struct sse_event *event)
{
	char buf[SSE_NAME_LEN];
	const char *type;
	bool told;

	if (event->is_first) {
		type = event_type(event, buf, sizeof(buf));
		snprintf(answer->long_type, sizeof(answer->long_type), "%s", type);
		answer->skips = is_delta(type);
		answer->reading->content_events += (answer->skips && !is_speech(type)) || !*type;
		answer->has_content = true;
		answer_begin_parse(answer, !*type && counts_text(answer));
	}
	if (is_speech(answer->long_type))
		count_speech(answer, event);
	if (!answer->skips)
		(void)json_feed(&answer->scan, event->data, event->len);
	if (!event->is_last || answer->skips)
		return;
	type = answer->long_type;
	told = answer_end_parse(answer);
	if (*type)
		end_typed(answer, type, told);
	else
		answer->reading->is_final |= told && answer->reading->dialect != DIALECT_GEMINI;
}

void answer_grpc_message(void *arg, enum grpc_edge edge)
{
	struct answer *answer = arg;

	switch (edge) {
	case GRPC_MESSAGE_BEGINS:
		answer->events++;
		answer->before = answer->text;
		answer_begin_parse(answer, true);
		break;
	case GRPC_MESSAGE_ENDS:
		(void)answer_end_parse(answer);
		answer->has_content = true;
		answer->reading->content_events += answer->text.count.bytes !=
						   answer->before.count.bytes;
		break;
	case GRPC_MESSAGE_FAILS:
		/* Numbers of half a message may be anything. */
		answer->reading->has_gap = answer->is_stopped = true;
		answer_drop_document(answer);
		break;
	}
}

void answer_event(struct answer *answer, const struct sse_event *event)
{
	struct sse_event given = *event;
	char buf[SSE_NAME_LEN];
	const char *type;

	/* Nothing behind the terminator counts: a second charge would be a lie. */
	if (answer->reading->is_done)
		return;
	/* An event may be a name without data. */
	if (!event->len)
		given.data = (const uint8_t *)"";
	event = &given;
	answer->events += event->is_first;
	if (!event->is_first || !event->is_last) {
		take_long(answer, event);
		return;
	}
	if (event->len >= 6 && !memcmp(event->data, "[DONE]", 6)) {
		answer->reading->is_done = true;
		return;
	}
	type = event_type(event, buf, sizeof(buf));
	if (*type)
		take_typed(answer, event, type);
	else
		take_chunk(answer, event);
}
