/* SPDX-License-Identifier: Apache-2.0 */
/* One rate of an entry in the price table. */
#include <stdio.h>
#include <string.h>

#include "price/price_table.h"

static const struct price_entry *undated(const struct prices *prices,
					 const struct price_entry *entry)
{
	return entry->undated ? &prices->entries[entry->undated - 1] : NULL;
}

static const struct rate *own_rate(const struct prices *prices, const struct price_entry *entry,
				   enum rate_kind kind, enum rate_tier tier, uint64_t prompt)
{
	const struct rate *best = NULL;

	for (uint32_t i = entry->first; i < entry->first + entry->count; i++) {
		const struct rate *rate = &prices->rates[i];

		/* The whole prompt takes the price of the highest threshold that it is over. */
		if (rate->kind == kind && rate->tier == tier &&
		    (!rate->above || prompt > rate->above) && (!best || rate->above > best->above))
			best = rate;
	}
	return best;
}

const struct rate *price_rate(const struct prices *prices, const struct price_entry *entry,
			      enum rate_kind kind, enum rate_tier tier, uint64_t prompt)
{
	const struct rate *rate = own_rate(prices, entry, kind, tier, prompt);

	entry = undated(prices, entry);
	return rate || !entry ? rate : own_rate(prices, entry, kind, tier, prompt);
}

bool price_base(const struct prices *prices, const struct price_entry *entry, enum rate_kind kind,
		enum rate_tier tier, uint64_t *ret)
{
	const struct rate *rate = price_rate(prices, entry, kind, tier, 0);

	if (rate)
		*ret = rate->femtos;
	return rate;
}

uint64_t price_search(const struct prices *prices, const struct price_entry *entry,
		      enum search_context context)
{
	const struct price_entry *other = undated(prices, entry);

	if (!entry->search_femtos[CONTEXT_MEDIUM] && other)
		entry = other;
	return entry->search_femtos[context] ? entry->search_femtos[context] :
					       entry->search_femtos[CONTEXT_MEDIUM];
}

static bool costs_the_same(const struct prices *prices, const struct price_entry *a,
			   const struct price_entry *b, enum rate_kind kind)
{
	const struct rate *of_a = own_rate(prices, a, kind, TIER_NONE, 0);
	const struct rate *of_b = own_rate(prices, b, kind, TIER_NONE, 0);

	return of_a && of_b && of_a->femtos == of_b->femtos;
}

void price_link(struct prices *prices)
{
	char name[CHARGE_MODEL_LEN];

	for (size_t i = 0; i < prices->entries_count; i++) {
		struct price_entry *entry = &prices->entries[i];
		const struct price_entry *other;

		entry->undated = 0;
		snprintf(name, sizeof(name), "%s", entry->key);
		if (!price_cut_date(name))
			continue;
		other = price_find_key(prices, prices->entries_count, name);
		if (other && !other->is_odd && costs_the_same(prices, entry, other, RATE_INPUT) &&
		    costs_the_same(prices, entry, other, RATE_OUTPUT))
			entry->undated = (uint32_t)(other - prices->entries) + 1;
	}
}
