/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "budget/trend.h"
#include "daemon/apply.h"
#include "daemon/counters_file.h"
#include "daemon/events.h"
#include "daemon/hooks.h"
#include "daemon/observers.h"
#include "daemon/overrides.h"
#include "daemon/reload.h"
#include "daemon/resolve.h"
#include "daemon/timers.h"
#include "enforce/waiters.h"
#include "enforce/watchdog.h"
#include "find/finder.h"
#include "find/inspector.h"
#include "kube/kube.h"
#include "ledger/gaps.h"
#include "price/price.h"
#include "notify/stdout.h"
#include "notify/webhook.h"
#include "shared/shared.h"
#include "tap/leases.h"
#include "tap/record.h"
#include "tap/tap.h"
#include "who/who.h"

#define RING_TURN 4096 /* events in one turn of the loop */

static void on_ring(void *arg)
{
	struct daemon *daemon = arg;

	/* Some milliseconds' worth: mapping events and timers must not wait for the end of a flood. */
	tap_drain_some(daemon->tap, RING_TURN, daemon_event, daemon);
	observers_drained(daemon->observers);
	shared_look(daemon->shared);
	timers_drained(daemon->timers);
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	loop_stop(daemon->loop);
}

/* Gates are kept meanwhile (tap/leases.h); everything else waited. */
static void on_late(void *arg)
{
	const struct daemon *daemon = arg;
	struct loop_stats stats;

	loop_stats(daemon->loop, &stats);
	log_warn("the event loop was busy for more than a second: charges and actions were late (%llu "
		 "times so far, %.1f s at the longest)",
		 (unsigned long long)stats.late, (double)stats.longest_ns / NS_PER_S);
}

/* The wall clock against one that nobody sets. While a host sleeps both go on. */
static int64_t clock_offset_us(void)
{
	return clock_wall_us() - (int64_t)(clock_ns(CLOCK_BOOTTIME) / 1000);
}

/* Less is what adjtime() does, of which windows need not know. */
#define CLOCK_MOVED_US US_PER_S

static void on_turn(void *arg)
{
	struct daemon *daemon = arg;
	int64_t by_us = clock_offset_us() - daemon->clock_offset_us;

	if (llabs(by_us) < CLOCK_MOVED_US)
		return;
	daemon->clock_offset_us += by_us;
	log_warn("the clock was set by %+lld s: rolling windows go on by the time that has passed, "
		 "calendar windows by the new time",
		 (long long)(by_us / US_PER_S));
	policy_clock_moved(daemon->policy, by_us);
	enforcer_clock_moved(daemon->enforcer, daemon->policy, by_us, clock_wall_us());
}

static void on_reload(void *arg)
{
	rules_reload(arg);
}

static int watch_config(struct daemon *daemon)
{
	const struct reload_config config = { .path = daemon->options.config,
					      .fn = on_reload,
					      .arg = daemon };

	return config.path ? reload_new(&daemon->reload, daemon->loop, &config) : 0;
}

int daemon_listen(struct daemon *daemon)
{
	int err = loop_add_signal(daemon->loop, SIGTERM, on_stop, daemon, NULL);

	if (!err)
		err = loop_add_signal(daemon->loop, SIGINT, on_stop, daemon, NULL);
	if (!err)
		err = timers_new(&daemon->timers, daemon);
	if (!err)
		err = rules_watch_overrides(daemon);
	if (!err)
		err = watch_config(daemon);
	loop_on_late(daemon->loop, on_late, daemon);
	daemon->clock_offset_us = clock_offset_us();
	loop_on_turn(daemon->loop, on_turn, daemon);
	if (!err)
		err = leases_new(&daemon->leases, daemon->tap, daemon->loop, ENFORCER_LEASE_NS);
	if (!err)
		tap_defer(daemon->tap, hooks_defer(&daemon->config));
	if (!err)
		err = loop_add_fd(daemon->loop, tap_fd(daemon->tap), on_ring, daemon, NULL);
	return err;
}

void daemon_stop(struct daemon *daemon)
{
	if (daemon->is_measuring)
		(void)gaps_end(daemon->ledger, gaps_now());
	daemon->observers = observers_free(daemon->observers);
	daemon->finder = finder_free(daemon->finder);
	inspector_free(daemon->inspector);
	if (daemon->tap)
		tap_drain(daemon->tap, daemon_event, daemon);
	reload_free(daemon->reload);
	resolve_free(daemon->resolve);
	/* What flowed unread until now would not be charged by any other daemon. */
	if (daemon->pipeline)
		pipeline_tick(daemon->pipeline, clock_mono_ns());
	waiters_read(daemon->waiters);
	pipeline_free(daemon->pipeline);
	/* A restart is no reason for a gate to open, and an end without one none for links to stay. */
	if (daemon->tap && !(daemon->enforcer && enforcer_outlives(daemon->enforcer)))
		tap_unpin(daemon->tap);
	if (daemon->is_measuring && daemon->config.rules.n_budgets)
		(void)counters_file_save(daemon->options.state, daemon->policy, clock_wall_us());
	enforcer_free(daemon->enforcer);
	overrides_free(daemon->overrides);
	policy_free(daemon->policy);
	trends_free(daemon->trends);
	kube_free(daemon->kube);
	watchdog_free(daemon->watchdog);
	leases_free(daemon->leases);
	tap_free(daemon->tap);
	shared_free(daemon->shared);
	waiters_free(daemon->waiters);
	webhooks_free(daemon->webhooks);
	fetcher_free(daemon->fetcher);
	ledger_free(daemon->ledger);
	record_free(daemon->record);
	prices_free(daemon->prices);
	who_free(daemon->who);
	stdout_lines_free(daemon->stdout_lines);
	timers_free(daemon->timers);
	loop_free(daemon->loop);
	config_done(&daemon->config);
}
