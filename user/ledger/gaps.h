/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a daemon measured, and when none did. Each daemon has a row: when its probes were in place, when it
 * was last known to run, and how it ended. A gap is what lies between two rows, and between the last one and
 * now if no daemon measures. A daemon that hung has a row before and one after. Before the first row nothing
 * is known.
 */
#ifndef LEDGER_GAPS_H
#define LEDGER_GAPS_H

#include "ledger/ledger.h"

#define GAPS_BEAT_NS 60000000000ULL /* between two heartbeats: what a kill -9 may hide */
#define GAPS_HANGS_US \
	90000000 /* without one: a beat, and as long as gates are kept for a late loop */
#define GAPS_SHORTEST_US 1000000 /* shorter ones that are over are not reported */

/* Microseconds of both clocks: the wall clock's are what is shown, but it may be set, and a host may sleep. */
struct gaps_time {
	int64_t wall_us, mono_us;
};
struct gaps_time gaps_now(void);

/* How the daemon before a gap ended; the values are stored. */
enum gap_why {
	GAP_STOPPED,
	GAP_KILLED, /* it did not come to say that it ended */
	GAP_HUNG,   /* it went on, later */
};

/* For the writer alone. 0 or -errno. */
int gaps_take_over(struct ledger *ledger); /* whoever had the ledger before is gone */
int gaps_begin(struct ledger *ledger, struct gaps_time now);
int gaps_end(struct ledger *ledger, struct gaps_time now); /* again, or without a begin: nothing */
/*
 * The daemon that began runs still. Or runs again: if it had not said so for GAPS_HANGS_US, that is a gap,
 * and 1 is returned. 0 or -errno.
 */
int gaps_beat(struct ledger *ledger, struct gaps_time now);

/* What a state directory's daemon does. */
enum gaps_life {
	GAPS_NOBODY,   /* no process has the ledger open for writing */
	GAPS_STARTING, /* one has, and has not begun to measure */
	GAPS_HANGING,  /* one has, and gives no sign of life */
	GAPS_MEASURING,
};
/* is_written: ledger_is_written(). A ledger that cannot be read is taken for one that is measured for. */
enum gaps_life gaps_life(struct ledger *ledger, bool is_written, struct gaps_time now);

struct gap {
	int64_t from_us, until_us; /* until_us: now, if it is open */
	bool is_open;              /* no daemon measures */
	enum gap_why why;
};
/*
 * Hands back the gaps that reach into [since_us, until_us], oldest first, cut to it. An open one reaches to
 * now, which is until_us or later. 0 or -errno.
 */
int gaps_read(struct ledger *ledger, int64_t since_us, int64_t until_us, enum gaps_life life,
	      void (*fn)(void *arg, const struct gap *gap), void *arg);
/* How long they were together. 0 or -errno. */
int gaps_sum(struct ledger *ledger, int64_t since_us, int64_t until_us, enum gaps_life life,
	     int64_t *ret_us);

#endif
