/* SPDX-License-Identifier: Apache-2.0 */
/* A report for eyes: rounded to micro-dollars, a sum below, and what is not exact in sentences. */
#include <errno.h>
#include <inttypes.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/ahead.h"
#include "cmd/outlook.h"
#include "cmd/report/report_internal.h"
#include "cmd/show.h"

#define AHEAD_LINES 3 /* of budgets that fill up */

static const char *title_of(enum ledger_key key)
{
	static const char *const titles[LEDGER_KEYS] = {
		[LEDGER_BY_TIME] = "TIME",
		[LEDGER_BY_HOUR] = "HOUR",
		[LEDGER_BY_TEAM] = "TEAM",
		[LEDGER_BY_WHO] = "WHO",
		[LEDGER_BY_NAMESPACE] = "NAMESPACE",
		[LEDGER_BY_WORKLOAD] = "WORKLOAD",
		[LEDGER_BY_POD] = "POD",
		[LEDGER_BY_CONTAINER] = "CONTAINER",
		[LEDGER_BY_CGROUP] = "CGROUP",
		[LEDGER_BY_UNIT] = "UNIT",
		[LEDGER_BY_USER] = "USER",
		[LEDGER_BY_COMMAND] = "COMMAND",
		[LEDGER_BY_EXE] = "EXE",
		[LEDGER_BY_IMAGE] = "IMAGE",
		[LEDGER_BY_CLIENT] = "CLIENT",
		[LEDGER_BY_PID] = "PID",
		[LEDGER_BY_HOST] = "HOST",
		[LEDGER_BY_PROVIDER] = "PROVIDER",
		[LEDGER_BY_MODEL] = "MODEL",
		[LEDGER_BY_TIER] = "TIER",
		[LEDGER_BY_ACCOUNT] = "ACCOUNT",
		[LEDGER_BY_DESTINATION] = "DESTINATION",
		[LEDGER_BY_SOURCE] = "SOURCE",
		[LEDGER_BY_CALL] = "CALL",
	};

	return titles[key];
}

/* Whether budgets count something else than what has a price. */
static bool has_counted(const struct report_writer *writer)
{
	return writer->whole.budget_nanos != writer->whole.cost_nanos;
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
		if ((writer->report->query.keys & BIT(key)) && report_is_word(key))
			table_column(writer->table, title_of(key), key == LEDGER_BY_PID);
	if (by_call) {
		table_column(writer->table, "PATH", false);
		table_column(writer->table, "STATUS", true);
		table_column(writer->table, "OUTCOME", false);
		table_column(writer->table, "DURATION", true);
	}
	for (size_t i = by_call ? 2 : 0; i < ARRAY_SIZE(sums); i++)
		table_column(writer->table, sums[i], true);
	if (has_counted(writer))
		table_column(writer->table, "IN BUDGETS", true);
	if (writer->report->has_share)
		table_column(writer->table, "SHARE", true);
	if (writer->before) {
		table_column(writer->table, "BEFORE USD", true);
		table_column(writer->table, "CHANGE", true);
	}
	table_column(writer->table, "", false);
	return 0;
}

/* By how much, of what was before, NULL if that is not known; nothing of nothing, and many times more only as such. */
static void add_change(struct report_writer *writer, const struct ledger_row *row,
		       const struct ledger_row *before)
{
	char text[SHOW_LEN];
	__int128 now = row->cost_nanos, was = before ? before->cost_nanos : 0;

	if (!before) {
		table_cell(writer->table, "");
		table_cell(writer->table, "");
		return;
	}
	table_cell(writer->table, before->calls ? show_cost(before, text) : "");
	if (was <= 0)
		table_cell(writer->table, before->calls || now <= 0 ? "" : "new");
	else if (now / was >= 10)
		table_format(writer->table, "x %" PRId64, (int64_t)(now / was));
	else
		table_format(writer->table, "%+" PRId64 " %%", (int64_t)((now - was) * 100 / was));
}

static void add_figures(struct report_writer *writer, const struct ledger_row *row,
			const struct ledger_row *before)
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
	if (has_counted(writer))
		table_cell(writer->table, show_usd(row->budget_nanos, text));
	if (writer->report->has_share) {
		unsigned share = report_share(writer, row);

		table_format(writer->table, "%u.%u %%", share / 10, share % 10);
	}
	if (writer->before)
		add_change(writer, row, before);
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
	add_figures(writer, row, writer->before ? report_before(writer, row) : NULL);
}

/* A sum is printed under its columns; the words before them stay empty but for the first. */
static void add_sum(struct report_writer *writer, const char *name, const struct ledger_row *row,
		    const struct ledger_row *before)
{
	uint32_t words = writer->report->query.keys & ~(BIT(LEDGER_BY_CALL) | BIT(LEDGER_BY_TIME));
	size_t n = (size_t)__builtin_popcount(words) + (report_is_by_call(writer) ? 6 : 0);

	for (size_t i = 0; i < n; i++)
		table_cell(writer->table, i ? " " : name);
	add_figures(writer, row, before);
}

static void add_sums(struct report_writer *writer)
{
	char name[SHOW_LEN];

	if (writer->n_rest) {
		snprintf(name, sizeof(name), "%zu more", writer->n_rest);
		add_sum(writer, name, &writer->rest, NULL);
	}
	if (writer->rows + writer->n_rest < 2 || !writer->report->query.keys)
		return;
	table_rule(writer->table);
	add_sum(writer, "total", &writer->total, &writer->whole_before);
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
		fprintf(writer->out, ", %s USD%s",
			show_usd((int64_t)show_rounded((uint64_t)total->error_nanos), usd),
			total->unpriced_calls ? " (of what has a price)" : "");
	fprintf(writer->out, " more or less%s.\n",
		total->error_nanos ? "" : "; what has no price has none in USD");
}

static void write_totals(struct report_writer *writer)
{
	const struct ledger_query *query = &writer->report->query;
	const struct ledger_row *total = &writer->total;
	bool has_end = query->until_us != LEDGER_NO_END && query->until_us < clock_wall_us();
	uint64_t permille = total->calls ? total->estimated_calls * 1000 / total->calls : 0;
	char a[SHOW_LEN], b[SHOW_LEN], low[SHOW_LEN], high[SHOW_LEN];

	if (!writer->rows) {
		fprintf(writer->out,
			"No AI calls since %s%s%s.\n"
			"If there should be some: `aigress check` shows what is seen and what is not, and "
			"--since 7d\nlooks further back.\n",
			text_time(query->since_us / US_PER_S * US_PER_S, a),
			has_end ? " and before " : "",
			has_end ? text_time(query->until_us / US_PER_S * US_PER_S, low) : "");
		return;
	}
	add_sums(writer);
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

/* How much rests on its sender's word alone: a detail, unless it is much. */
static void write_unconfirmed(struct report_writer *writer)
{
	const struct ledger_row *total = &writer->total;
	uint64_t permille;
	char a[SHOW_LEN], b[SHOW_LEN];

	if (!total->unconfirmed_calls)
		return;
	permille = total->unconfirmed_calls * 1000 / total->asked_calls;
	fprintf(writer->out,
		"\n%s calls (%" PRIu64 ".%" PRIu64
		" %%), %s USD in budgets, are unconfirmed: only their "
		"senders say that they went\nto a provider (--by destination).\n",
		show_count(total->unconfirmed_calls, a), permille / 10, permille % 10,
		show_usd(total->unconfirmed_nanos, b));
}

/* Of the present alone: what was is over. */
static void write_outlook(struct report_writer *writer)
{
	const struct report *report = writer->report;
	struct outlook outlook;

	if (!report->zone || !writer->rows || report_is_by_call(writer) ||
	    report->query.until_us < report->now_us ||
	    outlook_read(writer->ledger, report->zone, report->now_us, &outlook))
		return;
	fputc('\n', writer->out);
	(void)outlook_print(&outlook, writer->out);
	if (report->metering && report->metering->life == GAPS_MEASURING)
		ahead_print(writer->ledger, report->now_us, AHEAD_LINES, writer->out);
}

static void end(struct report_writer *writer)
{
	const struct report *report = writer->report;

	write_totals(writer);
	write_unconfirmed(writer);
	write_outlook(writer);
	if (report->metering)
		(void)metering_print_gaps(writer->ledger, report->metering, report->query.since_us,
					  report_end_us(report), METERING_GAPS, writer->out);
}

const struct report_form report_table = { .begin = begin, .row = write_row, .end = end };
