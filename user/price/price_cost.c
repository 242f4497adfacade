/* SPDX-License-Identifier: Apache-2.0 */
/* What one entry of the price files makes of a usage: docs/facts/wire.md, "Price file". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "price/price_table.h"

/*
 * Prices of pieces where the entry has none, in USD: a web search 0.01 (Anthropic, OpenAI), by OpenAI's tool of old,
 * web_search_preview, 0.025 at models that do not reason, which are those of gpt-4 (platform.openai.com/docs/pricing,
 * "Built-in tools", 2026-11); of Gemini 0.035 a
 * grounded prompt up to 2.5, by its maps 0.025, and 0.014 a query of either from 3 on
 * (ai.google.dev/gemini-api/docs/pricing, 2026-11);
 * a source of xAI's live search 0.025 (LiteLLM's xai cost calculator; answers of today tell their cost themselves);
 * 1,000 file searches 2.50 and a container of 1 GB 0.03 (platform.openai.com/docs/pricing, 2026-11).
 */
#define SEARCH_FEMTOS        10000000000000ULL
#define PREVIEW_FEMTOS       25000000000000ULL
#define GROUNDED_FEMTOS      35000000000000ULL
#define MAPPED_FEMTOS        25000000000000ULL
#define QUERY_FEMTOS         14000000000000ULL
#define SOURCE_FEMTOS        25000000000000ULL
#define FILE_SEARCHES_FEMTOS 2500000000000000ULL
#define SESSION_FEMTOS       30000000000000ULL

enum search_context price_context(const char *word)
{
	if (!strcmp(word, "low"))
		return CONTEXT_LOW;
	return strcmp(word, "high") ? CONTEXT_MEDIUM : CONTEXT_HIGH;
}

struct price_terms price_terms_parse(const char *words)
{
	struct price_terms terms = { 0 };
	char word[32];
	int used;

	while (sscanf(words, " %31s%n", word, &used) == 1) {
		words += used;
		if (!strcmp(word, "batch") || !strcmp(word, "batches"))
			terms.tier = TIER_BATCH;
		else if (!strcmp(word, "priority"))
			terms.tier = TIER_PRIORITY;
		else if (!strcmp(word, "flex"))
			terms.tier = TIER_FLEX;
		else if (!strcmp(word, "fast"))
			terms.is_fast = true;
		else if (!strcmp(word, "us"))
			terms.is_us = true;
		else if (!strcmp(word, "web_search_preview"))
			terms.is_preview = true;
		else if (!strcmp(word, "maps"))
			terms.is_maps = true;
		else if (!strncmp(word, "context=", 8))
			terms.context = price_context(word + 8);
		else if (!strncmp(word, "size=", 5))
			snprintf(terms.size, sizeof(terms.size), "%.23s", word + 5);
		else if (!strncmp(word, "quality=", 8))
			snprintf(terms.quality, sizeof(terms.quality), "%.23s", word + 8);
	}
	return terms;
}

void price_terms_words(const struct price_terms *terms, char ret[CHARGE_TIER_LEN])
{
	static const char *const tiers[] = { "", " batch", " priority", " flex" };
	static const char *const contexts[] = { "", " context=low", " context=high" };
	char words[CHARGE_TIER_LEN + 1];

	snprintf(words, sizeof(words), "%s%s%s%s%s%s", tiers[terms->tier],
		 terms->is_fast ? " fast" : "", terms->is_us ? " us" : "", contexts[terms->context],
		 terms->is_preview ? " web_search_preview" : "", terms->is_maps ? " maps" : "");
	snprintf(ret, CHARGE_TIER_LEN, "%s", *words ? words + 1 : "");
}

/*
 * What a tier costs where the entry does not say, in thousandths: batch a half everywhere, and flex but at Groq, where it
 * costs the same (console.groq.com/docs/flex-processing, 2026-11); priority at
 * Gemini 1.8 times (ai.google.dev, 2026-11), at Bedrock 1.75 (aws.amazon.com/bedrock/service-tiers, 2026-11).
 * OpenAI serves no model in a tier that it has no price for, so that one without is not known to cost more.
 */
static uint32_t tier_permille(const struct price_entry *entry, enum rate_tier tier)
{
	if (tier == TIER_FLEX && !strcmp(entry->provider, "groq"))
		return PERMILLE;
	if (tier == TIER_BATCH || tier == TIER_FLEX)
		return PERMILLE / 2;
	if (tier != TIER_PRIORITY)
		return PERMILLE;
	if (strstr(entry->key, "gemini"))
		return 1800;
	return strncmp(entry->provider, "bedrock", 7) ? PERMILLE : 1750;
}

/* The price of a kind times the tier's ratio, which is taken from the tier's price of input or output if given. */
static uint64_t scaled(const struct prices *prices, const struct price_entry *entry,
		       enum rate_kind kind, enum rate_tier tier, uint64_t prompt, uint64_t normal)
{
	bool is_out = kind == RATE_REASONING || kind == RATE_AUDIO_OUT || kind == RATE_IMAGE_OUT ||
		      kind == RATE_VIDEO_OUT || kind == RATE_OUTPUT;
	enum rate_kind base = is_out ? RATE_OUTPUT : RATE_INPUT;
	const struct rate *own = price_rate(prices, entry, base, tier, prompt);
	const struct rate *usual = price_rate(prices, entry, base, TIER_NONE, prompt);

	if (kind != base && own && usual && usual->femtos && own->above == usual->above)
		return (uint64_t)((unsigned __int128)normal * own->femtos / usual->femtos);
	return (uint64_t)((unsigned __int128)normal * tier_permille(entry, tier) / PERMILLE);
}

/*
 * The price of a kind as the entry gives it, for its tier and above its threshold; without a price for both
 * together, the dearer of the two.
 */
static bool told_price(const struct prices *prices, const struct price_entry *entry,
		       enum rate_kind kind, enum rate_tier tier, uint64_t prompt, uint64_t *ret)
{
	const struct rate *normal = price_rate(prices, entry, kind, TIER_NONE, prompt);
	const struct rate *own = tier ? price_rate(prices, entry, kind, tier, prompt) : NULL;

	if (own) {
		*ret = own->femtos;
		if (normal && normal->above > own->above && normal->femtos > own->femtos &&
		    tier == TIER_PRIORITY)
			*ret = normal->femtos;
		if (normal && normal->above > own->above && tier != TIER_PRIORITY)
			*ret = normal->femtos / 2;
		return true;
	}
	if (!normal)
		return false;
	*ret = tier ? scaled(prices, entry, kind, tier, prompt, normal->femtos) : normal->femtos;
	return true;
}

struct token_prices {
	uint64_t femtos[RATE_TOKEN_KINDS];
	bool told[RATE_TOKEN_KINDS]; /* given, or derived from one that is */
};

static void follow(struct token_prices *to, enum rate_kind kind, enum rate_kind from, bool is_rule)
{
	if (to->told[kind])
		return;
	to->femtos[kind] = to->femtos[from];
	to->told[kind] = is_rule && to->told[from];
}

/* Prices of all kinds of tokens; missing ones are derived from those given. */
static void all_prices(const struct prices *prices, const struct price_entry *entry,
		       enum rate_tier tier, uint64_t prompt, struct token_prices *ret)
{
	bool is_claude = strstr(entry->key, "claude");
	/* If no price of audio is given, audio costs as much as text at Gemini; at OpenAI it never does. */
	bool is_openai = !strncmp(entry->provider, "openai", 6) ||
			 !strncmp(entry->provider, "azure", 5);
	uint64_t *r = ret->femtos;

	memset(ret, 0, sizeof(*ret));
	for (int kind = 0; kind < RATE_TOKEN_KINDS; kind++)
		ret->told[kind] = told_price(prices, entry, kind, tier, prompt, &r[kind]);
	follow(ret, RATE_AUDIO_IN, RATE_INPUT, !is_openai);
	if (!ret->told[RATE_READ_AUDIO] && ret->told[RATE_READ] && r[RATE_INPUT]) {
		/* As much of its price as text that is read costs of its own. */
		r[RATE_READ_AUDIO] = (uint64_t)((unsigned __int128)r[RATE_AUDIO_IN] * r[RATE_READ] /
						r[RATE_INPUT]);
		ret->told[RATE_READ_AUDIO] = ret->told[RATE_AUDIO_IN];
	}
	follow(ret, RATE_READ_AUDIO, RATE_AUDIO_IN, true);
	/* A cache price that is missing is not 0: docs/facts/wire.md, "Price file". */
	follow(ret, RATE_READ, RATE_INPUT, true);
	/* Claude writes at 1.25 and 2 times input, others without surcharge; 0 is "none". */
	ret->told[RATE_WRITE] = ret->told[RATE_WRITE_1H] = ret->told[RATE_INPUT];
	if (!r[RATE_WRITE])
		r[RATE_WRITE] = is_claude ? r[RATE_INPUT] * 5 / 4 : r[RATE_INPUT];
	if (!r[RATE_WRITE_1H])
		r[RATE_WRITE_1H] = is_claude ? r[RATE_INPUT] * 2 : r[RATE_WRITE];
	follow(ret, RATE_IMAGE_IN, RATE_INPUT, true);
	follow(ret, RATE_REASONING, RATE_OUTPUT, true);
	follow(ret, RATE_AUDIO_OUT, RATE_OUTPUT, false);
	follow(ret, RATE_IMAGE_OUT, RATE_OUTPUT, false);
	follow(ret, RATE_VIDEO_OUT, RATE_OUTPUT, false);
}

/* Of OpenAI's regions all cost the same (developers.openai.com, "Data residency", 2026-11); LiteLLM has two of them. */
static uint32_t host_permille(const struct price_entry *entry, const char *host)
{
	if (strlen(host) < 3 || strcmp(host + 2, ".api.openai.com"))
		return 0;
	return strncmp(host, "us.", 3) ? entry->eu_host_permille : entry->us_host_permille;
}

/* "claude-sonnet-4-5" is 45, "claude-opus-5" 50, "claude-3-5-haiku" 35; a date is no version. */
static unsigned int claude_version(const char *key)
{
	const char *at = strstr(key, "claude-");
	unsigned int major, minor = 0;

	if (!at)
		return 0;
	at += strcspn(at, "0123456789");
	if (sscanf(at, "%2u-%9u", &major, &minor) < 1)
		return 0;
	return major * 10 + (minor < 10 ? minor : 0);
}

/*
 * Vertex sells Claude from 4.5 on at 10 % more in a region than worldwide (platform.claude.com, "Global, multi-region,
 * and regional endpoints", 2026-11; LiteLLM's test of vertex_ai regional pricing). Bedrock's profiles have rows of
 * their own.
 */
static uint32_t region_permille(const struct price_entry *entry, const struct charge *charge)
{
	if (strcmp(charge->provider, "gcp.vertex_ai") || !*charge->host ||
	    !strcmp(charge->host, "aiplatform.googleapis.com"))
		return 0;
	return claude_version(entry->key) >= 45 ? 1100 : 0;
}

static unsigned __int128 times(unsigned __int128 femtos, uint32_t permille)
{
	return permille ? (femtos * permille + PERMILLE / 2) / PERMILLE : femtos;
}

/* A bill in the making. */
struct bill {
	unsigned __int128 femtos;
	const char *lacks; /* what was used and has no price */
	bool is_priced;    /* something has */
};

static void add(struct bill *bill, uint64_t n, bool is_told, uint64_t femtos, const char *what)
{
	if (!n)
		return;
	bill->femtos += (unsigned __int128)n * femtos;
	if (is_told)
		bill->is_priced = true;
	else if (!bill->lacks)
		bill->lacks = what;
}

static void add_tokens(struct bill *bill, const struct usage *u, const struct token_prices *p)
{
	uint64_t reasoning = u->reasoning < u->output ? u->reasoning : u->output;
	const struct {
		uint64_t n;
		enum rate_kind kind;
		const char *what;
	} classes[] = {
		{ u->input, RATE_INPUT, "input" },
		{ u->cache_read, RATE_READ, "cache read" },
		{ u->cache_write_5m, RATE_WRITE, "cache write" },
		{ u->cache_write_1h, RATE_WRITE_1H, "cache write" },
		{ u->cache_read_audio, RATE_READ_AUDIO, "cached audio" },
		{ u->audio_input, RATE_AUDIO_IN, "audio input" },
		{ u->image_input, RATE_IMAGE_IN, "image input" },
		{ u->output - reasoning, RATE_OUTPUT, "output" },
		{ reasoning, RATE_REASONING, "reasoning" },
		{ u->audio_output, RATE_AUDIO_OUT, "audio output" },
		{ u->image_output, RATE_IMAGE_OUT, "image output" },
		{ u->video_output, RATE_VIDEO_OUT, "video output" },
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		add(bill, classes[i].n, p->told[classes[i].kind], p->femtos[classes[i].kind],
		    classes[i].what);
}

static void add_searches(struct bill *bill, const struct prices *prices,
			 const struct price_entry *entry, const struct price_terms *terms,
			 uint64_t n)
{
	bool is_gemini = strstr(entry->key, "gemini");
	bool is_3 = strstr(entry->key, "gemini-3");
	uint64_t femtos = price_search(prices, entry, terms->context);

	if (is_gemini && terms->is_maps && n) {
		add(bill, 1, true, is_3 ? QUERY_FEMTOS : MAPPED_FEMTOS, "");
		n--;
	}
	/* Gemini up to 2.5 bills the prompt that searched, whatever it asked (docs/facts/wire.md, "Gemini and Vertex AI"). */
	if (is_gemini && !entry->is_per_query && !is_3 && n > 1)
		n = 1;
	if (!femtos && terms->is_preview && strstr(entry->key, "gpt-4"))
		femtos = PREVIEW_FEMTOS;
	if (!femtos && is_gemini)
		femtos = is_3 ? QUERY_FEMTOS : GROUNDED_FEMTOS;
	if (!femtos && !strcmp(entry->provider, "xai"))
		femtos = SOURCE_FEMTOS;
	add(bill, n, true, femtos ? femtos : SEARCH_FEMTOS, "");
}

static uint64_t pixels(const char *size)
{
	unsigned int width, height;

	if (sscanf(size, "%5ux%5u", &width, &height) != 2)
		return 1024 * 1024;
	return (uint64_t)width * height;
}

/* What of the usage the entry bills, where it could be billed in more ways than one. */
static struct usage billed_usage(const struct price_entry *entry, const struct token_prices *p,
				 bool has_character_price, bool has_second_price,
				 const struct usage *usage)
{
	struct usage u = *usage;
	uint64_t shown = u.output - (u.reasoning < u.output ? u.reasoning : u.output);
	bool has_tokens;

	if (u.characters && has_character_price) {
		u.input = u.output = u.audio_output = u.millis = 0;
		return u;
	}
	u.characters = 0;
	/* If an image model does not say which tokens are the image's, all of them are. */
	if (entry->is_image && !u.image_output && p->told[RATE_IMAGE_OUT]) {
		u.image_output = shown;
		u.output -= shown;
	}
	has_tokens = u.input + u.cache_read + u.image_input + u.audio_input + u.output +
		     u.image_output + u.audio_output;
	/* An embedder bills the pictures that it is shown beside the words. */
	if (has_tokens && !entry->is_embedding &&
	    (p->told[RATE_INPUT] || p->told[RATE_OUTPUT] || p->told[RATE_IMAGE_OUT]))
		u.images = 0;
	/* Sold by the second alone: what it heard is not billed as tokens again (Mistral's Voxtral). */
	if (u.millis && has_second_price && !p->told[RATE_INPUT] && !p->told[RATE_OUTPUT])
		u.input = u.output = u.reasoning = u.audio_input = 0;
	return u;
}

static void add_pieces(struct bill *bill, const struct prices *prices,
		       const struct price_entry *entry, const struct price_terms *terms,
		       const struct usage *u)
{
	uint64_t r[RATE_KINDS] = { 0 };
	bool told[RATE_KINDS];
	uint64_t second = RATE_SECOND_IN;

	for (int kind = RATE_TOKEN_KINDS; kind < RATE_KINDS; kind++)
		told[kind] = price_base(prices, entry, kind, TIER_NONE, &r[kind]);
	if (told[RATE_CITATION])
		add(bill, u->citations, true, r[RATE_CITATION], "");
	if (told[RATE_PIXEL] && !told[RATE_IMAGE_MADE] && !told[RATE_IMAGE_SHOWN])
		add(bill, u->images, true, r[RATE_PIXEL] * pixels(terms->size), "");
	else
		add(bill, u->images, told[RATE_IMAGE_MADE] || told[RATE_IMAGE_SHOWN],
		    told[RATE_IMAGE_MADE] ? r[RATE_IMAGE_MADE] : r[RATE_IMAGE_SHOWN], "images");
	if (!told[RATE_SECOND_IN] && told[RATE_SECOND_OUT])
		second = RATE_SECOND_OUT;
	/*
	 * Some answers give a duration although tokens are billed, so it counts only if it has a price or
	 * nothing else has.
	 */
	if (told[second] || !bill->is_priced)
		add(bill, u->millis, told[second], r[second] / 1000, "seconds");
	add(bill, u->pages, told[RATE_PAGE], r[RATE_PAGE], "pages");
	add(bill, u->characters, told[RATE_CHARACTER], r[RATE_CHARACTER], "characters");
	if (told[RATE_QUERY] || !bill->is_priced)
		add(bill, u->queries, told[RATE_QUERY], r[RATE_QUERY], "search units");
	if (told[RATE_REQUEST])
		add(bill, 1, true, r[RATE_REQUEST], "");
	add_searches(bill, prices, entry, terms, u->web_searches);
	add(bill, u->sessions, true, told[RATE_SESSION] ? r[RATE_SESSION] : SESSION_FEMTOS, "");
	add(bill, u->file_searches, true,
	    (told[RATE_FILE_SEARCHES] ? r[RATE_FILE_SEARCHES] : FILE_SEARCHES_FEMTOS) / 1000, "");
}

/* False: the entry has no price for anything that was used. */
static bool cost_of(const struct prices *prices, const struct price_entry *entry,
		    const struct price_terms *terms, const struct charge *charge,
		    int64_t *ret_nanos, const char **ret_lacks)
{
	const struct usage *told = &charge->usage;
	uint64_t prompt = told->input + told->cache_read + told->cache_write_5m +
			  told->cache_write_1h + told->audio_input + told->image_input +
			  told->cache_read_audio;
	/* "fast" is a multiplier at Anthropic and another word for priority at OpenAI. */
	enum rate_tier tier = terms->is_fast && !entry->fast_permille ? TIER_PRIORITY : terms->tier;
	struct token_prices p;
	struct bill bill = { 0 };
	unsigned __int128 nanos;
	struct usage u;
	uint64_t piece;

	all_prices(prices, entry, tier, prompt, &p);
	u = billed_usage(entry, &p, price_base(prices, entry, RATE_CHARACTER, TIER_NONE, &piece),
			 price_base(prices, entry, RATE_SECOND_IN, TIER_NONE, &piece), told);
	add_tokens(&bill, &u, &p);
	bill.femtos = times(bill.femtos, terms->is_us ? entry->us_permille : 0);
	bill.femtos = times(bill.femtos, terms->is_fast ? entry->fast_permille : 0);
	if (entry->until_s && time(NULL) >= entry->until_s)
		bill.femtos = times(bill.femtos, entry->then_permille);
	bill.femtos = times(bill.femtos, host_permille(entry, charge->host));
	bill.femtos = times(bill.femtos, region_permille(entry, charge));
	add_pieces(&bill, prices, entry, terms, &u);
	if (!bill.is_priced && (bill.lacks || !(p.told[RATE_INPUT] || p.told[RATE_OUTPUT])))
		return false;
	nanos = (bill.femtos + 500000) / 1000000;
	*ret_nanos = nanos > INT64_MAX ? INT64_MAX : (int64_t)nanos;
	*ret_lacks = bill.lacks;
	return true;
}

/* What the charge would cost if its estimate were too low by all that it may be off, and too high. */
static void price_range(const struct prices *prices, const struct price_entry *entry,
			const struct price_terms *terms, struct charge *charge)
{
	struct charge low = *charge, high = *charge;
	const char *lacks;

	if (!charge->error_input && !charge->error_output && !charge->under_input &&
	    !charge->under_output)
		return;
	high.usage.input += charge->error_input;
	high.usage.output += charge->error_output;
	low.usage.input -= charge->under_input;
	low.usage.output -= charge->under_output;
	if (cost_of(prices, entry, terms, &high, &high.budget_nanos, &lacks))
		charge->over_nanos = high.budget_nanos - charge->budget_nanos;
	if (cost_of(prices, entry, terms, &low, &low.budget_nanos, &lacks))
		charge->under_nanos = charge->budget_nanos - low.budget_nanos;
	if (charge->is_priced)
		charge->error_nanos = charge->over_nanos;
}

bool price_cost(const struct prices *prices, const struct price_entry *entry,
		const struct price_terms *terms, struct charge *charge, const char **ret_lacks)
{
	if (!cost_of(prices, entry, terms, charge, &charge->budget_nanos, ret_lacks))
		return false;
	price_range(prices, entry, terms, charge);
	return true;
}
