/* SPDX-License-Identifier: Apache-2.0 */
/* Which prices there are, why a model has the one that it has, and what other prices would make of what was used. */
#include "cmd/prices/prices.h"

#include <fnmatch.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show.h"

#define DAY_US (86400 * US_PER_S)

/* Of a million tokens: femto-dollars a token are nano-dollars a million. */
static void million(struct table *table, uint64_t femtos)
{
	char money[MONEY_LEN];

	table_cell(table, femtos == PRICE_NONE ? "" : money_format((int64_t)femtos, money));
}

static void put_note(struct table *table, const struct price_row *row)
{
	char day[16] = "";
	time_t last = row->until_s - 1;
	struct tm tm;

	if (row->until_s)
		strftime(day, sizeof(day), "%Y-%m-%d", gmtime_r(&last, &tm));
	table_format(table, "%s%s%s%s", row->is_odd ? "odd: stands in for nothing" : "",
		     row->is_odd && *day ? ", " : "", *day ? "until " : "", day);
}

static bool is_wanted(const struct prices_options *options, const struct price_row *row)
{
	const char *pattern = options->words[0];

	if (row->is_shadowed || (options->provider && strcmp(options->provider, row->family)))
		return false;
	return !pattern || !fnmatch(pattern, row->key, 0) || strstr(row->key, pattern);
}

static int list(struct prices_options *options)
{
	static const struct table_column columns[] = {
		{ "MODEL", false }, { "FAMILY", false },    { "INPUT", true },
		{ "OUTPUT", true }, { "CACHE READ", true }, { "CACHE WRITE", true },
		{ "FROM", false },  { "NOTE", false },      { NULL, false },
	};
	struct table *table = table_new(columns);
	_cleanup_free_ char *ages = NULL;
	struct prices *prices = NULL;
	struct price_row row;
	size_t n = 0;
	int code = table ? prices_open(options->file, &prices) : CMD_FAILED;

	for (size_t i = 0; code == CMD_OK && prices_row(prices, i, &row); i++) {
		if (!is_wanted(options, &row))
			continue;
		n++;
		table_cell(table, row.key);
		table_cell(table, row.family);
		million(table, row.input);
		million(table, row.output);
		million(table, row.cache_read);
		million(table, row.cache_write);
		table_cell(table, row.origin);
		put_note(table, &row);
	}
	if (code == CMD_OK) {
		prices_print(table, options->format);
		ages = prices_ages(prices, options->window.now_us);
		fprintf(stderr, "%zu models, USD a million tokens; %s\n", n, ages ? ages : "");
	}
	table_free(table);
	prices_free(prices);
	return code == CMD_OK && !n ? CMD_FAILED : code;
}

/* What a thousand tokens of one class, or a thousand pieces, cost as the options say, in nano-dollars. */
static struct charge look_up(const struct prices *prices, const struct prices_options *options,
			     const struct usage *usage, const char *tier, const char *host)
{
	struct charge charge = { .source = CHARGE_USAGE, .usage = *usage };

	snprintf(charge.provider, sizeof(charge.provider), "%s",
		 options->provider ? options->provider : "openai");
	snprintf(charge.model, sizeof(charge.model), "%s", options->words[0]);
	snprintf(charge.host, sizeof(charge.host), "%s", host ? host : "");
	prices_apply(prices, tier ? tier : "", &charge);
	return charge;
}

#define THOUSAND 1000

static void print_factor(const char *what, const char *value, int64_t plain, int64_t now)
{
	char text[SHOW_TEXT_LEN(256)];

	if (value && plain > 0)
		printf("  %-10s %s: x %.4g\n", what, show_text(value, text, sizeof(text)),
		       (double)now / (double)plain);
}

static void print_classes(const struct prices *prices, const struct prices_options *options)
{
	char money[MONEY_LEN];

	for (size_t i = 0; i < USAGE_COUNT; i++) {
		struct usage usage = { 0 };
		bool is_token = usage_classes[i].kind != USAGE_PIECES;
		struct charge charge;

		*usage_at(&usage, i) = THOUSAND;
		if (usage_classes[i].kind == USAGE_PART)
			usage.output = THOUSAND; /* reasoning is inside output */
		charge = look_up(prices, options, &usage, options->tier, options->host);
		if (!charge.is_priced)
			continue;
		printf("  %-10s %s USD %s%s%s\n", usage_classes[i].label,
		       money_format(charge.cost_nanos * (is_token ? 1000 : 1), money),
		       is_token ? "a million tokens" : "a thousand",
		       *charge.price_lacks ? "; the entry has no price of its own for " : "",
		       charge.price_lacks);
	}
}

static int explain(struct prices_options *options)
{
	struct usage usage = { .input = THOUSAND, .output = THOUSAND };
	_cleanup_free_ char *ages = NULL;
	struct prices *prices = NULL;
	char text[SHOW_TEXT_LEN(CHARGE_MODEL_LEN)], money[MONEY_LEN];
	struct charge charge, plain, here;
	uint32_t above[8];
	size_t n;
	int code;

	if (!options->words[0]) {
		fprintf(stderr, "aigress prices explain: which MODEL?\n");
		return CMD_USAGE;
	}
	code = prices_open(options->file, &prices);
	if (code)
		return code;
	charge = look_up(prices, options, &usage, options->tier, options->host);
	plain = look_up(prices, options, &usage, "", "");
	here = look_up(prices, options, &usage, "", options->host);
	ages = prices_ages(prices, options->window.now_us);
	printf("%s at %s\n", show_text(options->words[0], text, sizeof(text)), charge.provider);
	if (charge.is_priced) {
		printf("  %-10s %s\n  %-10s %s\n", "row", charge.price_key, "from",
		       charge.price_origin);
		print_classes(prices, options);
		print_factor("tier", options->tier, here.cost_nanos, charge.cost_nanos);
		print_factor("place", options->host, plain.cost_nanos, here.cost_nanos);
		n = prices_thresholds(prices, charge.provider, options->words[0], above,
				      sizeof(above) / sizeof(*above));
		for (size_t i = 0; i < n; i++) {
			usage.input = above[i] + 1;
			here = look_up(prices, options, &usage, options->tier, options->host);
			usage.output = 0;
			plain = look_up(prices, options, &usage, options->tier, options->host);
			usage.output = THOUSAND;
			printf("  %-10s prompts of more than %" PRIu32 " tokens: input %s, ",
			       "long", above[i],
			       money_format((int64_t)((__int128)plain.cost_nanos * 1000000 /
						      (above[i] + 1)),
					    money));
			printf("output %s USD a million tokens\n",
			       money_format((here.cost_nanos - plain.cost_nanos) * 1000, money));
		}
	} else {
		printf("  %-10s none; budgets count %s USD a million tokens of input and as many of output, by\n"
		       "  %-10s %s (%s)\n",
		       "row", money_format(charge.budget_nanos * 1000, money), "", charge.price_key,
		       charge.price_origin);
	}
	printf("  %-10s %s\n", "files", ages ? ages : "");
	prices_free(prices);
	return charge.is_priced ? CMD_OK : CMD_FAILED;
}

static const struct argp_option rows[] = {
	{ "prices", 'p', "FILE", 0, "Prices over the built-in ones (default: the daemon's)", 0 },
	{ "provider", 'P', "NAME", 0, "list: of this family; explain: sold by this provider", 0 },
	{ "host", 'H', "HOST", 0, "explain: at this host, whose region may cost more", 0 },
	{ "tier", 't', "WORDS", 0, "explain: in this tier: batch, flex, priority, fast, us", 0 },
	{ "since", 'S', "T", 0,
	  "diff, reprice: calls from then on: " SHOW_TIME_FORMS " (default 30d)", 0 },
	{ "until", 'U', "T", 0, "reprice: calls until then (default now)", 0 },
	{ "keep", 'k', NULL, 0, "reprice: keep the new figures beside the old ones", 0 },
	{ "format", 'f', "FORMAT", 0, "list, diff, reprice: table, csv or json (default table)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct prices_options *options = state->input;

	switch (key) {
	case 'p':
		options->file = arg;
		return 0;
	case 'P':
		options->provider = arg;
		return 0;
	case 'H':
		options->host = arg;
		return 0;
	case 't':
		options->tier = arg;
		return 0;
	case 'S':
		options->window.since = arg;
		return 0;
	case 'U':
		options->window.until = arg;
		return 0;
	case 'k':
		options->keeps = true;
		return 0;
	case 'f':
		options->format = options_format(state, arg, true);
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			options->verb = arg;
		else if (state->arg_num <= 2)
			options->words[state->arg_num - 1] = arg;
		else
			argp_error(state, "too many words: \"%s\"", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct {
	const char *name;
	int (*fn)(struct prices_options *options);
} verbs[] = { { "list", list },
	      { "explain", explain },
	      { "diff", prices_diff },
	      { "reprice", prices_reprice } };

int cmd_prices(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.args_doc = "list [PATTERN]\nexplain MODEL\ndiff OLD NEW\nreprice",
		.doc = "Which prices there are and how old, why a model has its price, and what other prices "
		       "make of the calls in the ledger. OLD and NEW are price files, or \"builtin\"."
	};
	int64_t now_us = clock_wall_us();
	struct prices_options options = { .window = { .now_us = now_us,
						      .since_us = now_us - 30 * DAY_US,
						      .until_us = INT64_MAX } };
	_cleanup_free_ char *file = NULL;
	struct ledger *ledger = NULL;
	struct zone *zone;
	int code;

	options_read(&argp, argc, argv, &options, &options.state);
	/* Without a ledger there is no daemon whose file or zone it could be. */
	if (ledger_open(&ledger, options.state, false, NULL))
		ledger = NULL;
	file = options.file ? NULL : prices_of_daemon(ledger);
	options.file = options.file ? options.file : file;
	zone = show_zone(ledger);
	ledger_free(ledger);
	code = zone ? show_window("prices", zone, &options.window) : CMD_FAILED;
	zone_free(zone);
	if (code)
		return code;
	for (size_t i = 0; options.verb && i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(verbs[i].name, options.verb))
			return verbs[i].fn(&options);
	fprintf(stderr, "aigress prices: give list, explain, diff or reprice%s%s\n",
		options.verb ? ", not " : "", options.verb ? options.verb : "");
	return CMD_USAGE;
}
