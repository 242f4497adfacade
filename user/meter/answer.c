/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/answer.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

void text_meter_take(struct text_meter *meter, enum json_text what, const uint8_t *bytes,
		     size_t len)
{
	static const uint8_t space = ' ';

	switch (what) {
	case JSON_TEXT_BEGIN:
		meter->before = meter->count;
		break;
	case JSON_TEXT_SPAN:
		text_count_feed(&meter->count, bytes, len);
		break;
	case JSON_TEXT_END:
		/* Strings do not run together. */
		text_count_feed(&meter->count, &space, 1);
		break;
	case JSON_TEXT_DROP:
		meter->count = meter->before;
		meter->dropped++;
		break;
	}
}

/* Deltas of a stream do run together: "Hel" and "lo" are one word. */
static void take_delta(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct answer *answer = arg;

	if (what == JSON_TEXT_END)
		return;
	answer->has_content |= what == JSON_TEXT_SPAN;
	text_meter_take(&answer->text, what, bytes, len);
}

static void set_string(char *to, size_t size, enum json_kind kind, const char *text)
{
	if (kind == JSON_IS_STRING && *text)
		snprintf(to, size, "%s", text);
}

static void set_cost(struct answer *answer, const char *text, int scale)
{
	uint64_t nanos;

	/* A million dollars a call is no cost. */
	if (!decimal_read(text, scale, &nanos) || nanos > 1000000ULL * NANOS_PER_USD)
		return;
	answer->cost_nanos = nanos;
	answer->has_cost = true;
}

/*
 * The top level holds the sum of the messages and leaves out compaction and the advisor, each
 * billed at its own model (facts of the wire, 5.1).
 */
static void end_iteration(struct answer *answer)
{
	struct usage usage;
	size_t i = 0;

	if (strcmp(answer->iteration_type, "compaction") &&
	    strcmp(answer->iteration_type, "advisor_message"))
		return;
	if (!raw_usage_settle(&answer->iteration, DIALECT_ANTHROPIC, &usage))
		return;
	while (i < answer->extras_count &&
	       strcmp(answer->extras[i].model, answer->iteration_model))
		i++;
	if (i == EXTRAS)
		i--;
	if (i == answer->extras_count) {
		memset(&answer->extras[i], 0, sizeof(answer->extras[i]));
		memcpy(answer->extras[i].model, answer->iteration_model, CHARGE_MODEL_LEN);
		answer->extras_count++;
	}
	usage_add(&answer->extras[i].usage, &usage);
}

static void take_iteration(struct answer *answer, enum json_kind kind)
{
	if (kind == JSON_IS_BEGIN) {
		/* A later event repeats the list from its start. */
		if (!answer->has_iterations)
			answer->extras_count = 0;
		answer->has_iterations = true;
		answer->iteration_type[0] = answer->iteration_model[0] = '\0';
		memset(&answer->iteration, 0, sizeof(answer->iteration));
	} else if (kind == JSON_IS_END) {
		end_iteration(answer);
	}
}

/* Gemini's counts by modality: name and count may come in either order. */
static void take_modality(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	bool *is_audio = id == ANSWER_MODALITY_IN || id == ANSWER_COUNT_IN ? &answer->is_audio_in :
									      &answer->is_audio_out;
	enum slot slot = is_audio == &answer->is_audio_in ? SLOT_AUDIO_IN : SLOT_AUDIO_OUT;

	if (id == ANSWER_MODALITY_IN || id == ANSWER_MODALITY_OUT)
		*is_audio = kind == JSON_IS_STRING && !strcmp(text, "AUDIO");
	else if (*is_audio && kind == JSON_IS_NUMBER)
		raw_usage_set(&answer->raw, slot, text);
}

static void take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	struct answer *answer = arg;

	(void)key;
	(void)is_cut;
	if (id < SLOTS || id >= ITERATION_SLOT) {
		if (kind == JSON_IS_NUMBER && id < SLOTS)
			raw_usage_set(&answer->raw, id, text);
		else if (kind == JSON_IS_NUMBER)
			raw_usage_set(&answer->iteration, id - ITERATION_SLOT, text);
		return;
	}
	switch (id) {
	case ANSWER_MODEL:
		set_string(answer->model, sizeof(answer->model), kind, text);
		break;
	case ANSWER_TIER:
		set_string(answer->tier, sizeof(answer->tier), kind, text);
		break;
	case ANSWER_SPEED:
		set_string(answer->speed, sizeof(answer->speed), kind, text);
		break;
	case ANSWER_GEO:
		set_string(answer->geo, sizeof(answer->geo), kind, text);
		break;
	case ANSWER_COST_USD:
		if (kind == JSON_IS_NUMBER)
			set_cost(answer, text, 9);
		break;
	case ANSWER_COST_TICKS:
		if (kind == JSON_IS_NUMBER)
			set_cost(answer, text, -1);
		break;
	case ANSWER_ERROR:
		answer->has_error |= kind == JSON_IS_BEGIN || kind == JSON_IS_STRING;
		break;
	case ANSWER_ITEM:
		if (kind == JSON_IS_STRING && !strcmp(text, "web_search_call"))
			answer->searches++;
		break;
	case ANSWER_ITERATION:
		take_iteration(answer, kind);
		break;
	case ITERATION_TYPE:
		set_string(answer->iteration_type, sizeof(answer->iteration_type), kind, text);
		break;
	case ITERATION_MODEL:
		set_string(answer->iteration_model, sizeof(answer->iteration_model), kind, text);
		break;
	case ANSWER_MODALITY_IN:
	case ANSWER_MODALITY_OUT:
	case ANSWER_COUNT_IN:
	case ANSWER_COUNT_OUT:
		take_modality(answer, id, kind, text);
		break;
	}
}

/* Strings of a chunk that are not the model's words. */
static const char *const chunk_mute[] = {
	"id", "object", "model", "system_fingerprint", "service_tier", "obfuscation", "role",
	"type", "finish_reason", "native_finish_reason", "provider", "logprobs", "token", "signature", NULL,
};

void answer_init(struct answer *answer, enum dialect dialect, enum http_content content,
		 bool expects_usage)
{
	memset(answer, 0, sizeof(*answer));
	answer->dialect = dialect;
	answer->expects_usage = expects_usage;
	answer->sink = (struct json_sink){
		.value = take_value,
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

static void end_document(struct answer *answer)
{
	if (answer->searches) {
		answer->raw.slots[SLOT_SEARCHES] = answer->searches;
		answer->raw.has |= 1u << SLOT_SEARCHES;
	}
	answer->searches = 0;
	answer->has_iterations = false;
}

/* True if the event told a count of output. */
static bool parse_event(struct answer *answer, const struct sse_event *event)
{
	uint32_t had = answer->raw.has;
	bool told;

	answer->raw.has &= ~(1u << SLOT_OUTPUT);
	json_init(&answer->scan, usage_keys(answer->dialect), &answer->sink);
	(void)json_feed(&answer->scan, event->data, event->len);
	told = answer->raw.has >> SLOT_OUTPUT & 1;
	answer->raw.has |= had;
	end_document(answer);
	return told;
}

/*
 * What kind of event it is: its name, or its "type" where a gateway strips names and the first key
 * says it, as it does at Anthropic, OpenAI Responses and Cohere. "" for a chat chunk.
 */
static const char *event_type(const struct sse_event *event, char *buf, size_t size)
{
	static const char key[] = "{\"type\":";
	size_t at = sizeof(key) - 1, len = 0;

	if (event->name[0] && strcmp(event->name, "message"))
		return event->name;
	buf[0] = '\0';
	if (event->len < at || memcmp(event->data, key, at))
		return buf;
	if (at < event->len && event->data[at] == ' ')
		at++;
	if (at >= event->len || event->data[at++] != '"')
		return buf;
	while (at < event->len && event->data[at] != '"' && len + 1 < size)
		buf[len++] = (char)event->data[at++];
	buf[len] = '\0';
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

/* What stands in the next `":"..."`, or NULL. */
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
 * Bytes of the text in a delta without parsing it: from the last `":"` to the last quote. Padding
 * stands behind the quote or in a field of its own; escapes count as they are.
 */
static void count_delta(struct answer *answer, const struct sse_event *event)
{
	const uint8_t *end = memrchr(event->data, '"', event->len);
	const uint8_t *at = event->data, *delta;

	answer->content_events++;
	answer->has_content = true;
	/* Anthropic's begin so, and its key is where it is expected to be; else it is looked for. */
	if (end && STARTS(at, end, "{\"type\":\"content_block_delta\",\"index\":")) {
		at += sizeof("{\"type\":\"content_block_delta\",\"index\":") - 1;
		while (*at >= '0' && *at <= '9')
			at++;	/* a quote ends the data */
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
		answer->content_bytes += (uint64_t)(end - at);
}

/* What a chunk has besides text; its keys are looked at colon by colon, for the reason at value_after(). */
struct signs {
	bool has_usage;		/* an object, not the null of every other chunk */
	bool has_error;
	bool is_empty;		/* its delta has nothing in it */
};

static struct signs signs_of(const struct sse_event *event)
{
	const uint8_t *begin = event->data, *end = begin + event->len, *at = begin;
	struct signs signs = { 0 };

	while ((at = memchr(at, ':', (size_t)(end - at)))) {
		size_t before = (size_t)(at - begin);
		const uint8_t *value = ++at;

		if (before < 7)
			continue;
		while (value < end && *value == ' ')
			value++;
		if (value == end || *value != '{')
			continue;
		/* inside a string their quotes are escaped */
		signs.has_usage |= !memcmp(at - 7, "usage\":", 7);
		signs.has_error |= !memcmp(at - 8, "\"error\":", 8);
		signs.is_empty |= !memcmp(at - 8, "\"delta\":", 8) && value + 1 < end && value[1] == '}';
	}
	return signs;
}

static bool is_delta(const char *type)
{
	return !strcmp(type, "content_block_delta") || ends_with(type, ".delta") ||
	       !strcmp(type, "content-delta");
}

static bool is_last(const char *type)
{
	return !strcmp(type, "response.completed") || !strcmp(type, "response.incomplete") ||
	       !strcmp(type, "response.failed") || !strcmp(type, "message-end");
}

/* Anthropic, OpenAI Responses, Cohere: events with a type. Deltas, which are most, are asked first. */
static void take_typed(struct answer *answer, const struct sse_event *event, const char *type)
{
	if (is_delta(type)) {
		count_delta(answer, event);
	} else if (is_last(type)) {
		answer->is_final |= parse_event(answer, event);
		answer->is_done = true;
		answer->has_error |= !strcmp(type, "response.failed");
	} else if (!strcmp(type, "message_delta")) {
		answer->is_final |= parse_event(answer, event);
	} else if (!strcmp(type, "message_start") || !strcmp(type, "response.created")) {
		(void)parse_event(answer, event);
	} else if (!strcmp(type, "error")) {
		answer->has_error = true;
	} else if (!strcmp(type, "message_stop")) {
		answer->is_done = true;
	} else if (signs_of(event).has_usage) {
		/* A type of tomorrow that tells usage. */
		answer->is_final |= parse_event(answer, event);
	}
}

/* A chunk of chat, completions or Gemini: the first for its model, then those with usage. */
static void take_chunk(struct answer *answer, const struct sse_event *event)
{
	bool is_gemini = answer->dialect == DIALECT_GEMINI;

	if (answer->events > 1 && answer->expects_usage && !is_gemini) {
		struct signs signs = signs_of(event);

		if (signs.has_usage)
			answer->is_final |= parse_event(answer, event);
		else if (signs.has_error)
			(void)parse_event(answer, event);
		else if (!signs.is_empty) {
			answer->content_events++;
			answer->has_content = true;
		}
		return;
	}
	if (!answer->expects_usage || is_gemini) {
		uint64_t before = answer->text.count.bytes;

		answer->sink.text = take_delta;
		answer->is_final |= parse_event(answer, event) && !is_gemini;
		answer->sink.text = NULL;
		answer->content_events += answer->text.count.bytes != before;
		return;
	}
	answer->is_final |= parse_event(answer, event);
}

static void take_event(struct answer *answer, const struct sse_event *event)
{
	struct sse_event given = *event;
	char buf[SSE_NAME_LEN];
	const char *type;

	/* Nothing behind the terminator counts: a second charge would be a lie. */
	if (answer->is_done)
		return;
	/* An event may be a name without data. */
	if (!event->len)
		given.data = (const uint8_t *)"";
	event = &given;
	answer->events++;
	if (event->len >= 6 && !memcmp(event->data, "[DONE]", 6)) {
		answer->is_done = true;
		return;
	}
	type = event_type(event, buf, sizeof(buf));
	if (*type)
		take_typed(answer, event, type);
	else
		take_chunk(answer, event);
}

/* No usable content type: the first byte that is no space tells. */
static void sniff(struct answer *answer, const uint8_t *bytes, size_t len)
{
	size_t i = 0;

	while (i < len && (bytes[i] == ' ' || bytes[i] == '\n' || bytes[i] == '\r' ||
			   bytes[i] == '\t' || bytes[i] == 0xef || bytes[i] == 0xbb ||
			   bytes[i] == 0xbf))
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
			take_event(answer, &event);
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
			take_event(answer, &event);
		/* Gemini's counts are cumulative, without a terminator: the end makes them final. */
		answer->is_final |= is_whole && answer->dialect == DIALECT_GEMINI;
		return;
	}
	end_document(answer);
	answer->is_final = is_whole && !answer->is_stopped;
}
