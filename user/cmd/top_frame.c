/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "cmd/show.h"
#include "cmd/table.h"

#define NAME_LEN      512
#define SPENDERS_MAX  10000 /* names that are sorted; what a screen shows are the dearest */
#define BUDGETS_SHOWN 8
#define ACTIONS_SHOWN 4

enum span { SPAN_MINUTE, SPAN_HOUR, SPAN_DAY, SPANS };
static const int64_t span_us[SPANS] = { 60 * US_PER_S, 3600 * US_PER_S, 86400 * US_PER_S };

/* Who spent, and how much in each span before now. */
struct spender {
	UT_hash_handle hh;
	char name[NAME_LEN];
	int64_t nanos[SPANS];
	uint64_t n[SPANS], without_price[SPANS];                   /* calls that cost something */
	uint64_t calls, estimated, unpriced, tokens, budget_nanos; /* of the day */
};

struct frame {
	enum ledger_key key;
	enum span span;
	struct spender *spenders;
	struct spender total;
};

static void add_sums(struct spender *to, enum span span, const struct ledger_row *row)
{
	to->nanos[span] += row->cost_nanos;
	to->n[span] += row->calls - row->free_calls;
	to->without_price[span] += row->unpriced_calls;
	if (span != SPAN_DAY)
		return;
	to->calls += row->calls;
	to->estimated += row->estimated_calls;
	to->unpriced += row->unpriced_calls;
	to->budget_nanos += row->budget_nanos > 0 ? (uint64_t)row->budget_nanos : 0;
	to->tokens += usage_tokens(&row->tokens);
}

static void add_row(void *arg, const struct ledger_row *row)
{
	struct frame *frame = arg;
	const char *name = row->keys[frame->key] ? row->keys[frame->key] : "";
	struct spender *spender;
	char key[NAME_LEN];

	add_sums(&frame->total, frame->span, row);
	snprintf(key, sizeof(key), "%s", name);
	HASH_FIND_STR(frame->spenders, key, spender);
	if (!spender) {
		if (HASH_COUNT(frame->spenders) >= SPENDERS_MAX)
			return;
		spender = calloc(1, sizeof(*spender));
		if (!spender)
			return;
		memcpy(spender->name, key, sizeof(key));
		HASH_ADD_STR(frame->spenders, name, spender);
		if (!spender->hh.tbl) {
			free(spender);
			return;
		}
	}
	add_sums(spender, frame->span, row);
}

/* Those that spend now come first, then those that spent most in the hour and the day. */
static int by_spend(const struct spender *a, const struct spender *b)
{
	for (enum span span = 0; span < SPANS; span++)
		if (a->nanos[span] != b->nanos[span])
			return a->nanos[span] < b->nanos[span] ? 1 : -1;
	return strcmp(a->name, b->name);
}

/* "?": nothing of it has a price, so its cost is not 0 but unknown. */
static const char *show_sum(const struct spender *spender, enum span span, int64_t times,
			    char text[SHOW_LEN])
{
	if (spender->without_price[span] && spender->without_price[span] >= spender->n[span])
		return "?";
	return show_usd(spender->nanos[span] * times, text);
}

/* Narrow terminals have what an alarm needs: who, how fast, how much, what of it counts. */
static const struct spend_column {
	const char *title;
	bool is_wide;
} spend_columns[] = { { "USD 1 MIN", true },  { "USD 1 H", false },    { "USD 24 H", false },
		      { "USD/H NOW", false }, { "IN BUDGETS", false }, { "CALLS", false },
		      { "TOKENS", true },     { "ESTIMATED", true },   { "UNPRICED", true } };
#define WIDE          130 /* columns from which all of them are shown */
#define NARROW_SUMS   56  /* of the others, with their blanks */
#define WIDE_SUMS     100
#define NAME_SHORTEST 16

static void add_cells(struct table *table, const char *name, const struct spender *spender,
		      bool is_wide)
{
	char cells[ARRAY_SIZE(spend_columns)][SHOW_LEN] = { "" }, text[SHOW_LEN];

	for (enum span span = 0; span < SPANS; span++)
		snprintf(cells[span], SHOW_LEN, "%s", show_sum(spender, span, 1, text));
	snprintf(cells[3], SHOW_LEN, "%s", show_sum(spender, SPAN_MINUTE, 60, text));
	show_usd((int64_t)spender->budget_nanos, cells[4]);
	show_count(spender->calls, cells[5]);
	show_count(spender->tokens, cells[6]);
	if (spender->estimated)
		snprintf(cells[7], SHOW_LEN, "%.0f %%",
			 100.0 * (double)spender->estimated / (double)spender->calls);
	if (spender->unpriced)
		show_count(spender->unpriced, cells[8]);
	table_cell(table, name);
	for (size_t i = 0; i < ARRAY_SIZE(spend_columns); i++)
		if (is_wide || !spend_columns[i].is_wide)
			table_cell(table, cells[i]);
}

static size_t name_width(unsigned width, bool is_wide)
{
	unsigned sums = is_wide ? WIDE_SUMS : NARROW_SUMS;

	return !width ? NAME_LEN : width > sums + NAME_SHORTEST ? width - sums : NAME_SHORTEST;
}

static int write_spenders(struct ledger *ledger, struct frame *frame, FILE *out, unsigned width,
			  unsigned rows)
{
	struct table *table = table_new(NULL);
	struct spender *spender, *next;
	bool is_wide = !width || width >= WIDE;
	int64_t now_us = clock_wall_us();
	int err = table ? 0 : -ENOMEM;
	char name[NAME_LEN];
	size_t n_shown = 0;

	for (frame->span = 0; !err && frame->span < SPANS; frame->span++)
		err = ledger_report(ledger,
				    &(struct ledger_query){ .since_us = now_us - span_us[frame->span],
							    .until_us = LEDGER_NO_END,
							    .keys = 1u << frame->key },
				    add_row, frame);
	if (!err) {
		char title[32];

		snprintf(title, sizeof(title), "%s", ledger_key_name(frame->key));
		for (char *c = title; *c; c++)
			*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
		table_column(table, title, false);
		for (size_t i = 0; i < ARRAY_SIZE(spend_columns); i++)
			if (is_wide || !spend_columns[i].is_wide)
				table_column(table, spend_columns[i].title, true);
		HASH_SORT(frame->spenders, by_spend);
		for (spender = frame->spenders; spender && n_shown < rows;
		     spender = spender->hh.next, n_shown++)
			add_cells(table,
				  show_short(spender->name, name_width(width, is_wide), name,
					     sizeof(name)),
				  spender, is_wide);
		table_rule(table);
		add_cells(table, "total", &frame->total, is_wide);
		table_print(table, out, width);
		if (HASH_COUNT(frame->spenders) > n_shown)
			fprintf(out, "+%zu more\n", HASH_COUNT(frame->spenders) - n_shown);
	}
	HASH_ITER(hh, frame->spenders, spender, next) {
		HASH_DEL(frame->spenders, spender);
		free(spender);
	}
	table_free(table);
	return err;
}

static json_t *fact(struct ledger *ledger, const char *key)
{
	_cleanup_free_ char *text = ledger_get(ledger, key);

	return text ? json_loads(text, 0, NULL) : NULL;
}

static const char *string(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void write_budgets(struct ledger *ledger, FILE *out, unsigned width)
{
	static const struct table_column columns[] = {
		{ "BUDGET", false }, { "COUNTER", false }, { "SPENT", true },
		{ "LIMIT", true },   { "REACHED", false }, { NULL, false },
	};
	json_t *budgets = fact(ledger, "budgets"), *row;
	struct table *table = json_array_size(budgets) ? table_new(columns) : NULL;
	size_t i;

	if (table) {
		json_array_foreach(budgets, i, row) {
			bool is_money = strcmp(string(row, "limit_usd"), "0.000000");
			char text[SHOW_LEN];

			if (i >= BUDGETS_SHOWN)
				break;
			table_cell(table, string(row, "budget"));
			table_cell(table, string(row, "key"));
			table_cell(table,
				   is_money ?
					   string(row, "spent_usd") :
					   show_count((uint64_t)json_integer_value(
							      json_object_get(row, "spent_tokens")),
						      text));
			table_cell(table,
				   is_money ?
					   string(row, "limit_usd") :
					   show_count((uint64_t)json_integer_value(
							      json_object_get(row, "limit_tokens")),
						      text));
			table_cell(table, string(row, "reached"));
		}
		fputc('\n', out);
		table_print(table, out, width);
	}
	table_free(table);
	json_decref(budgets);
}

/* What is paced, and how that goes. */
static void write_paces(struct ledger *ledger, FILE *out, unsigned width)
{
	static const struct table_column columns[] = {
		{ "PACED", false }, { "BUDGET", false }, { "USD/H", true }, { "TOKENS/H", true },
		{ "LET GO", true }, { "HELD", true },    { NULL, false },
	};
	json_t *gates = fact(ledger, "gates"), *row;
	struct table *table = NULL;
	char text[SHOW_LEN];
	size_t i;

	json_array_foreach(gates, i, row) {
		if (strcmp(string(row, "action"), "pace") || i >= BUDGETS_SHOWN)
			continue;
		if (!table) {
			table = table_new(columns);
			if (!table)
				break;
		}
		table_cell(table, string(row, "target"));
		table_cell(table, string(row, "budget"));
		table_cell(table, string(row, "to_usd_per_hour"));
		table_cell(table, !json_object_get(row, "to_tokens_per_hour") ?
					  "" :
					  show_count((uint64_t)json_integer_value(json_object_get(
							     row, "to_tokens_per_hour")),
						     text));
		table_cell(table,
			   show_count((uint64_t)json_integer_value(json_object_get(row, "let_go")),
				      text));
		table_cell(table,
			   show_count((uint64_t)json_integer_value(json_object_get(row, "held")),
				      text));
	}
	if (table) {
		fputc('\n', out);
		table_print(table, out, width);
	}
	table_free(table);
	json_decref(gates);
}

struct recent {
	char lines[ACTIONS_SHOWN][SHOW_TEXT_LEN(256)];
	size_t n;
};

static void add_action(void *arg, const struct ledger_action *action)
{
	struct recent *recent = arg;
	char when[SHOW_LEN], raw[256];

	snprintf(raw, sizeof(raw), "%s  %s %s: %s", text_time(action->time_us, when), action->action,
		 action->target, action->is_rehearsed ? "rehearsed" : action->result);
	show_text(raw, recent->lines[recent->n++ % ACTIONS_SHOWN], sizeof(recent->lines[0]));
}

static void write_actions(struct ledger *ledger, FILE *out)
{
	struct recent recent = { .n = 0 };
	size_t first;

	(void)ledger_actions(ledger, clock_wall_us() - span_us[SPAN_DAY], add_action, &recent);
	if (recent.n)
		fprintf(out, "\nLAST ACTIONS\n");
	first = recent.n > ACTIONS_SHOWN ? recent.n - ACTIONS_SHOWN : 0;
	for (size_t i = first; i < recent.n; i++)
		fprintf(out, "%s\n", recent.lines[i % ACTIONS_SHOWN]);
}

int top_frame(struct ledger *ledger, enum ledger_key key, FILE *out, unsigned width, unsigned height)
{
	struct frame frame = { .key = key };
	unsigned below = BUDGETS_SHOWN + ACTIONS_SHOWN + 8;
	int err = write_spenders(ledger, &frame, out, width,
				 !height            ? SPENDERS_MAX :
				 height > below + 3 ? height - below :
						      3);

	if (err)
		return err;
	write_budgets(ledger, out, width);
	write_paces(ledger, out, width);
	write_actions(ledger, out);
	return 0;
}
