/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios between the prices of an entry: docs/facts/wire.md, "Ratio checks". */
#include <stdio.h>

#include "base/cleanup.h"
#include "price/price_table.h"

static void warn(struct prices *prices, struct price_entry *entry, const char *what, uint64_t price,
		 uint64_t against, const char *whose)
{
	char **slot = &prices->warnings[prices->warnings_count];

	entry->is_odd = true;
	if (prices->warnings_count == PRICE_WARNINGS_MAX)
		return;
	if (asprintf(slot, "%s: %s is %llu.%02llu times %s", entry->key, what,
		     (unsigned long long)(price / against),
		     (unsigned long long)(price % against * 100 / against), whose) >= 0)
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

/* Femto-dollars a token. GPT-5.4-pro has 30 and 180 USD a million; what asks 100 is o1-pro, or an error. */
#define SANE_INPUT  100000000000ULL
#define SANE_OUTPUT 400000000000ULL
/* Output over input: 1 to 10 among chat models of all vendors. */
#define SANE_RATIO 40

bool price_is_sane(const struct prices *prices, const struct price_entry *entry)
{
	uint64_t input = 0, output = 0;

	if (entry->is_odd)
		return false;
	(void)price_base(prices, entry, RATE_INPUT, TIER_NONE, &input);
	(void)price_base(prices, entry, RATE_OUTPUT, TIER_NONE, &output);
	if (input > SANE_INPUT || output > SANE_OUTPUT)
		return false;
	return !entry->is_chat || ((input || output) && output <= input * SANE_RATIO);
}

static void check_ratios(struct prices *prices, struct price_entry *entry)
{
	uint64_t input, price;

	if (!price_base(prices, entry, RATE_INPUT, TIER_NONE, &input) || !input)
		return;
	for (size_t j = 0; j < ARRAY_SIZE(checks); j++) {
		const struct check *check = &checks[j];

		if (price_base(prices, entry, check->kind, check->tier, &price) && price &&
		    (price * PERMILLE < input * check->least_permille ||
		     price * PERMILLE > input * check->most_permille))
			warn(prices, entry, check->name, price, input, "its input price");
	}
	if (entry->is_chat && price_base(prices, entry, RATE_OUTPUT, TIER_NONE, &price) &&
	    price > input * SANE_RATIO)
		warn(prices, entry, "output", price, input, "its input price");
}

/* Prices fall, by a factor of 5 at once when a generation is replaced; ten times either way is a slip of the point. */
#define JUMP 10

static void check_jump(struct prices *prices, struct price_entry *entry, size_t from)
{
	static const struct {
		enum rate_kind kind;
		const char *name;
	} kinds[] = { { RATE_INPUT, "input" }, { RATE_OUTPUT, "output" } };
	const struct price_entry *before = price_find_key(prices, from, entry->key);
	char whose[CHARGE_NAME_LEN + 16];

	for (size_t i = 0; before && i < ARRAY_SIZE(kinds); i++) {
		uint64_t was, is;

		if (!price_base(prices, before, kinds[i].kind, TIER_NONE, &was) || !was ||
		    !price_base(prices, entry, kinds[i].kind, TIER_NONE, &is) || !is ||
		    (is <= was * JUMP && was <= is * JUMP))
			continue;
		snprintf(whose, sizeof(whose), "that of %s", prices->origins[before->load]);
		warn(prices, entry, kinds[i].name, is, was, whose);
	}
}

void price_check(struct prices *prices, size_t from)
{
	for (size_t i = from; i < prices->entries_count; i++) {
		check_ratios(prices, &prices->entries[i]);
		check_jump(prices, &prices->entries[i], from);
	}
}
