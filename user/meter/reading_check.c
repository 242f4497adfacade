/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a reading can be true: it may come from somebody who has taken over the parsers. */
#include "meter/reading_internal.h"

#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "http/decoder.h"

/* Bytes of text, events, pictures: less than a terabyte of anything. */
#define COUNT_MAX (1ULL << 40)
/* Of a class, of another model: lines of a batch add up. */
#define EXTRA_MAX (1ULL << 50)
#define ASKED_MAX 1000000 /* as many pictures or seconds as a request may ask for */
#define COST_MAX  (1000000ULL * NANOS_PER_USD)

static bool are_below(const uint64_t *counts, size_t n, uint64_t most)
{
	for (size_t i = 0; i < n; i++)
		if (counts[i] > most)
			return false;
	return true;
}

static bool can_be_text(const struct text_count *text)
{
	/* All before `run` are counts. */
	return are_below((const uint64_t *)text, offsetof(struct text_count, run) / 8, COUNT_MAX) &&
	       text->script < SCRIPTS;
}

static bool can_be_slots(const struct usage_slots_usage *usage)
{
	return are_below(usage->slots, SLOTS, COUNT_MAX) && usage->has >> SLOTS == 0;
}

static bool can_be_extras(const struct answer_reading *answer)
{
	for (size_t i = 0; i < EXTRAS; i++)
		if (!memchr(answer->extras[i].model, '\0', sizeof(answer->extras[i].model)) ||
		    !are_below((const uint64_t *)&answer->extras[i].usage, sizeof(struct usage) / 8,
			       EXTRA_MAX))
			return false;
	return answer->extras_count <= EXTRAS;
}

static bool can_be_answer(const struct answer_reading *answer)
{
	const uint64_t counts[] = { answer->content_events, answer->speech_bytes,
				    answer->content_bytes };

	return (unsigned)answer->dialect <= DIALECT_ANY &&
	       (unsigned)answer->form <= ANSWER_UNREADABLE && answer->cost_nanos <= COST_MAX &&
	       answer->upstream_nanos <= COST_MAX &&
	       are_below(counts, ARRAY_SIZE(counts), COUNT_MAX) && can_be_text(&answer->text) &&
	       can_be_slots(&answer->slots) && can_be_slots(&answer->told) && can_be_extras(answer);
}

static bool all_end(const struct reading *reading)
{
	const struct answer_reading *answer = &reading->answer;
	const struct {
		const char *text;
		size_t size;
	} texts[] = {
		{ reading->host, sizeof(reading->host) },
		{ reading->path, sizeof(reading->path) },
		{ reading->model, sizeof(reading->model) },
		{ reading->organisation, sizeof(reading->organisation) },
		{ reading->project, sizeof(reading->project) },
		{ reading->client, sizeof(reading->client) },
		{ reading->api_key, sizeof(reading->api_key) },
		{ reading->size, sizeof(reading->size) },
		{ reading->quality, sizeof(reading->quality) },
		{ reading->context, sizeof(reading->context) },
		{ answer->model, sizeof(answer->model) },
		{ answer->tool_model, sizeof(answer->tool_model) },
		{ answer->tier, sizeof(answer->tier) },
		{ answer->speed, sizeof(answer->speed) },
		{ answer->geo, sizeof(answer->geo) },
		{ answer->context, sizeof(answer->context) },
		{ answer->size, sizeof(answer->size) },
		{ answer->quality, sizeof(answer->quality) },
		{ answer->status, sizeof(answer->status) },
		{ answer->id, sizeof(answer->id) },
		{ answer->output_file, sizeof(answer->output_file) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!memchr(texts[i].text, '\0', texts[i].size))
			return false;
	return true;
}

/* A provider by its host, or one whose dialect a header names on any host. */
static bool is_known(const struct reading *reading)
{
	const struct api_provider *provider;

	if (reading->provider >= provider_rows_count || reading->speaker >= provider_rows_count ||
	    !endpoint_is_number(reading->endpoint))
		return false;
	provider = api_find(reading->host);
	return provider ? provider == reading_provider(reading) :
			  reading_provider(reading) == provider_by_name("anthropic");
}

/* What deflate makes of a byte at most (1032), and where decoders begin to look for bombs. */
#define DECODED_BYTES(bytes) ((bytes)*1100 + 2 * DECODED_RATIO_FLOOR)

/* A body that has ended has the size that it was sent in; one that has not, what came of it decoded. */
static bool fits(uint64_t bytes, bool has_ended, uint64_t seen)
{
	return bytes <= (has_ended ? seen : DECODED_BYTES(seen));
}

bool reading_check(const struct reading *reading, const struct reading_bounds *bounds)
{
	const uint64_t counts[] = { reading->text_dropped, reading->messages,
				    reading->characters,   reading->file_bytes,
				    reading->images_shown, reading->picture_tokens,
				    reading->pictures,     reading->request_bytes,
				    reading->answer_bytes, reading->answer_plain_bytes };

	return all_end(reading) && is_known(reading) && !reading->tenant && !reading->unread_bytes &&
	       reading->start_ns <= bounds->now_ns && reading->end_ns <= bounds->now_ns &&
	       reading->first_token_ns <= bounds->now_ns - reading->start_ns &&
	       are_below(counts, ARRAY_SIZE(counts), COUNT_MAX) &&
	       reading->images_wanted <= ASKED_MAX && reading->seconds_wanted <= ASKED_MAX &&
	       reading->status >= 0 && reading->status < 1000 && can_be_text(&reading->text) &&
	       can_be_slots(&reading->header) && can_be_answer(&reading->answer) &&
	       fits(reading->request_bytes, reading->request_is_whole, bounds->bytes[HTTP_REQUEST]) &&
	       fits(reading->answer_bytes, reading->answer_ended, bounds->bytes[HTTP_RESPONSE]);
}
