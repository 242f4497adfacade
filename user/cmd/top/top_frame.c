/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/top/top.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/hash.h"
#include "cmd/outlook.h"
#include "cmd/show.h"
#include "cmd/table.h"
#include "ledger/action_json.h"

#define NAME_LEN     WHO_LABEL_LEN
#define SPENDERS_MAX 10000 /* names that are sorted; what a screen shows are the dearest */

enum span { SPAN_NOW, SPAN_HOUR, SPAN_DAY, SPANS };
static const int64_t span_us[SPANS] = { 300 * US_PER_S, 3600 * US_PER_S, 86400 * US_PER_S };

/* Who spent, and how much in each span before now. */
struct spender {
	UT_hash_handle hh;
	char name[NAME_LEN];
	int64_t nanos[SPANS];
	uint64_t n[SPANS], without_price[SPANS];                   /* calls that cost something */
	uint64_t calls, estimated, unpriced, tokens, budget_nanos; /* of the day */
};

struct frame {
	struct top_view *view;
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
	struct spender *spender;
	char key[NAME_LEN] = "";

	snprintf(key, sizeof(key), "%s", row->keys[frame->view->key]);
	if (frame->view->filter && !strcasestr(key, frame->view->filter))
		return;
	add_sums(&frame->total, frame->span, row);
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

/* uthash's sort has no argument for it, and there is one frame at a time. */
static enum top_sort sorted_by;

/* Those that spend most in the span come first, then those that spent most in the shortest one, and so on. */
static int by_spend(const struct spender *a, const struct spender *b)
{
	if (sorted_by == TOP_BY_BUDGETS && a->budget_nanos != b->budget_nanos)
		return a->budget_nanos < b->budget_nanos ? 1 : -1;
	if (sorted_by < TOP_BY_BUDGETS && a->nanos[sorted_by] != b->nanos[sorted_by])
		return a->nanos[sorted_by] < b->nanos[sorted_by] ? 1 : -1;
	for (enum span span = 0; span < SPANS; span++)
		if (a->nanos[span] != b->nanos[span])
			return a->nanos[span] < b->nanos[span] ? 1 : -1;
	return strcmp(a->name, b->name);
}
_Static_assert(TOP_BY_NOW == (int)SPAN_NOW && TOP_BY_DAY == (int)SPAN_DAY, "in their order");

/* Nothing of it has a price, so its cost is not 0. */
static bool is_unknown(const struct spender *spender, enum span span)
{
	return spender->without_price[span] && spender->without_price[span] >= spender->n[span];
}

static const char *show_sum(const struct spender *spender, enum span span, int64_t times,
			    char text[SHOW_LEN])
{
	if (is_unknown(spender, span))
		return "?";
	return show_usd(spender->nanos[span] * times, text);
}

/* Narrow terminals have what an alarm needs: who, how fast, how much, what of it counts. */
static const struct spend_column {
	const char *title;
	bool is_wide;
} spend_columns[] = { { "USD 5 MIN", true },  { "USD 1 H", false },    { "USD 24 H", false },
		      { "USD/H NOW", false }, { "IN BUDGETS", false }, { "CALLS", false },
		      { "TOKENS", true },     { "ESTIMATED", true },   { "UNPRICED", true } };
#define WIDE          130 /* columns from which all of them are shown */
#define NARROW_SUMS   56  /* of the others, with their blanks */
#define WIDE_SUMS     100
#define NAME_SHORTEST 16

/* It has no line to spare: none between panes, and no rule above the total. */
static bool is_low(const struct top_view *view)
{
	return view->height && view->height < 32;
}

static void add_cells(struct table *table, const char *name, const struct spender *spender,
		      bool is_wide)
{
	char cells[ARRAY_SIZE(spend_columns)][SHOW_LEN] = { "" }, text[SHOW_LEN];

	for (enum span span = 0; span < SPANS; span++)
		snprintf(cells[span], SHOW_LEN, "%s", show_sum(spender, span, 1, text));
	snprintf(cells[3], SHOW_LEN, "%s", show_sum(spender, SPAN_NOW, 12, text));
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

static void add_columns(struct table *table, enum ledger_key key, bool is_wide)
{
	static char title[32]; /* a table keeps the address */

	snprintf(title, sizeof(title), "%s", ledger_key_name(key));
	for (char *c = title; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	table_column(table, title, false);
	for (size_t i = 0; i < ARRAY_SIZE(spend_columns); i++)
		if (is_wide || !spend_columns[i].is_wide)
			table_column(table, spend_columns[i].title, true);
}

/* Lines [first, first + rows) of those there are, with the cursor among them; first is moved no more than it must. */
static size_t first_line(struct top_view *view, size_t all, size_t rows)
{
	size_t last = all > rows ? all - rows : 0;

	if (view->cursor >= all)
		view->cursor = all ? all - 1 : 0;
	return view->cursor < rows            ? 0 :
	       view->cursor - rows + 1 > last ? last :
						view->cursor - rows + 1;
}

static void print_spenders(struct frame *frame, struct table *table, FILE *out, size_t rows)
{
	struct top_view *view = frame->view;
	bool is_wide = !view->width || view->width >= WIDE;
	size_t all = HASH_COUNT(frame->spenders), at = 0, room = name_width(view->width, is_wide);
	size_t first = first_line(view, all, rows), mark = view->has_cursor ? 2 : 0;
	struct spender *spender;
	char name[NAME_LEN + 2];

	add_columns(table, view->key, is_wide);
	if (view->cursor_name)
		*view->cursor_name = '\0';
	for (spender = frame->spenders; spender; spender = spender->hh.next, at++) {
		bool is_marked = mark && at == view->cursor;

		if (is_marked && view->cursor_name)
			memcpy(view->cursor_name, spender->name, WHO_LABEL_LEN);
		if (at < first || at >= first + rows)
			continue;
		memcpy(name, is_marked ? "> " : "  ", mark);
		show_short(spender->name, room - mark, name + mark, sizeof(name) - mark);
		add_cells(table, name, spender, is_wide);
	}
	if (!is_low(view))
		table_rule(table);
	snprintf(name, sizeof(name), all > rows ? "total, +%zu more" : "total", all - rows);
	add_cells(table, name, &frame->total, is_wide);
	table_print(table, out, view->width);
}

/* To be given to drop_spenders() whatever it returns: 0 or -errno. */
static int read_spenders(struct ledger *ledger, struct frame *frame)
{
	int64_t now_us = clock_wall_us();
	int err = 0;

	for (; !err && frame->span < SPANS; frame->span++)
		err = ledger_report(ledger,
				    &(struct ledger_query){ .since_us = now_us - span_us[frame->span],
							    .until_us = LEDGER_NO_END,
							    .keys = 1u << frame->view->key },
				    add_row, frame);
	sorted_by = frame->view->sort;
	HASH_SORT(frame->spenders, by_spend);
	return err;
}

static void drop_spenders(struct frame *frame)
{
	struct spender *spender, *next;

	HASH_ITER(hh, frame->spenders, spender, next) {
		HASH_DEL(frame->spenders, spender);
		free(spender);
	}
}

static int write_spenders(struct ledger *ledger, struct top_view *view, FILE *out, size_t rows)
{
	struct frame frame = { .view = view };
	struct table *table = table_new(NULL);
	int err = table ? read_spenders(ledger, &frame) : -ENOMEM;

	if (!err)
		print_spenders(&frame, table, out, rows);
	drop_spenders(&frame);
	table_free(table);
	return err;
}

/* By the rules that the daemon has published. */
static const char *mode_of(struct ledger *ledger)
{
	_cleanup_free_ char *text = ledger_get(ledger, "rules");
	json_t *rules = text ? json_loads(text, 0, NULL) : NULL, *row;
	bool is_enforced = false;
	size_t i, n = json_array_size(rules);

	json_array_foreach(rules, i, row)
		is_enforced |= json_is_true(json_object_get(row, "enforced"));
	json_decref(rules);
	return is_enforced ? "ENFORCING" : n ? "rehearsing" : "no budgets";
}

static json_t *spender_json(const char *key, const char *name, const struct spender *spender)
{
	static const char *const usd[SPANS] = { "usd_5_minutes", "usd_1_hour", "usd_24_hours" };
	json_t *row = json_object();

	if (key)
		field_text(row, key, name);
	for (enum span span = 0; span < SPANS; span++)
		if (is_unknown(spender, span))
			field_set(row, usd[span], json_null());
		else
			field_money(row, usd[span], spender->nanos[span]);
	field_money(row, "budget_usd", (int64_t)spender->budget_nanos);
	field_number(row, "calls", spender->calls);
	field_number(row, "estimated_calls", spender->estimated);
	field_number(row, "unpriced_calls", spender->unpriced);
	field_number(row, "tokens", spender->tokens);
	return row;
}

static void add_fact(struct ledger *ledger, json_t *root, const char *key)
{
	_cleanup_free_ char *text = ledger_get(ledger, key);
	json_t *fact = text ? json_loads(text, 0, NULL) : NULL;

	field_set(root, key, fact ? fact : json_array());
}

static void add_action_json(void *arg, const struct ledger_action *action)
{
	json_array_insert_new(arg, 0, action_json(action));
}

int top_json(struct ledger *ledger, struct top_view *view, bool is_metered, FILE *out)
{
	struct frame frame = { .view = view };
	json_t *root = json_object(), *rows = json_array(), *actions = json_array();
	int err = read_spenders(ledger, &frame);
	char now[SHOW_LEN];

	for (struct spender *spender = frame.spenders; spender; spender = spender->hh.next)
		json_array_append_new(
			rows, spender_json(ledger_key_name(view->key), spender->name, spender));
	field_text(root, "time", text_time(clock_wall_us(), now));
	field_bool(root, "metered", is_metered);
	field_text(root, "mode", mode_of(ledger));
	field_set(root, "rows", rows);
	field_set(root, "totals", spender_json(NULL, NULL, &frame.total));
	add_fact(ledger, root, "budgets");
	add_fact(ledger, root, "gates");
	if (!err)
		err = ledger_actions(ledger, clock_wall_us() - span_us[SPAN_DAY], add_action_json,
				     actions);
	field_set(root, "actions", actions);
	drop_spenders(&frame);
	if (!err) {
		json_dumpf(root, out, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
		fputc('\n', out);
	}
	json_decref(root);
	return err;
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[TOP_SORTS] = { "USD/H NOW", "USD 1 H", "USD 24 H",
						      "IN BUDGETS" };

	return (unsigned)sort < TOP_SORTS ? names[sort] : NULL;
}

static unsigned print_head(struct ledger *ledger, const struct top_view *view, FILE *out)
{
	struct outlook outlook;
	char now[SHOW_LEN], filter[SHOW_TEXT_LEN(64)];
	int64_t now_us = clock_wall_us() / US_PER_S * US_PER_S;

	fprintf(out, "aigress  %s  %s  by %s, highest %s first%s%s\n", text_time(now_us, now),
		view->is_over ? "NOT RUNNING" : mode_of(ledger), ledger_key_name(view->key),
		top_sort_name(view->sort), view->filter ? "  only " : "",
		view->filter ? show_text(view->filter, filter, sizeof(filter)) : "");
	if (!view->zone || outlook_read(ledger, view->zone, now_us, &outlook))
		return 1;
	return 1 + outlook_print_short(&outlook, out);
}

/* Cut at the view's width; returns how many lines. */
static unsigned write_head(struct ledger *ledger, const struct top_view *view, FILE *out)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *head = open_memstream(&text, &size);
	unsigned n;

	if (!head)
		return 0;
	n = print_head(ledger, view, head);
	fclose(head);
	for (char *line = text, *end; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		fprintf(out, "%.*s\n", view->width ? (int)view->width : -1, line);
	}
	return n;
}

static unsigned lines_of(const char *text)
{
	unsigned n = 0;

	for (; text && *text; text++)
		n += *text == '\n';
	return n;
}

static void squeeze(char *text)
{
	char *to = text;

	for (const char *c = text; *c; c++)
		if (*c != '\n' || (to > text && to[-1] != '\n'))
			*to++ = *c;
	*to = '\0';
}

/* How many rows each pane may have: the first of these with which a frame fits, else the last. */
static const struct panes {
	size_t budgets, gates, actions;
} panes_of[] = { { 8, 8, 5 }, { 4, 4, 4 }, { 3, 2, 3 }, { 3, 1, 3 },
		 { 3, 1, 2 }, { 2, 1, 2 }, { 1, 1, 1 } };

/* To be freed; NULL: no memory. */
static char *write_panes(struct ledger *ledger, const struct top_view *view, struct panes rows)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	top_budgets(ledger, out, view->width, rows.budgets);
	top_gates(ledger, out, view, rows.gates);
	top_actions(ledger, out, view->width, rows.actions);
	fclose(out);
	if (is_low(view) && text)
		squeeze(text);
	return text;
}

#define ROWS_LEAST 4 /* of who spends */

int top_frame(struct ledger *ledger, struct top_view *view, FILE *out)
{
	_cleanup_free_ char *panes = NULL;
	unsigned used, head = write_head(ledger, view, out);
	size_t rows = SPENDERS_MAX;
	int err;

	/* beside the rows of who spends: an empty line, titles, a rule, the total */
	head += is_low(view) ? 3 : 4;
	for (size_t i = 0; i < ARRAY_SIZE(panes_of); i++) {
		free(panes);
		panes = write_panes(ledger, view, panes_of[i]);
		if (!panes)
			return -ENOMEM;
		used = head + lines_of(panes);
		if (!view->height || used + ROWS_LEAST <= view->height)
			break;
	}
	if (view->height)
		rows = view->height > used + 1 ? view->height - used : 1;
	fputc('\n', out);
	err = write_spenders(ledger, view, out, rows);
	if (!err)
		fputs(panes, out);
	return err;
}
