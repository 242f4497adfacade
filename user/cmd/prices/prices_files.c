/* SPDX-License-Identifier: Apache-2.0 */
/* The files that `aigress prices` looks at, and how it prints. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/prices/prices.h"

int prices_open(const char *file, struct prices **ret)
{
	_cleanup_free_ char *sentence = NULL;
	struct prices *prices = NULL;
	int err = prices_new(&prices);

	if (!err)
		err = prices_load_builtin(prices, &sentence);
	if (!err && file && strcmp(file, "builtin"))
		err = prices_load(prices, file, "override", &sentence);
	if (err) {
		fprintf(stderr, "aigress prices: %s: %s\n", file ? file : "builtin",
			sentence ? sentence : strerror(-err));
		prices_free(prices);
		return CMD_FAILED;
	}
	*ret = prices;
	return CMD_OK;
}

char *prices_of_daemon(struct ledger *ledger)
{
	_cleanup_free_ char *text = ledger ? ledger_get(ledger, "prices") : NULL;
	json_t *fact = text ? json_loads(text, 0, NULL) : NULL;
	const char *path = json_string_value(json_object_get(fact, "path"));
	char *file = path && *path ? strdup(path) : NULL;

	json_decref(fact);
	return file;
}

char *prices_ages(const struct prices *prices, int64_t now_us)
{
	const char *origin;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; (origin = prices_origin(prices, i)); i++) {
		int64_t day_s,
			days = prices_day(origin, &day_s) ? (now_us / US_PER_S - day_s) / 86400 : -1;

		fprintf(out, "%s%s", i ? ", " : "", origin);
		if (days >= 0)
			fprintf(out, " (%" PRId64 " day%s old)", days, days == 1 ? "" : "s");
	}
	fclose(out);
	return text;
}

void prices_print(const struct table *table, enum table_format format)
{
	table_write(table, stdout, format);
	if (table_left_out(table))
		fprintf(stderr, "aigress prices: %zu rows more have no room here\n",
			table_left_out(table));
}
