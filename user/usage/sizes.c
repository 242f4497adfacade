/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens from sizes alone: constants of the provider (docs/facts/wire.md, "Size constants"),
 * corrected by what the tenant's measured calls of the same host taught, and how far that may be off.
 */
#include "usage/estimate.h"

#include <string.h>

/* Tenths of a byte per token, and by how many thousandths a stream's may be off. */
struct size_row {
	const char *provider;
	uint32_t text; /* of a request, and of an answer that is one JSON */
	uint32_t stream, stream_error;
};

static const struct size_row size_rows[] = {
	/* The newer Claude's 2.9 for requests: the dearer reading of an unseen model. */
	{ "anthropic", 29, 280, 600 },
	{ "openai", 42, 2970, 500 },
	{ "azure.ai.openai", 42, 2970, 500 },
	{ "gcp.gemini", 42, 200, 700 },
	{ "gcp.vertex_ai", 42, 200, 700 },
	{ "deepseek", 40, 2800, 500 },
	{ "groq", 42, 2800, 500 },
	{ "openrouter", 42, 2800, 500 },
	{ "mistral_ai", 36, 2220, 500 },
	{ "cohere", 36, 1110, 500 },
	{ "aws.bedrock", 37, 1250, 500 },
	{ NULL, 42, 2800, 500 },
};

/* Of each body: structure that is no text (docs/facts/wire.md, "Size of stream events"). */
#define REQUEST_FIXED 200
#define ANSWER_FIXED  600
/*
 * A JSON answer comes as gzip (0.53 of its size if short, 0.4 if long) or as it is,
 * by what its client offered, which is not seen. So it is taken for 1.6 times as large as what was sent, and
 * the error reaches both, whatever other calls taught. Streams are not compressed
 * (docs/facts/wire.md, "Content encoding of answers").
 */
#define SENT_TENTHS    16
#define ERROR_ENCODING 500
/* Up to here an answer of unknown form is more likely one JSON than a stream. */
#define JSON_MAX 16384

#define ERROR_REQUEST 400 /* thousandths: docs/facts/wire.md, "Expected errors" */
#define ERROR_JSON    650
/* And of each exchange so many tokens, for heads and structure that are more or less than is taken off. */
#define ERROR_REQUEST_TOKENS 100
#define ERROR_ANSWER_TOKENS  150
/* What other calls taught is not known to hold for this one, which nobody could read. */
#define ERROR_LEAST 200

static const struct size_row *row_of(const char *provider)
{
	const struct size_row *row = size_rows;

	while (row->provider && (!provider || strcmp(row->provider, provider)))
		row++;
	return row;
}

static enum answer_form form_of(const struct sizes *sizes)
{
	if (sizes->form != ANSWER_UNKNOWN)
		return sizes->form;
	return sizes->response_bytes <= JSON_MAX * sizes->exchanges ? ANSWER_JSON : ANSWER_SSE;
}

/* A third of a body is text at the least: small calls cost something, too. */
static uint64_t beyond(uint64_t bytes, uint64_t fixed)
{
	uint64_t least = bytes / 3;

	return bytes > fixed + least ? bytes - fixed : least;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* By the constants alone: what the calibration corrects. */
static void slots(const struct sizes *sizes, bool is_decoded, uint64_t *ret_input,
		  uint64_t *ret_output)
{
	const struct size_row *row = row_of(sizes->provider);
	uint64_t n = sizes->exchanges, answer = sizes->response_bytes;
	bool is_stream = form_of(sizes) == ANSWER_SSE;

	if (!is_stream && !is_decoded)
		answer = answer * SENT_TENTHS / 10;
	*ret_input = beyond(sizes->request_bytes, n * REQUEST_FIXED) * 10 / row->text;
	*ret_output = beyond(answer, n * ANSWER_FIXED) * 10 / (is_stream ? row->stream : row->text);
}

static struct calibration_key key_of(const struct sizes *sizes, bool is_output)
{
	bool is_stream = form_of(sizes) == ANSWER_SSE;
	enum calibrated what = is_output ? CALIBRATED_JSON_OUTPUT : CALIBRATED_JSON_INPUT;

	if (is_stream)
		what = is_output ? CALIBRATED_STREAM_OUTPUT : CALIBRATED_STREAM_INPUT;
	return (struct calibration_key){ what, sizes->tenant, sizes->host, "" };
}

static void correct(const struct calibration *calibration, const struct calibration_key *key,
		    uint32_t error, uint64_t *tokens, uint64_t *ret_error)
{
	uint32_t least = key->what == CALIBRATED_JSON_OUTPUT ? ERROR_ENCODING : ERROR_LEAST, learned;

	*tokens = (*tokens * calibration_factor(calibration, key) + 500) / 1000;
	if (calibration_error(calibration, key, &learned))
		error = learned > least ? learned : least;
	*ret_error = *tokens * error / 1000;
}

/* As if the answer were certainly of the form that form_of() takes it for. */
static void estimate_known(const struct sizes *sizes, const struct calibration *calibration,
			   struct estimate *ret)
{
	const struct calibration_key in = key_of(sizes, false), out = key_of(sizes, true);
	uint32_t output_error = form_of(sizes) == ANSWER_SSE ?
					row_of(sizes->provider)->stream_error :
					ERROR_JSON;

	slots(sizes, false, &ret->input, &ret->output);
	correct(calibration, &in, ERROR_REQUEST, &ret->input, &ret->input_error);
	correct(calibration, &out, output_error, &ret->output, &ret->output_error);
	ret->input_error += sizes->exchanges * ERROR_REQUEST_TOKENS;
	ret->output_error += sizes->exchanges * ERROR_ANSWER_TOKENS;
	ret->input_under = least(ret->input_error, ret->input);
	ret->output_under = least(ret->output_error, ret->output);
}

/* A stream has a hundred times the bytes of a document of as many tokens: the range reaches over both. */
static void widen(struct estimate *estimate, const struct estimate *other)
{
	uint64_t low = least(estimate->output - estimate->output_under,
			     other->output - other->output_under);

	if (other->output + other->output_error > estimate->output + estimate->output_error)
		estimate->output_error = other->output + other->output_error - estimate->output;
	estimate->output_under = estimate->output - low;
}

void estimate_sizes(const struct sizes *sizes, const struct calibration *calibration,
		    struct estimate *ret)
{
	struct sizes either = *sizes;
	struct estimate other;

	estimate_known(sizes, calibration, ret);
	if (sizes->form != ANSWER_UNKNOWN)
		return;
	either.form = form_of(sizes) == ANSWER_SSE ? ANSWER_JSON : ANSWER_SSE;
	estimate_known(&either, calibration, &other);
	widen(ret, &other);
}

void estimate_sizes_learn(const struct sizes *sizes, struct calibration *calibration,
			  uint64_t input, uint64_t output)
{
	const struct calibration_key in = key_of(sizes, false), out = key_of(sizes, true);
	uint64_t usage_slots_input, usage_slots_output;

	slots(sizes, true, &usage_slots_input, &usage_slots_output);
	calibration_learn(calibration, &in, usage_slots_input, input);
	calibration_learn(calibration, &out, usage_slots_output, output);
}
