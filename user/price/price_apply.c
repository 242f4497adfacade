/* SPDX-License-Identifier: Apache-2.0 */
/* Which entry of the price files a charge is priced by, and what it costs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "price/price_table.h"
#include "provider/provider.h"

/* Bedrock sells some models at a price of the region: "bedrock/eu-west-2/meta.llama3-8b-instruct-v1:0". */
static const struct price_entry *find_regional(const struct prices *prices,
					       const struct charge *charge)
{
	const char *region = strchr(charge->host, '.');
	char key[CHARGE_MODEL_LEN + 64];

	if (!region || strncmp(charge->host, "bedrock-runtime", 15))
		return NULL;
	region++;
	snprintf(key, sizeof(key), "bedrock/%.*s/%s", (int)strcspn(region, "."), region,
		 charge->model);
	return price_find_exact(prices, charge->provider, key);
}

/*
 * Who answers behind a gateway that bills at that one's price: at Hugging Face's router it is behind the model's name,
 * "openai/gpt-oss-120b:groq" (huggingface.co/docs/inference-providers), at Cloudflare's it is in the path, or before the
 * model's name, "grok/grok-3".
 */
static const struct price_entry *find_behind(const struct prices *prices,
					     const struct charge *charge)
{
	const struct api_provider *gateway = provider_by_name(charge->provider), *provider = NULL;
	char model[CHARGE_MODEL_LEN];
	const char *at;

	snprintf(model, sizeof(model), "%s", charge->model);
	if (!strcmp(charge->provider, "huggingface") && (at = strrchr(charge->model, ':'))) {
		provider = provider_by_gateway_name(at + 1, strlen(at + 1));
		model[at - charge->model] = '\0';
	} else if (gateway) {
		provider = provider_behind(gateway, charge->path);
	}
	if (!provider && gateway && gateway->is_gateway) {
		at = strchr(charge->model, '/');
		if (at)
			provider = provider_by_gateway_name(charge->model,
							    (size_t)(at - charge->model));
		if (provider == provider_by_name("cloudflare"))
			return NULL;
	}
	return provider ? price_find(prices, provider->name, model) : NULL;
}

#define SORA_PIXELS (1280 * 720) /* of the size that the plain price is for */

/* Images by their quality and size, which LiteLLM has in the key: "hd/1024-x-1792/dall-e-3". */
static const struct price_entry *find_entry(const struct prices *prices,
					    const struct price_terms *terms,
					    const struct charge *charge)
{
	char key[CHARGE_MODEL_LEN + 64];
	const char *size = *terms->size ? terms->size : "1024x1024";
	const char *quality = *terms->quality ? terms->quality : "standard";
	const char *cross = strchr(size, 'x');
	const struct price_entry *found;

	/* What is heard live has another price than a recording; LiteLLM's key for it is "deepgram/streaming/nova-3". */
	if (!strcmp(charge->operation, "transcription_live")) {
		snprintf(key, sizeof(key), "streaming/%s", charge->model);
		return price_find_exact(prices, charge->provider, key);
	}
	found = find_regional(prices, charge);
	if (!found)
		found = find_behind(prices, charge);
	if (found)
		return found;
	/* Sora's larger sizes: "sora-2-pro-high-res". */
	if (charge->usage.millis && *terms->size && cross &&
	    strtoul(size, NULL, 10) * strtoul(cross + 1, NULL, 10) > SORA_PIXELS) {
		snprintf(key, sizeof(key), "%s-high-res", charge->model);
		found = price_find_exact(prices, charge->provider, key);
		if (found)
			return found;
	}
	if (!charge->usage.images || charge->usage.output || charge->usage.image_output || !cross)
		return price_find(prices, charge->provider, charge->model);
	snprintf(key, sizeof(key), "%s/%.*s-x-%s/%s", quality, (int)(cross - size), size, cross + 1,
		 charge->model);
	found = price_find_exact(prices, charge->provider, key);
	if (!found)
		found = price_find_exact(prices, charge->provider, key + strlen(quality) + 1);
	return found ? found : price_find(prices, charge->provider, charge->model);
}

static void set_origin(const struct prices *prices, const struct price_entry *entry,
		       const char *lacks, struct charge *charge)
{
	int used;

	snprintf(charge->price_key, sizeof(charge->price_key), "%s", entry->key);
	used = snprintf(charge->price_origin, sizeof(charge->price_origin), "%.*s",
			lacks ? CHARGE_NAME_LEN - 28 : CHARGE_NAME_LEN - 1,
			prices->origins[entry->load]);
	if (!lacks)
		return;
	snprintf(charge->price_lacks, sizeof(charge->price_lacks), "%s", lacks);
	/* The ledger keeps the origin: there it is read. */
	snprintf(charge->price_origin + used, sizeof(charge->price_origin) - (size_t)used,
		 ", none for %s", lacks);
}

void prices_apply(const struct prices *prices, const char *tier, struct charge *charge)
{
	const struct price_terms terms = price_terms_parse(tier ? tier : "");
	const struct price_entry *entry;
	const char *lacks;

	if (charge->source == CHARGE_PROVIDER)
		return;
	charge->is_priced = false;
	charge->cost_nanos = charge->budget_nanos = charge->error_nanos = 0;
	charge->under_nanos = charge->over_nanos = 0;
	charge->price_key[0] = charge->price_origin[0] = charge->price_lacks[0] = '\0';
	price_terms_words(&terms, charge->tier);
	entry = find_entry(prices, &terms, charge);
	charge->is_priced = true;
	if (entry && price_cost(prices, entry, &terms, charge, &lacks)) {
		charge->cost_nanos = charge->budget_nanos;
		set_origin(prices, entry, lacks, charge);
		return;
	}
	charge->is_priced = false;
	price_stand_in(prices, tier ? tier : "", charge);
}

static const struct price_entry *find_own(const struct prices *prices, const struct charge *charge)
{
	const struct api_provider *row = provider_by_name(charge->provider);
	const char *const names[] = { charge->model, "@" };
	const struct price_entry *found = NULL;

	for (size_t i = 0; row && !found && i < ARRAY_SIZE(names); i++) {
		char key[CHARGE_NAME_LEN + CHARGE_MODEL_LEN];

		snprintf(key, sizeof(key), "%s%s", row->prefixes[0], names[i]);
		found = price_find_key(prices, prices->entries_count, key);
	}
	return found;
}

void prices_apply_own(const struct prices *prices, const char *tier, struct charge *charge)
{
	const struct price_terms terms = price_terms_parse(tier);
	const struct price_entry *entry = find_own(prices, charge);
	const char *lacks = NULL;

	price_terms_words(&terms, charge->tier);
	charge->is_priced = true;
	charge->cost_nanos = charge->budget_nanos = charge->error_nanos = 0;
	charge->under_nanos = charge->over_nanos = 0;
	if (entry && price_cost(prices, entry, &terms, charge, &lacks)) {
		charge->cost_nanos = charge->budget_nanos;
		set_origin(prices, entry, lacks, charge);
		return;
	}
	snprintf(charge->price_key, sizeof(charge->price_key), PRICE_OWN);
	snprintf(charge->price_origin, sizeof(charge->price_origin), "no price of the operator's");
}

void prices_apply_again(const struct prices *prices, struct charge *charge)
{
	const struct api_provider *row = provider_by_name(charge->provider);
	char tier[CHARGE_TIER_LEN];

	memcpy(tier, charge->tier, sizeof(tier));
	if (row && row->is_own)
		prices_apply_own(prices, tier, charge);
	else
		prices_apply(prices, tier, charge);
	if (!charge->is_priced)
		return;
	charge->cost_nanos += charge->beside_nanos;
	charge->budget_nanos += charge->beside_nanos;
}

bool prices_by_character(const struct prices *prices, const struct charge *charge)
{
	const struct price_entry *entry = find_behind(prices, charge);
	uint64_t femtos;

	if (!entry)
		entry = price_find(prices, charge->provider, charge->model);
	return entry && charge->usage.characters &&
	       price_base(prices, entry, RATE_CHARACTER, TIER_NONE, &femtos);
}
