/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the price of a model: docs/facts/wire.md, "Model names in the price file". */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "price/price_table.h"
#include "provider/provider.h"

static int compare_key(const void *key, const void *entry)
{
	return strcmp(key, ((const struct price_entry *)entry)->key);
}

const struct price_entry *price_find_key(const struct prices *prices, size_t n, const char *key)
{
	const struct price_entry *found = NULL;

	if (n)
		found = bsearch(key, prices->entries, n, sizeof(*prices->entries), compare_key);
	/* Of equal keys the first is the one that wins. */
	while (found && found > prices->entries && !strcmp(found[-1].key, key))
		found--;
	return found;
}

static const struct price_entry *find_key(const struct prices *prices, const char *key)
{
	return price_find_key(prices, prices->entries_count, key);
}

static const struct price_entry *find_prefixed(const struct prices *prices,
					       const struct api_provider *provider,
					       const char *model)
{
	char key[2 * CHARGE_MODEL_LEN];
	const struct price_entry *found;

	for (size_t i = 0; provider && i < PREFIXES && provider->prefixes[i]; i++) {
		snprintf(key, sizeof(key), "%s%s", provider->prefixes[i], model);
		found = find_key(prices, key);
		if (found)
			return found;
	}
	return find_key(prices, model);
}

/* "-20250514" or "-2024-08-06" at the end. */
bool price_cut_date(char *model)
{
	static const char *const forms[] = { "-########", "-####-##-##" };
	size_t len = strlen(model);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = strlen(forms[i]), j = 0;

		if (len <= n)
			continue;
		while (j < n && (forms[i][j] == '#' ? isdigit((unsigned char)model[len - n + j]) :
						      model[len - n + j] == forms[i][j]))
			j++;
		if (j == n) {
			model[len - n] = '\0';
			return true;
		}
	}
	return false;
}

/* "@20250514" (Vertex), ":free" and the like stay in the name; "-v1:0" and how long a context may be, ":128k" (Bedrock). */
static bool cut_version(char *model)
{
	char *at = strchr(model, '@'), *end = strrchr(model, ':');
	size_t len = strlen(model);

	if (end && end[1] && !strcmp(end + 1 + strspn(end + 1, "0123456789"), "k")) {
		*end = '\0';
		return true;
	}
	if (at) {
		*at = '\0';
		return true;
	}
	if (len > 5 && !strcmp(model + len - 5, "-v1:0")) {
		model[len - 5] = '\0';
		return true;
	}
	return false;
}

/* "us.anthropic.claude": an inference profile's region. */
static bool cut_region(char *model)
{
	static const char *const regions[] = { "us.", "eu.",     "apac.",   "jp.",
					       "au.", "global.", "us-gov.", "ca." };

	for (size_t i = 0; i < ARRAY_SIZE(regions); i++) {
		size_t n = strlen(regions[i]);

		if (!strncmp(model, regions[i], n)) {
			memmove(model, model + n, strlen(model + n) + 1);
			return true;
		}
	}
	return false;
}

/* "models/gemini-3", "anthropic/claude-..." at a gateway, an ARN's path: what is before a slash. */
static bool cut_owner(char *model)
{
	char *slash = strchr(model, '/');

	if (!slash || !slash[1])
		return false;
	memmove(model, slash + 1, strlen(slash + 1) + 1);
	return true;
}

const struct price_entry *price_find_exact(const struct prices *prices, const char *provider,
					   const char *model)
{
	return find_prefixed(prices, provider_by_name(provider), model);
}

/* The name, and what Bedrock leaves out at its OpenAI-shaped paths: "openai.gpt-oss-120b-1:0". */
static const struct price_entry *find_named(const struct prices *prices,
					    const struct api_provider *row, const char *name)
{
	static const char *const versions[] = { "-v1:0", "-1:0", "-v1" };
	const struct price_entry *found = find_prefixed(prices, row, name);
	char key[CHARGE_MODEL_LEN + 8];

	for (size_t i = 0;
	     !found && row && !strcmp(row->family, "bedrock") && i < ARRAY_SIZE(versions); i++) {
		snprintf(key, sizeof(key), "%s%s", name, versions[i]);
		found = find_prefixed(prices, row, key);
	}
	return found;
}

/*
 * A tuned model has a price of its own, which is not its base's: "ft:gpt-4o-mini-2024-07-18:acme::id", at Azure
 * "gpt-4o-mini-2024-07-18.ft-id". False: it is none. Mistral serves tuned models at their base's price.
 */
static bool tuned_name(const struct api_provider *row, const char *model, char *ret, size_t size)
{
	const char *dot = strstr(model, ".ft-"), *end;

	if (!strncmp(model, "ft:", 3)) {
		end = strchr(model + 3, ':');
		if (row && !strcmp(row->family, "mistral"))
			model += 3;
		snprintf(ret, size, "%.*s", end ? (int)(end - model) : CHARGE_MODEL_LEN - 1, model);
		return true;
	}
	if (!dot)
		return false;
	snprintf(ret, size, "ft:%.*s", (int)(dot - model), model);
	return true;
}

static bool is_lower(const char *name)
{
	while (*name && !isupper((unsigned char)*name))
		name++;
	return !*name;
}

const struct price_entry *price_find(const struct prices *prices, const char *provider,
				     const char *model)
{
	/* Each cut is tried on what the ones before left; at most one slash a segment. */
	static bool (*const cuts[])(char *) = { price_cut_date, cut_region, cut_version,
						price_cut_date, cut_owner,  cut_owner,
						cut_owner };
	const struct api_provider *row = provider_by_name(provider);
	const struct price_entry *found;
	char name[CHARGE_MODEL_LEN];
	const char *slash;
	char *dash;
	bool is_tuned;

	if (!*model)
		return NULL;
	/* An ARN names the model or profile behind its last slash. */
	slash = strncmp(model, "arn:", 4) ? NULL : strrchr(model, '/');
	snprintf(name, sizeof(name), "%s", slash ? slash + 1 : model);
	is_tuned = tuned_name(row, slash ? slash + 1 : model, name, sizeof(name));
	found = find_named(prices, row, name);
	/* "ft:gpt-4o-2024-08-06" may be listed without its date; its base without "ft:" is another price. */
	if (is_tuned && !found && price_cut_date(name))
		found = find_named(prices, row, name);
	for (size_t i = 0; !is_tuned && !found && i < ARRAY_SIZE(cuts); i++)
		if (cuts[i](name) && *name)
			found = find_named(prices, row, name);
	/* "FLUX.2-pro", "Cohere-rerank-v4.0-pro": Azure writes names as they are on its pages. */
	if (!found && !is_lower(model)) {
		for (size_t i = 0; i < sizeof(name); i++)
			name[i] = tolower((unsigned char)(i < strlen(model) ? model[i] : '\0'));
		return price_find(prices, provider, name);
	}
	/* Deepgram's names end in a voice and a language: "aura-2-thalia-en". */
	while (!found && row && !strcmp(row->family, "deepgram") && (dash = strrchr(name, '-'))) {
		*dash = '\0';
		found = find_named(prices, row, name);
	}
	return found;
}

#define LIMIT_SLACK          4
#define LIMIT_INPUT_UNKNOWN  2000000
#define LIMIT_OUTPUT_UNKNOWN 1000000

void prices_limits(const struct prices *prices, const char *provider, const char *model,
		   uint64_t *ret_input, uint64_t *ret_output)
{
	const struct price_entry *entry = price_find(prices, provider, model);

	*ret_input = LIMIT_INPUT_UNKNOWN;
	*ret_output = LIMIT_OUTPUT_UNKNOWN;
	if (entry && entry->max_input)
		*ret_input = (uint64_t)entry->max_input * LIMIT_SLACK;
	if (entry && entry->max_output)
		*ret_output = (uint64_t)entry->max_output * LIMIT_SLACK;
	/* A longer context that is asked for by a header has a price of its own, and no maximum. */
	for (uint32_t i = 0; entry && i < entry->count; i++)
		if (prices->rates[entry->first + i].above && *ret_input < LIMIT_INPUT_UNKNOWN)
			*ret_input = LIMIT_INPUT_UNKNOWN;
}
