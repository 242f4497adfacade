/* SPDX-License-Identifier: Apache-2.0 */
/* What a call is taken to cost whose model is not known, or has no price. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "price/price_table.h"
#include "provider/provider.h"

/*
 * What most of a provider's spend goes to, chosen by hand from the price files in data as of 2026-11-30: of each family's
 * current models the general one of the middle class, where there are three, and the best of two. NULL stands for
 * the families that are not listed: gateways, and hosts of many vendors' models.
 */
static const struct flagship {
	const char *family, *model;
} flagships[] = {
	{ "anthropic", "claude-sonnet-5" },
	{ "openai", "gpt-5.4" },
	{ "azure", "gpt-5.4" },
	{ "gemini", "gemini-3.1-pro-preview" },
	{ "bedrock", "anthropic.claude-sonnet-5" },
	{ "mistral", "mistral-large-latest" },
	{ "groq", "openai/gpt-oss-120b" },
	{ "deepseek", "deepseek-v4-pro" },
	{ "xai", "grok-4.5" },
	{ "perplexity", "sonar-pro" },
	{ "cohere", "command-a-03-2025" },
	{ "together_ai", "moonshotai/Kimi-K2.5" },
	{ "fireworks_ai", "kimi-k2p5" },
	{ "moonshot", "kimi-k2.5" },
	{ "zai", "glm-5" },
	{ "minimax", "MiniMax-M2.5" },
	{ "cerebras", "gpt-oss-120b" },
	{ NULL, "gpt-5.4" },
};

/* What is no chat is sold at another price, whoever sells it. */
static const struct {
	const char *operation, *model;
} specials[] = {
	{ "embeddings", "text-embedding-3-large" },
	{ "rerank", "rerank-v3.5" },
	{ "speech", "tts-1-hd" },
	{ "transcription", "whisper-1" },
	{ "transcription_live", "whisper-1" },
	{ "image", "dall-e-3" },
	{ "video", "sora-2" },
	{ "ocr", "mistral/mistral-ocr-latest" },
};

static const char *special_of(const char *operation)
{
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++)
		if (!strcmp(specials[i].operation, operation))
			return specials[i].model;
	return NULL;
}

static const char *flagship_of(const char *provider)
{
	const struct api_provider *row = provider_by_name(provider);
	const struct flagship *flagship = flagships;

	while (flagship->family && (!row || strcmp(row->family, flagship->family)))
		flagship++;
	return flagship->model;
}

/* A model's cost of the charge as it is, at least and at most. False: it has no price that may stand in. */
static bool cost_of(const struct prices *prices, const char *model, const char *tier,
		    const struct charge *charge, struct charge *ret)
{
	const struct price_entry *entry = price_find(prices, charge->provider, model);
	const struct price_terms terms = price_terms_parse(tier);
	const char *lacks;

	if (!entry || !price_is_sane(prices, entry))
		return false;
	*ret = *charge;
	ret->is_priced = false;
	ret->under_nanos = ret->over_nanos = 0;
	if (!price_cost(prices, entry, &terms, ret, &lacks))
		return false;
	snprintf(ret->price_key, sizeof(ret->price_key), "%s", entry->key);
	return true;
}

bool prices_assume(const struct prices *prices, const struct price_mix *mix, const char *why,
		   struct charge *charge)
{
	int64_t low = INT64_MAX, high = 0;
	unsigned __int128 sum = 0;
	uint64_t weights = 0, heaviest = 0;
	char key[CHARGE_MODEL_LEN] = "";

	for (size_t i = 0; i < mix->n; i++) {
		uint64_t weight = mix->models[i].weight;
		struct charge one;

		if (!weight || !cost_of(prices, mix->models[i].model, "", charge, &one))
			continue;
		sum += (unsigned __int128)one.budget_nanos * weight;
		weights += weight;
		if (one.budget_nanos - one.under_nanos < low)
			low = one.budget_nanos - one.under_nanos;
		if (one.budget_nanos + one.over_nanos > high)
			high = one.budget_nanos + one.over_nanos;
		if (weight > heaviest) {
			heaviest = weight;
			memcpy(key, one.price_key, sizeof(key));
		}
	}
	if (!weights)
		return false;
	charge->budget_nanos = (int64_t)(sum / weights);
	charge->under_nanos = charge->budget_nanos - low;
	charge->over_nanos = high - charge->budget_nanos;
	memcpy(charge->price_key, key, sizeof(key));
	snprintf(charge->price_origin, sizeof(charge->price_origin), PRICE_ASSUMED "%s", why);
	return true;
}

void price_stand_in(const struct prices *prices, const char *tier, struct charge *charge)
{
	const char *special = special_of(charge->operation);
	const char *const models[] = { special ? special : flagship_of(charge->provider),
				       flagship_of(""), "gpt-4o" };
	struct charge one;

	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		if (!cost_of(prices, models[i], tier, charge, &one))
			continue;
		*charge = one;
		snprintf(charge->price_origin, sizeof(charge->price_origin),
			 PRICE_ASSUMED "%s of %.32s", special ? "usual" : "flagship",
			 i || special ? "all" : charge->provider);
		return;
	}
}
