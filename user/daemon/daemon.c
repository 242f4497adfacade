/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/observers.h"
#include "daemon/overrides.h"
#include "daemon/reload.h"
#include "daemon/resolve.h"
#include "daemon/snapshot.h"
#include "enforce/waiters.h"
#include "enforce/watchdog.h"
#include "find/find.h"
#include "kube/kube.h"
#include "meter/api.h"
#include "meter/price.h"
#include "notify/stdout.h"
#include "notify/webhook.h"
#include "shared/shared.h"
#include "tap/record.h"
#include "tap/tap.h"
#include "who/who.h"

#define SWEEP_NS      (60 * NS_PER_S)    /* connections of dead processes, long unread flows */
#define PRUNE_NS      (86400 * NS_PER_S) /* when no more was left, a day later again */
#define HOLD_RENEW_NS NS_PER_S
#define HOLD_LEASE_NS (3 * HOLD_RENEW_NS) /* a daemon that hangs holds nobody */
#define RING_TURN     4096                /* events in one turn of the loop */
#define TELL_NS       NS_PER_S            /* facts after a call */
#define TELL_SHARE    250                 /* a gate waits for them in one case of so many at most */

/* Hooks of the pipeline. */

static void on_decide(void *arg, uint64_t connection, enum ctl_verdict verdict)
{
	struct daemon *daemon = arg;

	tap_decide(daemon->tap, connection, verdict);
}

static void on_flow_decide(void *arg, const struct ev_flow *flow, enum ctl_verdict verdict)
{
	struct daemon *daemon = arg;
	int err = tap_flow_decide(daemon->tap, flow, verdict);

	if (err)
		log_debug("a flow to %s could not be decided on: %s", flow->host, strerror(-err));
}

static void on_greeted(void *arg, uint32_t tgid, uint64_t cgroup)
{
	struct daemon *daemon = arg;

	if (daemon->find)
		find_greeted(daemon->find, tgid, cgroup);
	/* whatever came of it: there is nothing more to wait for */
	if (daemon->config.first_call == CONFIG_HOLD)
		tap_hold_release(daemon->tap, tgid);
}

static void on_gone(void *arg, uint32_t tgid)
{
	struct daemon *daemon = arg;

	if (daemon->find)
		find_gone(daemon->find, tgid);
}

static void on_forget(void *arg, uint32_t tgid, uint64_t ssl)
{
	struct daemon *daemon = arg;

	tap_forget(daemon->tap, tgid, ssl);
}

static void on_destroy(void *arg, const struct ev_flow *flow)
{
	struct daemon *daemon = arg;
	int err = tap_destroy(daemon->tap, flow);

	if (err && err != -ENOENT)
		log_warn("a connection to %s could not be reset: %s, proceeding: its data is held",
			 flow->host, strerror(-err));
}

static uint32_t on_owner(void *arg, uint64_t cookie)
{
	struct daemon *daemon = arg;
	uint32_t tgid;
	int err = tap_flow_owner(daemon->tap, cookie, &tgid);

	if (err)
		log_debug("whose an old connection is could not be found: %s", strerror(-err));
	return err ? 0 : tgid;
}

static bool on_is_shared(void *arg, const struct ev_flow *flow)
{
	struct daemon *daemon = arg;

	return tap_flow_is_shared(daemon->tap, flow);
}

static enum unmetered_why on_left_out(void *arg, uint32_t tgid)
{
	struct daemon *daemon = arg;

	if (!daemon->find || daemon->config.find.mode == FIND_NEVER)
		return UNMETERED_NEVER;
	switch (find_reach_of(daemon->find, tgid)) {
	case FIND_UNFOLLOWED:
		return UNMETERED_RETURNS;
	case FIND_ATTACH_FAILED:
		return UNMETERED_REFUSED;
	default:
		return UNMETERED_READ;
	}
}

void daemon_resolved(void *arg, const struct sockaddr *address, const char *host)
{
	struct daemon *daemon = arg;

	if (!address) {
		log_info("the addresses of the AI hosts were asked for");
		return;
	}
	/* its name first: an old connection may be told of at once */
	pipeline_address(daemon->pipeline, address, host);
	if (tap_add_address(daemon->tap, address, api_find(host) ? CTL_AI : CTL_IGNORE))
		log_debug("an address of %s could not be told to the kernel", host);
}

static int on_flow_get(void *arg, uint64_t cookie, struct ctl_flow *ret)
{
	struct daemon *daemon = arg;

	return tap_flow_get(daemon->tap, cookie, ret);
}

static uint64_t on_held(void *arg, uint64_t cookie)
{
	struct daemon *daemon = arg;
	struct ctl_hold hold;

	return tap_hold_get(daemon->tap, cookie, &hold) ? 0 : hold.since_ns;
}

static void on_hold_over(void *arg, uint64_t cookie)
{
	struct daemon *daemon = arg;

	(void)tap_hold_drop(daemon->tap, cookie);
}

void daemon_commit_soon(struct daemon *daemon)
{
	loop_soon(daemon->commit, LEDGER_COMMIT_NS);
}

void daemon_snapshot_soon(void *arg)
{
	struct daemon *daemon = arg;
	uint64_t rest_ns = daemon->telling_ns * TELL_SHARE;

	loop_soon(daemon->tell, rest_ns > TELL_NS ? rest_ns : TELL_NS);
}

static void on_called(void *arg, const struct ledger_call *call)
{
	struct daemon *daemon = arg;

	daemon_commit_soon(daemon);
	daemon_snapshot_soon(daemon);
	stdout_lines_call(daemon->stdout_lines, call);
	observers_call(daemon->observers, call);
}

void daemon_destroy(void *arg, const char *path)
{
	struct daemon *daemon = arg;

	pipeline_destroy(daemon->pipeline, path);
}

bool daemon_reset(void *arg, uint64_t cookie)
{
	struct daemon *daemon = arg;

	return pipeline_reset(daemon->pipeline, cookie);
}

void daemon_on_action(void *arg, const struct ledger_action *action)
{
	struct daemon *daemon = arg;

	daemon_commit_soon(daemon); /* it was not written if the ledger was busy */
	stdout_lines_action(daemon->stdout_lines, action);
	kube_action(daemon->kube, action);
	webhooks_poke(daemon->webhooks);
	observers_action(daemon->observers, action);
}

/* Sources of the loop. */

static void on_event(void *arg, const struct ev_head *event, size_t size)
{
	struct daemon *daemon = arg;

	if (daemon->record && record_write(daemon->record, event, size) < 0) {
		log_warn("the recording cannot be written, stopping it");
		daemon->record = record_free(daemon->record);
	}
	pipeline_event(daemon->pipeline, event, size);
}

static int put_fact(struct daemon *daemon, size_t which)
{
	struct snapshot snapshot = { .ledger = daemon->ledger,
				     .policy = daemon->policy,
				     .enforcer = daemon->enforcer,
				     .pipeline = daemon->pipeline,
				     .tap = daemon->tap,
				     .waiters = daemon->waiters,
				     .webhooks = daemon->webhooks,
				     .kube = daemon->kube,
				     .shared = daemon->shared };
	int changed = snapshot_put(&snapshot, which, clock_wall_us());

	if (changed > 0)
		daemon_commit_soon(daemon);
	return changed;
}

static void on_commit(void *arg)
{
	struct daemon *daemon = arg;
	int err = ledger_commit(daemon->ledger);

	if (err == -EBUSY)
		return daemon_commit_soon(daemon);
	observers_committed(daemon->observers, err);
	if (err) {
		log_debug("the ledger cannot be written (%s), %lu calls wait", strerror(-err),
			  ledger_pending(daemon->ledger));
		(void)loop_arm(daemon->commit, NS_PER_S);
	} else {
		shared_commit(daemon->shared);
	}
}

static void on_tell(void *arg)
{
	struct daemon *daemon = arg;
	uint64_t begun_ns = clock_mono_ns();
	int err;

	if (!daemon->next_fact) {
		pipeline_settle(daemon->pipeline, begun_ns);
		daemon->telling_ns = 0;
	}
	err = put_fact(daemon, daemon->next_fact++);
	daemon->telling_ns += clock_mono_ns() - begun_ns;
	if (err < 0)
		daemon->next_fact = 0;
	else
		(void)loop_arm(daemon->tell, 1); /* what came meanwhile goes first */
}

void daemon_pacing(void *arg)
{
	struct daemon *daemon = arg;

	loop_soon(daemon->pace, ENFORCER_PACE_NS);
}

/* Calls in flight more often, and what nobody reads, which else waits for the sweep. */
static void follow(struct daemon *daemon, bool closely)
{
	pipeline_follow(daemon->pipeline, closely);
	if (!closely || daemon->paced_ns - daemon->unread_ns < NS_PER_S)
		return;
	daemon->unread_ns = daemon->paced_ns;
	pipeline_tick(daemon->pipeline, daemon->paced_ns);
}

static void on_pace(void *arg)
{
	struct daemon *daemon = arg;
	size_t n;

	waiters_read(daemon->waiters);
	n = enforcer_pace(daemon->enforcer, daemon->policy, clock_wall_us());
	n += waiters_look(daemon->waiters, clock_mono_ns());
	daemon->paced_ns = clock_mono_ns();
	follow(daemon, enforcer_has_allowance(daemon->enforcer));
	if (n) {
		daemon_pacing(daemon);
		daemon_snapshot_soon(daemon);
	} else if (enforcer_has_allowance(daemon->enforcer)) {
		loop_soon(daemon->pace, ENFORCER_REST_NS);
	}
}

/* Little is left of a budget: the kernel is told what the latest events cost. */
static void refill(struct daemon *daemon)
{
	if (clock_mono_ns() - daemon->paced_ns >= ENFORCER_FUSE_NS)
		on_pace(daemon);
	else
		loop_soon(daemon->pace, ENFORCER_FUSE_NS);
}

static void on_ring(void *arg)
{
	struct daemon *daemon = arg;

	/* Some milliseconds' worth: news of mappings and timers must not wait for the end of a flood. */
	tap_drain_some(daemon->tap, RING_TURN, on_event, daemon);
	observers_drained(daemon->observers);
	shared_look(daemon->shared);
	if (enforcer_has_allowance(daemon->enforcer))
		refill(daemon);
	loop_soon(daemon->sweep, SWEEP_NS);
}

/*
 * 5,000 calls at most each minute. What a window in force still needs stays, however little is to
 * be kept.
 */
static void prune(struct daemon *daemon)
{
	int64_t now_us = clock_wall_us();
	int64_t before_us = now_us - daemon->config.keep_us;
	int64_t needed_us = policy_since(daemon->policy, now_us);
	int err;

	if (now_us < daemon->prune_us)
		return;
	err = ledger_prune(daemon->ledger, before_us < needed_us ? before_us : needed_us);
	if (err < 0)
		log_debug("old calls cannot be taken out of the ledger: %s", strerror(-err));
	if (err <= 0)
		daemon->prune_us = now_us + (int64_t)(PRUNE_NS / 1000);
}

/*
 * Is there something that only a sweep tells of? Flows count in the kernel, and whatever is configured
 * beyond watching has windows that end or a state that is shown.
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
	struct daemon *daemon = arg;
	bool has_changed = false;
	int changed;

	prune(daemon);
	tap_sweep(daemon->tap, on_event, daemon);
	pipeline_tick(daemon->pipeline, clock_mono_ns());
	for (size_t i = 0; (changed = put_fact(daemon, i)) >= 0; i++)
		has_changed |= changed > 0;
	/* Rows that the disk did not take at once. */
	webhooks_poke(daemon->webhooks);
	observers_expire(daemon->observers);
	/* else the next event begins it again, and old calls leave the ledger in time */
	(void)loop_arm(daemon->sweep, has_changed || needs_sweeps(daemon) ? SWEEP_NS : PRUNE_NS);
}

/* Only where probes come late is there something to wait for. */
static bool may_hold(const struct config *config)
{
	return config->first_call == CONFIG_HOLD && config->find.mode == FIND_ON_SIGHT;
}

static void on_hold(void *arg)
{
	struct daemon *daemon = arg;

	tap_hold(daemon->tap, clock_mono_ns() + HOLD_LEASE_NS);
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	loop_stop(daemon->loop);
}

int64_t daemon_wall_us(uint64_t mono_ns)
{
	return clock_wall_us() - ((int64_t)clock_mono_ns() - (int64_t)mono_ns) / 1000;
}

struct pipeline_hooks daemon_hooks(struct daemon *daemon)
{
	return (struct pipeline_hooks){
		.decide = on_decide,
		.greeted = on_greeted,
		.flow_decide = on_flow_decide,
		.gone = on_gone,
		.forget = on_forget,
		.called = on_called,
		.destroy = on_destroy,
		.settle_soon = daemon_snapshot_soon,
		.flow_get = on_flow_get,
		.held = on_held,
		.hold_over = on_hold_over,
		.owner = on_owner,
		.is_shared = on_is_shared,
		.left_out = on_left_out,
		.arg = daemon,
	};
}

int daemon_overrides_if_needed(struct daemon *daemon)
{
	if (!daemon->config.rules.n_budgets)
		return 0;
	return overrides_watch(daemon->overrides, daemon->loop, daemon->enforcer,
			       daemon->options.state);
}

void daemon_pin_if_needed(struct daemon *daemon)
{
	int err = 0;

	if (daemon->config.rules.enforce && policy_rules_outlive(&daemon->config.rules))
		err = tap_pin(daemon->tap);
	else
		tap_unpin(daemon->tap);
	if (err)
		log_error("on-daemon-loss: hold cannot be kept (%s): gates will open when aigress ends; "
			  "it needs bpffs at /sys/fs/bpf, proceeding",
			  strerror(-err));
}

int daemon_listen(struct daemon *daemon)
{
	int err = loop_add_signal(daemon->loop, SIGTERM, on_stop, daemon, NULL);

	if (!err)
		err = loop_add_signal(daemon->loop, SIGINT, on_stop, daemon, NULL);
	if (!err)
		err = loop_add_timer(daemon->loop, 0, on_commit, daemon, &daemon->commit);
	if (!err)
		err = loop_add_timer(daemon->loop, 0, on_tell, daemon, &daemon->tell);
	if (!err)
		err = loop_arm(daemon->tell,
			       TELL_NS); /* so that a sweep of a daemon at rest finds no news */
	if (!err)
		err = loop_add_timer(daemon->loop, 0, on_pace, daemon, &daemon->pace);
	if (!err)
		err = loop_arm(daemon->pace, ENFORCER_PACE_NS); /* of what was restored */
	if (!err)
		err = loop_add_timer(daemon->loop, 0, on_sweep, daemon, &daemon->sweep);
	if (!err)
		err = loop_arm(daemon->sweep, SWEEP_NS);
	if (!err)
		err = daemon_overrides_if_needed(daemon);
	if (!err)
		err = reload_new(&daemon->reload, daemon);
	if (!err && may_hold(&daemon->config))
		on_hold(daemon);
	if (!err && may_hold(&daemon->config))
		err = loop_add_timer(daemon->loop, HOLD_RENEW_NS, on_hold, daemon, NULL);
	if (!err)
		err = loop_add_fd(daemon->loop, tap_fd(daemon->tap), on_ring, daemon, NULL);
	return err;
}

void daemon_stop(struct daemon *daemon)
{
	daemon->observers = observers_free(daemon->observers);
	daemon->find = find_free(daemon->find);
	if (daemon->tap)
		tap_drain(daemon->tap, on_event, daemon);
	reload_free(daemon->reload);
	resolve_free(daemon->resolve);
	/* What flowed unread until now nobody else will charge. */
	if (daemon->pipeline)
		pipeline_tick(daemon->pipeline, clock_mono_ns());
	waiters_read(daemon->waiters);
	pipeline_free(daemon->pipeline);
	/* A restart is no reason for a gate to open, and an end without one none for links to stay. */
	if (daemon->tap && !(daemon->enforcer && enforcer_outlives(daemon->enforcer)))
		tap_unpin(daemon->tap);
	enforcer_free(daemon->enforcer);
	overrides_free(daemon->overrides);
	policy_free(daemon->policy);
	kube_free(daemon->kube);
	watchdog_free(daemon->watchdog);
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
	loop_free(daemon->loop);
	config_done(&daemon->config);
}
