/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/answer_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

void text_meter_take(struct text_meter *meter, enum json_text what, const uint8_t *bytes, size_t len)
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
 * billed at its own model (docs/facts/wire.md, "Anthropic").
 */
static void end_iteration(struct answer *answer)
{
	struct usage usage;
	size_t i = 0;

	if (strcmp(answer->iteration_type, "compaction") &&
	    strcmp(answer->iteration_type, "advisor_message"))
		return;
	if (!usage_slots_usage_settle(&answer->iteration, DIALECT_ANTHROPIC, &usage))
		return;
	while (i < answer->extras_count && strcmp(answer->extras[i].model, answer->iteration_model))
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
		usage_slots_usage_set(&answer->slots, slot, text);
}

static void take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	struct answer *answer = arg;

	(void)key;
	(void)is_cut;
	if (id < SLOTS || id >= ITERATION_SLOT) {
		if (kind == JSON_IS_NUMBER && id < SLOTS)
			usage_slots_usage_set(&answer->slots, id, text);
		else if (kind == JSON_IS_NUMBER)
			usage_slots_usage_set(&answer->iteration, id - ITERATION_SLOT, text);
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

void answer_end_document(struct answer *answer)
{
	if (answer->searches) {
		answer->slots.slots[SLOT_SEARCHES] = answer->searches;
		answer->slots.has |= 1u << SLOT_SEARCHES;
	}
	answer->searches = 0;
	answer->has_iterations = false;
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
