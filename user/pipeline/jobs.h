/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs whose bill was seen: a background answer, a batch. Who asks after one is told its usage each time, so that
 * it is charged once, by its id: this process remembers the last ones, the ledger all of two months.
 */
#ifndef PIPELINE_JOBS_H
#define PIPELINE_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "ledger/ledger.h"
#include "usage/charge.h"

/* Asked after often while they are new; 8 KiB. */
#define JOBS_KEPT 1024

/* All zero: none yet. */
struct jobs {
	uint64_t hashes[JOBS_KEPT]; /* a ring */
	uint64_t next;
};

/* True if the charge is a job's and that has been charged before; else it counts as charged now. The ledger may be
 * NULL. */
bool jobs_seen(struct jobs *jobs, struct ledger *ledger, const struct charge *charge,
	       int64_t now_us);

#endif
