/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/scrape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "metrics/scrape_internal.h"

#define SLOTS_PER_STEP 32

/* Cells of a row of calls: each is born by itself (series.h). */
enum {
	CELL_USAGE, /* one a class */
	CELL_SPEND = CELL_USAGE + USAGE_COUNT,
	CELL_UNPRICED,
	CELL_ERROR,
	CELL_UNCONFIRMED,
	CELL_UNCONFIRMED_SPEND,
	CELL_CALLS,
	CELL_END = CELL_CALLS + CHARGE_SOURCES * METRICS_OUTCOMES,
};
_Static_assert(CELL_END <= SERIES_CELLS, "a bit each");

static struct series_table *calls_table(struct metrics *metrics)
{
	return metrics->calls;
}

static struct series_table *timings_table(struct metrics *metrics)
{
	return metrics->timings;
}

static struct series_table *actions_table(struct metrics *metrics)
{
	return metrics->actions;
}

static const struct metrics_sums *sums_of(const struct series_row *row)
{
	return &((const struct metrics_call_row *)row)->sums;
}

static uint64_t cell_of(const struct scrape *scrape, struct series_row *row, unsigned cell,
			uint64_t value)
{
	return series_cell(row,
			   scrape->out.format == EXPOSITION_OTLP ? SERIES_PUSHED : SERIES_SCRAPED,
			   cell, value, scrape->now_ns);
}

static void write_cell(struct scrape *scrape, struct series_row *row, unsigned cell, uint64_t value)
{
	if (value)
		exposition_count(&scrape->out, row->labels, NULL, NULL,
				 cell_of(scrape, row, cell, value));
}

static void write_tokens(struct scrape *scrape, struct series_row *row)
{
	for (unsigned i = 0; i < USAGE_COUNT; i++) {
		uint64_t n = usage_get(&sums_of(row)->usage, i);

		if (n && usage_is_disjoint(i))
			exposition_count(&scrape->out, row->labels, "type", usage_classes[i].name,
					 cell_of(scrape, row, CELL_USAGE + i, n));
	}
}

static void write_reasoning(struct scrape *scrape, struct series_row *row)
{
	write_cell(scrape, row, CELL_USAGE + USAGE_OF_reasoning, sums_of(row)->usage.reasoning);
}

static void write_searches(struct scrape *scrape, struct series_row *row)
{
	write_cell(scrape, row, CELL_USAGE + USAGE_OF_web_searches,
		   sums_of(row)->usage.web_searches);
}

static void write_spend(struct scrape *scrape, struct series_row *row)
{
	int64_t nanos = sums_of(row)->spend_nanos;

	/* What has no price must not look like 0 USD. */
	if (nanos)
		exposition_nanos(&scrape->out, row->labels, NULL, NULL,
				 (int64_t)cell_of(scrape, row, CELL_SPEND, (uint64_t)nanos));
}

static void write_error(struct scrape *scrape, struct series_row *row)
{
	int64_t nanos = sums_of(row)->error_nanos;

	if (nanos)
		exposition_nanos(&scrape->out, row->labels, NULL, NULL,
				 (int64_t)cell_of(scrape, row, CELL_ERROR, (uint64_t)nanos));
}

static void write_unpriced(struct scrape *scrape, struct series_row *row)
{
	write_cell(scrape, row, CELL_UNPRICED, sums_of(row)->unpriced);
}

static void write_unconfirmed(struct scrape *scrape, struct series_row *row)
{
	write_cell(scrape, row, CELL_UNCONFIRMED, sums_of(row)->unconfirmed);
}

static void write_unconfirmed_spend(struct scrape *scrape, struct series_row *row)
{
	int64_t nanos = sums_of(row)->unconfirmed_nanos;

	if (nanos)
		exposition_nanos(
			&scrape->out, row->labels, NULL, NULL,
			(int64_t)cell_of(scrape, row, CELL_UNCONFIRMED_SPEND, (uint64_t)nanos));
}

static void write_calls(struct scrape *scrape, struct series_row *row)
{
	for (unsigned i = 0; i < CHARGE_SOURCES * METRICS_OUTCOMES; i++) {
		unsigned source = i / METRICS_OUTCOMES, outcome = i % METRICS_OUTCOMES;
		uint64_t n = sums_of(row)->calls[source][outcome];
		char labels[METRICS_LABELS_LEN + 64];

		if (!n)
			continue;
		memcpy(labels, row->labels, strlen(row->labels) + 1);
		metrics_label(labels, sizeof(labels), "source", charge_source_name(source));
		exposition_count(&scrape->out, labels, "outcome", charge_outcome_name(outcome),
				 cell_of(scrape, row, CELL_CALLS + i, n));
	}
}

/* All buckets of a new histogram are 0 at its first scrape. */
static void write_histogram(struct scrape *scrape, struct series_row *row, unsigned cell,
			    const struct metrics_histogram *histogram, const uint64_t *bounds,
			    size_t n)
{
	static const struct metrics_histogram empty;
	uint64_t count = 0;

	for (size_t i = 0; i <= n; i++)
		count += histogram->buckets[i];
	if (!count)
		return;
	if (!cell_of(scrape, row, cell, 1))
		histogram = &empty;
	exposition_histogram(&scrape->out, row->labels, bounds, n, histogram->buckets,
			     histogram->sum_ns);
}

static void write_duration(struct scrape *scrape, struct series_row *row)
{
	write_histogram(scrape, row, 0, &((struct metrics_timing_row *)row)->duration,
			metrics_duration_ms, METRICS_DURATIONS);
}

static void write_first_token(struct scrape *scrape, struct series_row *row)
{
	write_histogram(scrape, row, 1, &((struct metrics_timing_row *)row)->first_token,
			metrics_first_ms, METRICS_FIRSTS);
}

static void write_actions(struct scrape *scrape, struct series_row *row)
{
	write_cell(scrape, row, 0, ((struct metrics_action_row *)row)->n);
}

/* The host's own sums: they neither expire nor share a row. */

static void write_total_tokens(struct scrape *scrape)
{
	for (unsigned i = 0; i < USAGE_COUNT; i++)
		if (usage_is_disjoint(i))
			exposition_count(&scrape->out, "", "type", usage_classes[i].name,
					 usage_get(&scrape->metrics->total.usage, i));
}

static void write_total_spend(struct scrape *scrape)
{
	exposition_nanos(&scrape->out, "", NULL, NULL, scrape->metrics->total.spend_nanos);
}

static void write_total_error(struct scrape *scrape)
{
	exposition_nanos(&scrape->out, "", NULL, NULL, scrape->metrics->total.error_nanos);
}

static void write_total_calls(struct scrape *scrape)
{
	for (unsigned source = 0; source < CHARGE_SOURCES; source++) {
		uint64_t n = 0;

		for (unsigned i = 0; i < METRICS_OUTCOMES; i++)
			n += scrape->metrics->total.calls[source][i];
		exposition_count(&scrape->out, "", "source", charge_source_name(source), n);
	}
}

static void write_total_unpriced(struct scrape *scrape)
{
	exposition_count(&scrape->out, "", NULL, NULL, scrape->metrics->total.unpriced);
}

static void write_total_unconfirmed(struct scrape *scrape)
{
	exposition_count(&scrape->out, "", NULL, NULL, scrape->metrics->total.unconfirmed);
}

static void write_series(struct scrape *scrape)
{
	const struct metrics *metrics = scrape->metrics;

	exposition_count(&scrape->out, "", "table", "calls", series_count(metrics->calls));
	exposition_count(&scrape->out, "", "table", "timings", series_count(metrics->timings));
	exposition_count(&scrape->out, "", "table", "actions", series_count(metrics->actions));
}

static void write_overflowed(struct scrape *scrape)
{
	exposition_count(&scrape->out, "", NULL, NULL, scrape->metrics->overflowed);
}

static const struct scrape_family of_calls[] = {
	{ { "aigress_spend_usd", "usd", "What was charged for calls, by caller and model.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_spend },
	{ { "aigress_spend_error_usd", "usd",
	    "By how much the spend may be more or less, where calls were estimated.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_error },
	{ { "aigress_tokens", "tokens", "Billed tokens in classes that do not overlap.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_tokens },
	{ { "aigress_reasoning_tokens", "tokens",
	    "The part of the output tokens that was not shown.", EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_reasoning },
	{ { "aigress_web_searches", NULL, "Paid searches by the provider.", EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_searches },
	{ { "aigress_calls", NULL, "Calls, by how the figure is known and how they ended.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_calls },
	{ { "aigress_unpriced_calls", NULL,
	    "Calls of models without a price: in no sum of spend, in budgets by what stands in for them.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_unpriced },
	{ { "aigress_unconfirmed_calls", NULL,
	    "Calls of which only their senders say that they went to a provider.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_unconfirmed },
	{ { "aigress_unconfirmed_spend_usd", "usd", "The part of the spend that such calls make.",
	    EXPOSITION_COUNTER },
	  NULL,
	  calls_table,
	  write_unconfirmed_spend },
	{ { "aigress_call_duration_seconds", "seconds",
	    "From a request's first byte to the answer's last.", EXPOSITION_HISTOGRAM },
	  NULL,
	  timings_table,
	  write_duration },
	{ { "aigress_call_first_token_seconds", "seconds",
	    "From a request's first byte to the first token of a stream.", EXPOSITION_HISTOGRAM },
	  NULL,
	  timings_table,
	  write_first_token },
	{ { "aigress_actions", NULL, "What budgets led to, done or rehearsed.", EXPOSITION_COUNTER },
	  NULL,
	  actions_table,
	  write_actions },
	{ { "aigress_node_spend_usd", "usd", "What was charged on this host in all.",
	    EXPOSITION_COUNTER },
	  write_total_spend,
	  NULL,
	  NULL },
	{ { "aigress_node_spend_error_usd", "usd",
	    "By how much the spend on this host may be more or less.", EXPOSITION_COUNTER },
	  write_total_error,
	  NULL,
	  NULL },
	{ { "aigress_node_tokens", "tokens", "Billed tokens on this host in all.",
	    EXPOSITION_COUNTER },
	  write_total_tokens,
	  NULL,
	  NULL },
	{ { "aigress_node_calls", NULL, "Calls on this host in all, by how the figure is known.",
	    EXPOSITION_COUNTER },
	  write_total_calls,
	  NULL,
	  NULL },
	{ { "aigress_node_unpriced_calls", NULL, "Calls on this host without a price.",
	    EXPOSITION_COUNTER },
	  write_total_unpriced,
	  NULL,
	  NULL },
	{ { "aigress_node_unconfirmed_calls", NULL,
	    "Calls on this host of which only their senders say where they went.",
	    EXPOSITION_COUNTER },
	  write_total_unconfirmed,
	  NULL,
	  NULL },
	{ { "aigress_series", NULL, "Rows of the tables behind these metrics.", EXPOSITION_GAUGE },
	  write_series,
	  NULL,
	  NULL },
	{ { "aigress_series_overflowed_calls", NULL,
	    "Calls that found the table full and are counted in its row other.", EXPOSITION_COUNTER },
	  write_overflowed,
	  NULL,
	  NULL },
};

static struct series_row *other_of(struct metrics *metrics, const struct series_table *table)
{
	if (table == metrics->calls)
		return metrics->overflowed ? &metrics->other_calls.row : NULL;
	if (table == metrics->timings)
		return &metrics->other_timing.row;
	return &metrics->other_action.row;
}

static const struct scrape_family *family_at(size_t at)
{
	const struct scrape_family *family = &scrape_state[0];

	if (at < ARRAY_SIZE(of_calls))
		return &of_calls[at];
	family += at - ARRAY_SIZE(of_calls);
	return family->head.name ? family : NULL;
}

static void write_one(struct scrape *scrape, const struct scrape_family *family,
		      struct series_row *row)
{
	scrape->out.start_us =
		row->made_ns ? scrape->now_us - (int64_t)((scrape->now_ns - row->made_ns) / 1000) :
			       scrape->sources.started_us;
	family->one(scrape, row);
}

/* Writes some rows. False: there are no more. */
static bool step(struct scrape *scrape)
{
	const struct scrape_family *family = family_at(scrape->family);
	struct metrics *metrics = scrape->metrics;
	struct series_table *table;
	struct series_row *row;
	size_t end;

	if (!family)
		return false;
	if (!scrape->slot)
		exposition_begin(&scrape->out, &family->head);
	if (family->all) {
		scrape->out.start_us = scrape->sources.started_us;
		family->all(scrape);
		scrape->family++;
		return true;
	}
	table = family->table(metrics);
	end = series_slots(table);
	for (size_t i = 0; i < SLOTS_PER_STEP && scrape->slot < end; i++)
		if ((row = series_at(table, scrape->slot++)))
			write_one(scrape, family, row);
	if (scrape->slot < end)
		return true;
	row = other_of(metrics, table);
	if (row)
		write_one(scrape, family, row);
	scrape->slot = 0;
	scrape->family++;
	return true;
}

/* Goes on until there are `enough` bytes. False: that was all. */
static bool walk(struct scrape *scrape, size_t enough)
{
	scrape->out.len = scrape->given = 0;
	while (scrape->out.len < enough && !scrape->is_done)
		scrape->is_done = !step(scrape);
	return !scrape->is_done;
}

int scrape_document(struct scrape *scrape, size_t enough, const char **ret, size_t *ret_len)
{
	walk(scrape, enough);
	exposition_end(&scrape->out);
	if (scrape->out.failed)
		return -ENOMEM;
	*ret = scrape->out.text;
	*ret_len = scrape->out.len;
	return 0;
}

ssize_t scrape_read(struct scrape *scrape, char *buf, size_t max)
{
	struct exposition *out = &scrape->out;
	size_t len;

	if (scrape->given == out->len && !scrape->is_done && !walk(scrape, max))
		exposition_end(out);
	if (out->failed)
		return -ENOMEM;
	len = out->len - scrape->given;
	if (len > max)
		len = max;
	memcpy(buf, out->text + scrape->given, len);
	scrape->given += len;
	return (ssize_t)len;
}

/* Who reports, as the semantic conventions have it; `service.instance.id` keeps nodes apart. */
static void name_resource(struct scrape *scrape)
{
	const char *node = scrape->metrics->node;
	char *labels = scrape->resource;

	metrics_label(labels, sizeof(scrape->resource), "service.name", "aigress");
	metrics_label(labels, sizeof(scrape->resource), "service.instance.id", node);
	metrics_label(labels, sizeof(scrape->resource), "host.name", node);
	if (scrape->sources.is_pod)
		metrics_label(labels, sizeof(scrape->resource), "k8s.node.name", node);
}

struct scrape *scrape_new(struct metrics *metrics, const struct scrape_sources *sources,
			  enum exposition_format format, uint64_t now_ns, int64_t now_us)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));

	if (!scrape)
		return NULL;
	scrape->metrics = metrics;
	scrape->sources = *sources;
	scrape->out.format = format;
	scrape->out.common = scrape->common;
	scrape->out.resource = scrape->resource;
	scrape->out.version = sources->version;
	scrape->out.now_us = now_us;
	scrape->now_ns = now_ns;
	scrape->now_us = now_us;
	metrics_label(scrape->common, sizeof(scrape->common), "node", metrics->node);
	name_resource(scrape);
	metrics_pin(metrics, true);
	if (sources->pipeline)
		pipeline_stats(sources->pipeline, &scrape->pipeline);
	if (sources->tap)
		(void)tap_counters(sources->tap, scrape->counters);
	if (sources->policy && fullest_budgets_take(&scrape->fullest_budgets, sources->policy,
						    sources->trends, sources->max_series, now_us) < 0)
		return scrape_free(scrape);
	return scrape;
}

struct scrape *scrape_free(struct scrape *scrape)
{
	if (!scrape)
		return NULL;
	metrics_pin(scrape->metrics, false);
	fullest_budgets_done(&scrape->fullest_budgets);
	free(scrape->out.text);
	free(scrape);
	return NULL;
}
