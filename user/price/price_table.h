/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table behind struct prices, for price.c (reading), price_rate.c (one rate), price_find.c (the
 * entry of a model) and price_apply.c (the cost of a charge).
 */
#ifndef PRICE_PRICE_TABLE_H
#define PRICE_PRICE_TABLE_H

#include "price/price.h"

enum rate_kind {
	RATE_INPUT,
	RATE_OUTPUT,
	RATE_READ,
	RATE_WRITE,
	RATE_WRITE_1H,
	RATE_AUDIO_IN,
	RATE_AUDIO_OUT,
	RATE_REASONING,
	RATE_IMAGE_IN,
	RATE_IMAGE_OUT,
	RATE_VIDEO_OUT,
	RATE_READ_AUDIO,
	RATE_TOKEN_KINDS, /* those above are of a token, those below of a piece */
	RATE_CITATION = RATE_TOKEN_KINDS,
	RATE_IMAGE_MADE,
	RATE_IMAGE_SHOWN,
	RATE_PIXEL,
	RATE_SECOND_IN,
	RATE_SECOND_OUT,
	RATE_PAGE,
	RATE_CHARACTER,
	RATE_QUERY,
	RATE_REQUEST,
	RATE_SESSION,
	RATE_FILE_SEARCHES, /* a thousand */
	RATE_KINDS,
};

enum search_context { CONTEXT_MEDIUM, CONTEXT_LOW, CONTEXT_HIGH, CONTEXTS };

enum rate_tier { TIER_NONE, TIER_BATCH, TIER_PRIORITY, TIER_FLEX };

/* One price: it holds for a tier, and for prompts over `above` tokens. */
struct rate {
	uint64_t femtos; /* 1e-15 USD a token or piece */
	uint32_t above;
	uint8_t kind;
	uint8_t tier;
};

#define PERMILLE 1000
struct price_entry {
	char *key;
	uint32_t first, count;               /* of rates[] */
	uint32_t load;                       /* which file; a later one wins */
	uint64_t search_femtos[CONTEXTS];    /* a web search, by how much it reads; 0: not given */
	uint32_t max_input, max_output;      /* tokens of a call; 0: not given */
	uint32_t us_permille, fast_permille; /* multipliers; 0: none */
	int64_t until_s;        /* its prices hold before that; 0: no end is known ... */
	uint32_t then_permille; /* ... and then this many times as much */
	uint32_t eu_host_permille, us_host_permille;
	bool is_chat, is_image, is_rerank, is_embedding; /* its mode */
	bool is_odd;       /* price_check() has found a price that can not be */
	bool is_per_query; /* each search of a call is billed, not the call that searched */
	uint32_t undated; /* the entry without the date of this one, at the same price: its index and 1; 0: none */
	char provider[CHARGE_NAME_LEN];
};

/* 2,984 models and 11,000 prices today; a file beyond these is none of ours. */
#define PRICE_ENTRIES_MAX  65536
#define PRICE_RATES_MAX    1048576
#define PRICE_FILE_MAX     (64u << 20)
#define PRICE_FILES_MAX    16
#define PRICE_WARNINGS_MAX 64

struct prices {
	struct price_entry *entries; /* sorted by key, later files first */
	size_t entries_count, entries_room;
	struct rate *rates;
	size_t rates_count, rates_room;
	char origins[PRICE_FILES_MAX][CHARGE_NAME_LEN];
	uint32_t loads;
	char *warnings[PRICE_WARNINGS_MAX];
	size_t warnings_count;
};

int prices_load_text(struct prices *prices, const char *text, size_t len, const char *name,
		     const char *origin, char **ret_error);
/*
 * The entry of a model as a provider names it, or NULL:
 * docs/facts/wire.md, "Model names in the price file".
 */
const struct price_entry *price_find(const struct prices *prices, const char *provider,
				     const char *model);
/* The same without any guess: one of the provider's prefixes and the name, or the name. */
const struct price_entry *price_find_exact(const struct prices *prices, const char *provider,
					   const char *model);
/* What the words of a tier mean. */
struct price_terms {
	enum rate_tier tier;
	bool is_fast, is_us, is_preview; /* is_preview: it searches by OpenAI's tool of old */
	bool is_maps;                    /* one of its searches was in Gemini's maps */
	enum search_context context;
	char size[24], quality[24]; /* of images */
};
struct price_terms price_terms_parse(const char *words);
/* Those words that are known, which price_terms_parse() takes back; nothing that came with a request. */
void price_terms_words(const struct price_terms *terms, char ret[CHARGE_TIER_LEN]);
/* "low", "medium", "high"; any other word counts as the default. */
enum search_context price_context(const char *word);
/*
 * Sets budget_nanos, under_nanos and over_nanos (all as 0 before) by this entry and these words; error_nanos too
 * if is_priced. `ret_lacks` is a class that was used and has no price, or NULL; static. False: the entry has no
 * price for anything that was used.
 */
bool price_cost(const struct prices *prices, const struct price_entry *entry,
		const struct price_terms *terms, struct charge *charge, const char **ret_lacks);
/* The same, with price_key and price_origin, for the model that stands in for one without a price. */
void price_stand_in(const struct prices *prices, const char *tier, struct charge *charge);
/*
 * Whether it may stand in for others. Files have rows that are wrong by a factor of a thousand, and models that
 * are never used by default.
 */
bool price_is_sane(const struct prices *prices, const struct price_entry *entry);
/*
 * Files give a dated model less than its name without the date: no priority, no searches. Where both cost the same,
 * the dated one has what the other has. Entries must be sorted.
 */
void price_link(struct prices *prices);
/* What a search costs in a context; 0: not given. */
uint64_t price_search(const struct prices *prices, const struct price_entry *entry,
		      enum search_context context);
/* The rate of a kind in a tier for a prompt of this many tokens; NULL: the entry has none. */
const struct rate *price_rate(const struct prices *prices, const struct price_entry *entry,
			      enum rate_kind kind, enum rate_tier tier, uint64_t prompt);
/* The plain price of a kind, without tier or threshold; false: not given. */
bool price_base(const struct prices *prices, const struct price_entry *entry, enum rate_kind kind,
		enum rate_tier tier, uint64_t *ret);
/*
 * Checks of the entries from an index on, by their ratios and by what the files before (which are sorted) say of the
 * same model; oddities become warnings.
 */
void price_check(struct prices *prices, size_t from);
/* Cuts "-20250514" or "-2024-08-06" off the end of a model's name; false: there is none. */
bool price_cut_date(char *model);
/* The entry of a key among the first n, which are sorted; NULL: none. Of equal keys the one that wins. */
const struct price_entry *price_find_key(const struct prices *prices, size_t n, const char *key);

#endif
