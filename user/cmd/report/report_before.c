/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of rows, and those of the same rows in the time before. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "cmd/report/report_internal.h"

void report_add(struct ledger_row *total, const struct ledger_row *row)
{
	total->calls += row->calls;
	total->measured_calls += row->measured_calls;
	total->estimated_calls += row->estimated_calls;
	total->unpriced_calls += row->unpriced_calls;
	total->free_calls += row->free_calls;
	usage_add(&total->tokens, &row->tokens);
	total->request_bytes += row->request_bytes;
	total->response_bytes += row->response_bytes;
	total->cost_nanos += row->cost_nanos;
	total->error_input += row->error_input;
	total->error_output += row->error_output;
	total->error_nanos += row->error_nanos;
	total->budget_nanos += row->budget_nanos;
	total->under_input += row->under_input;
	total->under_output += row->under_output;
	total->under_nanos += row->under_nanos;
	total->over_nanos += row->over_nanos;
	total->excess += row->excess;
	total->unconfirmed_calls += row->unconfirmed_calls;
	total->asked_calls += row->asked_calls;
	total->unconfirmed_nanos += row->unconfirmed_nanos;
}

#define WORDS_LEN  1024
#define BEFORE_MAX TABLE_ROWS

/* One row of the time before. */
struct before {
	UT_hash_handle hh;
	struct ledger_row sums;
	char words[];
};

struct report_before {
	struct before *rows;
};

static void words_of(const struct ledger_row *row, char words[WORDS_LEN])
{
	size_t len = 0;

	words[0] = '\0';
	for (enum ledger_key key = 0; key < LEDGER_KEYS && len < WORDS_LEN - 1; key++)
		if (row->keys[key])
			len += (size_t)snprintf(words + len, WORDS_LEN - len, "%s\n",
						row->keys[key]);
}

static void remember(void *arg, const struct ledger_row *row)
{
	struct report_writer *writer = arg;
	struct before *before, *other;
	char words[WORDS_LEN];

	report_add(&writer->whole_before, row);
	if (HASH_COUNT(writer->before->rows) >= BEFORE_MAX)
		return;
	words_of(row, words);
	HASH_FIND_STR(writer->before->rows, words, other);
	if (other) {
		report_add(&other->sums, row);
		return;
	}
	before = calloc(1, sizeof(*before) + strlen(words) + 1);
	if (!before)
		return;
	strcpy(before->words, words);
	report_add(&before->sums, row);
	HASH_ADD_STR(writer->before->rows, words, before);
	if (!before->hh.tbl)
		free(before);
}

const struct ledger_row *report_before(const struct report_writer *writer,
				       const struct ledger_row *row)
{
	static const struct ledger_row none;
	struct before *before;
	char words[WORDS_LEN];

	words_of(row, words);
	HASH_FIND_STR(writer->before->rows, words, before);
	return before ? &before->sums : &none;
}

struct report_before *report_before_free(struct report_before *before)
{
	struct before *row, *next;

	if (!before)
		return NULL;
	HASH_ITER(hh, before->rows, row, next) {
		HASH_DEL(before->rows, row);
		free(row);
	}
	free(before);
	return NULL;
}

int report_read_before(struct report_writer *writer)
{
	struct ledger_query query = writer->report->query;

	query.until_us = query.since_us;
	query.since_us -= report_end_us(writer->report) - query.since_us;
	writer->before = calloc(1, sizeof(*writer->before));
	return writer->before ? ledger_report(writer->ledger, &query, remember, writer) : -ENOMEM;
}

unsigned report_share(const struct report_writer *writer, const struct ledger_row *row)
{
	bool has_prices = writer->whole.cost_nanos > 0;
	__int128 whole = has_prices ? writer->whole.cost_nanos : writer->whole.budget_nanos;

	return whole > 0 ? (unsigned)((has_prices ? row->cost_nanos : row->budget_nanos) *
				      (__int128)1000 / whole) :
			   0;
}
