/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/check_files.h"

#include "base/clock.h"
#include "cmd/show.h"
#include "price/price.h"

/* What is wrong with the file of a fact; "" if nothing is. */
static const char *error_of(const json_t *fact)
{
	const char *error = json_string_value(json_object_get(fact, "error"));

	return error ? error : "";
}

void check_files_prices(const json_t *prices, int64_t now_us, FILE *out)
{
	char sentence[SHOW_TEXT_LEN(512)];
	json_t *file;
	size_t i;

	if (prices)
		fprintf(out, "\nPrices\n");
	if (*error_of(prices))
		fprintf(out, "  THE PRICES FILE IS BROKEN, the built-in prices count:\n  %s\n",
			show_text(error_of(prices), sentence, sizeof(sentence)));
	json_array_foreach(json_object_get(prices, "files"), i, file) {
		const char *origin = json_string_value(file) ?: "";
		char text[SHOW_TEXT_LEN(CHARGE_NAME_LEN)];
		int64_t day_s;

		fprintf(out, "  %s", show_text(origin, text, sizeof(text)));
		if (prices_day(origin, &day_s))
			fprintf(out, ", %lld days old",
				(long long)((now_us / US_PER_S - day_s) / 86400));
		fputc('\n', out);
	}
}

void check_files_config(const json_t *config, FILE *out)
{
	char text[SHOW_TEXT_LEN(512)];

	if (*error_of(config))
		fprintf(out, "THE CONFIGURATION IS BROKEN, an earlier one is in force%s:\n  %s\n\n",
			json_is_true(json_object_get(config, "restored")) ?
				", and stop, freeze and kill are suspended" :
				"",
			show_text(error_of(config), text, sizeof(text)));
}
