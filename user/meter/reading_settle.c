/* SPDX-License-Identifier: Apache-2.0 */
/* What a call used: by its answer, or by an estimate. */
#include "meter/reading_internal.h"

#include <string.h>

#include "base/cleanup.h"
#include "usage/estimate.h"
#include "provider/payer.h"
#include "usage/usage_slots.h"

/* Bedrock's invoke serves models of every kind. */
const char *reading_operation(const struct reading *reading)
{
	static const struct {
		const char *part, *operation;
	} kinds[] = {
		{ "rerank", "rerank" },          { "embed", "embeddings" },
		{ "nova-canvas", "image" },      { "titan-image", "image" },
		{ "stability.stable", "image" }, { "stability.sd", "image" },
		{ "nova-reel", "video" },        { "luma.ray", "video" },
	};

	for (size_t i = 0;
	     !strcmp(reading_speaker(reading)->name, "aws.bedrock") && i < ARRAY_SIZE(kinds); i++)
		if (strstr(reading->model, kinds[i].part))
			return kinds[i].operation;
	return reading_endpoint(reading)->operation;
}

static bool is_operation(const struct reading *reading, const char *name)
{
	return !strcmp(reading_operation(reading), name);
}

bool reading_is_unfinished(const struct reading *reading)
{
	static const char *const words[] = { "queued",     "in_progress",     "validating",
					     "finalizing", "cancelling",      "starting",
					     "processing", "requires_action", "created",
					     "pending" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcasecmp(reading->answer.status, words[i]))
			return true;
	return false;
}

bool reading_has_request(const struct reading *reading)
{
	return !reading->request_is_cut && reading->text.bytes + reading->text_dropped > 0;
}

/* The name that teaches and is taught: the request's own, which is known before any answer. */
const char *reading_calibrated_model(const struct reading *reading)
{
	return *reading->model ? reading->model : reading->answer.model;
}

uint64_t reading_input_estimate(const struct reading *reading)
{
	struct text_request request = {
		.text = reading->text,
		.messages = reading->messages,
		.images = reading->text_dropped,
		.has_tools = reading->has_tools,
	};

	/* Pictures by address or as a data: URL have a formula; the latter are also base64. */
	request.images -= request.images < reading->pictures ? request.images : reading->pictures;
	return estimate_request(&request,
				*reading->answer.model ? reading->answer.model : reading->model) +
	       reading->picture_tokens;
}

/* What of the answer was read, in tokens. */
static uint64_t read_estimate(const struct reading *reading)
{
	const struct answer_reading *answer = &reading->answer;
	const char *model = *answer->model ? answer->model : reading->model;
	uint64_t events = answer->content_events;
	uint64_t text = estimate_text(&answer->text, model);

	if (answer->is_eventstream)
		return text;
	if (answer->dialect == DIALECT_ANTHROPIC || answer->dialect == DIALECT_COHERE)
		return estimate_bytes(answer->content_bytes, model);
	/*
	 * One event is one token at most vendors, which is better than any text model; but a
	 * gateway or a newer model may put several into one event, and then the text says more.
	 * docs/facts/wire.md, "Size of stream events".
	 */
	if (answer->dialect == DIALECT_OPENAI && reading_provider(reading)->event_is_token &&
	    events * 10 >= text * 7)
		return events;
	return text > events ? text : events;
}

/* Of an estimate from text, in thousandths and tokens: docs/facts/wire.md, "Expected errors". */
#define ERROR_INPUT_TEXT   200
#define ERROR_INPUT_LEAST  50 /* however well the last calls came out */
#define ERROR_INPUT_TOKENS 20
#define ERROR_OUTPUT_TEXT  250
/* Of an answer's unread bytes, reckoned as those that were read: twice the above. */
#define ERROR_OUTPUT_UNREAD 500
/* Fewer events than these say little of the ones that were not read. */
#define UNREAD_EVENTS 8

static void estimate_input_text(const struct reading *reading,
				const struct calibration *calibration, struct estimate *ret)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, reading->tenant, reading->host,
					     reading_calibrated_model(reading) };
	uint32_t error;

	if (!calibration_error(calibration, &key, &error))
		error = ERROR_INPUT_TEXT;
	if (error < ERROR_INPUT_LEAST)
		error = ERROR_INPUT_LEAST;
	ret->input = reading_input_estimate(reading) * calibration_factor(calibration, &key);
	ret->input = (ret->input + 500) / 1000;
	ret->input_error = ret->input * error / 1000 + ERROR_INPUT_TOKENS;
}

struct sizes reading_sizes(const struct reading *reading)
{
	const struct answer_reading *answer = &reading->answer;
	struct sizes sizes = { .tenant = reading->tenant,
			       .provider = reading_provider(reading)->name,
			       .host = reading->host,
			       .exchanges = 1,
			       .request_bytes = reading->request_bytes,
			       .response_bytes = answer->dialect == DIALECT_NONE ?
							 0 :
							 reading->answer_bytes +
								 reading->unread_bytes };

	if (!answer->is_grpc && (answer->form == ANSWER_JSON || answer->form == ANSWER_SSE))
		sizes.form = answer->form;
	else if (reading->unread_bytes && reading->wants_stream)
		sizes.form = ANSWER_SSE;
	return sizes;
}

/*
 * What of a stream was delivered, in tokens, and how far that may be off. Its own events are the
 * best guide to those that were not read; without enough of them, sizes are.
 */
static uint64_t output_estimate(const struct reading *reading,
				const struct calibration *calibration, uint64_t *ret_error)
{
	uint64_t output = read_estimate(reading), unread;
	struct sizes sizes = reading_sizes(reading);
	struct estimate guess;

	*ret_error = output * ERROR_OUTPUT_TEXT / 1000;
	if (!reading->unread_bytes)
		return output;
	if (reading->answer.content_events >= UNREAD_EVENTS && reading->answer_bytes) {
		unread = output * reading->unread_bytes / reading->answer_bytes;
	} else {
		sizes.response_bytes = reading->unread_bytes;
		estimate_sizes(&sizes, calibration, &guess);
		unread = guess.output;
	}
	*ret_error += unread * ERROR_OUTPUT_UNREAD / 1000;
	return output + unread;
}

static enum charge_source estimate(const struct reading *reading,
				   const struct calibration *calibration, struct estimate *ret)
{
	const struct sizes sizes = reading_sizes(reading);
	const struct answer_reading *answer = &reading->answer;
	enum charge_source source = CHARGE_SIZE;

	estimate_sizes(&sizes, calibration, ret);
	if (reading_has_request(reading)) {
		estimate_input_text(reading, calibration, ret);
		source = CHARGE_TEXT;
	}
	if (answer->form == ANSWER_SSE && !answer->has_gap) {
		ret->output = output_estimate(reading, calibration, &ret->output_error);
	} else if (reading->has_head && answer->form != ANSWER_UNKNOWN && answer->dialect) {
		source = CHARGE_SIZE;
	}
	if (reading->status >= 400 || is_operation(reading, "embeddings") ||
	    is_operation(reading, "rerank"))
		ret->output = ret->output_error = 0;
	return source;
}

/* Whether the model wrote anything before it declined. */
static bool has_output(const struct reading *reading, const struct usage_slots_usage *told)
{
	const struct answer_reading *answer = &reading->answer;

	return told->slots[SLOT_OUTPUT] && (answer->content_events || answer->has_blocks);
}

/* How the call failed; MOMENTS: it did not. */
static enum moment moment_of(const struct reading *reading, const struct usage_slots_usage *told)
{
	const struct answer_reading *answer = &reading->answer;

	if (answer->is_refused)
		return has_output(reading, told) ? MOMENT_REFUSED_LATER : MOMENT_REFUSED_FIRST;
	if (reading->status == 204)
		return MOMENT_EMPTY;
	if (reading->status >= 300 && reading->status < 400)
		return MOMENT_REDIRECTED;
	if (reading->status == 408)
		return MOMENT_TIMED_OUT;
	if (reading->status >= 400)
		return answer->is_filtered ? MOMENT_FILTERED : MOMENT_REJECTED;
	if (answer->has_error)
		return answer->content_events ? MOMENT_BROKE_LATER : MOMENT_BROKE_FIRST;
	if (reading->is_unseen ||
	    (!reading->has_head && reading->is_over && !reading->request_is_whole))
		return MOMENT_NOT_SENT;
	return MOMENTS;
}

/* True if nothing is billed: the table of payer.c. */
static bool is_free(const struct reading *reading, const struct usage_slots_usage *told,
		    bool has_usage)
{
	enum moment moment = moment_of(reading, told);

	if (moment == MOMENTS)
		return false;
	/* Usage that an answer contains was billed, unless the answer says that it was not. */
	if (has_usage && moment != MOMENT_REFUSED_FIRST)
		return false;
	return !payer_rule(reading_provider(reading)->name, moment)->is_billed;
}

static bool is_set(const struct usage_slots_usage *told, enum slot slot)
{
	return told->has >> slot & 1;
}

static void set(struct usage_slots_usage *told, enum slot slot, uint64_t value)
{
	told->slots[slot] = value;
	told->has |= 1u << slot;
}

static void drop(struct usage_slots_usage *told, enum slot slot)
{
	told->slots[slot] = 0;
	told->has &= ~(1u << slot);
}

/* Adds what a dialect leaves out and what follows from the rest. */
static void complete(const struct reading *reading, struct usage_slots_usage *told)
{
	const char *model = *reading->answer.model ? reading->answer.model : reading->model;
	uint64_t *s = told->slots, sum;

	/* Voyage and other embedders and rerankers report a total alone, which then is all input. */
	if ((is_operation(reading, "embeddings") || is_operation(reading, "rerank")) &&
	    is_set(told, SLOT_TOTAL) && !is_set(told, SLOT_INPUT))
		set(told, SLOT_INPUT, s[SLOT_TOTAL]);
	/*
	 * Bedrock's reranker reports no usage: a query of up to 100 documents (aws.amazon.com/bedrock/pricing,
	 * 2026-11).
	 */
	if (is_operation(reading, "rerank") && reading->model_is_path && reading->status == 200 &&
	    !is_set(told, SLOT_QUERIES))
		set(told, SLOT_QUERIES, 1);
	/* The output of speech is audio, if its tokens are reported. */
	if (is_operation(reading, "speech") && is_set(told, SLOT_OUTPUT) &&
	    !is_set(told, SLOT_AUDIO_OUT))
		set(told, SLOT_AUDIO_OUT, s[SLOT_OUTPUT]);
	/* Elsewhere a duration is how long it took, and a picture is a search's. */
	if (strncmp(reading_operation(reading), "transcription", 13) &&
	    !is_operation(reading, "video") && !is_operation(reading, "prediction"))
		drop(told, SLOT_MILLIS);
	if (!is_operation(reading, "image") && !is_operation(reading, "embeddings"))
		drop(told, SLOT_IMAGES);
	/* Titan counts the words that it embeds and not the picture (aws.amazon.com/bedrock/pricing, 2026-11). */
	if (reading->images_shown && reading->status == 200)
		set(told, SLOT_IMAGES, reading->images_shown);
	/* Gemini over OpenAI's shape: thoughts are in the total alone. */
	sum = s[SLOT_INPUT] + s[SLOT_OUTPUT];
	if (reading->answer.dialect == DIALECT_OPENAI && strstr(model, "gemini") &&
	    is_set(told, SLOT_OUTPUT) && !s[SLOT_REASONING] && s[SLOT_TOTAL] > sum) {
		set(told, SLOT_REASONING, s[SLOT_TOTAL] - sum);
		set(told, SLOT_OUTPUT, s[SLOT_TOTAL] - s[SLOT_INPUT]);
	}
	/* Some gateways leave out what all others can be computed from. */
	if (reading->answer.dialect == DIALECT_OPENAI && is_operation(reading, "chat") &&
	    is_set(told, SLOT_INPUT) && !is_set(told, SLOT_OUTPUT) && s[SLOT_TOTAL] > s[SLOT_INPUT])
		set(told, SLOT_OUTPUT, s[SLOT_TOTAL] - s[SLOT_INPUT]);
	/* Ollama does not count a prompt that it has in its cache. */
	if (reading->answer.dialect == DIALECT_OLLAMA && is_set(told, SLOT_OUTPUT))
		told->has |= 1u << SLOT_INPUT;
	/* Perplexity bills a request, however much it searched, but for research. */
	if (!strcmp(reading_provider(reading)->name, "perplexity") && is_operation(reading, "chat") &&
	    !reading->answer.has_cost && is_set(told, SLOT_OUTPUT) && !strstr(model, "research"))
		set(told, SLOT_SEARCHES, 1);
	/* Chat does not report the one search that it was asked for. */
	if (reading->searches && is_set(told, SLOT_OUTPUT) && !is_set(told, SLOT_SEARCHES))
		set(told, SLOT_SEARCHES, 1);
	/* A container that the request names was paid for when it was made. */
	if (reading->has_container)
		s[SLOT_SESSIONS] = 0;
	/* Veo's default; as many videos as were asked for. */
	if (is_operation(reading, "veo") && reading->status == 200)
		set(told, SLOT_MILLIS,
		    (reading->seconds_wanted ? reading->seconds_wanted : 8) * 1000 *
			    (reading->images_wanted ? reading->images_wanted : 1));
	/* A video has as many seconds as were asked for, 4 where none were (OpenAI's default). */
	if (is_operation(reading, "video") && reading->status / 100 == 2 &&
	    !reading_endpoint(reading)->job && !is_set(told, SLOT_MILLIS))
		set(told, SLOT_MILLIS,
		    (reading->seconds_wanted ? reading->seconds_wanted : 4) * 1000);
}

/* Counts of the body, over those of the head, which Bedrock has for models whose bodies have none. */
static void told_by(const struct reading *reading, struct usage_slots_usage *ret)
{
	*ret = reading->header;
	usage_slots_usage_merge(ret, &reading->answer.told);
	complete(reading, ret);
}

/*
 * Keeps what a cut stream reported and estimates the rest:
 * docs/facts/wire.md, "What is billed when a stream is cut".
 */
static void settle_partial(const struct reading *reading, const struct calibration *calibration,
			   const struct usage_slots_usage *told, struct charge *ret)
{
	const uint32_t input = 1u << SLOT_INPUT | 1u << SLOT_CACHE_MISS;
	struct estimate guess;
	uint64_t output = output_estimate(reading, calibration, &ret->error_output);

	(void)estimate(reading, calibration, &guess);
	if (!(told->has & input) && reading->answer.dialect != DIALECT_GEMINI) {
		ret->usage.input = guess.input;
		ret->error_input = guess.input_error;
	}
	/* Text that was not captured is in the sizes alone. */
	if (reading->answer.has_gap && guess.output > output) {
		output = guess.output;
		ret->error_output = guess.output_error;
	}
	if (output > ret->usage.output)
		ret->usage.output = output;
}

/* What is billed by the piece, with tokens or without. */
static bool has_pieces(const struct usage *usage)
{
	return usage->images || usage->pages || usage->queries || usage->millis || usage->characters;
}

/* True if the reported usage of the call is final. */
static bool is_settled(const struct reading *reading, const struct usage_slots_usage *told,
		       const struct usage *usage)
{
	const struct answer_reading *answer = &reading->answer;

	if (reading->header.has && reading->answer_ended)
		return true;
	if (has_pieces(usage) && !is_set(told, SLOT_OUTPUT))
		return answer->is_final || answer->form != ANSWER_SSE;
	if (!is_set(told, SLOT_INPUT) && !is_set(told, SLOT_CACHE_MISS))
		return false;
	/* A body says it once; a stream, and Gemini's array is one, is settled by its last word. */
	return answer->is_final ||
	       (answer->form == ANSWER_JSON && answer->dialect != DIALECT_GEMINI);
}

#define SPEECH_MILLIS_PER_CHARACTER 67    /* 150 words of 6 characters a minute */
#define AUDIO_BYTES_PER_SECOND      16000 /* 128 kbit/s, what MP3 and AAC mostly have */
#define AUDIO_TOKENS_PER_SECOND     10    /* of gpt-4o-transcribe */
#define ERROR_DURATION              500

/* Speech and images without a reported count: estimated from characters, the size of the file, or the request. */
static bool estimate_media(const struct reading *reading, struct charge *ret)
{
	uint64_t millis;

	if (is_operation(reading, "speech") && reading->characters) {
		ret->usage = (struct usage){ .input = reading_input_estimate(reading),
					     .characters = reading->characters,
					     .millis = reading->characters *
						       SPEECH_MILLIS_PER_CHARACTER };
		ret->error_input = ret->usage.input * ERROR_INPUT_TEXT / 1000;
		ret->source = CHARGE_TEXT;
		return true;
	}
	if (is_operation(reading, "transcription") && reading->file_bytes) {
		millis = reading->file_bytes * 1000 / AUDIO_BYTES_PER_SECOND;
		ret->usage = (struct usage){ .audio_input = millis * AUDIO_TOKENS_PER_SECOND / 1000,
					     .millis = millis };
		ret->error_input = ret->usage.audio_input * ERROR_DURATION / 1000;
		ret->source = CHARGE_SIZE;
		return true;
	}
	if (is_operation(reading, "image")) {
		ret->usage = (struct usage){ .images = reading->images_wanted ?
							       reading->images_wanted :
							       1 };
		ret->source = CHARGE_TEXT;
		return true;
	}
	return false;
}

#define SPEECH_BYTES_PER_TOKEN 3200 /* docs/facts/wire.md, "WebSocket traffic" */

/* What was spoken up to where a turn was cut. */
static void add_speech(const struct reading *reading, struct charge *ret)
{
	uint64_t tokens = reading->answer.speech_bytes / SPEECH_BYTES_PER_TOKEN;

	if (tokens <= ret->usage.audio_output)
		return;
	ret->usage.audio_output = tokens;
	ret->error_output += tokens * ERROR_DURATION / 1000;
}

static void settle_estimate(const struct reading *reading, const struct calibration *calibration,
			    struct charge *ret)
{
	struct estimate guess;

	if (reading->status < 400 && estimate_media(reading, ret))
		return;
	ret->source = estimate(reading, calibration, &guess);
	ret->usage = (struct usage){ .input = guess.input, .output = guess.output };
	ret->error_input = guess.input_error;
	ret->error_output = guess.output_error;
	add_speech(reading, ret);
}

enum dialect reading_dialect(const struct reading *reading)
{
	/* Header fields mean what Bedrock's bodies mean. */
	return reading->answer.dialect == DIALECT_NONE ? DIALECT_BEDROCK : reading->answer.dialect;
}

void reading_settle(const struct reading *reading, const struct calibration *calibration,
		    struct charge *ret)
{
	struct usage_slots_usage told;
	bool has_usage;

	told_by(reading, &told);
	has_usage = usage_slots_usage_settle(&told, reading_dialect(reading), &ret->usage) ||
		    (reading_endpoint(reading)->job == JOB_POLL && reading->answer.has_cost);
	if (reading_endpoint(reading)->job == JOB_RESULTS) {
		/* Lines add up, as extras; part of a download is no bill. */
		ret->usage = (struct usage){ 0 };
		ret->source = reading->answer.is_final && reading->answer.extras_count ?
				      CHARGE_USAGE :
				      CHARGE_FREE;
	} else if (reading->is_prewarm || is_free(reading, &told, has_usage) ||
		   (reading_endpoint(reading)->job && (!has_usage || reading->answer.is_foreground ||
						       reading_is_unfinished(reading)))) {
		/* A stored answer that is fetched again was charged when it was made. */
		ret->usage = (struct usage){ 0 };
		ret->source = CHARGE_FREE;
	} else if (reading_endpoint(reading)->unit && reading->status == 200) {
		enum unit unit = reading_endpoint(reading)->unit;

		ret->usage = (struct usage){ .sessions = unit == UNIT_SESSION,
					     .file_searches = unit == UNIT_FILE_SEARCH,
					     .images = unit == UNIT_IMAGE,
					     .queries = unit == UNIT_QUERY };
		ret->source = CHARGE_USAGE;
	} else if (has_usage && is_settled(reading, &told, &ret->usage)) {
		ret->source = CHARGE_USAGE;
	} else if (has_usage) {
		ret->source = CHARGE_PARTIAL;
		settle_partial(reading, calibration, &told, ret);
	} else {
		settle_estimate(reading, calibration, ret);
	}
}
