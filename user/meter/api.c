/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/api.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "meter/provider.h"

/* An operator's gateways; the kernel's host trie holds more. */
#define ADDED_MAX 256
#define HOST_MAX  253 /* RFC 1035 */

/*
 * What a provider or gateway serves below its own base path:
 * docs/facts/wire.md, "Anthropic" and "OpenAI".
 */
static const struct endpoint common[] = {
	{ "/v1/messages", "chat", DIALECT_ANTHROPIC, NULL },
	{ "/v1/complete", "text_completion", DIALECT_ANTHROPIC, NULL },
	{ "/v1/messages/batches", "batch", DIALECT_NONE, "batch" },
	{ "/chat/completions", "chat", DIALECT_OPENAI, NULL },
	{ "/responses", "chat", DIALECT_OPENAI, NULL },
	{ "/responses/compact", "chat", DIALECT_OPENAI, NULL },
	{ "/completions", "text_completion", DIALECT_OPENAI, NULL },
	{ "/embeddings", "embeddings", DIALECT_OPENAI, NULL },
	{ "/images/generations", "generate_content", DIALECT_OPENAI, NULL },
	{ "/images/edits", "generate_content", DIALECT_OPENAI, NULL },
	{ "/images/variations", "generate_content", DIALECT_OPENAI, NULL },
	{ "/audio/transcriptions", "transcription", DIALECT_OPENAI, NULL },
	{ "/audio/translations", "transcription", DIALECT_OPENAI, NULL },
	{ "/audio/speech", "speech", DIALECT_NONE, NULL },
	{ "/v1/videos", "video", DIALECT_NONE, NULL },
	{ NULL, NULL, DIALECT_NONE, NULL },
};

/* docs/facts/wire.md, "Gemini and Vertex AI" */
static const struct endpoint google[] = {
	{ "/count-tokens:rawPredict", NULL, DIALECT_NONE, NULL },
	{ ":generateContent", "generate_content", DIALECT_GEMINI, NULL },
	{ ":streamGenerateContent", "generate_content", DIALECT_GEMINI, NULL },
	{ ":batchGenerateContent", "batch", DIALECT_NONE, "batch" },
	{ ":embedContent", "embeddings", DIALECT_GEMINI, NULL },
	{ ":batchEmbedContents", "embeddings", DIALECT_GEMINI, NULL },
	{ ":rawPredict", "chat", DIALECT_ANTHROPIC, NULL },
	{ ":streamRawPredict", "chat", DIALECT_ANTHROPIC, NULL },
	{ ":predict", "generate_content", DIALECT_NONE, NULL },
	{ ":predictLongRunning", "generate_content", DIALECT_NONE, NULL },
	{ "/v1beta/interactions", "generate_content", DIALECT_GEMINI, NULL },
	{ NULL, NULL, DIALECT_NONE, NULL },
};

/*
 * docs/facts/wire.md, "AWS Bedrock". Invoke answers in the model's own dialect: Claude's is
 * Anthropic's, the rest go by sizes.
 */
static const struct endpoint bedrock[] = {
	{ "/converse", "chat", DIALECT_BEDROCK, NULL },
	{ "/converse-stream", "chat", DIALECT_BEDROCK, NULL },
	{ "/invoke", "chat", DIALECT_ANTHROPIC, NULL },
	{ "/invoke-with-response-stream", "chat", DIALECT_ANTHROPIC, NULL },
	{ "/invoke-with-bidirectional-stream", "chat", DIALECT_NONE, NULL },
	{ "/async-invoke", "chat", DIALECT_NONE, NULL },
	{ NULL, NULL, DIALECT_NONE, NULL },
};

/* docs/facts/wire.md, "Cohere" */
static const struct endpoint cohere[] = {
	{ "/v2/chat", "chat", DIALECT_COHERE, NULL },
	{ "/v1/chat", "chat", DIALECT_COHERE, NULL },
	{ "/v1/generate", "text_completion", DIALECT_COHERE, NULL },
	{ "/v1/embed", "embeddings", DIALECT_COHERE, NULL },
	{ "/v2/embed", "embeddings", DIALECT_COHERE, NULL },
	{ "/v1/rerank", "rerank", DIALECT_COHERE, NULL },
	{ "/v2/rerank", "rerank", DIALECT_COHERE, NULL },
	{ NULL, NULL, DIALECT_NONE, NULL },
};

static const struct endpoint replicate[] = {
	{ "/predictions", "generate_content", DIALECT_NONE, NULL },
	{ NULL, NULL, DIALECT_NONE, NULL },
};

static const struct api_provider providers[] = {
	{ .name = "anthropic",
	  .family = "anthropic",
	  .prefixes = { "" },
	  .hosts = { "api.anthropic.com", "aws-external-anthropic.*.api.aws",
		     "claude.googleapis.com" } },
	{ .name = "openai",
	  .family = "openai",
	  .prefixes = { "" },
	  .event_is_token = true,
	  .hosts = { "api.openai.com", "us.api.openai.com", "eu.api.openai.com",
		     "ae.api.openai.com", "mtls.api.openai.com" } },
	/* A subscription: tokens are counted, dollars are not per token. */
	{ .name = "openai",
	  .alias = "chatgpt",
	  .family = "openai",
	  .is_subscription = true,
	  .hosts = { "chatgpt.com" },
	  .event_is_token = true },
	/* 400 and 408: docs/facts/wire.md, "What is billed when a call fails". */
	{ .name = "azure.ai.openai",
	  .alias = "azure",
	  .family = "azure",
	  .prefixes = { "azure/", "azure_ai/", "" },
	  .billed_statuses = { 400, 408 },
	  .hosts = { "*.openai.azure.com", "*.cognitiveservices.azure.com", "*.services.ai.azure.com",
		     "*.models.ai.azure.com", "*.openai.azure.us", "*.openai.azure.cn" },
	  .event_is_token = true },
	{ .name = "gcp.gemini",
	  .alias = "gemini",
	  .family = "gemini",
	  .endpoints = google,
	  .prefixes = { "gemini/", "" },
	  .hosts = { "generativelanguage.googleapis.com" } },
	{ .name = "gcp.vertex_ai",
	  .alias = "vertex_ai",
	  .family = "gemini",
	  .endpoints = google,
	  .prefixes = { "vertex_ai/", "" },
	  .hosts = { "aiplatform.googleapis.com", "*-aiplatform.googleapis.com",
		     "aiplatform.us.rep.googleapis.com", "aiplatform.eu.rep.googleapis.com" } },
	{ .name = "aws.bedrock",
	  .alias = "bedrock",
	  .family = "bedrock",
	  .endpoints = bedrock,
	  .prefixes = { "", "bedrock/" },
	  .hosts = { "bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com",
		     "bedrock-runtime.*.amazonaws.com.cn", "bedrock-runtime.*.api.aws",
		     "bedrock-mantle.*.api.aws" } },
	{ .name = "mistral_ai",
	  .always_tells_usage = true,
	  .alias = "mistral",
	  .family = "mistral",
	  .prefixes = { "mistral/" },
	  .hosts = { "api.mistral.ai", "codestral.mistral.ai" },
	  .event_is_token = true },
	{ .name = "groq",
	  .always_tells_usage = true,
	  .family = "groq",
	  .prefixes = { "groq/" },
	  .hosts = { "api.groq.com" },
	  .event_is_token = true },
	{ .name = "deepseek",
	  .always_tells_usage = true,
	  .family = "deepseek",
	  .prefixes = { "deepseek/", "" },
	  .hosts = { "api.deepseek.com" },
	  .event_is_token = true },
	{ .name = "together_ai",
	  .alias = "together",
	  .family = "together_ai",
	  .prefixes = { "together_ai/" },
	  .hosts = { "api.together.xyz", "api.together.ai" } },
	{ .name = "fireworks_ai",
	  .alias = "fireworks",
	  .family = "fireworks_ai",
	  .prefixes = { "fireworks_ai/", "fireworks_ai/accounts/fireworks/models/" },
	  .hosts = { "api.fireworks.ai" } },
	{ .name = "x_ai",
	  .always_tells_usage = true,
	  .alias = "xai",
	  .family = "xai",
	  .prefixes = { "xai/" },
	  .hosts = { "api.x.ai", "*.api.x.ai" } },
	{ .name = "cerebras",
	  .family = "cerebras",
	  .prefixes = { "cerebras/" },
	  .hosts = { "api.cerebras.ai" } },
	{ .name = "openrouter",
	  .always_tells_usage = true,
	  .family = "openrouter",
	  .prefixes = { "openrouter/" },
	  .hosts = { "openrouter.ai" } },
	{ .name = "perplexity",
	  .family = "perplexity",
	  .prefixes = { "perplexity/" },
	  .hosts = { "api.perplexity.ai" } },
	{ .name = "cohere",
	  .family = "cohere",
	  .prefixes = { "", "cohere/" },
	  .endpoints = cohere,
	  .hosts = { "api.cohere.com", "api.cohere.ai" } },
	{ .name = "moonshot_ai",
	  .alias = "moonshot",
	  .family = "moonshot",
	  .prefixes = { "moonshot/" },
	  .hosts = { "api.moonshot.ai", "api.moonshot.cn" } },
	{ .name = "zai",
	  .family = "zai",
	  .prefixes = { "zai/" },
	  .hosts = { "api.z.ai", "open.bigmodel.cn" } },
	{ .name = "minimax",
	  .family = "minimax",
	  .prefixes = { "minimax/" },
	  .hosts = { "api.minimax.io", "api.minimaxi.com" } },
	{ .name = "novita",
	  .family = "novita",
	  .prefixes = { "novita/" },
	  .hosts = { "api.novita.ai" } },
	{ .name = "vercel_ai_gateway",
	  .family = "vercel_ai_gateway",
	  .prefixes = { "vercel_ai_gateway/" },
	  .hosts = { "ai-gateway.vercel.sh" } },
	{ .name = "huggingface",
	  .family = "huggingface",
	  .prefixes = { "huggingface/" },
	  .hosts = { "router.huggingface.co" },
	  .event_is_token = true },
	{ .name = "voyage",
	  .family = "voyage",
	  .prefixes = { "voyage/" },
	  .hosts = { "api.voyageai.com" } },
	{ .name = "replicate",
	  .family = "replicate",
	  .prefixes = { "replicate/" },
	  .endpoints = replicate,
	  .hosts = { "api.replicate.com" } },
};

struct added {
	char pattern[HOST_MAX + 1];
	const struct api_provider *provider;
};

static struct added added[ADDED_MAX];
static size_t added_count;

const char *api_name(const struct api_provider *provider)
{
	return provider->name;
}

/* A pattern has one star at most, which stands for one character at least. */
static bool pattern_fits(const char *pattern, const char *host)
{
	const char *star = strchr(pattern, '*');
	size_t before, tail, len = strlen(host);

	if (!star)
		return !strcmp(pattern, host);
	before = (size_t)(star - pattern);
	tail = strlen(star + 1);
	return len > before + tail && !strncmp(pattern, host, before) &&
	       !strcmp(host + len - tail, star + 1);
}

const struct api_provider *api_find(const char *host)
{
	if (!host || !*host || strlen(host) > HOST_MAX)
		return NULL;
	for (size_t i = 0; i < added_count; i++)
		if (pattern_fits(added[i].pattern, host))
			return added[i].provider;
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		for (size_t j = 0; j < HOSTS && providers[i].hosts[j]; j++)
			if (pattern_fits(providers[i].hosts[j], host))
				return &providers[i];
	return NULL;
}

const struct api_provider *provider_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		if (!strcmp(providers[i].name, name) ||
		    (providers[i].alias && !strcmp(providers[i].alias, name)))
			return &providers[i];
	return NULL;
}

static bool is_pattern(const char *pattern)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789.-_*";
	const char *star = strchr(pattern, '*');
	size_t len = strlen(pattern);

	if (!len || len > HOST_MAX || strspn(pattern, allowed) != len || strstr(pattern, ".."))
		return false;
	/* One star, and behind it enough of a name that it does not stand for the whole world. */
	return !star || (!strchr(star + 1, '*') && star[1] == '.' && strchr(star + 2, '.'));
}

int api_add_host(const char *pattern, const char *provider)
{
	const struct api_provider *row = provider_by_name(provider);

	if (!row)
		return -ENOENT;
	if (!is_pattern(pattern))
		return -EINVAL;
	for (size_t i = 0; i < added_count; i++)
		if (!strcmp(added[i].pattern, pattern)) {
			added[i].provider = row;
			return 0;
		}
	if (added_count == ADDED_MAX)
		return -ENOMEM;
	strcpy(added[added_count].pattern, pattern);
	added[added_count++].provider = row;
	return 0;
}

const char *api_pattern(size_t index)
{
	if (index < added_count)
		return added[index].pattern;
	index -= added_count;
	for (size_t i = 0; i < ARRAY_SIZE(providers); i++)
		for (size_t j = 0; j < HOSTS && providers[i].hosts[j]; j++)
			if (!index--)
				return providers[i].hosts[j];
	return NULL;
}

/*
 * Google's front serves all of googleapis.com at the same addresses; the others are the providers' own
 * web sites, which share a content network with their API or do not. A name that is gone costs nothing.
 */
const char *api_neighbour(size_t index)
{
	static const char *const names[] = {
		"storage.googleapis.com",
		"oauth2.googleapis.com",
		"www.googleapis.com",
		"openai.com",
		"www.anthropic.com",
		"claude.ai",
		"mistral.ai",
		"groq.com",
		"cohere.com",
		"deepseek.com",
		"www.perplexity.ai",
		"huggingface.co",
		"x.ai",
	};

	return index < ARRAY_SIZE(names) ? names[index] : NULL;
}

static const struct endpoint *find_tail(const struct endpoint *list, const char *path)
{
	size_t len = strlen(path);

	for (; list && list->tail; list++) {
		size_t tail = strlen(list->tail);

		if (len >= tail && !strcmp(path + len - tail, list->tail))
			return list;
	}
	return NULL;
}

const struct endpoint *endpoint_find(const struct api_provider *provider, const char *path)
{
	const struct endpoint *found = find_tail(provider ? provider->endpoints : NULL, path);

	if (!found)
		found = find_tail(common, path);
	return found && found->operation ? found : NULL;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void path_model(const char *path, char *ret, size_t size)
{
	/* Azure's deployment name is free text, if often the model's; the answer knows better. */
	static const struct {
		const char *before, *stop;
	} places[] = {
		{ "/models/", ":/" },
		{ "/model/", "/" },
		{ "/deployments/", "/" },
	};
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		const char *at = strstr(path, places[i].before);

		if (!at)
			continue;
		at += strlen(places[i].before);
		for (; *at && !strchr(places[i].stop, *at) && len + 1 < size; at++) {
			/* Bedrock's ids come as %3A and %2F. */
			if (at[0] == '%' && hex_value(at[1]) >= 2 && hex_value(at[2]) >= 0) {
				ret[len++] = (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
				at += 2;
			} else {
				ret[len++] = *at;
			}
		}
		ret[len] = '\0';
		return;
	}
}

bool provider_bills_status(const struct api_provider *provider, int status)
{
	for (size_t i = 0; i < BILLED_STATUSES; i++)
		if (status && provider->billed_statuses[i] == status)
			return true;
	return false;
}
