/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a price file: refused with a sentence, or loaded and then usable. */
#include <stdlib.h>
#include <string.h>

#include "price/price_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct charge charge = { .provider = "openai",
				 .model = "m",
				 .source = CHARGE_USAGE,
				 .usage = { .input = 1000000000,
					    .output = 1000000000,
					    .reasoning = 5,
					    .cache_write_1h = 7,
					    .web_searches = 1000 } };
	struct prices *prices;
	char *error = NULL;
	int err;

	if (prices_new(&prices))
		return 0;
	err = prices_load_text(prices, (const char *)data, size, "file", "fuzz", &error);
	if (err && (!error || prices_count(prices)))
		abort();
	if (!err && !prices_count(prices))
		abort();
	prices_apply(prices, "priority us fast", &charge);
	if (charge.cost_nanos < 0 || charge.budget_nanos < 0)
		abort();
	free(error);
	prices_free(prices);
	return 0;
}
