/* SPDX-License-Identifier: Apache-2.0 */
/* What a call cost, by its usage or by an estimate, and what it teaches the next estimate. */
#include "meter/call_internal.h"

#include <stdio.h>
#include <string.h>

#include "meter/estimate.h"
#include "meter/usage_slots.h"

static enum charge_outcome outcome(const struct call *call)
{
	if (call->status >= 400 || call->answer.has_error)
		return CHARGE_ERROR;
	if (!call->has_head)
		return call->is_over || call->answer_ended ? CHARGE_NO_ANSWER : CHARGE_OK;
	if (call->answer.is_done || call->answer_is_whole)
		return CHARGE_OK;
	return call->is_over || call->answer_ended ? CHARGE_ABORTED : CHARGE_OK;
}

static bool request_is_read(const struct call *call)
{
	return !call->request_is_cut && call->text.count.bytes + call->text.dropped > 0;
}

/* The name that teaches and is taught: the request's own, which is known before any answer. */
static const char *calibrated_model(const struct call *call)
{
	return *call->model ? call->model : call->answer.model;
}

static uint64_t input_estimate(const struct call *call)
{
	struct text_request request = {
		.text = call->text.count,
		.messages = call->messages,
		.images = call->text.dropped,
		.has_tools = call->has_tools,
	};

	return estimate_request(&request, *call->answer.model ? call->answer.model : call->model);
}

/* What of the answer was delivered, in tokens. */
static uint64_t output_estimate(const struct call *call)
{
	const struct answer *answer = &call->answer;
	const char *model = *answer->model ? answer->model : call->model;
	uint64_t events = answer->content_events;
	uint64_t text = estimate_text(&answer->text.count, model);

	if (answer->dialect == DIALECT_ANTHROPIC || answer->dialect == DIALECT_COHERE)
		return estimate_bytes(answer->content_bytes, model);
	/*
	 * One event is one token at most vendors, which is better than any text model; but a
	 * gateway or a newer model may put several into one event, and then the text says more.
	 * docs/facts/wire.md, "Size of stream events".
	 */
	if (answer->dialect == DIALECT_OPENAI && call->provider->event_is_token &&
	    events * 10 >= text * 7)
		return events;
	return text > events ? text : events;
}

/* Of an estimate from text, in thousandths and tokens: docs/facts/wire.md, "Expected errors". */
#define ERROR_INPUT_TEXT   200
#define ERROR_INPUT_LEAST  50 /* however well the last calls came out */
#define ERROR_INPUT_TOKENS 20
#define ERROR_OUTPUT_TEXT  250

static void estimate_input_text(const struct call *call, const struct calibration *calibration,
				struct estimate *ret)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, call->host,
					     calibrated_model(call) };
	uint32_t error;

	if (!calibration_error(calibration, &key, &error))
		error = ERROR_INPUT_TEXT;
	if (error < ERROR_INPUT_LEAST)
		error = ERROR_INPUT_LEAST;
	ret->input = input_estimate(call) * calibration_factor(calibration, &key);
	ret->input = (ret->input + 500) / 1000;
	ret->input_error = ret->input * error / 1000 + ERROR_INPUT_TOKENS;
}

static struct sizes sizes_of(const struct call *call)
{
	const struct answer *answer = &call->answer;
	struct sizes sizes = { .provider = call->provider->name,
			       .host = call->host,
			       .exchanges = 1,
			       .request_bytes = call->request_bytes,
			       .response_bytes =
				       answer->dialect == DIALECT_NONE ? 0 : call->answer_bytes };

	if (answer->form == ANSWER_JSON || answer->form == ANSWER_SSE)
		sizes.form = answer->form;
	return sizes;
}

static enum charge_source estimate(const struct call *call, const struct calibration *calibration,
				   struct estimate *ret)
{
	const struct sizes sizes = sizes_of(call);
	const struct answer *answer = &call->answer;
	enum charge_source source = CHARGE_SIZE;

	estimate_sizes(&sizes, calibration, ret);
	if (request_is_read(call)) {
		estimate_input_text(call, calibration, ret);
		source = CHARGE_TEXT;
	}
	if (answer->form == ANSWER_SSE && !answer->has_gap) {
		ret->output = output_estimate(call);
		ret->output_error = ret->output * ERROR_OUTPUT_TEXT / 1000;
	} else if (call->has_head && answer->form != ANSWER_UNKNOWN && answer->dialect) {
		source = CHARGE_SIZE;
	}
	if (call->status >= 400 || !strcmp(call->endpoint->operation, "embeddings"))
		ret->output = ret->output_error = 0;
	return source;
}

/*
 * True if nothing is billed, or if the request never left the host:
 * docs/facts/wire.md, "What is billed when a call fails".
 */
static bool is_free(const struct call *call, bool has_usage)
{
	const struct answer *answer = &call->answer;

	if (has_usage)
		return false;
	if (call->status >= 400)
		return !provider_bills_status(call->provider, call->status);
	if (answer->has_error)
		return !answer->content_events;
	return !call->has_head && call->is_over && !call->request_is_whole;
}

/*
 * Keeps what a cut stream reported and estimates the rest:
 * docs/facts/wire.md, "What is billed when a stream is cut".
 */
static void settle_partial(const struct call *call, const struct calibration *calibration,
			   struct charge *ret)
{
	const uint32_t input = 1u << SLOT_INPUT | 1u << SLOT_CACHE_MISS;
	struct estimate guess;
	uint64_t output = output_estimate(call);

	(void)estimate(call, calibration, &guess);
	if (!(call->answer.slots.has & input) && call->answer.dialect != DIALECT_GEMINI) {
		ret->usage.input = guess.input;
		ret->error_input = guess.input_error;
	}
	ret->error_output = output * ERROR_OUTPUT_TEXT / 1000;
	/* Text that was not captured is in the sizes alone. */
	if (call->answer.has_gap && guess.output > output) {
		output = guess.output;
		ret->error_output = guess.output_error;
	}
	if (output > ret->usage.output)
		ret->usage.output = output;
}

/* Sets usage, its expected error and the source. */
static void settle(const struct call *call, const struct calibration *calibration,
		   struct charge *ret)
{
	const struct answer *answer = &call->answer;
	bool has_usage = usage_slots_usage_settle(&answer->slots, answer->dialect, &ret->usage);
	bool has_input = answer->slots.has & (1u << SLOT_INPUT | 1u << SLOT_CACHE_MISS);
	struct estimate guess;

	if (is_free(call, has_usage)) {
		ret->usage = (struct usage){ 0 };
		ret->source = CHARGE_FREE;
	} else if (!has_usage) {
		ret->source = estimate(call, calibration, &guess);
		ret->usage = (struct usage){ .input = guess.input, .output = guess.output };
		ret->error_input = guess.input_error;
		ret->error_output = guess.output_error;
	} else if (has_input && (answer->is_final || (answer->form == ANSWER_JSON &&
						      answer->dialect != DIALECT_GEMINI))) {
		/* A body says it once; a stream, and Gemini's array is one, is settled by its last word. */
		ret->source = CHARGE_USAGE;
	} else {
		ret->source = CHARGE_PARTIAL;
		settle_partial(call, calibration, ret);
	}
}

static void add_words(char *tier, size_t size, const char *word)
{
	size_t len = strlen(tier);

	if (*word)
		snprintf(tier + len, size - len, "%s%s", len ? " " : "", word);
}

static void fill(const struct call *call, struct charge *ret)
{
	const struct answer *answer = &call->answer;

	memset(ret, 0, sizeof(*ret));
	snprintf(ret->provider, sizeof(ret->provider), "%s", call->provider->name);
	snprintf(ret->operation, sizeof(ret->operation), "%s", call->endpoint->operation);
	memcpy(ret->host, call->host, sizeof(ret->host));
	memcpy(ret->path, call->path, sizeof(ret->path));
	memcpy(ret->model, *answer->model ? answer->model : call->model, sizeof(ret->model));
	ret->status = call->status;
	ret->outcome = outcome(call);
	ret->is_stream = answer->form == ANSWER_SSE ||
			 (answer->form == ANSWER_UNKNOWN && call->wants_stream);
	ret->request_bytes = call->request_bytes;
	ret->response_bytes = call->answer_bytes;
	ret->start_mono_ns = call->start_ns;
	ret->first_token_ns = call->first_token_ns;
	ret->duration_ns = call->end_ns > call->start_ns ? call->end_ns - call->start_ns : 0;
}

/* Iterations at models of their own are priced there and added: money and tokens. */
static void add_extras(const struct call *call, const struct prices *prices, const char *tier,
		       struct charge *ret)
{
	for (size_t i = 0; i < call->answer.extras_count; i++) {
		const struct extra *extra = &call->answer.extras[i];
		struct charge part = *ret;

		part.usage = extra->usage;
		if (*extra->model)
			memcpy(part.model, extra->model, sizeof(part.model));
		prices_apply(prices, tier, &part);
		ret->is_priced &= part.is_priced;
		ret->cost_nanos += part.cost_nanos;
		ret->budget_nanos += part.budget_nanos;
		usage_add(&ret->usage, &extra->usage);
	}
	if (!ret->is_priced)
		ret->cost_nanos = 0;
}

void call_charge(const struct call *call, const struct prices *prices,
		 const struct calibration *calibration, struct charge *ret)
{
	const struct answer *answer = &call->answer;
	char tier[4 * TIER_LEN] = "";

	fill(call, ret);
	settle(call, calibration, ret);
	if (call->endpoint->tier)
		add_words(tier, sizeof(tier), call->endpoint->tier);
	add_words(tier, sizeof(tier), answer->tier);
	add_words(tier, sizeof(tier), answer->speed);
	add_words(tier, sizeof(tier), answer->geo);
	if (answer->has_cost && ret->source != CHARGE_FREE) {
		ret->source = CHARGE_PROVIDER;
		ret->error_input = ret->error_output = 0;
		ret->cost_nanos = ret->budget_nanos = (int64_t)answer->cost_nanos;
		ret->is_priced = true;
		return;
	}
	if (ret->source == CHARGE_FREE || call->provider->is_subscription) {
		ret->is_priced = true;
		return;
	}
	prices_apply(prices, tier, ret);
	if (ret->source == CHARGE_USAGE || ret->source == CHARGE_PARTIAL)
		add_extras(call, prices, tier, ret);
}

void call_teach(const struct call *call, struct calibration *calibration)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, call->host,
					     calibrated_model(call) };
	struct sizes sizes = sizes_of(call);
	struct usage usage;
	uint64_t input;

	if (!call->request_is_whole || !call->answer.is_final ||
	    !usage_slots_usage_settle(&call->answer.slots, call->endpoint->dialect, &usage))
		return;
	input = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h +
		usage.audio_input;
	if (request_is_read(call) && input)
		calibration_learn(calibration, &key, input_estimate(call), input);
	sizes.response_bytes = call->answer_plain_bytes;
	if (sizes.form != ANSWER_UNKNOWN)
		estimate_sizes_learn(&sizes, calibration, input, usage.output + usage.audio_output);
}
