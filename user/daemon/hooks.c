/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/hooks.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/observers.h"
#include "daemon/resolve.h"
#include "daemon/timers.h"
#include "find/finder.h"
#include "kube/kube.h"
#include "provider/api.h"
#include "notify/stdout.h"
#include "notify/webhook.h"
#include "tap/tap.h"

/* The pipeline's: the kernel half first, then discovery, then the observers of calls. */

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

bool hooks_defer(const struct config *config)
{
	return config->first_call == CONFIG_HOLD && config->find.mode != FIND_NEVER;
}

static void on_greeted(void *arg, uint32_t tgid, uint64_t cgroup, uint64_t socket)
{
	struct daemon *daemon = arg;

	if (hooks_defer(&daemon->config))
		(void)tap_defer_begin(daemon->tap, tgid);
	if (daemon->finder)
		finder_greeted(daemon->finder, tgid, cgroup, socket);
}

static void on_speaks(void *arg, uint32_t tgid)
{
	struct daemon *daemon = arg;

	if (daemon->finder)
		finder_speaks(daemon->finder, tgid);
}

static void on_gone(void *arg, uint32_t tgid)
{
	struct daemon *daemon = arg;

	if (daemon->finder)
		finder_gone(daemon->finder, tgid);
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
		log_debug("could not determine the owner of a pre-existing connection: %s",
			  strerror(-err));
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

	if (!daemon->finder || daemon->config.find.mode == FIND_NEVER)
		return UNMETERED_NEVER;
	switch (finder_reach(daemon->finder, tgid)) {
	case FIND_UNFOLLOWED:
		return UNMETERED_RETURNS;
	case FIND_ATTACH_FAILED:
		return UNMETERED_REFUSED;
	default:
		return UNMETERED_READ;
	}
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

static void on_ask(void *arg, uint64_t cgroup, const char *host)
{
	struct daemon *daemon = arg;

	if (daemon->resolve)
		resolve_again(daemon->resolve, cgroup, host);
}

static void on_called(void *arg, const struct ledger_call *call)
{
	struct daemon *daemon = arg;

	timers_commit_soon(daemon->timers);
	timers_snapshot_soon(daemon->timers);
	stdout_lines_call(daemon->stdout_lines, call);
	observers_call(daemon->observers, call);
}

static void on_settle_soon(void *arg)
{
	const struct daemon *daemon = arg;

	timers_settle_soon(daemon->timers);
}

struct pipeline_hooks hooks_pipeline(struct daemon *daemon)
{
	return (struct pipeline_hooks){
		.tap = { .decide = on_decide,
			 .flow_decide = on_flow_decide,
			 .forget = on_forget,
			 .destroy = on_destroy,
			 .owner = on_owner,
			 .is_shared = on_is_shared,
			 .flow_get = on_flow_get,
			 .held = on_held,
			 .hold_over = on_hold_over,
			 .arg = daemon },
		.find = { .greeted = on_greeted,
			  .speaks = on_speaks,
			  .gone = on_gone,
			  .left_out = on_left_out,
			  .arg = daemon },
		.names = { .ask = daemon->config.resolve ? on_ask : NULL, .arg = daemon },
		.observer = { .called = on_called, .settle_soon = on_settle_soon, .arg = daemon },
	};
}

size_t hooks_destroy(void *arg, const char *path)
{
	const struct daemon *daemon = arg;

	return pipeline_destroy(daemon->pipeline, path);
}

bool hooks_reset(void *arg, uint64_t cookie)
{
	const struct daemon *daemon = arg;

	return pipeline_reset(daemon->pipeline, cookie);
}

void hooks_pacing(void *arg)
{
	const struct daemon *daemon = arg;

	timers_pace_soon(daemon->timers);
}

void hooks_action(void *arg, const struct ledger_action *action)
{
	struct daemon *daemon = arg;

	timers_commit_soon(daemon->timers); /* it was not written if the ledger was busy */
	stdout_lines_action(daemon->stdout_lines, action);
	kube_action(daemon->kube, action);
	webhooks_poke(daemon->webhooks);
	observers_action(daemon->observers, action);
}

void hooks_changed(void *arg)
{
	const struct daemon *daemon = arg;

	timers_snapshot_soon(daemon->timers);
}

/* Is it one of `proxies:`? Then what goes to its port there is confirmed. */
static bool take_proxy(struct daemon *daemon, const struct sockaddr *address, const char *host)
{
	const struct config *config = &daemon->config;
	bool is_proxy = false;

	for (size_t i = 0; i < config->n_proxies; i++) {
		if (strcmp(config->proxies[i].host, host) != 0)
			continue;
		pipeline_proxy(daemon->pipeline, address, config->proxies[i].port, clock_mono_ns());
		is_proxy = true;
	}
	return is_proxy;
}

void hooks_address(void *arg, const struct sockaddr *address, const char *host, bool is_again)
{
	struct daemon *daemon = arg;

	if (!address) {
		log_info("the addresses of the AI hosts were asked for");
		return;
	}
	if (take_proxy(daemon, address, host))
		return;
	/* Its name first: the kernel may report an old connection to it at once. */
	pipeline_address(daemon->pipeline, address, host, clock_mono_ns());
	/* Its neighbours were not asked about again: who else is at that address is not known. */
	if (!is_again && tap_add_address(daemon->tap, address, api_find(host) ? CTL_AI : CTL_IGNORE))
		log_debug("an address of %s could not be passed to the kernel", host);
}
