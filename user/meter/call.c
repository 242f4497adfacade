/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/call_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/decimal.h"

/* Strings of a request that are no text for the model. */
static const char *const request_mute[] = {
	"model",       "role",
	"type",        "id",
	"tool_use_id", "tool_call_id",
	"call_id",     "media_type",
	"url",         "image_url",
	"file_id",     "encrypted_content",
	"signature",   "thoughtSignature",
	"user",        "service_tier",
	"mimeType",    "previous_response_id",
	NULL,
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
	/* The header names the dialect on any host (docs/facts/wire.md, "Anthropic"). */
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

/* Whether the stream will contain its usage: docs/facts/wire.md, "Usage in streams". */
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
