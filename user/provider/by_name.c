/* SPDX-License-Identifier: Apache-2.0 */
/* Providers by their names, and who answers behind a gateway. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "provider/provider.h"

#define NAME_LEN 32

const struct api_provider *provider_by_name(const char *name)
{
	for (size_t i = 0; i < provider_rows_count; i++)
		if (!strcmp(provider_rows[i].name, name) ||
		    (provider_rows[i].alias && !strcmp(provider_rows[i].alias, name)))
			return &provider_rows[i];
	return NULL;
}

const struct api_provider *provider_by_gateway_name(const char *name, size_t len)
{
	static const char *const others[][2] = {
		{ "grok", "xai" },
		{ "perplexity-ai", "perplexity" },
		{ "google-ai-studio", "gemini" },
		{ "google-vertex-ai", "vertex_ai" },
		{ "azure-openai", "azure" },
		{ "aws-bedrock", "bedrock" },
		{ "workers-ai", "cloudflare" },
		{ "fireworks-ai", "fireworks" },
	};
	char word[NAME_LEN];

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (!strcmp(others[i][0], word))
			return provider_by_name(others[i][1]);
	for (char *at = word; *at; at++)
		if (*at == '-')
			*at = '_';
	return provider_by_name(word);
}

/*
 * Cloudflare: "/v1/ACCOUNT/GATEWAY/groq/..." (developers.cloudflare.com/ai-gateway/providers); Hugging Face:
 * "/groq/openai/v1/..." (huggingface.co/docs/inference-providers).
 */
const struct api_provider *provider_behind(const struct api_provider *gateway, const char *path)
{
	int slashes = 0;

	if (gateway && !strcmp(gateway->name, "cloudflare"))
		slashes = 4;
	else if (gateway && !strcmp(gateway->name, "huggingface"))
		slashes = 1;
	for (int i = 0; path && i < slashes; i++)
		path = strchr(path + (i > 0), '/');
	return slashes && path ? provider_by_gateway_name(path + 1, strcspn(path + 1, "/")) : NULL;
}
