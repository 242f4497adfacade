/* SPDX-License-Identifier: Apache-2.0 */
/* One frame of the live view, as text: what `top` draws, and `run` on a terminal. */
#ifndef CMD_TOP_TOP_H
#define CMD_TOP_TOP_H

#include <stdio.h>

#include "base/zone.h"
#include "ledger/ledger.h"

enum top_sort { TOP_BY_NOW, TOP_BY_HOUR, TOP_BY_DAY, TOP_BY_BUDGETS, TOP_SORTS };
const char *top_sort_name(enum top_sort sort);

struct top_view {
	enum ledger_key key; /* what a line is */
	enum top_sort sort;
	bool is_over; /* no daemon runs and no gate is pinned: what was in force is not any more */
	bool has_cursor;    /* a line is marked */
	size_t cursor;      /* which of the spenders; past the last one: the last one */
	char *cursor_name;  /* out, NULL or of WHO_LABEL_LEN: its name, whole; "": there is none */
	const char *filter; /* part of a name, in any case; NULL: all */
	unsigned width, height;  /* 0: no limit */
	const struct zone *zone; /* of today and this month; NULL: they are left out */
};

/*
 * Writes the clock and whether actions are done, what is spent, by whom, budgets, what is in force and the last
 * actions, in at most height lines of width columns. The cursor is moved to where there is a line. 0 or -errno.
 */
int top_frame(struct ledger *ledger, struct top_view *view, FILE *out);

/*
 * The same as one object: time, metered, mode ("ENFORCING", "rehearsing", "no budgets"), rows (all of them) and totals of who
 * spends, budgets and gates as the daemon publishes them, and the actions of 24 hours, newest first. 0 or -errno.
 */
int top_json(struct ledger *ledger, struct top_view *view, bool is_metered, FILE *out);

/* For top_frame() alone: each pane begins with an empty line, or is nothing; at most `rows` of it. */
void top_budgets(struct ledger *ledger, FILE *out, unsigned width, size_t rows);
void top_gates(struct ledger *ledger, FILE *out, const struct top_view *view, size_t rows);
void top_actions(struct ledger *ledger, FILE *out, unsigned width, size_t rows);

#endif
