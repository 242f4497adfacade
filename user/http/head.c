/* SPDX-License-Identifier: Apache-2.0 */
#include "http/head.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/fingerprint.h"
#include "base/hash.h"
#include "base/text.h"
#include "http/path.h"
#include "http/user_agent.h"

enum head_field head_field(const char *name, size_t len)
{
	static const struct {
		const char *name;
		enum head_field field;
	} fields[] = {
		{ "host", HEAD_HOST },
		{ ":authority", HEAD_HOST },
		{ "content-type", HEAD_CONTENT_TYPE },
		{ "content-encoding", HEAD_CONTENT_ENCODING },
		{ "transfer-encoding", HEAD_TRANSFER_ENCODING },
		{ "content-length", HEAD_CONTENT_LENGTH },
		{ "anthropic-version", HEAD_ANTHROPIC_VERSION },
		/* of Vercel's SDK, whose body does not name it */
		{ "ai-language-model-id", HEAD_MODEL },
		{ "ai-embedding-model-id", HEAD_MODEL },
		{ "ai-model-id", HEAD_MODEL },
		{ "x-litellm-response-cost", HEAD_COST },
		{ "x-litellm-cache-key", HEAD_CACHE_KEY },
		{ "cf-aig-cache-status", HEAD_CACHE_STATUS },
		{ "x-portkey-cache-status", HEAD_CACHE_STATUS },
		{ "helicone-cache", HEAD_CACHE_STATUS },
		{ "openai-organization", HEAD_ORGANISATION },
		{ "anthropic-organization-id", HEAD_ORGANISATION },
		{ "openai-project", HEAD_PROJECT },
		{ "x-goog-user-project", HEAD_PROJECT },
		{ "user-agent", HEAD_CLIENT },
		{ "authorization", HEAD_API_KEY },
		{ "x-api-key", HEAD_API_KEY },
		{ "api-key", HEAD_API_KEY },
		{ "x-goog-api-key", HEAD_API_KEY },
		{ "x-request-id", HEAD_ID },
		{ "request-id", HEAD_ID },
		{ "x-amzn-requestid", HEAD_ID },
		{ "llm_provider-x-request-id", HEAD_UPSTREAM_ID },
		{ "llm_provider-request-id", HEAD_UPSTREAM_ID },
		{ "llm_provider-x-amzn-requestid", HEAD_UPSTREAM_ID },
		{ "x-amzn-bedrock-service-tier", HEAD_TIER },
		{ "grpc-encoding", HEAD_GRPC_ENCODING },
		{ "grpc-status", HEAD_GRPC_STATUS },
		{ "upgrade", HEAD_UPGRADE },
		{ ":protocol", HEAD_UPGRADE },
		{ "sec-websocket-extensions", HEAD_WEBSOCKET_EXTENSIONS },
		{ "x-amzn-bedrock-input-token-count", HEAD_TOKENS + HTTP_TOKENS_IN },
		{ "x-amzn-bedrock-output-token-count", HEAD_TOKENS + HTTP_TOKENS_OUT },
		{ "x-amzn-bedrock-cache-read-input-token-count", HEAD_TOKENS + HTTP_TOKENS_READ },
		{ "x-amzn-bedrock-cache-write-input-token-count", HEAD_TOKENS + HTTP_TOKENS_WRITTEN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (strlen(fields[i].name) == len && !strncasecmp(fields[i].name, name, len))
			return fields[i].field;
	return HEAD_OTHER;
}

uint64_t http_answer_id(const char *id, size_t len)
{
	return len < HTTP_ID_LEN_MIN ? 0 : hash_fnv1a(FNV1A_BASIS, id, len);
}

static void copy(char *to, size_t room, const char *from, size_t len)
{
	if (len >= room)
		len = room - 1;
	memcpy(to, from, len);
	to[len] = '\0';
}

void head_set_word(char *to, size_t room, const char *from, size_t len)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";

	if (len >= room || !len)
		return;
	for (size_t i = 0; i < len; i++)
		if (!from[i] || !strchr(allowed, from[i]))
			return;
	copy(to, room, from, len);
}

static bool is(const char *value, size_t len, const char *word)
{
	return strlen(word) == len && !strncasecmp(value, word, len);
}

static bool ends(const char *value, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && !strncasecmp(value + len - n, word, n);
}

/* Lower case, without port; RFC 3986 3.2.2 keeps the colons of IPv6 between brackets. */
static void set_host(struct http_head *head, const char *value, size_t len)
{
	const char *at = memchr(value, '@', len), *end = NULL;

	if (at) {
		len -= at + 1 - value;
		value = at + 1;
	}
	if (len && value[0] == '[')
		end = memchr(value, ']', len);
	if (end)
		len = end + 1 - value;
	else if ((end = memchr(value, ':', len)))
		len = end - value;
	copy(head->host, sizeof(head->host), value, len);
	for (char *c = head->host; *c; c++) {
		*c = tolower((unsigned char)*c);
		/* No host's name has it (RFC 3986 3.2.2); names are shown, and may not turn what is read. */
		if (!isalnum((unsigned char)*c) && !strchr("-._:[]%", *c)) {
			head->host[0] = '\0';
			return;
		}
	}
	text_trim_root(head->host);
}

static enum http_content content_of(const char *value, size_t len)
{
	const char *end = memchr(value, ';', len);

	if (end)
		len = end - value;
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	if (!len)
		return HTTP_CONTENT_NONE;
	if (is(value, len, "text/event-stream"))
		return HTTP_CONTENT_SSE;
	if (is(value, len, "application/vnd.amazon.eventstream"))
		return HTTP_CONTENT_EVENTSTREAM;
	if (is(value, len, "application/x-ndjson") || is(value, len, "application/ndjson") ||
	    is(value, len, "application/jsonl"))
		return HTTP_CONTENT_NDJSON;
	if (is(value, len, "application/grpc") || is(value, len, "application/grpc+proto"))
		return HTTP_CONTENT_GRPC;
	if (is(value, len, "application/json") || is(value, len, "text/json") ||
	    ends(value, len, "+json"))
		return HTTP_CONTENT_JSON;
	if (is(value, len, "multipart/form-data"))
		return HTTP_CONTENT_MULTIPART;
	return HTTP_CONTENT_OTHER;
}

static enum http_encoding encoding_of(const char *value, size_t len)
{
	if (!len || is(value, len, "identity"))
		return HTTP_IDENTITY;
	if (is(value, len, "gzip") || is(value, len, "x-gzip"))
		return HTTP_GZIP;
	if (is(value, len, "deflate"))
		return HTTP_DEFLATE;
	if (is(value, len, "br"))
		return HTTP_BR;
	if (is(value, len, "zstd"))
		return HTTP_ZSTD;
	return HTTP_ENCODING_UNKNOWN;
}

/* A member of a list that names encodings in the order in which they were applied, RFC 9110 8.4. */
static void add_encoding(struct http_head *head, bool is_transfer, const char *value, size_t len)
{
	enum http_encoding encoding,
		*last = is_transfer ? &head->transfer_encoding : &head->encoding;
	enum http_encoding before = *last;

	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	/* A transfer's chunks are undone by their framing. */
	if (is_transfer && is(value, len, "chunked"))
		return;
	encoding = encoding_of(value, len);
	if (encoding == HTTP_IDENTITY)
		return;
	*last = encoding;
	if (before == HTTP_IDENTITY)
		return;
	if (is_transfer || head->inner_encoding != HTTP_IDENTITY)
		*last = HTTP_ENCODING_UNKNOWN;
	else
		head->inner_encoding = before;
}

/* In one field or several; "identity" is none. */
static void set_encoding(struct http_head *head, bool is_transfer, const char *value, size_t len)
{
	const char *end = value + len, *comma;

	while ((comma = memchr(value, ',', (size_t)(end - value)))) {
		add_encoding(head, is_transfer, value, (size_t)(comma - value));
		value = comma + 1;
	}
	add_encoding(head, is_transfer, value, (size_t)(end - value));
}

/*
 * The next of a list's members, each cut off at `end_at` and without blanks around it. False: the list has
 * ended.
 */
static bool next_member(const char **value, size_t *len, char end_at, const char **ret,
			size_t *ret_len)
{
	const char *end;

	if (!*len)
		return false;
	end = memchr(*value, end_at, *len);
	*ret = *value;
	*ret_len = end ? (size_t)(end - *value) : *len;
	*value += *ret_len + (end != NULL);
	*len -= *ret_len + (end != NULL);
	for (; *ret_len && (**ret == ' ' || **ret == '\t'); ++*ret)
		--*ret_len;
	while (*ret_len && ((*ret)[*ret_len - 1] == ' ' || (*ret)[*ret_len - 1] == '\t'))
		--*ret_len;
	return true;
}

static void set_upgrade(struct http_head *head, const char *value, size_t len)
{
	const char *protocol;
	size_t n;

	while (next_member(&value, &len, ',', &protocol, &n))
		head->is_websocket |= is(protocol, n, "websocket");
}

/* RFC 7692 7.1; what is offered in a request is not agreed to, and of no interest. */
static void set_extensions(struct http_head *head, const char *value, size_t len)
{
	const char *extension, *word;
	size_t n, n_word;

	while (next_member(&value, &len, ',', &extension, &n)) {
		if (!next_member(&extension, &n, ';', &word, &n_word) ||
		    !is(word, n_word, "permessage-deflate"))
			continue;
		head->deflate.is_on = true;
		while (next_member(&extension, &n, ';', &word, &n_word)) {
			head->deflate.resets[HTTP_REQUEST] |= is(word, n_word,
								 "client_no_context_takeover");
			head->deflate.resets[HTTP_RESPONSE] |= is(word, n_word,
								  "server_no_context_takeover");
		}
	}
}

/* Of nine digits at most. */
static bool read_number(const char *value, size_t len, uint32_t *ret)
{
	uint32_t n = 0;

	if (!len || len > 9)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (value[i] < '0' || value[i] > '9')
			return false;
		n = n * 10 + (uint32_t)(value[i] - '0');
	}
	*ret = n;
	return true;
}

static void set_tokens(struct http_head *head, enum http_tokens which, const char *value, size_t len)
{
	if (read_number(value, len, &head->tokens[which]))
		head->has_tokens |= (uint8_t)(1u << which);
}

/*
 * "Bearer sk-...", or the key alone; of a signed request of Amazon's the name of the key, which is no secret ("AWS4-HMAC-SHA256
 * Credential=AKIA.../20261130/..."). What does not fit is no key but a token, which is another one each hour.
 */
static void set_api_key(struct http_head *head, const char *value, size_t len)
{
	static const char bearer[] = "bearer ", credential[] = "Credential=";
	const char *name = memmem(value, len, credential, strlen(credential)), *end;

	if (name) {
		name += strlen(credential);
		end = memchr(name, '/', (size_t)(value + len - name));
		len = end ? (size_t)(end - name) : 0;
		value = name;
	} else if (len > strlen(bearer) && !strncasecmp(value, bearer, strlen(bearer))) {
		value += strlen(bearer);
		len -= strlen(bearer);
	}
	if (len && len < HEAD_KEY_MAX && !*head->api_key)
		fingerprint_of(value, len, head->api_key);
}

void head_set(struct http_head *head, enum head_field field, const char *value, size_t len)
{
	uint32_t n;

	while (len && (*value == ' ' || *value == '\t')) {
		value++;
		len--;
	}
	while (len && (value[len - 1] == ' ' || value[len - 1] == '\t'))
		len--;
	switch (field) {
	case HEAD_HOST:
		/* :authority comes first and wins, RFC 9113 8.3.1 */
		if (!head->host[0])
			set_host(head, value, len);
		break;
	case HEAD_CONTENT_TYPE:
		head->content = content_of(value, len);
		break;
	case HEAD_CONTENT_ENCODING:
		set_encoding(head, /* is_transfer= */ false, value, len);
		break;
	case HEAD_TRANSFER_ENCODING:
		set_encoding(head, /* is_transfer= */ true, value, len);
		break;
	case HEAD_CONTENT_LENGTH:
		(void)read_number(value, len, &head->content_length);
		break;
	case HEAD_ANTHROPIC_VERSION:
		head->has_anthropic_version = true;
		break;
	case HEAD_MODEL:
		copy(head->model, sizeof(head->model), value, len);
		break;
	case HEAD_COST:
		copy(head->provider_cost, sizeof(head->provider_cost), value, len);
		break;
	case HEAD_CACHE_KEY:
		head->is_cache_hit = len;
		break;
	case HEAD_ORGANISATION:
		head_set_word(head->organisation, sizeof(head->organisation), value, len);
		break;
	case HEAD_PROJECT:
		head_set_word(head->project, sizeof(head->project), value, len);
		break;
	case HEAD_CLIENT:
		user_agent_product(value, len, head->client, sizeof(head->client));
		break;
	case HEAD_API_KEY:
		if (fingerprint_is_on())
			set_api_key(head, value, len);
		break;
	case HEAD_ID:
	case HEAD_UPSTREAM_ID:
		head->ids[field - HEAD_ID] = http_answer_id(value, len);
		break;
	case HEAD_CACHE_STATUS:
		/* "HIT", at Portkey "HIT" or "SEMANTIC HIT" */
		if (!ends(value, len, "hit"))
			break;
		head->is_cache_hit = true;
		copy(head->provider_cost, sizeof(head->provider_cost), "0", 1);
		break;
	case HEAD_TIER:
		copy(head->tier, sizeof(head->tier), value, len);
		break;
	case HEAD_GRPC_ENCODING:
		head->grpc_encoding = encoding_of(value, len);
		break;
	case HEAD_GRPC_STATUS:
		/* Codes go to 16; what is beyond is UNKNOWN, 2. */
		if (read_number(value, len, &n))
			head->grpc_status = (uint8_t)((n > 16 ? 2 : n) + 1);
		break;
	case HEAD_UPGRADE:
		set_upgrade(head, value, len);
		break;
	case HEAD_WEBSOCKET_EXTENSIONS:
		set_extensions(head, value, len);
		break;
	case HEAD_OTHER:
		break;
	default:
		set_tokens(head, (enum http_tokens)(field - HEAD_TOKENS), value, len);
	}
}

/* The query of a WebSocket names the model, or Azure's deployment; names of models need no escapes. */
static void set_query(struct http_head *head, const char *query, size_t len)
{
	static const char *const names[] = { "model=", "model_id=", "deployment=" };
	const char *word;
	size_t n;

	while (next_member(&query, &len, '&', &word, &n))
		for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
			size_t before = strlen(names[i]);

			if (n > before && !memcmp(word, names[i], before))
				copy(head->model, sizeof(head->model), word + before, n - before);
		}
}

void head_set_target(struct http_head *head, const char *target, size_t len)
{
	const char *end = target + len, *path = target;
	size_t n;

	if (head->is_upgrade) {
		set_host(head, target, len);
		return;
	}
	if (len > 7 && !strncasecmp(target, "http://", 7))
		path = target + 7;
	else if (len > 8 && !strncasecmp(target, "https://", 8))
		path = target + 8;
	if (path != target) {
		for (target = path; path < end && !strchr("/?#", *path); path++)
			;
		set_host(head, target, path - target);
	}
	for (n = 0; path + n < end && path[n] != '?' && path[n] != '#'; n++)
		;
	head->path_is_cut |= !path_clean(head->path, sizeof(head->path), path, n);
	if (path + n < end && path[n] == '?')
		set_query(head, path + n + 1, (size_t)(end - (path + n + 1)));
}

void head_set_method(struct http_head *head, const char *method, size_t len)
{
	copy(head->method, sizeof(head->method), method, len);
}

static size_t add(char *to, size_t had, size_t room, const char *at, size_t len)
{
	if (len > room - had)
		len = room - had;
	memcpy(to + had, at, len);
	return had + len;
}

void head_read_start(struct head_reader *reader)
{
	reader->n_name = 0;
	reader->n_value = 0;
	reader->n_target = 0;
}

void head_read_target(struct head_reader *reader, const char *at, size_t len)
{
	reader->n_target = add(reader->target, reader->n_target, sizeof(reader->target), at, len);
}

void head_read_name(struct head_reader *reader, const char *at, size_t len)
{
	/* one of interest is shorter than the room, so a name that was cut never looks like one */
	reader->n_name = add(reader->name, reader->n_name, sizeof(reader->name), at, len);
}

void head_read_value(struct head_reader *reader, const char *at, size_t len)
{
	reader->n_value = add(reader->value, reader->n_value, sizeof(reader->value), at, len);
}

void head_read_end(struct head_reader *reader, struct http_head *head)
{
	enum head_field field = head_field(reader->name, reader->n_name);

	if (head)
		head_set(head, field, reader->value, reader->n_value);
	if (field == HEAD_API_KEY)
		explicit_bzero(reader->value, reader->n_value);
	reader->n_name = 0;
	reader->n_value = 0;
}
