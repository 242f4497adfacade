/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One answer to /metrics: a walk over metrics.h's counters and over what the modules know, in the
 * order of a table of families (scrape.c, scrape_state.c). It is written piece by piece as the peer
 * takes it, so that ten thousand series do not hold the loop; what was charged in between shows in
 * the families that are still to come.
 */
#ifndef SCRAPE_H
#define SCRAPE_H

#include <sys/types.h>

#include "exposition.h"
#include "guard/act.h"
#include "metrics.h"
#include "pipeline.h"
#include "shares.h"
#include "tap/tap.h"

/* What is asked beside the counters. A NULL member is left out. */
struct scrape_sources {
	const char *version;
	struct pipeline *pipeline;
	struct policy *policy;
	struct act *act;
	struct ledger *ledger;
	struct prices *prices;
	struct tap *tap;
	bool is_ledger_failing;		/* its last commit failed */
	bool enforce;
	size_t max_series;		/* budget counters shown; the rest is one row "other" */
	int64_t started_us;		/* wall clock */
};

struct scrape;

/* `metrics` must outlive it; the sources are asked now. NULL: no memory. */
struct scrape *scrape_new(struct metrics *metrics, const struct scrape_sources *sources,
			  enum exposition_format format, uint64_t now_ns, int64_t now_us);
/* The next `max` bytes or fewer; 0: that was all; -ENOMEM. */
ssize_t scrape_read(struct scrape *scrape, char *buf, size_t max);
struct scrape *scrape_free(struct scrape *scrape);

#endif
