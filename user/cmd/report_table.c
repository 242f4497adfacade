/* SPDX-License-Identifier: Apache-2.0 */
/* A report for eyes: rounded to micro-dollars, a sum below, and what is not exact in sentences. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "cmd/report_internal.h"
#include "cmd/show.h"

static const char *title_of(enum ledger_key key)
{
	static const char *const titles[LEDGER_KEYS] = {
		[LEDGER_BY_TIME] = "TIME",
		[LEDGER_BY_HOUR] = "HOUR",
		[LEDGER_BY_NAMESPACE] = "NAMESPACE",
		[LEDGER_BY_WORKLOAD] = "WORKLOAD",
		[LEDGER_BY_POD] = "POD",
		[LEDGER_BY_CONTAINER] = "CONTAINER",
		[LEDGER_BY_CGROUP] = "CGROUP",
		[LEDGER_BY_UNIT] = "UNIT",
		[LEDGER_BY_USER] = "USER",
		[LEDGER_BY_COMMAND] = "COMMAND",
		[LEDGER_BY_EXE] = "EXE",
		[LEDGER_BY_PID] = "PID",
		[LEDGER_BY_HOST] = "HOST",
		[LEDGER_BY_PROVIDER] = "PROVIDER",
		[LEDGER_BY_MODEL] = "MODEL",
		[LEDGER_BY_TIER] = "TIER",
		[LEDGER_BY_ACCOUNT] = "ACCOUNT",
		[LEDGER_BY_SOURCE] = "SOURCE",
		[LEDGER_BY_CALL] = "CALL",
	};

	return titles[key];
}

static int begin(struct report_writer *writer)
{
	static const char *const sums[] = { "CALLS",       "ESTIMATED", "INPUT",   "CACHE READ",
					    "CACHE WRITE", "OUTPUT",    "COST USD" };
	bool by_call = report_is_by_call(writer);

	if (writer->report->metering)
		metering_print(writer->report->metering, writer->out);
	writer->table = table_new(NULL);
	if (!writer->table)
		return -ENOMEM;
	if (by_call) {
		table_column(writer->table, "CALL", true);
		table_column(writer->table, "TIME", false);
	}
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if ((writer->report->keys & BIT(key)) && report_is_word(key))
			table_column(writer->table, title_of(key), key == LEDGER_BY_PID);
	if (by_call) {
		table_column(writer->table, "PATH", false);
		table_column(writer->table, "STATUS", true);
		table_column(writer->table, "OUTCOME", false);
		table_column(writer->table, "DURATION", true);
	}
	for (size_t i = by_call ? 2 : 0; i < ARRAY_SIZE(sums); i++)
		table_column(writer->table, sums[i], true);
	table_column(writer->table, "", false);
	return 0;
}

static void add_figures(struct report_writer *writer, const struct ledger_row *row)
{
	const uint64_t sums[] = { row->calls,
				  row->estimated_calls,
				  row->tokens.input,
				  row->tokens.cache_read,
				  report_sum(row, USAGE_OF_cache_write_5m),
				  row->tokens.output };
	char text[SHOW_LEN], note[SHOW_LEN + 16] = "";

	for (size_t i = report_is_by_call(writer) ? 2 : 0; i < ARRAY_SIZE(sums); i++)
		table_cell(writer->table, show_count(sums[i], text));
	table_cell(writer->table, show_cost(row, text));
	if (row->unpriced_calls && row->unpriced_calls + row->free_calls < row->calls)
		snprintf(note, sizeof(note), "%s unpriced", show_count(row->unpriced_calls, text));
	else if (row->unpriced_calls)
		snprintf(note, sizeof(note), "unpriced");
	table_cell(writer->table, note);
}

static void write_row(struct report_writer *writer, const struct ledger_row *row)
{
	char text[SHOW_LEN];

	if (report_is_by_call(writer)) {
		table_format(writer->table, "%" PRId64, row->call_id);
		table_cell(writer->table, text_time(row->start_us, text));
	}
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if (row->keys[key] && report_is_word(key))
			table_cell(writer->table, row->keys[key]);
	if (report_is_by_call(writer)) {
		table_cell(writer->table, row->path);
		/* Of a flow that was not read neither is known. */
		if (row->status)
			table_format(writer->table, "%d", row->status);
		else
			table_cell(writer->table, "");
		table_cell(writer->table, row->outcome);
		table_cell(writer->table,
			   row->duration_us ? show_duration(row->duration_us, text) : "");
	}
	add_figures(writer, row);
}

/* The sum is printed under its columns; the words before them stay empty but for the first. */
static void add_total(struct report_writer *writer)
{
	uint32_t words = writer->report->keys & ~(BIT(LEDGER_BY_CALL) | BIT(LEDGER_BY_TIME));
	size_t n = (size_t)__builtin_popcount(words) + (report_is_by_call(writer) ? 6 : 0);

	table_rule(writer->table);
	for (size_t i = 0; i < n; i++)
		table_cell(writer->table, i ? " " : "total");
	add_figures(writer, &writer->total);
}

/* No false precision, and no error of 0 USD of what has no price. */
static void write_error(struct report_writer *writer)
{
	const struct ledger_row *total = &writer->total;
	char a[SHOW_LEN], b[SHOW_LEN], usd[SHOW_LEN];

	if (!total->error_input && !total->error_output)
		return;
	fprintf(writer->out, "Their expected error: about %s tokens of input, %s of output",
		show_count(show_rounded(total->error_input), a),
		show_count(show_rounded(total->error_output), b));
	if (total->error_nanos)
		fprintf(writer->out, ", %s USD",
			show_usd((int64_t)show_rounded((uint64_t)total->error_nanos), usd));
	fprintf(writer->out, " more or less%s.\n",
		total->error_nanos ? "" : "; what has no price has none in USD");
}

static void write_totals(struct report_writer *writer)
{
	const struct ledger_row *total = &writer->total;
	uint64_t permille = total->calls ? total->estimated_calls * 1000 / total->calls : 0;
	char a[SHOW_LEN], b[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	if (!writer->rows) {
		fprintf(writer->out,
			"No AI calls since %s.\n"
			"If there should be some: `aigress check` shows what is seen and what is not, and "
			"--since 7d\nlooks further back.\n",
			text_time(writer->report->since_us, a));
		return;
	}
	if (writer->rows > 1 && writer->report->keys)
		add_total(writer);
	table_print(writer->table, writer->out, 0);
	if (table_left_out(writer->table))
		fprintf(writer->out, "... and %zu more rows; --format csv gives them all.\n",
			table_left_out(writer->table));
	if (total->estimated_calls)
		fprintf(writer->out,
			"\n%s of %s calls (%" PRIu64 ".%" PRIu64 " %%) are estimated: no usage "
			"could be read of them.\n",
			show_count(total->estimated_calls, a), show_count(total->calls, b),
			permille / 10, permille % 10);
	write_error(writer);
	if (total->unpriced_calls)
		fprintf(writer->out,
			"\n%s calls went to models without a price: their cost is not in the "
			"sums. Budgets count %s USD\nfor all calls above (%s to %s). Give prices in "
			"the file that `prices:` of the configuration\nnames, or models with `assume:`.\n",
			show_count(total->unpriced_calls, a), show_usd(total->budget_nanos, b),
			show_usd(total->budget_nanos - total->under_nanos, low),
			show_usd(total->budget_nanos + total->over_nanos, high));
	if (total->excess)
		fprintf(writer->out,
			"\n%s tokens that answers claimed are more than their bytes and models can carry, "
			"and are not counted.\n",
			show_count(total->excess, a));
}

static void end(struct report_writer *writer)
{
	const struct report *report = writer->report;

	write_totals(writer);
	if (report->metering)
		(void)metering_print_gaps(writer->ledger, report->metering, report->since_us,
					  report->now_us, METERING_GAPS, writer->out);
}

const struct report_form report_table = { .begin = begin, .row = write_row, .end = end };
