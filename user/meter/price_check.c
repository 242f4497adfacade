/* SPDX-License-Identifier: Apache-2.0 */
/* Ratios between the prices of an entry: docs/facts/wire.md, "Ratio checks". */
#include <stdio.h>

#include "meter/price_table.h"

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

/* Femto-dollars a token. GPT-5.4-pro has 30 and 180 USD a million; what asks 100 is o1-pro, or an error. */
#define SANE_INPUT  100000000000ULL
#define SANE_OUTPUT 400000000000ULL
/* Output over input: 1 to 10 among chat models of all vendors. */
#define SANE_RATIO 40

bool price_is_sane(const struct prices *prices, const struct price_entry *entry)
{
	uint64_t input = 0, output = 0;

	(void)price_base(prices, entry, RATE_INPUT, TIER_NONE, &input);
	(void)price_base(prices, entry, RATE_OUTPUT, TIER_NONE, &output);
	if (input > SANE_INPUT || output > SANE_OUTPUT)
		return false;
	return !entry->is_chat || ((input || output) && output <= input * SANE_RATIO);
}

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
