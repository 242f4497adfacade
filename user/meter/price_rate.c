/* SPDX-License-Identifier: Apache-2.0 */
/* One rate of an entry in the price table. */
#include "meter/price_table.h"

const struct rate *price_rate(const struct prices *prices, const struct price_entry *entry,
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

bool price_base(const struct prices *prices, const struct price_entry *entry, enum rate_kind kind,
		enum rate_tier tier, uint64_t *ret)
{
	const struct rate *rate = price_rate(prices, entry, kind, tier, 0);

	if (rate)
		*ret = rate->femtos;
	return rate;
}
