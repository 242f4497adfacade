/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens times prices, and the checks of the prices: docs/facts/wire.md, "Ratio checks". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/price_table.h"

/* 10 USD per 1,000 web searches, Anthropic's and OpenAI's price where the entry has none. */
#define SEARCH_FEMTOS 10000000000000ULL

/* What the words of a tier mean. */
struct terms {
	enum rate_tier tier;
	bool is_fast, is_us;
};

static struct terms parse_terms(const char *words)
{
	struct terms terms = { 0 };
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
	}
	return terms;
}

/*
 * The price of a kind as the entry has it: in its tier and over its threshold; where the two are
 * not told together, the dearer of them. Batches cost half where no price of their own stands.
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
	*ret = tier == TIER_BATCH ? normal->femtos / 2 : normal->femtos;
	return true;
}

/* Prices of all kinds; what is not told follows from what is. False: no token price at all. */
static bool all_prices(const struct prices *prices, const struct price_entry *entry,
		       enum rate_tier tier, uint64_t prompt, uint64_t rates[RATE_KINDS])
{
	bool is_claude = strstr(entry->key, "claude");
	bool told[RATE_KINDS];

	memset(rates, 0, RATE_KINDS * sizeof(*rates));
	for (int kind = 0; kind < RATE_KINDS; kind++)
		told[kind] = told_price(prices, entry, kind, tier, prompt, &rates[kind]);
	if (!told[RATE_INPUT] && !told[RATE_OUTPUT])
		return false;
	/* A missing cache price is no gift: 7.1. */
	if (!told[RATE_READ])
		rates[RATE_READ] = rates[RATE_INPUT];
	/* Claude writes at 1.25 and 2 times input, others without surcharge; 0 is "none". */
	if (!rates[RATE_WRITE])
		rates[RATE_WRITE] = is_claude ? rates[RATE_INPUT] * 5 / 4 : rates[RATE_INPUT];
	if (!rates[RATE_WRITE_1H])
		rates[RATE_WRITE_1H] = is_claude ? rates[RATE_INPUT] * 2 : rates[RATE_WRITE];
	if (!told[RATE_AUDIO_IN])
		rates[RATE_AUDIO_IN] = rates[RATE_INPUT];
	if (!told[RATE_AUDIO_OUT])
		rates[RATE_AUDIO_OUT] = rates[RATE_OUTPUT];
	if (!told[RATE_REASONING])
		rates[RATE_REASONING] = rates[RATE_OUTPUT];
	return true;
}

static uint32_t host_permille(const struct price_entry *entry, const char *host)
{
	if (!strncmp(host, "eu.", 3))
		return entry->eu_host_permille;
	return strncmp(host, "us.", 3) ? 0 : entry->us_host_permille;
}

static unsigned __int128 times(unsigned __int128 femtos, uint32_t permille)
{
	return permille ? (femtos * permille + PERMILLE / 2) / PERMILLE : femtos;
}

/* False: the entry has no price for tokens. */
static bool cost_of(const struct prices *prices, const struct price_entry *entry,
		    const struct terms *terms, const struct charge *charge, int64_t *ret_nanos)
{
	const struct usage *u = &charge->usage;
	uint64_t prompt = u->input + u->cache_read + u->cache_write_5m + u->cache_write_1h +
			  u->audio_input;
	uint64_t reasoning = u->reasoning < u->output ? u->reasoning : u->output;
	/* "fast" is a multiplier at Anthropic and another word for priority at OpenAI. */
	enum rate_tier tier = terms->is_fast && !entry->fast_permille ? TIER_PRIORITY : terms->tier;
	uint64_t r[RATE_KINDS];
	unsigned __int128 femtos = 0, nanos;

	if (!all_prices(prices, entry, tier, prompt, r))
		return false;
	femtos += (unsigned __int128)u->input * r[RATE_INPUT];
	femtos += (unsigned __int128)u->cache_read * r[RATE_READ];
	femtos += (unsigned __int128)u->cache_write_5m * r[RATE_WRITE];
	femtos += (unsigned __int128)u->cache_write_1h * r[RATE_WRITE_1H];
	femtos += (unsigned __int128)u->audio_input * r[RATE_AUDIO_IN];
	femtos += (unsigned __int128)u->audio_output * r[RATE_AUDIO_OUT];
	femtos += (unsigned __int128)(u->output - reasoning) * r[RATE_OUTPUT];
	femtos += (unsigned __int128)reasoning * r[RATE_REASONING];
	femtos = times(femtos, terms->is_us ? entry->us_permille : 0);
	femtos = times(femtos, terms->is_fast ? entry->fast_permille : 0);
	femtos = times(femtos, host_permille(entry, charge->host));
	femtos += (unsigned __int128)u->web_searches *
		  (entry->search_femtos ? entry->search_femtos : SEARCH_FEMTOS);
	nanos = (femtos + 500000) / 1000000;
	*ret_nanos = nanos > INT64_MAX ? INT64_MAX : (int64_t)nanos;
	return true;
}

/* What the charge would cost more if its estimate were too low by its expected error. */
static int64_t error_of(const struct prices *prices, const struct price_entry *entry,
			const struct terms *terms, const struct charge *charge)
{
	struct charge more = *charge;

	more.usage.input += charge->error_input;
	more.usage.output += charge->error_output;
	if (!cost_of(prices, entry, terms, &more, &more.cost_nanos))
		return 0;
	return more.cost_nanos - charge->cost_nanos;
}

void prices_apply(const struct prices *prices, const char *tier, struct charge *charge)
{
	const struct terms terms = parse_terms(tier ? tier : "");
	const struct price_entry *entry;

	if (charge->source == CHARGE_PROVIDER)
		return;
	charge->is_priced = false;
	charge->cost_nanos = charge->budget_nanos = charge->error_nanos = 0;
	charge->price_key[0] = charge->price_origin[0] = '\0';
	entry = price_find(prices, charge->provider, charge->model);
	if (entry && cost_of(prices, entry, &terms, charge, &charge->cost_nanos)) {
		charge->is_priced = true;
		charge->budget_nanos = charge->cost_nanos;
		if (charge->error_input || charge->error_output)
			charge->error_nanos = error_of(prices, entry, &terms, charge);
		snprintf(charge->price_key, sizeof(charge->price_key), "%s", entry->key);
		memcpy(charge->price_origin, prices->origins[entry->load],
		       sizeof(charge->price_origin));
		return;
	}
	entry = price_dearest(prices, charge->provider);
	if (entry)
		(void)cost_of(prices, entry, &terms, charge, &charge->budget_nanos);
}

static void warn(struct prices *prices, const struct price_entry *entry, const char *what,
		 uint64_t price, uint64_t input)
{
	char **slot = &prices->warnings[prices->warnings_count];

	if (prices->warnings_count == PRICE_WARNINGS_MAX)
		return;
	if (asprintf(slot, "%s: %s is %llu.%02llu times its input price", entry->key, what,
		     (unsigned long long)(price / input),
		     (unsigned long long)(price % input * 100 / input)) >= 0)
		prices->warnings_count++;
}

/* Bounds well outside the ratios seen: 7.1. A cache write of 0 is common and means "as input". */
static const struct check {
	enum rate_kind kind;
	enum rate_tier tier;
	uint32_t least_permille, most_permille;
	const char *name;
} checks[] = {
	{ RATE_INPUT, TIER_PRIORITY, 1000, 5000, "priority input" },
	{ RATE_INPUT, TIER_BATCH, 250, 1000, "batch input" },
	{ RATE_INPUT, TIER_FLEX, 250, 1000, "flex input" },
	{ RATE_READ, TIER_NONE, 0, 1000, "cache read" },
	{ RATE_WRITE, TIER_NONE, 500, 2000, "cache write" },
	{ RATE_WRITE_1H, TIER_NONE, 1000, 4000, "1 h cache write" },
};

void price_check(struct prices *prices, size_t from)
{
	for (size_t i = from; i < prices->entries_count; i++) {
		const struct price_entry *entry = &prices->entries[i];
		uint64_t input, price;

		if (!price_base(prices, entry, RATE_INPUT, TIER_NONE, &input) || !input)
			continue;
		for (size_t j = 0; j < sizeof(checks) / sizeof(*checks); j++) {
			const struct check *check = &checks[j];

			if (price_base(prices, entry, check->kind, check->tier, &price) && price &&
			    (price * PERMILLE < input * check->least_permille ||
			     price * PERMILLE > input * check->most_permille))
				warn(prices, entry, check->name, price, input);
		}
	}
}
