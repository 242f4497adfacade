/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/call_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "http/grpc.h"
#include "http/head.h"
#include "meter/redact.h"

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

/* The picture in hand is complete, since another begins or the request ends. */
static void end_picture(struct call *call)
{
	if (!call->picture.is_set)
		return;
	call->reading.picture_tokens += picture_tokens(&call->picture, call->reading.model);
	call->reading.pictures++;
	memset(&call->picture, 0, sizeof(call->picture));
}

static void set_count(uint64_t *to, const char *text)
{
	if (!decimal_count(text, to) || *to > 1000000)
		*to = 0;
}

/* Pictures shown and wanted, and how long a video is to be. */
static void take_media(struct call *call, int id, enum json_kind kind, const char *text)
{
	switch (id) {
	case REQUEST_IMAGE:
		if (kind != JSON_IS_STRING)
			break;
		end_picture(call);
		picture_read(&call->picture, text);
		break;
	case REQUEST_PART:
		/* Its detail may stand before its picture. */
		if (kind == JSON_IS_BEGIN)
			end_picture(call);
		break;
	case REQUEST_SHOWN:
		call->reading.images_shown += kind == JSON_IS_STRING && *text;
		break;
	case REQUEST_DETAIL:
		call->picture.is_low = kind == JSON_IS_STRING && !strcmp(text, "low");
		break;
	case REQUEST_SIZE:
		if (kind == JSON_IS_STRING)
			snprintf(call->reading.size, sizeof(call->reading.size), "%s", text);
		break;
	case REQUEST_QUALITY:
		if (kind == JSON_IS_STRING)
			snprintf(call->reading.quality, sizeof(call->reading.quality), "%s", text);
		break;
	case REQUEST_COUNT:
		set_count(&call->reading.images_wanted, text);
		break;
	case REQUEST_SECONDS:
		set_count(&call->reading.seconds_wanted, text);
		break;
	}
}

static void take_request(void *arg, int id, enum json_kind kind, const char *key, const char *text,
			 bool is_cut)
{
	struct call *call = arg;

	(void)key;
	(void)is_cut;
	switch (id) {
	case REQUEST_MODEL:
		/* Bedrock's path says it better: the profile, where a body may have the bare model. */
		if (kind == JSON_IS_STRING && *text && !call->reading.model_is_path)
			snprintf(call->reading.model, sizeof(call->reading.model), "%s", text);
		break;
	case REQUEST_STREAM:
		call->reading.wants_stream = kind == JSON_IS_TRUE;
		break;
	case REQUEST_INCLUDE_USAGE:
		call->includes_usage = kind == JSON_IS_TRUE;
		break;
	case REQUEST_ROLE:
		call->reading.messages++;
		break;
	case REQUEST_TOOL:
		call->reading.has_tools = true;
		break;
	case REQUEST_BACKGROUND:
		call->reading.is_background = kind == JSON_IS_TRUE;
		break;
	case REQUEST_DEFERRED:
		call->reading.is_deferred |= kind == JSON_IS_TRUE;
		break;
	case REQUEST_GENERATE:
		call->reading.is_prewarm = call->reading.is_turn && kind == JSON_IS_FALSE;
		break;
	case REQUEST_SEARCH:
		call->reading.searches |= kind == JSON_IS_BEGIN;
		break;
	case REQUEST_CONTEXT:
		if (kind == JSON_IS_STRING)
			snprintf(call->reading.context, sizeof(call->reading.context), "%s", text);
		break;
	case REQUEST_CONTAINER:
		call->reading.has_container |= kind == JSON_IS_STRING;
		break;
	case REQUEST_UNREAD:
		call->reading.request_is_cut = true;
		break;
	default:
		take_media(call, id, kind, text);
	}
}

static void take_text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct call *call = arg;

	/* What is to be spoken is billed by its characters: "input", "text" at others. */
	if (what == JSON_TEXT_BEGIN && !call->grpc)
		call->counts_spoken = call->scan.depth == 1 && (!strcmp(call->scan.key, "input") ||
								!strcmp(call->scan.key, "text"));
	if (what == JSON_TEXT_SPAN && call->counts_spoken)
		for (size_t i = 0; i < len; i++)
			call->reading.characters += (bytes[i] & 0xc0) != 0x80;
	text_meter_take(&call->text, what, bytes, len);
}

/* The same of a form. */
static void take_field(void *arg, const char *name, const char *value)
{
	static const struct {
		const char *name;
		int id;
	} fields[] = {
		{ "model", REQUEST_MODEL },   { "model_id", REQUEST_MODEL },
		{ "size", REQUEST_SIZE },     { "quality", REQUEST_QUALITY },
		{ "n", REQUEST_COUNT },       { "seconds", REQUEST_SECONDS },
		{ "stream", REQUEST_STREAM },
	};
	struct call *call = arg;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!strcmp(fields[i].name, name))
			take_request(call, fields[i].id,
				     strcmp(value, "true") ? JSON_IS_STRING : JSON_IS_TRUE, name,
				     value, false);
	if (!strcmp(name, "prompt"))
		text_count_feed(&call->text.count, (const uint8_t *)value, strlen(value));
}

/* The later word wins: an answer says what a request only asks for. */
static void take_account(struct call *call, const struct http_head *head)
{
	if (*head->organisation)
		memcpy(call->reading.organisation, head->organisation,
		       sizeof(call->reading.organisation));
	if (*head->project)
		memcpy(call->reading.project, head->project, sizeof(call->reading.project));
}

/* Vertex: ".../projects/acme/locations/..." */
static void take_path_project(struct call *call, const char *path)
{
	const char *at = strstr(path, "/projects/");
	size_t len = at ? strcspn(at + 10, "/") : 0;

	if (len && len < sizeof(call->reading.project) &&
	    !strcmp(call->provider->name, "gcp.vertex_ai"))
		head_set_word(call->reading.project, sizeof(call->reading.project), at + 10, len);
}

/* A message of a gRPC request, whose model is "models/M", or Vertex's path to it. */
static void take_message(void *arg, enum grpc_edge edge)
{
	struct call *call = arg;
	char path[CHARGE_MODEL_LEN + 1];
	const char *slash;

	if (edge == GRPC_MESSAGE_FAILS)
		call->reading.request_is_cut = true;
	if (edge == GRPC_MESSAGE_BEGINS)
		return;
	snprintf(path, sizeof(path), "/%s", call->reading.model);
	take_path_project(call, path);
	slash = strrchr(call->reading.model, '/');
	if (slash)
		memmove(call->reading.model, slash + 1, strlen(slash + 1) + 1);
}

static void use_grpc(struct call *call, enum http_encoding encoding)
{
	const struct protobuf_node *wanted = request_protobuf(call->endpoint->protobuf);

	call->reading.wants_stream = call->endpoint->is_stream;
	call->reading.is_grpc = true;
	call->grpc = grpc_reader_new(encoding, wanted, &call->sink, take_message);
	call->reading.request_is_cut = !wanted || !call->grpc;
}

struct call *call_new(const struct http_head *request, const char *host, uint64_t time_ns)
{
	const struct api_provider *provider;
	const struct endpoint *endpoint;
	struct call *call;

	if (*request->host)
		host = api_host(host, request->host);
	provider = api_find(host);
	/* The header names the dialect on any host (docs/facts/wire.md, "Anthropic"). */
	if (!provider && request->has_anthropic_version)
		provider = provider_by_name("anthropic");
	if (!provider || request->path_is_cut)
		return NULL;
	endpoint = request->is_websocket ? endpoint_find_session(provider, request->path) :
					   endpoint_find(provider, request->method, request->path);
	if (!endpoint)
		return NULL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return NULL;
	call->provider = provider;
	call->speaker = provider_behind(provider, request->path);
	if (!call->speaker)
		call->speaker = provider;
	call->endpoint = endpoint;
	call->reading.provider = (uint32_t)api_number(provider);
	call->reading.speaker = (uint32_t)api_number(call->speaker);
	call->reading.endpoint = (uint32_t)endpoint_number(endpoint);
	/* It is the word of whoever calls, and may hold a key like any other text of theirs. */
	redact_path(request->client, call->reading.client, sizeof(call->reading.client));
	memcpy(call->reading.api_key, request->api_key, sizeof(call->reading.api_key));
	call->reading.is_deferred = endpoint->is_deferred;
	call->reading.start_ns = time_ns;
	snprintf(call->reading.host, sizeof(call->reading.host), "%s", host ? host : "");
	snprintf(call->reading.path, sizeof(call->reading.path), "%.*s", CHARGE_PATH_LEN - 1,
		 request->path);
	take_path_project(call, request->path);
	take_account(call, request);
	path_model(request->path, call->reading.model, sizeof(call->reading.model));
	call->reading.model_is_path = *call->reading.model &&
				      !strcmp(call->speaker->name, "aws.bedrock");
	call->reading.is_turn = request->is_websocket;
	call->names_itself = request->ids[0] || request->ids[1];
	if (!*call->reading.model)
		memcpy(call->reading.model, request->model, sizeof(request->model));
	if (endpoint->model)
		snprintf(call->reading.model, sizeof(call->reading.model), "%s", endpoint->model);
	if (endpoint->path_is_model)
		snprintf(call->reading.model, sizeof(call->reading.model), "%s", request->path + 1);
	call->is_form = request->content == HTTP_CONTENT_MULTIPART;
	call->sink = (struct json_sink){
		.value = take_request,
		.text = take_text,
		.mute = request_mute,
		.arg = call,
	};
	json_init(&call->scan, request_keys(), &call->sink);
	if (request->content == HTTP_CONTENT_GRPC)
		use_grpc(call, request->grpc_encoding);
	answer_init(&call->answer, &call->reading.answer, endpoint->dialect, HTTP_CONTENT_NONE,
		    false);
	return call;
}

struct call *call_free(struct call *call)
{
	if (!call)
		return NULL;
	answer_done(&call->answer);
	grpc_reader_free(call->grpc);
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

/* Bedrock's InvokeModel gives counts in header fields, also for models whose bodies have none. */
static void take_tokens(struct call *call, const struct http_head *head)
{
	static const enum slot slots[] = {
		[HTTP_TOKENS_IN] = SLOT_INPUT,
		[HTTP_TOKENS_OUT] = SLOT_OUTPUT,
		[HTTP_TOKENS_READ] = SLOT_CACHE_READ,
		[HTTP_TOKENS_WRITTEN] = SLOT_WRITE,
	};

	if (strcmp(call->speaker->name, "aws.bedrock"))
		return;
	for (size_t i = 0; i < HTTP_TOKENS; i++)
		if (head->has_tokens >> i & 1) {
			call->reading.header.slots[slots[i]] = head->tokens[i];
			call->reading.header.has |= 1u << slots[i];
		}
}

static void take_head(struct call *call, const struct http_head *head)
{
	uint64_t nanos;

	if (call->reading.has_head)
		return;
	call->reading.has_head = true;
	call->reading.status = head->status;
	take_account(call, head);
	answer_init(&call->answer, &call->reading.answer, call->endpoint->dialect, head->content,
		    expects_usage(call));
	call->answer.is_lines = call->endpoint->job == JOB_RESULTS;
	if (head->content == HTTP_CONTENT_GRPC)
		answer_use_grpc(&call->answer, head->grpc_encoding,
				usage_protobuf(call->endpoint->protobuf), call->endpoint->is_stream);
	snprintf(call->reading.answer.tier, sizeof(call->reading.answer.tier), "%s", head->tier);
	take_tokens(call, head);
	/* What the caller itself chose says nothing of who answered. */
	if (!call->names_itself)
		memcpy(call->reading.ids, head->ids, sizeof(call->reading.ids));
	/*
	 * LiteLLM writes 0 for an answer out of its own cache, which it then names, and for a model that it has
	 * no price for, which is no figure.
	 */
	if (*head->provider_cost && decimal_read(head->provider_cost, 9, &nanos) &&
	    nanos <= 1000000ULL * NANOS_PER_USD && (nanos || head->is_cache_hit)) {
		call->reading.answer.has_cost = true;
		call->reading.answer.cost_nanos = nanos;
	}
}

static void feed_request(struct call *call, const struct http_piece *piece)
{
	if (piece->type == HTTP_END) {
		end_picture(call);
		if (call->grpc && !grpc_reader_end(call->grpc))
			call->reading.request_is_cut = true;
		call->request_ended = true;
		call->reading.request_is_whole = piece->is_whole;
		call->reading.request_bytes = piece->wire_bytes;
		return;
	}
	if (piece->type != HTTP_BODY || call->request_ended)
		return;
	call->reading.request_bytes += piece->len + piece->lost_bytes;
	if (piece->lost_bytes)
		call->reading.request_is_cut = true;
	if (call->grpc)
		grpc_reader_feed(call->grpc, piece);
	else if (call->is_form)
		form_feed(&call->form, piece->bytes, piece->len, take_field, call);
	else if (!call->reading.request_is_cut && piece->len &&
		 json_feed(&call->scan, piece->bytes, piece->len) == JSON_BAD)
		call->reading.request_is_cut = true;
}

/*
 * gRPC has its errors in trailers, below an HTTP status of 200. One that comes before any content is an error status, as
 * the same method's answer over plain HTTP would have it; one that comes later is an error of a stream.
 */
static void take_grpc_status(struct call *call, unsigned status)
{
	if (!status)
		return;
	call->reading.answer.has_error = true;
	if (!call->reading.answer.content_events)
		call->reading.status = grpc_http_status(status);
}

static void feed_answer(struct call *call, const struct http_piece *piece, uint64_t time_ns)
{
	switch (piece->type) {
	case HTTP_HEAD:
		take_head(call, piece->head);
		break;
	case HTTP_BODY:
		call->reading.answer_bytes += piece->len + piece->lost_bytes;
		call->reading.answer_plain_bytes += piece->len;
		if (piece->lost_bytes)
			answer_gap(&call->answer);
		if (call->answer.grpc)
			grpc_reader_feed(call->answer.grpc, piece);
		else if (call->answer.is_messages && piece->len)
			answer_feed_message(&call->answer, piece);
		else if (piece->len)
			answer_feed(&call->answer, piece->bytes, piece->len);
		if (call->answer.has_content && !call->reading.first_token_ns &&
		    time_ns > call->reading.start_ns)
			call->reading.first_token_ns = time_ns - call->reading.start_ns;
		break;
	case HTTP_END:
		call->reading.answer_ended = true;
		call->reading.answer_is_whole = piece->is_whole;
		call->reading.is_unseen = piece->is_refused;
		call->reading.answer_bytes = piece->wire_bytes;
		if (call->answer.grpc && piece->grpc_status)
			take_grpc_status(call, piece->grpc_status - 1u);
		answer_end(&call->answer, piece->is_whole);
		break;
	}
}

void call_feed(struct call *call, const struct http_piece *piece, uint64_t time_ns)
{
	if (call->reading.is_over || call->reading.answer_ended)
		return;
	if (time_ns > call->reading.end_ns)
		call->reading.end_ns = time_ns;
	if (piece->side == HTTP_REQUEST)
		feed_request(call, piece);
	else
		feed_answer(call, piece, time_ns);
}

bool call_is_done(const struct call *call)
{
	/*
	 * A server may refuse before it has read the whole request; and once usage is known, there is no need
	 * to wait for the uncaptured rest of a request.
	 */
	return call->reading.answer.is_done ||
	       (call->reading.answer_ended && (call->request_ended || call->reading.status >= 400 ||
					       call->reading.answer.is_final));
}

void call_end(struct call *call, uint64_t time_ns)
{
	if (call->reading.is_over)
		return;
	call->reading.is_over = true;
	if (time_ns > call->reading.end_ns && !call_is_done(call))
		call->reading.end_ns = time_ns;
	if (!call->reading.answer_ended)
		answer_end(&call->answer, false);
}

const struct reading *call_read(struct call *call)
{
	call->reading.text = call->text.count;
	call->reading.text_dropped = call->text.dropped;
	call->reading.file_bytes = call->form.file_bytes;
	answer_update(&call->answer);
	return &call->reading;
}
