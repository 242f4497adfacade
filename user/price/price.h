/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prices: LiteLLM's model_prices_and_context_window.json as published, and over it the operator's
 * own file of the same form. Decimals are read from the text, never through floating point:
 * a price is an integer number of femto-dollars (1e-15 USD) per unit.
 */
#ifndef PRICE_PRICE_H
#define PRICE_PRICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usage/charge.h"

struct prices;

/*
 * Reads a price file (then more, each over the ones before). `origin` is what charges will name, with the day of the
 * file's last change behind it: "override 2026-11-30".
 * 0; -errno of the file; -EINVAL: not such a file, then ret_error (not NULL) holds a sentence with
 * line and key, to be freed by the caller.
 */
int prices_new(struct prices **ret);
int prices_load(struct prices *prices, const char *path, const char *origin, char **ret_error);
/* The file that was linked into the binary at build time. */
int prices_load_builtin(struct prices *prices, char **ret_error);
struct prices *prices_free(struct prices *prices);

/* Oddities found by the checks of docs/facts/wire.md, "Ratio checks"; index from 0, NULL ends. */
const char *prices_warning(const struct prices *prices, size_t index);
/* What the charges of the i-th file that was read name: "litellm 2026-08-01". NULL past the end. */
const char *prices_origin(const struct prices *prices, size_t i);
/* The day at the end of such a name, in seconds since the epoch; false: it names none. */
bool prices_day(const char *origin, int64_t *ret_s);
size_t prices_count(const struct prices *prices);

/* Prices of an entry without tier and threshold, in femto-dollars a token; missing prices are PRICE_NONE. */
#define PRICE_NONE UINT64_MAX
struct price_row {
	const char *key, *family, *origin; /* as long as the prices */
	bool is_shadowed;                  /* a later file has the same key */
	int64_t until_s;                   /* its prices end then; 0: no end is known */
	bool is_odd; /* a check of its ratios failed: it never stands in for another model */
	uint64_t input, output, cache_read, cache_write;
};
/* Entries by their keys; false past the end. */
bool prices_row(const struct prices *prices, size_t i, struct price_row *ret);
/*
 * Prompts of more tokens than these have other prices, in rising order: of what a provider calls so. Returns how many,
 * `max` at most.
 */
size_t prices_thresholds(const struct prices *prices, const char *provider, const char *model,
			 uint32_t *ret, size_t max);

/*
 * Sets cost_nanos, budget_nanos, error_nanos, under_nanos, over_nanos, is_priced, price_key, price_origin and tier of a charge from its
 * provider, host, model, usage, expected error and what the answer named that changes prices: words with spaces
 * between ("batch", "priority", "flex", "fast", "us", ...); those that mean nothing are skipped.
 * Without a price of its own is_priced is false and cost_nanos 0, and budget_nanos is by a flagship of the provider
 * (price/stand_in.c), which price_key names. Rounded half up to a nano-dollar, once a call. A provider's own cost is left as it is.
 */
void prices_apply(const struct prices *prices, const char *tier, struct charge *charge);

/*
 * The most tokens that a call of this model can take and give: 4 times what the file says, since a provider's
 * own tools call the model again within one call and n choices are written at once; 2,000,000 and 1,000,000
 * (twice and eight times what any model has, 2026-11) where it does not say.
 */
void prices_limits(const struct prices *prices, const char *provider, const char *model,
		   uint64_t *ret_input, uint64_t *ret_output);

/*
 * As prices_apply(), of a server of the operator's own: only a row that begins with its name is its price, that of the
 * model or "@", which is any; without one its tokens cost nothing.
 */
void prices_apply_own(const struct prices *prices, const char *tier, struct charge *charge);

/*
 * As prices_apply(), for a charge from the ledger: its tier is known, and the part of the cost without a class
 * (beside_nanos) is kept.
 */
void prices_apply_again(const struct prices *prices, struct charge *charge);

/* Models and how much of some spend went to each. */
#define PRICE_MIX 4
struct price_mix {
	size_t n;
	struct {
		char model[CHARGE_MODEL_LEN];
		uint64_t weight;
	} models[PRICE_MIX];
};
/*
 * Gives a charge without a price what budgets count, by models that are more likely than what prices_apply() took:
 * their mean, from the least of them to the most. price_origin becomes PRICE_ASSUMED and `why`. False, and
 * nothing is set: none of them has a price that may stand in.
 */
#define PRICE_ASSUMED "assumed: "
/* A price_key, where the operator has no price for a server of their own. */
#define PRICE_OWN "own server"
bool prices_assume(const struct prices *prices, const struct price_mix *mix, const char *why,
		   struct charge *charge);

/* The charge was priced by its characters: what else was estimated of it does not count. */
bool prices_by_character(const struct prices *prices, const struct charge *charge);

#endif
