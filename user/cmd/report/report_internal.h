/* SPDX-License-Identifier: Apache-2.0 */
/* What report.c and the forms of a report share; for no other module. */
#ifndef CMD_REPORT_REPORT_INTERNAL_H
#define CMD_REPORT_REPORT_INTERNAL_H

#include <string.h>

#include "cmd/report/report.h"
#include "cmd/table.h"

#define BIT(key) (1u << (key))

struct report_before; /* rows of the time before, by their words */

struct report_writer {
	FILE *out;
	const struct report *report;
	struct ledger *ledger;
	struct ledger_row whole; /* of all rows, before the first is written */
	struct ledger_row total; /* of those so far, written or not */
	struct ledger_row rest;  /* of those beyond the most that are written */
	size_t n_rest;
	struct report_before *before; /* NULL: not asked for */
	struct ledger_row whole_before;
	size_t rows;         /* written */
	struct table *table; /* of report_table alone; NULL before begin() */
};

/* How rows are put: begin(), row() for each, end() unless the ledger failed. */
struct report_form {
	int (*begin)(struct report_writer *writer); /* 0 or -errno */
	void (*row)(struct report_writer *writer, const struct ledger_row *row);
	void (*end)(struct report_writer *writer); /* or NULL */
};

extern const struct report_form report_table, report_csv, report_json, report_focus;

/* report_focus.c: what a row of it is, given what was asked for. */
uint32_t report_focus_keys(uint32_t keys);

static inline bool report_is_by_call(const struct report_writer *writer)
{
	return writer->report->query.keys & BIT(LEDGER_BY_CALL);
}

/* Where the report's time ends: now, or before. */
static inline int64_t report_end_us(const struct report *report)
{
	return report->query.until_us < report->now_us ? report->query.until_us : report->now_us;
}

void report_add(struct ledger_row *total, const struct ledger_row *row);
/* Of the time before that is as long as the one that is asked for, up to now. 0 or -errno. */
int report_read_before(struct report_writer *writer);
struct report_before *report_before_free(struct report_before *before);
/* The same row's sums of the time before; zeros: it had none. Only where it is asked for. */
const struct ledger_row *report_before(const struct report_writer *writer,
				       const struct ledger_row *row);
/* Of the whole, in thousandths: of what has a price, or where nothing has, of what budgets count. */
unsigned report_share(const struct report_writer *writer, const struct ledger_row *row);

/* A key that is a column of words; a call and its time have columns of their own. */
static inline bool report_is_word(enum ledger_key key)
{
	return key != LEDGER_BY_CALL && key != LEDGER_BY_TIME;
}

/* Is a class the first of those that share its column? */
static inline bool report_is_first(size_t class)
{
	return !class || strcmp(usage_classes[class].column, usage_classes[class - 1].column);
}

/* The text in the column of a class, which is the first of it. */
static inline uint64_t report_sum(const struct ledger_row *row, size_t class)
{
	uint64_t sum = usage_get(&row->tokens, class);

	while (++class < USAGE_COUNT && !report_is_first(class))
		sum += usage_get(&row->tokens, class);
	return sum;
}

#endif
