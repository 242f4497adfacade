/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's timers. Each is armed by what it is for and fires once, so that an idle host is not
 * woken:
 *
 *	commit    calls or actions wait for the ledger      after LEDGER_COMMIT_NS
 *	snapshot  what other subcommands read has changed   after a second, or more if they are slow
 *	settle    a flow has ended                          after a second: many ends at once
 *	pace      a target is paced                         each ENFORCER_PACE_NS while one is
 *	sweep     events were read, or a state ages         after a minute; on an idle host a day
 *	beat      always: readers see that the loop turns   each GAPS_BEAT_NS
 *
 * An estimate is charged when its flow is settled, by a timer of its own: while it shared the
 * snapshot's, a slow snapshot made charges late.
 */
#ifndef DAEMON_TIMERS_H
#define DAEMON_TIMERS_H

#include <stdint.h>

struct daemon;
struct timers;

/*
 * Adds the timers to daemon->loop and arms those for what was restored at the start. Needs every stage but the probes. 0 or -errno; the daemon must outlive them.
 */
int timers_new(struct timers **ret, struct daemon *daemon);
struct timers *timers_free(struct timers *timers);

/* Arms a timer unless it fires sooner anyway. NULL: the daemon does not run yet, nothing happens. */
void timers_commit_soon(struct timers *timers);
void timers_snapshot_soon(struct timers *timers);
void timers_settle_soon(struct timers *timers);
void timers_pace_soon(struct timers *timers);

/*
 * Events were read from the ring: the sweep is due in a minute, and if little is left of a budget,
 * the kernel learns what they cost at once (ENFORCER_FUSE_NS apart).
 */
void timers_drained(struct timers *timers);

#endif
