/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptions of price files and their entries. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "price/price_table.h"

const char *prices_warning(const struct prices *prices, size_t index)
{
	return index < prices->warnings_count ? prices->warnings[index] : NULL;
}

const char *prices_origin(const struct prices *prices, size_t i)
{
	return i < prices->loads ? prices->origins[i] : NULL;
}

size_t prices_count(const struct prices *prices)
{
	return prices->entries_count;
}

bool prices_day(const char *origin, int64_t *ret_s)
{
	const char *day = strrchr(origin, ' ');
	struct tm tm = { 0 };

	if (!day || !strptime(day + 1, "%Y-%m-%d", &tm))
		return false;
	*ret_s = timegm(&tm);
	return true;
}

static uint64_t base_of(const struct prices *prices, const struct price_entry *entry,
			enum rate_kind kind)
{
	uint64_t femtos;

	return price_base(prices, entry, kind, TIER_NONE, &femtos) ? femtos : PRICE_NONE;
}

bool prices_row(const struct prices *prices, size_t i, struct price_row *ret)
{
	const struct price_entry *entry = &prices->entries[i];

	if (i >= prices->entries_count)
		return false;
	*ret = (struct price_row){
		.key = entry->key,
		.family = entry->provider,
		.origin = prices->origins[entry->load],
		.is_shadowed = i && !strcmp(entry[-1].key, entry->key),
		.until_s = entry->until_s,
		.is_odd = entry->is_odd,
		.input = base_of(prices, entry, RATE_INPUT),
		.output = base_of(prices, entry, RATE_OUTPUT),
		.cache_read = base_of(prices, entry, RATE_READ),
		.cache_write = base_of(prices, entry, RATE_WRITE),
	};
	return true;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

size_t prices_thresholds(const struct prices *prices, const char *provider, const char *model,
			 uint32_t *ret, size_t max)
{
	const struct price_entry *entry = price_find(prices, provider, model);
	size_t n = 0;

	for (uint32_t i = 0; entry && i < entry->count && n < max; i++) {
		uint32_t above = prices->rates[entry->first + i].above;
		size_t known = 0;

		while (known < n && ret[known] != above)
			known++;
		if (above && known == n)
			ret[n++] = above;
	}
	if (n)
		qsort(ret, n, sizeof(*ret), compare);
	return n;
}
