/* SPDX-License-Identifier: Apache-2.0 */
/* One frame of the live view, as text: what `top` draws, and `run` on a terminal. */
#ifndef CMD_TOP_H
#define CMD_TOP_H

#include <stdio.h>

#include "base/zone.h"
#include "ledger/ledger.h"

/* What a line is: an enum ledger_key, or the best name there is (pod and container, unit, cgroup). */
#define TOP_BY_WHO LEDGER_KEYS

enum top_sort { TOP_BY_MINUTE, TOP_BY_HOUR, TOP_BY_DAY, TOP_BY_BUDGETS, TOP_SORTS };
const char *top_sort_name(enum top_sort sort);

struct top_view {
	unsigned key;
	enum top_sort sort;
	size_t first;            /* lines of spenders that are scrolled past */
	const char *filter;      /* part of a name, in any case; NULL: all */
	unsigned width, height;  /* 0: no limit */
	const struct zone *zone; /* of today and this month; NULL: they are left out */
};

/* "who", "cgroup", ... of a view's key. */
const char *top_key_name(unsigned key);

/*
 * Writes the clock and whether actions are done, what is spent, by whom, budgets, what is in force and the last
 * actions, in at most height lines of width columns. 0 or -errno.
 */
int top_frame(struct ledger *ledger, const struct top_view *view, FILE *out);

/* For top_frame() alone: each pane begins with an empty line, or is nothing; at most `rows` of it. */
void top_budgets(struct ledger *ledger, FILE *out, unsigned width, size_t rows);
void top_gates(struct ledger *ledger, FILE *out, unsigned width, size_t rows);
void top_actions(struct ledger *ledger, FILE *out, unsigned width, size_t rows);

#endif
