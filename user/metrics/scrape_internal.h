/* SPDX-License-Identifier: Apache-2.0 */
/* What scrape.c and scrape_state.c share; for no other module. */
#ifndef METRICS_SCRAPE_INTERNAL_H
#define METRICS_SCRAPE_INTERNAL_H

#include "metrics/scrape.h"

struct scrape {
	struct metrics *metrics;
	struct scrape_sources sources;
	struct exposition out;
	size_t given;        /* bytes of out that the peer has */
	size_t family, slot; /* how far the walk has come */
	bool is_done;        /* behind the last family */
	uint64_t now_ns;
	int64_t now_us;
	char common[WHO_NAME_LEN * 4 + 16];
	char resource[4 * (WHO_NAME_LEN * 4 + 32)];
	/* as they were at the start */
	struct fullest_budgets fullest_budgets;
	struct pipeline_stats pipeline;
	uint64_t counters[CTL_COUNTERS];
};

/* A family, and what writes its rows: all at once, or those of one slot of a table. */
struct scrape_family {
	struct exposition_family head;
	void (*all)(struct scrape *scrape);
	struct series_table *(*table)(struct metrics *metrics);
	/* `row` is a slot's, or at the end the table's row "other". */
	void (*one)(struct scrape *scrape, struct series_row *row);
};

/* scrape_state.c: budgets, gates, coverage, losses, the daemon itself. Ends with a NULL name. */
extern const struct scrape_family scrape_state[];

/* scrape_coverage.c: rows of families of scrape_state[] */
void scrape_write_traffic(struct scrape *scrape);
void scrape_write_measured(struct scrape *scrape);
void scrape_write_estimated(struct scrape *scrape);
void scrape_write_unmetered(struct scrape *scrape);
void scrape_write_connections(struct scrape *scrape);
void scrape_write_in_flight(struct scrape *scrape);
void scrape_write_paired(struct scrape *scrape);
void scrape_write_legs(struct scrape *scrape);

/* scrape_ledger.c: likewise */
void scrape_write_config(struct scrape *scrape);
void scrape_write_writable(struct scrape *scrape);
void scrape_write_pending(struct scrape *scrape);
void scrape_write_lost(struct scrape *scrape);
void scrape_write_gaps(struct scrape *scrape);
void scrape_write_spend_rate(struct scrape *scrape);
void scrape_write_period(struct scrape *scrape);
void scrape_write_forecast(struct scrape *scrape);
void scrape_write_prices(struct scrape *scrape);
void scrape_write_prices_day(struct scrape *scrape);
void scrape_write_reconciled(struct scrape *scrape);
void scrape_write_reconciled_day(struct scrape *scrape);
void scrape_write_drift(struct scrape *scrape);

#endif
