/* SPDX-License-Identifier: Apache-2.0 */
/* A report as one JSON object; its figures are exact. */
#include <jansson.h>

#include "cmd/ahead.h"
#include "cmd/outlook.h"
#include "cmd/report/report_internal.h"
#include "cmd/show.h"
#include "ledger/gaps.h"

static int begin(struct report_writer *writer)
{
	fputs("{\"rows\":[", writer->out);
	return 0;
}

/* The object of that name in another, made if there is none; NULL: the other itself. */
static json_t *object_in(json_t *object, const char *name)
{
	json_t *inner = name ? json_object_get(object, name) : object;

	if (inner)
		return inner;
	json_object_set_new(object, name, json_object());
	return json_object_get(object, name);
}

static void add_usage(json_t *object, const struct ledger_row *row)
{
	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (report_is_first(i))
			json_object_set_new(object_in(object, usage_classes[i].json_object),
					    usage_classes[i].json_key,
					    json_integer((json_int_t)report_sum(row, i)));
}

/* Tokens and money at least and at most; the money as budgets count it, which need a price for everything. */
static void add_range(json_t *object, const struct ledger_row *row)
{
	uint64_t input = report_sum(row, USAGE_OF_input), output = report_sum(row, USAGE_OF_output);
	char money[MONEY_LEN];

	json_object_set_new(object, "budget_usd",
			    json_string(money_format(row->budget_nanos, money)));
	json_object_set_new(object, "low",
			    json_pack("{s:I, s:I, s:s}", "input",
				      (json_int_t)(input - row->under_input), "output",
				      (json_int_t)(output - row->under_output), "budget_usd",
				      money_format(row->budget_nanos - row->under_nanos, money)));
	json_object_set_new(object, "high",
			    json_pack("{s:I, s:I, s:s}", "input",
				      (json_int_t)(input + row->error_input), "output",
				      (json_int_t)(output + row->error_output), "budget_usd",
				      money_format(row->budget_nanos + row->over_nanos, money)));
	/* What usage claimed beyond what can be, and nobody counts. */
	json_object_set_new(object, "excess", json_integer((json_int_t)row->excess));
	/* Only its sender says that it went to a provider; of calls of which nobody asked neither is known. */
	json_object_set_new(object, "unconfirmed",
			    json_pack("{s:I, s:I, s:s}", "calls", (json_int_t)row->unconfirmed_calls,
				      "of_calls", (json_int_t)row->asked_calls, "budget_usd",
				      money_format(row->unconfirmed_nanos, money)));
}

static void add_sums(json_t *object, const struct ledger_row *row)
{
	char money[MONEY_LEN];

	json_object_set_new(object, "calls", json_integer((json_int_t)row->calls));
	/* Measured, estimated and free together are all calls. */
	json_object_set_new(object, "measured_calls", json_integer((json_int_t)row->measured_calls));
	json_object_set_new(object, "estimated_calls",
			    json_integer((json_int_t)row->estimated_calls));
	json_object_set_new(object, "unpriced_calls", json_integer((json_int_t)row->unpriced_calls));
	json_object_set_new(object, "free_calls", json_integer((json_int_t)row->free_calls));
	add_usage(object, row);
	json_object_set_new(object, "request_bytes", json_integer((json_int_t)row->request_bytes));
	json_object_set_new(object, "response_bytes", json_integer((json_int_t)row->response_bytes));
	/* what has no price did not cost 0 */
	json_object_set_new(object, "cost_usd",
			    show_is_unpriced(row) ?
				    json_null() :
				    json_string(money_format(row->cost_nanos, money)));
	/* Of what is estimated: more or less. */
	json_object_set_new(object, "expected_error",
			    json_pack("{s:I, s:I, s:s}", "input", (json_int_t)row->error_input,
				      "output", (json_int_t)row->error_output, "cost_usd",
				      money_format(row->error_nanos, money)));
	add_range(object, row);
}

/* Of a flow that was not read 0 says that it is not known. */
static json_t *known(uint64_t n)
{
	return n ? json_integer((json_int_t)n) : json_null();
}

static void add_call(json_t *object, const struct ledger_row *row)
{
	char when[SHOW_LEN];

	json_object_set_new(object, "call", json_integer(row->call_id));
	json_object_set_new(object, "time", json_string(text_time(row->start_us, when)));
	json_object_set_new(object, "path", text_json(row->path));
	json_object_set_new(object, "operation", text_json(row->operation));
	json_object_set_new(object, "status", known((uint64_t)row->status));
	json_object_set_new(object, "outcome", text_json(row->outcome));
	json_object_set_new(object, "stream", json_boolean(row->is_stream));
	json_object_set_new(object, "duration_us", known(row->duration_us));
	json_object_set_new(object, "first_token_us", known(row->first_token_us));
	json_object_set_new(object, "price_key", text_json(row->price_key));
	json_object_set_new(object, "price_origin", text_json(row->price_origin));
}

static json_t *sums_of(const struct ledger_row *row)
{
	json_t *object = json_object();

	add_sums(object, row);
	return object;
}

static void write_object(FILE *out, json_t *object)
{
	if (object)
		json_dumpf(object, out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	else
		fputs("null", out);
	json_decref(object);
}

static void write_row(struct report_writer *writer, const struct ledger_row *row)
{
	json_t *object = json_object();

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if (row->keys[key] && report_is_word(key))
			json_object_set_new(object, ledger_key_name(key), text_json(row->keys[key]));
	if (report_is_by_call(writer))
		add_call(object, row);
	add_sums(object, row);
	if (writer->report->has_share)
		json_object_set_new(object, "share_permille",
				    json_integer(report_share(writer, row)));
	if (writer->before)
		json_object_set_new(object, "before", sums_of(report_before(writer, row)));
	fputs(writer->rows ? ",\n" : "\n", writer->out);
	write_object(writer->out, object);
}

static void add_gap(void *arg, const struct gap *gap)
{
	char from[SHOW_LEN], until[SHOW_LEN];

	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:b, s:b, s:b}", "from", text_time(gap->from_us, from),
			       "until", text_time(gap->until_us, until), "open", gap->is_open,
			       "killed", gap->why == GAP_KILLED, "hung", gap->why == GAP_HUNG));
}

static void write_gaps(struct report_writer *writer)
{
	const struct report *report = writer->report;
	json_t *gaps = json_array();

	(void)gaps_read(writer->ledger, report->query.since_us, report_end_us(report),
			report->metering->life, add_gap, gaps);
	fprintf(writer->out, ",\n\"metering\":%s,\"gaps\":",
		report->metering->life == GAPS_MEASURING ? "true" : "false");
	write_object(writer->out, gaps);
}

static void write_outlook(struct report_writer *writer)
{
	const struct report *report = writer->report;
	struct outlook outlook;

	if (!report->zone || outlook_read(writer->ledger, report->zone, report->now_us, &outlook))
		return;
	fputs(",\n\"forecast\":", writer->out);
	write_object(writer->out, forecast_json(&outlook.priced));
	fputs(",\"forecast_in_budgets\":", writer->out);
	write_object(writer->out, forecast_json(&outlook.counted));
	if (!report->metering || report->metering->life != GAPS_MEASURING)
		return;
	fputs(",\n\"budgets_full\":", writer->out);
	write_object(writer->out, ahead_json(writer->ledger, report->now_us));
}

static void end(struct report_writer *writer)
{
	const struct report *report = writer->report;
	char since[SHOW_LEN], until[SHOW_LEN], now[SHOW_LEN];

	fputs("],\n\"totals\":", writer->out);
	write_object(writer->out, sums_of(&writer->total));
	if (writer->before) {
		fputs(",\n\"totals_before\":", writer->out);
		write_object(writer->out, sums_of(&writer->whole_before));
	}
	if (writer->n_rest) {
		fprintf(writer->out, ",\n\"more_rows\":%zu,\"more\":", writer->n_rest);
		write_object(writer->out, sums_of(&writer->rest));
	}
	write_outlook(writer);
	if (report->metering)
		write_gaps(writer);
	fprintf(writer->out, ",\n\"since\":\"%s\",\"until\":\"%s\",",
		text_time(report->query.since_us, since), text_time(report_end_us(report), until));
	fprintf(writer->out, "\"generated\":\"%s\",\"currency\":\"USD\"}\n",
		text_time(report->now_us, now));
}

const struct report_form report_json = { .begin = begin, .row = write_row, .end = end };
