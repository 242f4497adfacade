/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer to /metrics, or one push: a walk over metrics.h's counters and over what the modules know, in the
 * order of a table of families (scrape.c, scrape_state.c). It is written piece by piece as the peer
 * takes it, so that ten thousand series do not hold the loop; what was charged in between shows in
 * the families that are still to come.
 */
#ifndef METRICS_SCRAPE_H
#define METRICS_SCRAPE_H

#include <sys/types.h>

#include "enforce/enforcer.h"
#include "metrics/exposition.h"
#include "metrics/fullest_budgets.h"
#include "metrics/metrics.h"
#include "pipeline/pipeline.h"
#include "tap/tap.h"

/* What is asked beside the counters. A NULL member is left out. */
struct scrape_sources {
	const char *version;
	struct pipeline *pipeline;
	struct policy *policy;
	struct trends *trends;
	struct enforcer *enforcer;
	struct ledger *ledger;
	struct prices *prices;
	struct tap *tap;
	/* of the search for TLS code, as find/find.h has them */
	uint64_t looks_given_up, looks_refused, files_refused, processes_refused, files_set_aside;
	uint64_t greetings_crowded, attach_failures;
	const struct forecast *forecasts; /* by enum history_sum, as long as the scrape; NULL: none */
	bool is_ledger_failing;           /* its last commit failed */
	bool enforce;
	const char *config_error; /* what is wrong with the file; NULL: nothing */
	const char *prices_error; /* likewise of the prices */
	bool is_pod;              /* `node` of the metrics is Kubernetes' */
	size_t max_series;        /* budget counters shown; the rest is one row "other" */
	int64_t started_us;       /* wall clock */
};

struct scrape;

/* `metrics` must outlive it; the sources are asked now. NULL: no memory. */
struct scrape *scrape_new(struct metrics *metrics, const struct scrape_sources *sources,
			  enum exposition_format format, uint64_t now_ns, int64_t now_us);
/* The next `max` bytes or fewer; 0: that was all; -ENOMEM. */
ssize_t scrape_read(struct scrape *scrape, char *buf, size_t max);
/*
 * For EXPOSITION_OTLP: the next document, of `enough` bytes and the rest of a step, which is at most one
 * family that is written at once. It is void at the next call. *ret_len is 0 at the end. 0 or -ENOMEM.
 */
int scrape_document(struct scrape *scrape, size_t enough, const char **ret, size_t *ret_len);
struct scrape *scrape_free(struct scrape *scrape);

#endif
