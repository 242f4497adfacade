/* SPDX-License-Identifier: Apache-2.0 */
/* What is spent an hour now, and what the day and the month will have cost: in words. */
#ifndef CMD_OUTLOOK_H
#define CMD_OUTLOOK_H

#include <stdio.h>

#include "ledger/forecast.h"

struct outlook {
	struct forecast priced, counted; /* what has a price; what budgets count */
};

/* 0 or -errno. */
int outlook_read(struct ledger *ledger, const struct zone *zone, int64_t now_us,
		 struct outlook *ret);
/*
 * "Now 1.2 USD/h. Today 12.3 USD, about 20 at its end (18 to 25). This month ...": a line, and one more if
 * budgets count what has no price. Returns how many.
 */
unsigned outlook_print(const struct outlook *outlook, FILE *out);

/* The same as a table of 80 columns: "TODAY 12.3  AT ITS END ~20 (18 to 25)  ...". Returns how many lines. */
unsigned outlook_print_short(const struct outlook *outlook, FILE *out);

#endif
