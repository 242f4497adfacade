/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The counters behind /metrics that no other module keeps: what was charged, to whom, for which model,
 * and what was done. Fed by the daemon with each call and action; read by scrape.c.
 *
 * The words of this room, which are Prometheus' where it has one:
 *
 *	family      a metric by name, with its type, unit and help (scrape.c, scrape_state.c)
 *	series      one set of labels of a family
 *	row         counters by one set of labels, from which several families take their series; a
 *	            table of rows is bounded (series.h)
 *	cell        one counter of a row, so one sample of one series
 *	scrape      one reading of all families, whether it was asked for or is pushed (scrape.h)
 *	exposition  the text that a scrape becomes, in one of three formats (exposition.h)
 *
 * Counters are 0 at each start of the daemon, as Prometheus expects. (Resumed from the ledger, a first
 * scrape would show the past as if it had just been spent, and pruning would make them fall.) Bounds:
 * a row for each caller, provider, model and host; METRICS_MODELS of a caller, then its own row
 * "other"; max_series in all, then one row "other" for the rest. So the sums over all rows are what
 * was charged.
 */
#ifndef METRICS_METRICS_H
#define METRICS_METRICS_H

#include "ledger/ledger.h"
#include "metrics/series.h"

#define METRICS_SERIES     2000  /* by default */
#define METRICS_SERIES_MAX 20000 /* of about 1 kB each */
#define METRICS_MODELS     64    /* of one caller */
/* Histograms have 14 and 16 buckets a row: an eighth of the rows. */
#define METRICS_TIMING_ROWS(max_series) ((max_series) / 8 + 1)
#define METRICS_ACTION_ROWS             2000
#define METRICS_LABELS_LEN              8192

#define METRICS_OUTCOMES (CHARGE_NO_ANSWER + 1)

struct metrics_sums {
	struct usage usage;
	int64_t spend_nanos, error_nanos; /* error: what of it was estimated may be off by */
	uint64_t unpriced;
	uint64_t unconfirmed;
	int64_t unconfirmed_nanos; /* of spend_nanos */
	uint64_t calls[CHARGE_SOURCES][METRICS_OUTCOMES];
};

struct metrics_call_row { /* a caller's calls of one model at one host */
	struct series_row row;
	struct metrics_caller *caller;
	struct metrics_sums sums;
};

/* OpenTelemetry's advice for gen_ai.client.operation.duration and ..._server.time_to_first_token */
#define METRICS_DURATIONS 14
#define METRICS_FIRSTS    16
extern const uint64_t metrics_duration_ms[METRICS_DURATIONS], metrics_first_ms[METRICS_FIRSTS];

struct metrics_histogram {
	uint64_t buckets[METRICS_FIRSTS + 1]; /* not cumulative; the last is above all bounds */
	uint64_t sum_ns;
};

struct metrics_timing_row {
	struct series_row row;
	struct metrics_histogram duration, first_token;
};

struct metrics_action_row {
	struct series_row row;
	uint64_t n;
};

struct metrics {
	char node[WHO_NAME_LEN];
	struct series_table *calls, *timings, *actions;
	struct metrics_caller *callers; /* a hash */
	/* What found no room in the tables. */
	struct metrics_call_row other_calls;
	struct metrics_timing_row other_timing;
	struct metrics_action_row other_action;
	struct metrics_sums total; /* of all calls; never expires */
	uint64_t overflowed;       /* calls that went to the last row "other" */
};

/* `node`: this host's name as Kubernetes has it. NULL: no memory. */
struct metrics *metrics_new(size_t max_series, const char *node);
struct metrics *metrics_free(struct metrics *metrics);

void metrics_call(struct metrics *metrics, const struct ledger_call *call, uint64_t now_ns);
void metrics_action(struct metrics *metrics, const struct ledger_action *action, uint64_t now_ns);
/* Drops rows of the long gone; each minute. */
void metrics_expire(struct metrics *metrics, uint64_t now_ns);
/* While a scrape is in progress. */
void metrics_pin(struct metrics *metrics, bool pinned);

/*
 * Adds `name="value"` with a comma before all but the first; nothing for an empty value. Escaped as
 * the exposition formats want it, and plain text for whoever shows it. False: no room; then the
 * text is as before.
 */
bool metrics_label(char *labels, size_t size, const char *name, const char *value);

#endif
