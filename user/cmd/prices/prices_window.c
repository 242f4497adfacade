/* SPDX-License-Identifier: Apache-2.0 */
/* What two sets of prices make of the calls of a window. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "cmd/cmd.h"
#include "cmd/prices/prices.h"
#include "cmd/show.h"
#include "ledger/overrides.h"
#include "ledger/repricing.h"

/* Calls of a model at a provider. */
struct sum {
	UT_hash_handle hh;
	uint64_t calls, priced_anew,
		lost; /* calls that had no price and have one, and the other way round */
	__int128 old_nanos, new_nanos;
	char provider[CHARGE_NAME_LEN];
	char model[];
};

/* A figure that is another now; kept until the calls have been read. */
struct change {
	int64_t call, old_nanos;
	struct charge *charge;
};

struct window {
	const struct prices *old; /* NULL: the figures as they were charged */
	const struct prices *new;
	int64_t until_us;
	struct sum *sums;
	uint64_t others; /* calls whose figure is not a price's */
	struct change *changes;
	size_t n_changes, room;
	bool keeps;
	int err;
};

static struct sum *sum_of(struct window *window, const struct charge *charge)
{
	size_t len = strlen(charge->model);
	struct sum *sum = NULL;
	char key[CHARGE_NAME_LEN + CHARGE_MODEL_LEN];

	memset(key, 0, CHARGE_NAME_LEN);
	snprintf(key, CHARGE_NAME_LEN, "%s", charge->provider);
	memcpy(key + CHARGE_NAME_LEN, charge->model, len);
	HASH_FIND(hh, window->sums, key, CHARGE_NAME_LEN + len, sum);
	if (sum)
		return sum;
	sum = calloc(1, sizeof(*sum) + len + 1);
	if (!sum) {
		window->err = -ENOMEM;
		return NULL;
	}
	memcpy(sum->provider, key, CHARGE_NAME_LEN);
	memcpy(sum->model, charge->model, len);
	HASH_ADD(hh, window->sums, provider, CHARGE_NAME_LEN + len, sum);
	return sum;
}

static void keep(struct window *window, const struct ledger_call *call, const struct charge *charge)
{
	struct change *changes = window->changes;

	if (window->n_changes == window->room) {
		size_t room = window->room ? window->room * 2 : 256;

		changes = reallocarray(changes, room, sizeof(*changes));
		if (!changes) {
			window->err = -ENOMEM;
			return;
		}
		window->changes = changes;
		window->room = room;
	}
	changes[window->n_changes] = (struct change){ .call = call->id,
						      .old_nanos = call->charge->cost_nanos,
						      .charge = malloc(sizeof(*charge)) };
	if (!changes[window->n_changes].charge) {
		window->err = -ENOMEM;
		return;
	}
	*changes[window->n_changes++].charge = *charge;
}

static bool is_by_price(const struct charge *charge)
{
	return charge->source == CHARGE_USAGE || charge->source == CHARGE_PARTIAL ||
	       charge->source == CHARGE_TEXT || charge->source == CHARGE_SIZE;
}

static void take_call(void *arg, const struct ledger_call *call)
{
	struct window *window = arg;
	struct charge was = *call->charge, is = *call->charge;
	struct sum *sum;

	if (window->err || call->start_us >= window->until_us)
		return;
	/* Paid by the hour, or by whom the provider says: no price of a token changes it. */
	if (!is_by_price(call->charge) || !strcmp(was.price_key, "provisioned throughput")) {
		window->others++;
		return;
	}
	if (window->old)
		prices_apply_again(window->old, &was);
	prices_apply_again(window->new, &is);
	sum = sum_of(window, call->charge);
	if (!sum)
		return;
	sum->calls += charge_count(call->charge);
	sum->old_nanos += was.is_priced ? was.cost_nanos : 0;
	sum->new_nanos += is.is_priced ? is.cost_nanos : 0;
	sum->priced_anew += !was.is_priced && is.is_priced;
	sum->lost += was.is_priced && !is.is_priced;
	if (window->keeps && is.is_priced && (!was.is_priced || was.cost_nanos != is.cost_nanos))
		keep(window, call, &is);
}

static int by_difference(struct sum *a, struct sum *b)
{
	__int128 x = a->new_nanos - a->old_nanos, y = b->new_nanos - b->old_nanos;

	x = x < 0 ? -x : x;
	y = y < 0 ? -y : y;
	if (x != y)
		return x > y ? -1 : 1;
	return a->new_nanos > b->new_nanos ? -1 : a->new_nanos < b->new_nanos;
}

static void put_row(struct table *table, const char *model, const struct sum *sum)
{
	char money[MONEY_LEN], note[96] = "";

	if (sum->priced_anew)
		snprintf(note, sizeof(note), "%" PRIu64 " had no price", sum->priced_anew);
	if (sum->lost)
		snprintf(note + strlen(note), sizeof(note) - strlen(note),
			 "%s%" PRIu64 " have none now", *note ? ", " : "", sum->lost);
	table_cell(table, sum->provider);
	table_cell(table, model);
	table_format(table, "%" PRIu64, sum->calls);
	table_cell(table, money_format((int64_t)sum->old_nanos, money));
	table_cell(table, money_format((int64_t)sum->new_nanos, money));
	table_cell(table, money_format((int64_t)(sum->new_nanos - sum->old_nanos), money));
	table_cell(table, note);
}

static void print(struct window *window, enum table_format format)
{
	static const struct table_column columns[] = {
		{ "PROVIDER", false }, { "MODEL", false },  { "CALLS", true },
		{ "OLD USD", true },   { "NEW USD", true }, { "DIFFERENCE", true },
		{ "NOTE", false },     { NULL, false }
	};
	struct table *table = table_new(columns);
	struct sum total = { 0 }, *sum, *next;

	if (!table)
		return;
	HASH_SORT(window->sums, by_difference);
	HASH_ITER(hh, window->sums, sum, next) {
		put_row(table, sum->model, sum);
		total.calls += sum->calls;
		total.old_nanos += sum->old_nanos;
		total.new_nanos += sum->new_nanos;
		total.priced_anew += sum->priced_anew;
		total.lost += sum->lost;
	}
	table_rule(table);
	if (format == TABLE_TEXT)
		put_row(table, "all", &total);
	prices_print(table, format);
	table_free(table);
	if (window->others)
		fprintf(stderr,
			"%" PRIu64
			" calls more are free, pending, paid by the hour or told by the provider: "
			"no price changes them\n",
			window->others);
}

static void window_done(struct window *window)
{
	struct sum *sum, *next;

	HASH_ITER(hh, window->sums, sum, next) {
		HASH_DEL(window->sums, sum);
		free(sum);
	}
	for (size_t i = 0; i < window->n_changes; i++)
		free(window->changes[i].charge);
	free(window->changes);
}

static int fail(const char *verb, int err, const char *sentence)
{
	fprintf(stderr, "aigress prices %s: %s\n", verb, sentence ? sentence : strerror(-err));
	return CMD_FAILED;
}

int prices_diff(struct prices_options *options)
{
	struct prices *old = NULL, *new = NULL;
	struct window window = { .until_us = options->window.until_us };
	struct ledger *ledger = NULL;
	int code, err;

	if (!options->words[1]) {
		fprintf(stderr, "aigress prices diff: which two? give OLD and NEW\n");
		return CMD_USAGE;
	}
	code = prices_open(options->words[0], &old);
	if (!code)
		code = prices_open(options->words[1], &new);
	if (!code)
		code = show_open("prices", options->state, &ledger);
	if (!code) {
		window.old = old;
		window.new = new;
		err = ledger_replay(ledger, options->window.since_us, take_call, &window);
		err = err ? err : window.err;
		if (err)
			code = fail("diff", err, NULL);
		else
			print(&window, options->format);
	}
	window_done(&window);
	ledger_free(ledger);
	prices_free(old);
	prices_free(new);
	return code;
}

static int keep_all(struct ledger *ledger, const struct window *window, struct repricing *repricing)
{
	int err = repricing_begin(ledger, repricing);

	for (size_t i = 0; !err && i < window->n_changes; i++)
		err = repricing_add(ledger, repricing, window->changes[i].call,
				    window->changes[i].old_nanos, window->changes[i].charge);
	return repricing_end(ledger, err);
}

/* Beside the daemon if it is to be kept, else as a reader. */
static int open_window(struct prices_options *options, struct ledger **ret)
{
	_cleanup_free_ char *sentence = NULL;
	bool has_daemon;
	int err;

	if (!options->keeps)
		return show_open("prices", options->state, ret);
	err = override_open(ret, options->state, &has_daemon, &sentence);
	return err ? fail("reprice", err, sentence) : CMD_OK;
}

int prices_reprice(struct prices_options *options)
{
	_cleanup_free_ char *ages = NULL;
	struct prices *prices = NULL;
	struct window window = { .until_us = options->window.until_us, .keeps = options->keeps };
	struct repricing repricing = { .made_us = options->window.now_us,
				       .since_us = options->window.since_us };
	struct ledger *ledger = NULL;
	int code = prices_open(options->file, &prices), err;

	if (!code)
		code = open_window(options, &ledger);
	if (!code) {
		window.new = prices;
		err = ledger_replay(ledger, options->window.since_us, take_call, &window);
		err = err ? err : window.err;
		ages = prices_ages(prices, options->window.now_us);
		repricing.until_us = options->window.until_us < options->window.now_us ?
					     options->window.until_us :
					     options->window.now_us;
		repricing.prices = ages ? ages : "";
		if (!err)
			print(&window, options->format);
		if (!err && options->keeps)
			err = keep_all(ledger, &window, &repricing);
		if (err)
			code = fail("reprice", err, NULL);
		else if (options->keeps)
			fprintf(stderr, "%zu new figures are kept beside the old ones\n",
				window.n_changes);
	}
	window_done(&window);
	ledger_free(ledger);
	prices_free(prices);
	return code;
}
