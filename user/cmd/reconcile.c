/* SPDX-License-Identifier: Apache-2.0 */
/* What providers have billed against what the ledger has seen. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "bill/bill.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "cmd/table.h"
#include "ledger/overrides.h"

#define DAY_S     86400
#define FILES_MAX 16
#define ALSO_MAX  64

struct options {
	const char *state, *anthropic, *openai, *provider, *base;
	const char *files[FILES_MAX], *also[ALSO_MAX]; /* invoices; ledgers of other nodes */
	size_t n_files, n_also;
	uint32_t fields;
	struct show_window window;
	enum table_format format;
	bool keeps;
};

/* How far estimates of a kind are off: over the cells of which they are most. */
struct drift {
	__int128 billed_nanos, seen_nanos;
	uint64_t cells;
};

struct sums {
	__int128 billed_nanos, seen_nanos, never_seen_nanos, not_billed_nanos;
	uint64_t calls, unpriced_calls;
	struct drift drifts[CHARGE_SOURCES];
};

static enum charge_source main_source(const struct bill_cell *cell)
{
	int most = CHARGE_USAGE;

	for (int i = 0; i < CHARGE_SOURCES; i++)
		if (cell->seen_nanos[i] > cell->seen_nanos[most])
			most = i;
	return most;
}

static __int128 estimated(const struct bill_cell *cell)
{
	__int128 sum = 0;

	for (int i = 0; i < CHARGE_SOURCES; i++)
		if (!charge_is_measured(i))
			sum += cell->seen_nanos[i];
	return sum;
}

static void add_up(struct sums *sums, const struct bill_cell *cell)
{
	__int128 seen = bill_seen(cell);
	struct drift *drift = &sums->drifts[main_source(cell)];

	sums->billed_nanos += cell->billed_nanos;
	sums->seen_nanos += seen;
	sums->calls += cell->seen_calls;
	sums->unpriced_calls += cell->unpriced_calls;
	if (!cell->seen_calls && !seen)
		sums->never_seen_nanos += cell->billed_nanos;
	else if (!cell->billed_nanos)
		sums->not_billed_nanos += seen;
	if (!cell->billed_nanos || !seen)
		return;
	drift->billed_nanos += cell->billed_nanos;
	drift->seen_nanos += seen;
	drift->cells++;
}

static int64_t nanos64(__int128 nanos)
{
	return nanos > INT64_MAX ? INT64_MAX : nanos < INT64_MIN ? INT64_MIN : (int64_t)nanos;
}

static void put_money(struct table *table, __int128 nanos)
{
	char money[MONEY_LEN];

	table_cell(table, money_format(nanos64(nanos), money));
}

/* Of the bill, in percent with one decimal; nothing to divide by: "". */
static void put_share(struct table *table, __int128 part, __int128 whole)
{
	__int128 permille = whole ? (part * 2000 + (part < 0 ? -whole : whole)) / (2 * whole) : 0;

	if (whole > 0)
		table_format(table, "%s%d.%d", permille < 0 ? "-" : "", abs((int)permille) / 10,
			     abs((int)permille) % 10);
	else
		table_cell(table, "");
}

static const char *note_of(const struct bill_cell *cell, char note[96])
{
	__int128 seen = bill_seen(cell);

	note[0] = '\0';
	if (!cell->seen_calls && !seen)
		return "never seen here";
	if (!cell->billed_nanos && !cell->billed_input && !cell->billed_output)
		return seen ? "not billed" : cell->unpriced_calls ? "no price, not billed" : "";
	if (cell->unpriced_calls)
		snprintf(note, 96, "%" PRIu64 " calls have no price here", cell->unpriced_calls);
	else if (seen && estimated(cell) * 100 >= seen)
		snprintf(note, 96, "%d %% of it estimated", (int)(estimated(cell) * 100 / seen));
	return note;
}

static struct table *new_table(const struct bill *bill)
{
	static const char *const titles[BILL_FIELDS] = { "DAY", "PROVIDER", "MODEL", "TIER",
							 "ACCOUNT" };
	struct table *table = table_new(NULL);

	for (enum bill_field i = 0; table && i < BILL_FIELDS; i++)
		if (bill->fields & 1u << i)
			table_column(table, titles[i], false);
	if (!table)
		return NULL;
	table_column(table, "BILLED USD", true);
	table_column(table, "SEEN USD", true);
	table_column(table, "DIFFERENCE", true);
	table_column(table, "OF BILL %", true);
	if (bill->has_tokens) {
		table_column(table, "BILLED TOKENS", true);
		table_column(table, "SEEN TOKENS", true);
	}
	table_column(table, "NOTE", false);
	return table;
}

static void put_day(struct table *table, int64_t day_s)
{
	char text[32];
	time_t time = day_s;
	struct tm tm;

	strftime(text, sizeof(text), "%Y-%m-%d", gmtime_r(&time, &tm));
	table_cell(table, text);
}

static void put_cell(struct table *table, const struct bill *bill, const struct bill_cell *cell)
{
	const char *const words[BILL_FIELDS] = { [BILL_PROVIDER] = cell->key.provider,
						 [BILL_MODEL] = cell->key.model,
						 [BILL_TIER] = cell->key.tier,
						 [BILL_ACCOUNT] = cell->key.account };
	__int128 seen = bill_seen(cell);
	char note[96];

	for (enum bill_field i = 0; i < BILL_FIELDS; i++) {
		if (!(bill->fields & 1u << i))
			continue;
		if (i == BILL_DAY)
			put_day(table, cell->key.day_s);
		else
			table_cell(table, words[i]);
	}
	put_money(table, cell->billed_nanos);
	put_money(table, seen);
	put_money(table, seen - cell->billed_nanos);
	put_share(table, seen - cell->billed_nanos, cell->billed_nanos);
	if (bill->has_tokens) {
		table_format(table, "%" PRIu64, cell->billed_input + cell->billed_output);
		table_format(table, "%" PRIu64, cell->seen_input + cell->seen_output);
	}
	table_cell(table, note_of(cell, note));
}

static void print_sums(const struct sums *sums, FILE *out)
{
	char a[MONEY_LEN], b[MONEY_LEN], c[MONEY_LEN], d[MONEY_LEN];

	fprintf(out,
		"billed %s USD, seen %s USD: %s USD were billed for what was never seen here (other hosts, "
		"or a key that leaked), %s USD were seen and are on no bill\n",
		money_format(nanos64(sums->billed_nanos), a),
		money_format(nanos64(sums->seen_nanos), b),
		money_format(nanos64(sums->never_seen_nanos), c),
		money_format(nanos64(sums->not_billed_nanos), d));
	for (int i = 0; i < CHARGE_SOURCES; i++) {
		const struct drift *drift = &sums->drifts[i];

		if (!drift->cells || !drift->billed_nanos)
			continue;
		fprintf(out, "where most was known by %s: seen %s of %s USD, %+.1f %%\n",
			charge_source_name(i), money_format(nanos64(drift->seen_nanos), a),
			money_format(nanos64(drift->billed_nanos), b),
			((double)drift->seen_nanos / (double)drift->billed_nanos - 1) * 100);
	}
}

static void print_foreign(const struct bill *bill)
{
	if (bill->n_foreign)
		fprintf(stderr, "%" PRIu64 " amount%s in another currency than USD %s left out\n",
			bill->n_foreign, bill->n_foreign == 1 ? "" : "s",
			bill->n_foreign == 1 ? "was" : "were");
}

static void print(struct bill *bill, enum table_format format, struct sums *sums)
{
	struct table *table = new_table(bill);
	struct bill_cell *cell;

	bill_sort(bill);
	for (cell = bill->cells; cell; cell = cell->hh.next) {
		add_up(sums, cell);
		if (table)
			put_cell(table, bill, cell);
	}
	if (table)
		table_write(table, stdout, format);
	table_free(table);
	print_sums(sums, format == TABLE_TEXT ? stdout : stderr);
	print_foreign(bill);
}

static json_t *money(__int128 nanos)
{
	char text[MONEY_LEN];

	return json_string(money_format(nanos64(nanos), text));
}

/* For the daemon's metrics: the last reconciliation. */
static char *fact_of(const struct sums *sums, const struct bill *bill, int64_t now_us)
{
	json_t *root = json_pack(
		"{s:I, s:I, s:I, s:o, s:o, s:o, s:o}", "time_s", (json_int_t)(now_us / US_PER_S),
		"since_s", (json_int_t)bill->since_s, "until_s", (json_int_t)bill->until_s,
		"billed_usd", money(sums->billed_nanos), "seen_usd", money(sums->seen_nanos),
		"never_seen_usd", money(sums->never_seen_nanos), "not_billed_usd",
		money(sums->not_billed_nanos));
	json_t *drifts = json_object();
	char *text;

	for (int i = 0; i < CHARGE_SOURCES; i++) {
		const struct drift *drift = &sums->drifts[i];

		if (drift->cells && drift->billed_nanos)
			json_object_set_new(
				drifts, charge_source_name(i),
				json_real((double)drift->seen_nanos / (double)drift->billed_nanos -
					  1));
	}
	json_object_set_new(root, "drift", drifts);
	text = json_dumps(root, JSON_COMPACT);
	json_decref(root);
	return text;
}

static int fail(const char *what, int err, const char *sentence)
{
	fprintf(stderr, "aigress reconcile: %s: %s\n", what, sentence ? sentence : strerror(-err));
	return CMD_FAILED;
}

static int read_bills(struct bill *bill, const struct options *options)
{
	const struct {
		const char *name, *key_file;
		int (*read)(struct bill *bill, const struct bill_api *api, char **ret_error);
	} apis[] = { { "anthropic", options->anthropic, bill_read_anthropic },
		     { "openai", options->openai, bill_read_openai } };
	int err = 0;

	for (size_t i = 0; i < ARRAY_SIZE(apis); i++) {
		_cleanup_free_ char *sentence = NULL;
		const struct bill_api api = { .base = options->base, .key_file = apis[i].key_file };

		if (api.key_file)
			err = apis[i].read(bill, &api, &sentence);
		if (err)
			return fail(apis[i].name, err, sentence);
	}
	for (size_t i = 0; i < options->n_files; i++) {
		_cleanup_free_ char *sentence = NULL;

		err = bill_read_csv(bill, options->files[i], options->provider, &sentence);
		if (err)
			return fail(sentence ? "invoice" : options->files[i], err, sentence);
	}
	return CMD_OK;
}

static int read_ledgers(struct bill *bill, const struct options *options)
{
	struct ledger *ledger = NULL;
	int code = CMD_OK, err;

	for (size_t i = 0; !code && i <= options->n_also; i++) {
		const char *dir = i ? options->also[i - 1] : options->state;

		code = show_open("reconcile", dir, &ledger);
		if (code)
			break;
		err = bill_read_ledger(bill, ledger);
		ledger = ledger_free(ledger);
		if (err)
			code = fail(dir, err, NULL);
	}
	return code;
}

static int keep(const struct options *options, const struct bill *bill, const struct sums *sums)
{
	_cleanup_free_ char *fact = fact_of(sums, bill, options->window.now_us), *sentence = NULL;
	struct ledger *ledger = NULL;
	bool has_daemon;
	int err = fact ? override_open(&ledger, options->state, &has_daemon, &sentence) : -ENOMEM;

	if (!err)
		err = ledger_put(ledger, "reconcile", fact);
	ledger_free(ledger);
	return err ? fail(options->state, err, sentence) : CMD_OK;
}

static const struct argp_option rows[] = {
	{ "anthropic", 'a', "FILE", 0, "Anthropic's bill; FILE has an admin key", 0 },
	{ "openai", 'o', "FILE", 0, "OpenAI's bill; FILE has an admin key", 0 },
	{ "invoice", 'i', "FILE", 0,
	  "A bill as CSV: an invoice, or a FOCUS export; may be repeated", 0 },
	{ "provider", 'P', "NAME", 0, "Whose bill a CSV is that does not say it", 0 },
	{ "also", 'l', "DIR", 0, "The ledger of another node, too; may be repeated", 0 },
	{ "by", 'b', "KEYS", 0,
	  "What a row is: day, provider, model, tier, account (default day,provider,model)", 0 },
	{ "since", 'S', "T", 0, "From that day (UTC) on: " SHOW_TIME_FORMS " (default 30d)", 0 },
	{ "until", 'U', "T", 0, "Until before that day (default today)", 0 },
	{ "format", 'f', "FORMAT", 0, "table, csv or json (default table)", 0 },
	{ "keep", 'k', NULL, 0, "Keep the sums for the daemon's metrics", 0 },
	{ "url", 'u', "URL", 0, "Ask this address instead of the provider's own", 0 },
	{ 0 },
};

static uint32_t parse_fields(struct argp_state *state, const char *text)
{
	uint32_t fields = 0;

	for (const char *at = text; *at;) {
		size_t len = strcspn(at, ",");
		enum bill_field i = 0;

		while (i < BILL_FIELDS &&
		       (strlen(bill_field_name(i)) != len || strncmp(bill_field_name(i), at, len)))
			i++;
		if (i == BILL_FIELDS)
			argp_error(state,
				   "--by: give one or more of: day, provider, model, tier, account");
		fields |= 1u << i;
		at += len + (at[len] == ',');
	}
	return fields;
}

static void add_path(struct argp_state *state, const char **list, size_t max, size_t *n,
		     const char *path)
{
	if (*n == max)
		argp_error(state, "more than %zu files of a kind", max);
	list[(*n)++] = path;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'a':
		options->anthropic = arg;
		return 0;
	case 'o':
		options->openai = arg;
		return 0;
	case 'i':
		add_path(state, options->files, FILES_MAX, &options->n_files, arg);
		return 0;
	case 'P':
		options->provider = arg;
		return 0;
	case 'l':
		add_path(state, options->also, ALSO_MAX, &options->n_also, arg);
		return 0;
	case 'b':
		options->fields = parse_fields(state, arg);
		return 0;
	case 'S':
		options->window.since = arg;
		return 0;
	case 'U':
		options->window.until = arg;
		return 0;
	case 'f':
		options->format = options_format(state, arg, true);
		return 0;
	case 'k':
		options->keeps = true;
		return 0;
	case 'u':
		options->base = arg;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int64_t midnight(int64_t time_us)
{
	int64_t s = time_us / US_PER_S;

	return s - s % DAY_S;
}

int cmd_reconcile(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.doc = "Compare the ledger with what providers have billed: their own reports, an invoice, a "
		       "FOCUS export."
	};
	int64_t now_us = clock_wall_us();
	struct options options = { .window = { .now_us = now_us,
					       .since_us = now_us - 30LL * DAY_S * US_PER_S,
					       .until_us = now_us },
				   .fields = 1u << BILL_DAY | 1u << BILL_PROVIDER |
					     1u << BILL_MODEL };
	struct sums sums = { 0 };
	struct zone *utc = NULL;
	struct bill bill;
	int code;

	options_read(&argp, argc, argv, &options, &options.state);
	if (!options.anthropic && !options.openai && !options.n_files) {
		fprintf(stderr,
			"aigress reconcile: with whose bill? give --anthropic, --openai or --invoice\n");
		return CMD_USAGE;
	}
	/* Providers bill days of UTC, whatever the zone of the host. */
	if (zone_load(&utc, "UTC"))
		return fail("UTC", -ENOMEM, NULL);
	code = show_window("reconcile", utc, &options.window);
	zone_free(utc);
	if (code)
		return code;
	bill_init(&bill, options.fields, midnight(options.window.since_us),
		  midnight(options.window.until_us));
	code = bill.since_s < bill.until_s ? read_bills(&bill, &options) : CMD_USAGE;
	if (code == CMD_USAGE)
		fprintf(stderr, "aigress reconcile: there is no whole day (UTC) in that window\n");
	if (!code)
		code = read_ledgers(&bill, &options);
	if (!code)
		print(&bill, options.format, &sums);
	if (!code && options.keeps)
		code = keep(&options, &bill, &sums);
	bill_done(&bill);
	return code;
}
