/* SPDX-License-Identifier: Apache-2.0 */
/* A report as CSV, RFC 4180; its figures are exact. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/csv.h"
#include "cmd/report/report_internal.h"
#include "cmd/show.h"

static int begin(struct report_writer *writer)
{
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if ((writer->report->query.keys & BIT(key)) && report_is_word(key))
			fprintf(writer->out, "%s,", ledger_key_name(key));
	if (report_is_by_call(writer))
		fputs("call,time,path,operation,status,outcome,stream,duration_us,first_token_us,price_key,"
		      "price_origin,",
		      writer->out);
	fputs("calls,measured_calls,estimated_calls,unpriced_calls,free_calls,", writer->out);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (report_is_first(i))
			fprintf(writer->out, "%s,", usage_classes[i].column);
	fputs("request_bytes,response_bytes,cost_usd,error_input,error_output,error_usd,"
	      "budget_usd,under_input,under_output,under_usd,over_usd,excess,"
	      "unconfirmed_calls,asked_calls,unconfirmed_budget_usd",
	      writer->out);
	if (writer->report->has_share)
		fputs(",share_permille", writer->out);
	if (writer->before)
		fputs(",before_calls,before_cost_usd,before_budget_usd", writer->out);
	fputs("\r\n", writer->out);
	return 0;
}

/* 0: it is not known. */
static void write_known(FILE *out, uint64_t n)
{
	if (n)
		fprintf(out, ",%" PRIu64, n);
	else
		fputc(',', out);
}

static void write_call(FILE *out, const struct ledger_row *row, bool is_first)
{
	char when[SHOW_LEN];

	fprintf(out, "%s%" PRId64 ",%s", is_first ? "" : ",", row->call_id,
		text_time(row->start_us, when));
	csv_cell(out, row->path, false);
	csv_cell(out, row->operation, false);
	/* of a flow that was not read these are not known */
	write_known(out, (uint64_t)row->status);
	fprintf(out, ",%s,%d", row->outcome, row->is_stream);
	write_known(out, row->duration_us);
	write_known(out, row->first_token_us);
	csv_cell(out, row->price_key, false);
	csv_cell(out, row->price_origin, false);
}

static void write_before(FILE *out, const struct ledger_row *before)
{
	char money[MONEY_LEN];

	fprintf(out, ",%" PRIu64 ",%s", before->calls,
		show_is_unpriced(before) ? "" : money_format(before->cost_nanos, money));
	fprintf(out, ",%s", money_format(before->budget_nanos, money));
}

static void write_row(struct report_writer *writer, const struct ledger_row *row)
{
	const uint64_t calls[] = { row->calls, row->measured_calls, row->estimated_calls,
				   row->unpriced_calls, row->free_calls };
	char money[MONEY_LEN];
	bool is_first = true;

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++) {
		if (!row->keys[key] || !report_is_word(key))
			continue;
		csv_cell(writer->out, row->keys[key], is_first);
		is_first = false;
	}
	if (report_is_by_call(writer)) {
		write_call(writer->out, row, is_first);
		is_first = false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++, is_first = false)
		fprintf(writer->out, "%s%" PRIu64, is_first ? "" : ",", calls[i]);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (report_is_first(i))
			fprintf(writer->out, ",%" PRIu64, report_sum(row, i));
	fprintf(writer->out, ",%" PRIu64 ",%" PRIu64, row->request_bytes, row->response_bytes);
	/* Money is exact here; a sum without a price is not a sum of 0. */
	if (show_is_unpriced(row))
		fputs(",", writer->out);
	else
		fprintf(writer->out, ",%s", money_format(row->cost_nanos, money));
	fprintf(writer->out, ",%" PRIu64 ",%" PRIu64 ",%s", row->error_input, row->error_output,
		money_format(row->error_nanos, money));
	fprintf(writer->out, ",%s", money_format(row->budget_nanos, money));
	fprintf(writer->out, ",%" PRIu64 ",%" PRIu64, row->under_input, row->under_output);
	fprintf(writer->out, ",%s", money_format(row->under_nanos, money));
	fprintf(writer->out, ",%s,%" PRIu64, money_format(row->over_nanos, money), row->excess);
	fprintf(writer->out, ",%" PRIu64 ",%" PRIu64 ",%s", row->unconfirmed_calls,
		row->asked_calls, money_format(row->unconfirmed_nanos, money));
	if (writer->report->has_share)
		fprintf(writer->out, ",%u", report_share(writer, row));
	if (writer->before)
		write_before(writer->out, report_before(writer, row));
	fputs("\r\n", writer->out);
}

/* No row of its own: its words would be a caller's. */
static void end(struct report_writer *writer)
{
	char money[MONEY_LEN];

	if (writer->n_rest)
		fprintf(stderr, "%zu more rows: %" PRIu64 " calls, %s USD in budgets\n",
			writer->n_rest, writer->rest.calls,
			money_format(writer->rest.budget_nanos, money));
}

const struct report_form report_csv = { .begin = begin, .row = write_row, .end = end };
