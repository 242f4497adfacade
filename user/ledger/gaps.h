/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a daemon measured, and when none did. Each daemon has a row: when its probes were in place, when it
 * was last known to run, and when it ended, if it came to say so. A gap is what lies between two rows,
 * and between the last one and now if no daemon runs. Before the first row nothing is known.
 */
#ifndef LEDGER_GAPS_H
#define LEDGER_GAPS_H

#include "ledger/ledger.h"

#define GAPS_BEAT_NS     60000000000ULL /* between two heartbeats: what a kill -9 may hide */
#define GAPS_SHORTEST_US 1000000        /* shorter ones that are over are not reported */

/* Times are the wall clock's, microseconds since the epoch. Each returns 0 or -errno; for the writer alone. */
int gaps_begin(struct ledger *ledger, int64_t now_us);
int gaps_beat(struct ledger *ledger, int64_t now_us); /* the daemon that began runs still */
int gaps_end(struct ledger *ledger, int64_t now_us);  /* again, or without a begin: nothing */

struct gap {
	int64_t from_us, until_us; /* until_us: now, if it is open */
	bool is_open;              /* no daemon measures */
	bool was_killed;           /* the daemon before it did not come to say that it ended */
};
/*
 * Hands back the gaps that reach into [since_us, now_us], oldest first, cut at since_us. is_running: a daemon
 * has the ledger open (ledger_is_written()). 0 or -errno.
 */
int gaps_read(struct ledger *ledger, int64_t since_us, int64_t now_us, bool is_running,
	      void (*fn)(void *arg, const struct gap *gap), void *arg);
/* How long they were together. 0 or -errno. */
int gaps_sum(struct ledger *ledger, int64_t since_us, int64_t now_us, bool is_running,
	     int64_t *ret_us);

#endif
