/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"
#include "meter/answer.h"
#include "meter/estimate.h"
#include "meter/provider.h"
#include "meter/raw.h"

struct call {
	const struct api_provider *provider;
	const struct endpoint *endpoint;
	char host[CHARGE_HOST_LEN];
	char path[CHARGE_PATH_LEN];
	char model[CHARGE_MODEL_LEN];	/* the request's */
	uint64_t start_ns, first_token_ns, end_ns;

	struct json_scan scan;		/* of the request */
	struct json_sink sink;
	struct text_meter text;
	uint64_t messages;
	bool has_tools;
	bool wants_stream, includes_usage;
	bool request_is_cut;		/* bytes lost, or no JSON */
	bool request_ended, request_is_whole;
	uint64_t request_bytes;

	bool has_head;			/* of the answer */
	bool answer_ended, answer_is_whole;
	bool is_over;			/* call_end() */
	int status;
	uint64_t answer_bytes;
	uint64_t answer_plain_bytes;	/* decoded */
	struct answer answer;
};

/* Strings of a request that are no text for the model. */
static const char *const request_mute[] = {
	"model", "role", "type", "id", "tool_use_id", "tool_call_id", "call_id", "media_type",
	"url", "image_url", "file_id", "encrypted_content", "signature", "thoughtSignature", "user",
	"service_tier", "mimeType", "previous_response_id", NULL,
};

static void take_request(void *arg, int id, enum json_kind kind, const char *key, const char *text,
			 bool is_cut)
{
	struct call *call = arg;

	(void)key;
	(void)is_cut;
	switch (id) {
	case REQUEST_MODEL:
		if (kind == JSON_IS_STRING && *text)
			snprintf(call->model, sizeof(call->model), "%s", text);
		break;
	case REQUEST_STREAM:
		call->wants_stream = kind == JSON_IS_TRUE;
		break;
	case REQUEST_INCLUDE_USAGE:
		call->includes_usage = kind == JSON_IS_TRUE;
		break;
	case REQUEST_ROLE:
		call->messages++;
		break;
	case REQUEST_TOOL:
		call->has_tools = true;
		break;
	}
}

static void take_text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct call *call = arg;

	text_meter_take(&call->text, what, bytes, len);
}

struct call *call_new(const struct http_head *request, const char *host, uint64_t time_ns)
{
	const struct api_provider *provider;
	const struct endpoint *endpoint;
	struct call *call;

	if (*request->host)
		host = request->host;
	provider = api_find(host);
	/* The header names the dialect on any host (facts of the wire, 5.1). */
	if (!provider && request->has_anthropic_version)
		provider = provider_by_name("anthropic");
	if (!provider || strcmp(request->method, "POST") || request->path_is_cut)
		return NULL;
	endpoint = endpoint_find(provider, request->path);
	if (!endpoint)
		return NULL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->provider = provider;
	call->endpoint = endpoint;
	call->start_ns = time_ns;
	snprintf(call->host, sizeof(call->host), "%s", host ? host : "");
	snprintf(call->path, sizeof(call->path), "%.*s", CHARGE_PATH_LEN - 1, request->path);
	path_model(request->path, call->model, sizeof(call->model));
	call->sink = (struct json_sink){
		.value = take_request,
		.text = take_text,
		.mute = request_mute,
		.arg = call,
	};
	json_init(&call->scan, request_keys(), &call->sink);
	answer_init(&call->answer, endpoint->dialect, HTTP_CONTENT_NONE, false);
	return call;
}

struct call *call_free(struct call *call)
{
	if (!call)
		return NULL;
	answer_done(&call->answer);
	free(call);
	return NULL;
}

/* Whether the stream will tell its usage: facts of the wire, 4.1. */
static bool expects_usage(const struct call *call)
{
	if (call->endpoint->dialect != DIALECT_OPENAI)
		return true;
	return call->includes_usage || call->provider->always_tells_usage ||
	       !strstr(call->endpoint->tail, "completions");
}

static void take_head(struct call *call, const struct http_head *head)
{
	uint64_t nanos;

	if (call->has_head)
		return;
	call->has_head = true;
	call->status = head->status;
	answer_init(&call->answer, call->endpoint->dialect, head->content, expects_usage(call));
	if (*head->provider_cost && decimal_read(head->provider_cost, 9, &nanos) &&
	    nanos <= 1000000ULL * NANOS_PER_USD) {
		call->answer.has_cost = true;
		call->answer.cost_nanos = nanos;
	}
}

static void feed_request(struct call *call, const struct http_piece *piece)
{
	if (piece->type == HTTP_END) {
		call->request_ended = true;
		call->request_is_whole = piece->is_whole;
		call->request_bytes = piece->wire_bytes;
		return;
	}
	if (piece->type != HTTP_BODY || call->request_ended)
		return;
	call->request_bytes += piece->len + piece->lost_bytes;
	if (piece->lost_bytes)
		call->request_is_cut = true;
	if (!call->request_is_cut && piece->len &&
	    json_feed(&call->scan, piece->bytes, piece->len) == JSON_BAD)
		call->request_is_cut = true;
}

static void feed_answer(struct call *call, const struct http_piece *piece, uint64_t time_ns)
{
	switch (piece->type) {
	case HTTP_HEAD:
		take_head(call, piece->head);
		break;
	case HTTP_BODY:
		call->answer_bytes += piece->len + piece->lost_bytes;
		call->answer_plain_bytes += piece->len;
		if (piece->lost_bytes)
			answer_gap(&call->answer);
		if (piece->len)
			answer_feed(&call->answer, piece->bytes, piece->len);
		if (call->answer.has_content && !call->first_token_ns && time_ns > call->start_ns)
			call->first_token_ns = time_ns - call->start_ns;
		break;
	case HTTP_END:
		call->answer_ended = true;
		call->answer_is_whole = piece->is_whole;
		call->answer_bytes = piece->wire_bytes;
		answer_end(&call->answer, piece->is_whole);
		break;
	}
}

void call_feed(struct call *call, const struct http_piece *piece, uint64_t time_ns)
{
	if (call->is_over || call->answer_ended)
		return;
	if (time_ns > call->end_ns)
		call->end_ns = time_ns;
	if (piece->side == HTTP_REQUEST)
		feed_request(call, piece);
	else
		feed_answer(call, piece, time_ns);
}

bool call_is_done(const struct call *call)
{
	/*
	 * A server may refuse before it has read the whole request; and a request whose tail was
	 * not captured need not be waited for once its usage is told.
	 */
	return call->answer.is_done ||
	       (call->answer_ended &&
		(call->request_ended || call->status >= 400 || call->answer.is_final));
}

void call_end(struct call *call, uint64_t time_ns)
{
	if (call->is_over)
		return;
	call->is_over = true;
	if (time_ns > call->end_ns && !call_is_done(call))
		call->end_ns = time_ns;
	if (!call->answer_ended)
		answer_end(&call->answer, false);
}

static enum charge_outcome outcome(const struct call *call)
{
	if (call->status >= 400 || call->answer.has_error)
		return CHARGE_ERROR;
	if (!call->has_head)
		return call->is_over ? CHARGE_NO_ANSWER : CHARGE_OK;
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
	 * One event is one token at most vendors (6.1), which is better than any text model; but a
	 * gateway or a newer model may put several into one event, and then the text says more.
	 */
	if (answer->dialect == DIALECT_OPENAI && call->provider->event_is_token &&
	    events * 10 >= text * 7)
		return events;
	return text > events ? text : events;
}

/* What the text says may be off by so many thousandths and a few tokens (facts of the wire, 6.6). */
#define ERROR_INPUT_TEXT 200
#define ERROR_INPUT_LEAST 50	/* however well the last calls came out */
#define ERROR_INPUT_TOKENS 20
#define ERROR_OUTPUT_TEXT 250

static void estimate_input_text(const struct call *call, const struct calibration *calibration,
				struct estimate *ret)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, call->host, calibrated_model(call) };
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
	struct sizes sizes = { .provider = call->provider->name, .host = call->host, .exchanges = 1,
			       .request_bytes = call->request_bytes,
			       .response_bytes = answer->dialect == DIALECT_NONE ? 0 : call->answer_bytes };

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

/* True if nothing is billed: facts of the wire, 4.2, and nothing that never left. */
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

/* A stream that was cut: what was told stands, the rest is estimated (4.3). */
static void settle_partial(const struct call *call, const struct calibration *calibration,
			   struct charge *ret)
{
	const uint32_t input = 1u << SLOT_INPUT | 1u << SLOT_CACHE_MISS;
	struct estimate guess;
	uint64_t output = output_estimate(call);

	(void)estimate(call, calibration, &guess);
	if (!(call->answer.raw.has & input) && call->answer.dialect != DIALECT_GEMINI) {
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
static void settle(const struct call *call, const struct calibration *calibration, struct charge *ret)
{
	const struct answer *answer = &call->answer;
	bool has_usage = raw_usage_settle(&answer->raw, answer->dialect, &ret->usage);
	bool has_input = answer->raw.has & (1u << SLOT_INPUT | 1u << SLOT_CACHE_MISS);
	struct estimate guess;

	if (is_free(call, has_usage)) {
		ret->usage = (struct usage){ 0 };
		ret->source = CHARGE_FREE;
	} else if (!has_usage) {
		ret->source = estimate(call, calibration, &guess);
		ret->usage = (struct usage){ .input = guess.input, .output = guess.output };
		ret->error_input = guess.input_error;
		ret->error_output = guess.output_error;
	} else if (has_input && (answer->is_final ||
				 (answer->form == ANSWER_JSON && answer->dialect != DIALECT_GEMINI))) {
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
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, call->host, calibrated_model(call) };
	struct sizes sizes = sizes_of(call);
	struct usage usage;
	uint64_t input;

	if (!call->request_is_whole || !call->answer.is_final ||
	    !raw_usage_settle(&call->answer.raw, call->endpoint->dialect, &usage))
		return;
	input = usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h +
		usage.audio_input;
	if (request_is_read(call) && input)
		calibration_learn(calibration, &key, input_estimate(call), input);
	sizes.response_bytes = call->answer_plain_bytes;
	if (sizes.form != ANSWER_UNKNOWN)
		estimate_sizes_learn(&sizes, calibration, input, usage.output + usage.audio_output);
}
