/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/timers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/counters_file.h"
#include "daemon/daemon.h"
#include "daemon/events.h"
#include "daemon/observers.h"
#include "daemon/price_age.h"
#include "daemon/shortage.h"
#include "daemon/snapshot.h"
#include "enforce/waiters.h"
#include "ledger/gaps.h"
#include "notify/webhook.h"
#include "shared/shared.h"
#include "tap/tap.h"

#define SNAPSHOT_NS    NS_PER_S
#define SNAPSHOT_SHARE 250 /* snapshots take at most this part of the time: gates wait for them */
#define SETTLE_NS      NS_PER_S
#define SWEEP_NS       (60 * NS_PER_S)    /* connections of dead processes, long unread flows */
#define PRUNE_NS       (86400 * NS_PER_S) /* once no old call was left, a day later again */
#define BEAT_AGAIN_NS  (5 * NS_PER_S)
#define UNREAD_NS      NS_PER_S /* long unread flows, while a budget is nearly spent */

struct timers {
	struct daemon *daemon;
	struct loop_source *commit, *snapshot, *settle, *pace, *sweep, *beat;
	uint64_t snapshot_ns; /* how long the last snapshot took, or this one has taken so far */
	unsigned next_part;   /* of this snapshot; 0: it is whole */
	bool is_stale;        /* something has changed since this snapshot began */
	uint64_t paced_ns;    /* when pacing was last looked after */
	uint64_t unread_ns;   /* when unread flows were last charged between two sweeps */
	int64_t prune_us;     /* wall clock: no pruning before */
	int64_t price_us;     /* likewise: no word on old prices */
	int commit_err;       /* of the last commit */
	struct shortage_told told;
};

void timers_commit_soon(struct timers *timers)
{
	if (timers)
		loop_soon(timers->commit, LEDGER_COMMIT_NS);
}

void timers_snapshot_soon(struct timers *timers)
{
	uint64_t rest_ns;

	if (!timers)
		return;
	rest_ns = timers->snapshot_ns * SNAPSHOT_SHARE;
	if (timers->next_part)
		timers->is_stale = true;
	else
		loop_soon(timers->snapshot, rest_ns > SNAPSHOT_NS ? rest_ns : SNAPSHOT_NS);
}

void timers_settle_soon(struct timers *timers)
{
	if (timers)
		loop_soon(timers->settle, SETTLE_NS);
}

void timers_pace_soon(struct timers *timers)
{
	if (timers)
		loop_soon(timers->pace, ENFORCER_PACE_NS);
}

static void on_commit(void *arg)
{
	struct timers *timers = arg;
	struct daemon *daemon = timers->daemon;
	int err = ledger_commit(daemon->ledger);

	if (err == -EBUSY)
		return timers_commit_soon(timers);
	observers_committed(daemon->observers, err);
	if (err && err != timers->commit_err)
		log_error("the ledger cannot be written: %s. Budgets go on from memory, calls and "
			  "actions wait there, and are lost if aigress ends before there is room",
			  strerror(-err));
	else if (!err && timers->commit_err)
		log_info("the ledger is written again, with what has waited");
	timers->commit_err = err;
	if (err) {
		(void)loop_arm(timers->commit, NS_PER_S);
	} else {
		shared_commit(daemon->shared);
	}
}

static struct snapshot snapshot_of(const struct daemon *daemon)
{
	return (struct snapshot){ .loop = daemon->loop,
				  .finder = daemon->finder,
				  .ledger = daemon->ledger,
				  .policy = daemon->policy,
				  .trends = daemon->trends,
				  .enforcer = daemon->enforcer,
				  .pipeline = daemon->pipeline,
				  .tap = daemon->tap,
				  .waiters = daemon->waiters,
				  .webhooks = daemon->webhooks,
				  .kube = daemon->kube,
				  .shared = daemon->shared };
}

/* 1: it has changed, 0, or -ENOENT: there are fewer parts. */
static int put_part(struct timers *timers, unsigned which)
{
	const struct snapshot snapshot = snapshot_of(timers->daemon);
	int changed = snapshot_put(&snapshot, which, clock_wall_us());

	if (changed > 0)
		timers_commit_soon(timers);
	return changed;
}

/* What was refused a place. */
static void tell_shortages(struct timers *timers)
{
	const struct snapshot snapshot = snapshot_of(timers->daemon);
	json_t *health = snapshot_health(&snapshot);

	shortage_log(&timers->told, health, clock_mono_ns());
	json_decref(health);
}

/* One part at a time: other sources of the loop have their turn between two. */
static void on_snapshot(void *arg)
{
	struct timers *timers = arg;
	uint64_t begun_ns = clock_mono_ns();
	int err;

	if (!timers->next_part)
		timers->snapshot_ns = 0;
	err = put_part(timers, timers->next_part++);
	timers->snapshot_ns += clock_mono_ns() - begun_ns;
	if (err >= 0) {
		(void)loop_arm(timers->snapshot, 1);
		return;
	}
	timers->next_part = 0;
	tell_shortages(timers);
	if (timers->is_stale)
		timers_snapshot_soon(timers);
	timers->is_stale = false;
}

static void on_settle(void *arg)
{
	struct timers *timers = arg;

	pipeline_settle(timers->daemon->pipeline, clock_mono_ns());
	/* At once, so that a charge for unread bytes does not appear before its reason. */
	(void)put_part(timers, SNAPSHOT_COVERAGE);
}

/* With little left of a budget, calls in flight and unread flows are charged between two sweeps, too. */
static void follow(struct timers *timers, bool closely)
{
	struct pipeline *pipeline = timers->daemon->pipeline;

	pipeline_follow(pipeline, closely);
	if (!closely || timers->paced_ns - timers->unread_ns < UNREAD_NS)
		return;
	timers->unread_ns = timers->paced_ns;
	pipeline_tick(pipeline, timers->paced_ns);
}

static void on_pace(void *arg)
{
	struct timers *timers = arg;
	struct daemon *daemon = timers->daemon;
	size_t n;

	waiters_read(daemon->waiters);
	n = enforcer_pace(daemon->enforcer, daemon->policy, clock_wall_us());
	n += waiters_look(daemon->waiters, clock_mono_ns());
	timers->paced_ns = clock_mono_ns();
	follow(timers, enforcer_has_allowance(daemon->enforcer));
	if (n) {
		timers_pace_soon(timers);
		timers_snapshot_soon(timers);
	} else if (enforcer_has_allowance(daemon->enforcer)) {
		loop_soon(timers->pace, ENFORCER_REST_NS);
	}
}

void timers_drained(struct timers *timers)
{
	if (enforcer_has_allowance(timers->daemon->enforcer)) {
		if (clock_mono_ns() - timers->paced_ns >= ENFORCER_FUSE_NS)
			on_pace(timers);
		else
			loop_soon(timers->pace, ENFORCER_FUSE_NS);
	}
	loop_soon(timers->sweep, SWEEP_NS);
}

/* For a start that finds the ledger damaged. */
static void save_counters(const struct daemon *daemon)
{
	int err = daemon->config.rules.n_budgets ?
			  counters_file_save(daemon->options.state, daemon->policy, clock_wall_us()) :
			  0;

	if (err)
		log_debug("the budgets' sums cannot be written beside the ledger: %s",
			  strerror(-err));
}

/* At most 5,000 calls a minute. Calls that a window in force still counts stay, whatever `keep` says. */
static void prune(struct timers *timers)
{
	const struct daemon *daemon = timers->daemon;
	int64_t now_us = clock_wall_us();
	int64_t before_us = now_us - daemon->config.keep_us;
	int64_t needed_us = policy_since(daemon->policy, now_us);
	int err;

	if (now_us < timers->prune_us)
		return;
	err = ledger_prune(daemon->ledger, before_us < needed_us ? before_us : needed_us);
	if (err < 0)
		log_debug("old calls cannot be removed from the ledger: %s", strerror(-err));
	if (err <= 0)
		timers->prune_us = now_us + (int64_t)(PRUNE_NS / 1000);
}

/*
 * Whether anything depends on a sweep each minute: open flows are counted in the kernel, and whatever
 * is configured beyond watching has windows that end or a state that is shown.
 */
static bool needs_sweeps(const struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	struct pipeline_stats stats;

	pipeline_stats(daemon->pipeline, &stats);
	return stats.flows || stats.connections.connections || config->rules.n_budgets ||
	       config->webhooks.n || config->serve.is_on;
}

static void on_sweep(void *arg)
{
	struct timers *timers = arg;
	struct daemon *daemon = timers->daemon;
	bool has_changed = false;
	int changed;

	prune(timers);
	save_counters(daemon);
	price_age_look(daemon->prices, clock_wall_us(), &timers->price_us);
	tap_sweep(daemon->tap, daemon_event, daemon);
	pipeline_tick(daemon->pipeline, clock_mono_ns());
	for (unsigned i = 0; (changed = put_part(timers, i)) >= 0; i++)
		has_changed |= changed > 0;
	/* Rows that the disk did not take at once. */
	webhooks_poke(daemon->webhooks);
	observers_expire(daemon->observers);
	/* Otherwise the next event arms it, and a day suffices for old calls to leave the ledger. */
	(void)loop_arm(timers->sweep, has_changed || needs_sweeps(daemon) ? SWEEP_NS : PRUNE_NS);
}

/* What is missed for a reader's lock is made up soon: readers take a daemon without a beat for one that hangs. */
static void on_beat(void *arg)
{
	struct timers *timers = arg;
	int err = gaps_beat(timers->daemon->ledger, gaps_now());

	if (err > 0)
		log_warn("aigress hung for more than %d s: reports show a gap",
			 GAPS_HANGS_US / 1000000);
	(void)loop_arm(timers->beat, err < 0 ? BEAT_AGAIN_NS : GAPS_BEAT_NS);
}

/* A timer that fires when it is armed; after_ns: for the first time, 0: not yet. */
static int add(struct timers *timers, loop_fn fn, uint64_t after_ns, struct loop_source **ret)
{
	int err = loop_add_timer(timers->daemon->loop, 0, fn, timers, ret);

	return err || !after_ns ? err : loop_arm(*ret, after_ns);
}

int timers_new(struct timers **ret, struct daemon *daemon)
{
	struct timers *timers = calloc(1, sizeof(*timers));
	int err;

	if (!timers)
		return -ENOMEM;
	timers->daemon = daemon;
	err = add(timers, on_commit, 0, &timers->commit);
	/* Now, so that the sweep of a daemon at rest finds nothing that has changed. */
	if (!err)
		err = add(timers, on_snapshot, SNAPSHOT_NS, &timers->snapshot);
	if (!err)
		err = add(timers, on_settle, 0, &timers->settle);
	/* Of what was restored. */
	if (!err)
		err = add(timers, on_pace, ENFORCER_PACE_NS, &timers->pace);
	if (!err)
		err = add(timers, on_sweep, SWEEP_NS, &timers->sweep);
	if (!err)
		err = add(timers, on_beat, GAPS_BEAT_NS, &timers->beat);
	if (err)
		timers_free(timers);
	else
		*ret = timers;
	return err;
}

struct timers *timers_free(struct timers *timers)
{
	if (!timers)
		return NULL;
	loop_remove(timers->commit);
	loop_remove(timers->snapshot);
	loop_remove(timers->settle);
	loop_remove(timers->pace);
	loop_remove(timers->sweep);
	loop_remove(timers->beat);
	free(timers);
	return NULL;
}
