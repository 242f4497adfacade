/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"
#include "budget/trend.h"
#include "config/last_good.h"
#include "daemon/apply.h"
#include "daemon/daemon.h"
#include "daemon/hooks.h"
#include "daemon/memory.h"
#include "daemon/observers.h"
#include "daemon/name_servers.h"
#include "daemon/overrides.h"
#include "daemon/prices_start.h"
#include "daemon/privileges.h"
#include "daemon/reload.h"
#include "daemon/remote_spend.h"
#include "daemon/resolve.h"
#include "daemon/restore.h"
#include "daemon/snapshot.h"
#include "daemon/sound_ledger.h"
#include "daemon/timers.h"
#include "enforce/waiters.h"
#include "enforce/watchdog.h"
#include "find/finder.h"
#include "find/inspector.h"
#include "find/selftest.h"
#include "kube/kube.h"
#include "ledger/gaps.h"
#include "provider/api.h"
#include "notify/stdout.h"
#include "notify/webhook.h"
#include "tap/pin.h"
#include "tap/record.h"
#include "tap/tap.h"
#include "who/who.h"

static void say(const char *what, int err, char *sentence)
{
	if (sentence)
		log_error("%s", sentence);
	else
		log_error("%s: %s", what, strerror(-err));
	free(sentence);
}

/* Steps of the start; each logs its own failure and returns an exit code. */

/* First of all: the child is a copy of this process, which holds nothing yet. */
static enum daemon_end start_watchdog(struct daemon *daemon)
{
	int err = policy_rules_may_halt(&daemon->config.rules) ? watchdog_new(&daemon->watchdog) : 0;

	if (err)
		say("the watchdog cannot start", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

/* Likewise before there is anything to hide from who looks into files. */
static enum daemon_end start_inspector(struct daemon *daemon)
{
	int err = daemon->config.find.mode == FIND_NEVER ? 0 : inspector_new(&daemon->inspector);

	if (err)
		say("the processes that look into files cannot start (they need seccomp)", err,
		    NULL);
	return err ? DAEMON_UNSUPPORTED : DAEMON_OK;
}

static enum daemon_end start_prices(struct daemon *daemon)
{
	_cleanup_free_ char *sentence = NULL;
	int err = prices_start(daemon, &sentence);

	if (err)
		say("prices", err, sentence);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static enum daemon_end start_who(struct daemon *daemon)
{
	int err = who_cgroup_mount(daemon->cgroup_root, sizeof(daemon->cgroup_root));

	if (err) {
		log_error("no cgroup v2 mount was found; mount one: "
			  "mount -t cgroup2 none /sys/fs/cgroup/unified");
		return DAEMON_UNSUPPORTED;
	}
	err = who_new(&daemon->who, daemon->cgroup_root);
	if (err) {
		say(daemon->cgroup_root, err, NULL);
		return DAEMON_FAILED;
	}
	return DAEMON_OK;
}

static enum daemon_end start_ledger(struct daemon *daemon)
{
	char *sentence = NULL;
	int err = sound_ledger(&daemon->ledger, daemon->options.state, &daemon->is_spend_unknown,
			       &sentence);

	if (err) {
		say(daemon->options.state, err, sentence);
		return DAEMON_FAILED;
	}
	/* Without it readers take the one before for one that hangs, until this one measures. */
	(void)gaps_take_over(daemon->ledger);
	return DAEMON_OK;
}

/* Before any action: a webhook that is new begins with the next one. */
static enum daemon_end start_out(struct daemon *daemon)
{
	const char *node = daemon->config.node ? daemon->config.node : getenv("NODE_NAME");
	int err = 0;

	if (node && *node)
		snprintf(daemon->node, sizeof(daemon->node), "%s", node);
	else
		err = gethostname(daemon->node, sizeof(daemon->node) - 1) < 0 ? -errno : 0;
	if (!err)
		err = fetcher_new(&daemon->fetcher, daemon->loop);
	if (!err)
		err = webhooks_new(&daemon->webhooks, daemon->loop, daemon->fetcher, daemon->ledger,
				   &daemon->config.webhooks, daemon->node);
	if (err)
		say("webhooks", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static enum daemon_end start_tap(struct daemon *daemon)
{
	char pin[PIN_PATH_LEN], *sentence = NULL;
	struct tap_config config = { .cgroup_root = daemon->cgroup_root,
				     .pattern = api_pattern,
				     .port = api_port,
				     .pin = pin };
	int err;

	pin_dir(daemon->options.state, pin);
	err = tap_new(&daemon->tap, &config, &sentence);
	if (err) {
		say("the kernel half cannot start", err, sentence);
		return DAEMON_UNSUPPORTED;
	}
	return DAEMON_OK;
}

static enum daemon_end start_find(struct daemon *daemon)
{
	struct find_config config = daemon->config.find;
	char *sentence = NULL;
	int err = 0, n;

	n = snprintf(daemon->searches, sizeof(daemon->searches), "%s/" FIND_SEARCHES,
		     daemon->options.state);
	config.inspector = daemon->inspector;
	config.cache = n > 0 && (size_t)n < sizeof(daemon->searches) ? daemon->searches : NULL;
	if (config.mode != FIND_NEVER)
		err = find_selftest(daemon->tap, &config.returns, &sentence);
	if (!err && config.returns != daemon->config.find.returns)
		log_warn("return probes are not safe on this kernel, so each return instruction is "
			 "probed instead: a little slower (fixed in Linux 6.12.14, 6.13.3 and 6.14)");
	if (!err)
		err = finder_new(&daemon->finder, daemon->tap, &config, &sentence);
	if (!err)
		err = finder_scan(daemon->finder);
	if (err) {
		say("processes cannot be looked at", err, sentence);
		return DAEMON_UNSUPPORTED;
	}
	return DAEMON_OK;
}

static enum daemon_end start_record(struct daemon *daemon)
{
	int err;

	if (!daemon->options.record)
		return DAEMON_OK;
	err = record_create(&daemon->record, daemon->options.record);
	if (err) {
		say(daemon->options.record, err, NULL);
		return DAEMON_FAILED;
	}
	log_warn("%s will hold plaintext of requests and answers: for tests only",
		 daemon->options.record);
	return DAEMON_OK;
}

/*
 * Whether a gate that was found is to stay. One that was refused before it could spend is in no ledger,
 * as a new pod of a workload that is over its budget: it is judged here. Where nobody knows what was spent, all stay.
 */
static bool is_wanted(void *arg, uint64_t cgroup)
{
	static const struct who_process no_process;
	struct daemon *daemon = arg;
	struct who_group group;
	const struct policy_subject subject = {
		.group = &group, .process = &no_process, .host = "", .model = ""
	};
	struct verdict_iter verdicts;

	if (daemon->is_spend_unknown || enforcer_holds_gate(daemon->enforcer, cgroup))
		return true;
	who_group_get(daemon->who, cgroup, &group);
	policy_judge(daemon->policy, &subject, clock_wall_us(), &verdicts);
	enforcer_apply_all(daemon->enforcer, &verdicts, &subject, clock_wall_us());
	return enforcer_holds_gate(daemon->enforcer, cgroup);
}

/* The gates that an earlier daemon left: those that no budget asks for any more are opened. */
static void take_gates(struct daemon *daemon)
{
	size_t n = tap_gates_sweep(daemon->tap, is_wanted, daemon);

	if (n)
		log_info("opened %zu gates that an earlier aigress had left shut", n);
	rules_pin(daemon);
}

/* The wall clock at an event's time. */
static int64_t wall_us(uint64_t mono_ns)
{
	return clock_wall_us() - ((int64_t)clock_mono_ns() - (int64_t)mono_ns) / 1000;
}

/* 0: not known; then no loopback address is. */
static uint32_t own_netns(void)
{
	struct stat status;

	return stat("/proc/self/ns/net", &status) ? 0 : (uint32_t)status.st_ino;
}

static enum daemon_end start_pipeline(struct daemon *daemon)
{
	struct pipeline_config config = {
		.who = daemon->who,
		.prices = daemon->prices,
		.ledger = daemon->ledger,
		.policy = daemon->policy,
		.enforcer = daemon->enforcer,
		.hooks = hooks_pipeline(daemon),
		.wall_us = wall_us,
		.netns = own_netns(),
	};
	int err = pipeline_new(&daemon->pipeline, &config);

	if (err)
		say("pipeline", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static enum daemon_end start_guard(struct daemon *daemon)
{
	struct enforcer_ops actuators;
	enum daemon_end end;
	int err;

	err = waiters_new(&daemon->waiters, daemon->tap, hooks_reset, daemon);
	if (err) {
		say("pacing", err, NULL);
		return DAEMON_FAILED;
	}
	daemon->actuators = (struct actuators){ .tap = daemon->tap,
						.who = daemon->who,
						.waiters = daemon->waiters,
						.watchdog = daemon->watchdog,
						.cgroup_root = daemon->cgroup_root,
						.hooks = { .destroy = hooks_destroy,
							   .pacing = hooks_pacing,
							   .on_action = hooks_action,
							   .arg = daemon } };
	actuators = actuators_ops(&daemon->actuators);
	daemon->policy = policy_new(&daemon->config.rules);
	daemon->trends = trends_new();
	daemon->enforcer = enforcer_new(daemon->loop, daemon->ledger, &daemon->config.rules,
					&actuators);
	if (daemon->policy)
		daemon->overrides = overrides_new(daemon->ledger, daemon->policy, clock_wall_us());
	end = daemon->overrides && daemon->enforcer ? start_pipeline(daemon) : DAEMON_FAILED;
	if (end != DAEMON_OK)
		return end;
	err = restore(daemon->ledger, daemon->policy, daemon->enforcer, daemon->who,
		      clock_wall_us());
	if (err) {
		say("budgets cannot be rebuilt from the ledger", err, NULL);
		return DAEMON_FAILED;
	}
	if (daemon->is_spend_unknown)
		daemon->is_spend_unknown = !sound_ledger_fill(daemon->options.state, daemon->policy,
							      clock_wall_us());
	overrides_apply(daemon->overrides, daemon->enforcer, clock_wall_us());
	take_gates(daemon);
	remote_spend_begin(daemon);
	err = enforcer_recover(daemon->enforcer);
	if (err < 0)
		log_warn("what a previous run left stopped cannot be resumed: %s, proceeding",
			 strerror(-err));
	else if (err)
		log_info("resumed %d targets left stopped by a previous run", err);
	return DAEMON_OK;
}

static void on_rebuild(void *arg)
{
	int err = rules_rebuild(arg);

	if (err)
		log_error("budgets cannot be rebuilt for names that came late: %s, proceeding",
			  strerror(-err));
}

static void on_annotated(void *arg)
{
	struct daemon *daemon = arg;

	/* Without steps none is honoured, and their state says so. */
	if (daemon->reload && daemon->config.annotations.n_steps)
		reload_now(daemon->reload);
	else
		(void)kube_annotate(daemon->kube, &daemon->config.annotations,
				    &daemon->config.rules);
	timers_snapshot_soon(daemon->timers);
}

/* Names are there before the first event; those that a server must be asked for come after. */
static enum daemon_end start_kube(struct daemon *daemon)
{
	const struct kube_options options = {
		.loop = daemon->loop,
		.fetcher = daemon->fetcher,
		.who = daemon->who,
		.ledger = daemon->ledger,
		.config = &daemon->config.kube,
		.node = daemon->node,
		.rules = &daemon->config.rules,
		.rebuild = on_rebuild,
		.annotated = on_annotated,
		.changed = hooks_changed,
		.namespaces = daemon->config.annotations.n_steps,
		.arg = daemon,
	};
	int err = kube_new(&daemon->kube, &options);

	if (err)
		say("names of pods", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static enum daemon_end start_loop(struct daemon *daemon)
{
	int err = daemon_listen(daemon);

	if (err)
		say("event loop", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static enum daemon_end start_config(struct daemon *daemon)
{
	struct config *config = &daemon->config;
	char *sentence = NULL;
	int err = config_load(config, daemon->options.config, &sentence);

	if (err) {
		config_is_broken(daemon, sentence ? sentence : strerror(-err));
		say(daemon->options.config, err, sentence);
		if (last_good_load(config, daemon->options.state))
			return DAEMON_USAGE;
		log_error("the last configuration that was right is in force, without webhooks and "
			  "otlp; stop, freeze and kill are suspended until the file is right");
	}
	config_warn(config);
	for (size_t i = 0; i < config->n_hosts; i++) {
		err = api_add_host(config->hosts[i].pattern, config->hosts[i].provider);
		if (!err)
			continue;
		log_error("%s: hosts[%zu]: %s", daemon->options.config, i, strerror(-err));
		return DAEMON_USAGE;
	}
	return DAEMON_OK;
}

/* What all stages use. */
static enum daemon_end start_base(struct daemon *daemon)
{
	int err = loop_new(&daemon->loop);

	daemon->stdout_lines = stdout_lines_new(daemon->options.quiet, daemon->options.as_json);
	if (err || !daemon->stdout_lines) {
		say("event loop", err ? err : -ENOMEM, NULL);
		return DAEMON_FAILED;
	}
	return DAEMON_OK;
}

/* After the probes: who asks whether it is ready should hear so. A low port needs privileges. */
static enum daemon_end start_observers(struct daemon *daemon)
{
	int err = observers_new(&daemon->observers, daemon);

	if (err)
		say("metrics and the status page", err, NULL);
	return err ? DAEMON_FAILED : DAEMON_OK;
}

static void add_name_server(void *arg, const struct sockaddr *server)
{
	const struct daemon *daemon = arg;
	int err = tap_add_name_server(daemon->tap, server);

	if (err)
		log_warn("answers of a name server are not read (%s), proceeding", strerror(-err));
}

/* Who says which addresses AI hosts have: the node's resolver, and name servers that others ask. 0 or -errno. */
static int start_names(struct daemon *daemon)
{
	const struct config *config = &daemon->config;
	const char *proxies[RESOLVE_MORE];
	size_t n = 0;

	name_servers_each("", add_name_server, daemon);
	for (size_t i = 0; i < config->n_name_servers; i++) {
		struct sockaddr_storage server;

		if (!name_server_parse(config->name_servers[i].host, &server))
			add_name_server(daemon, (const struct sockaddr *)&server);
	}
	for (; n < config->n_proxies && n < RESOLVE_MORE; n++)
		proxies[n] = config->proxies[n].host;
	return resolve_new(&daemon->resolve, daemon->loop, proxies, n, hooks_address, daemon);
}

/* Last of all: from here on nothing needs more than privileges.c keeps. */
static enum daemon_end start_unprivileged(struct daemon *daemon)
{
	struct tap_features features;
	int err;

	tap_probe_features(&features);
	err = privileges_drop(!features.has_uprobe_multi || daemon->config.rules.enforce);
	if (err)
		log_warn("privileges cannot be dropped (%s), proceeding", strerror(-err));
	/* threads keep the privileges that they begin with */
	ledger_use_thread(daemon->ledger);
	err = finder_start(daemon->finder);
	if (err)
		log_warn("programs cannot be looked at while others run (%s), proceeding: what starts "
			 "from now on is estimated",
			 strerror(-err));
	err = daemon->config.resolve ? start_names(daemon) : 0;
	if (err)
		log_warn("the AI hosts' addresses cannot be asked for (%s), proceeding: connections that "
			 "are older than aigress are not seen",
			 strerror(-err));
	snapshot_put_daemon(daemon->ledger, daemon->cgroup_root,
			    daemon->config.find.returns == FIND_RETURN_INSTRUCTIONS);
	(void)snapshot_put_rules(daemon->ledger, &daemon->config.rules);
	config_publish(daemon);
	(void)snapshot_put_prices(daemon->ledger, daemon->prices, daemon->config.prices,
				  daemon->prices_error);
	err = gaps_begin(daemon->ledger, gaps_now());
	daemon->is_measuring = !err;
	if (err)
		log_warn("that metering begins cannot be written (%s), proceeding: reports will show "
			 "a gap",
			 strerror(-err));
	ledger_commit(daemon->ledger);
	memory_trim();
	memory_keep_from_dumps();
	return DAEMON_OK;
}

enum daemon_end daemon_start(struct daemon *daemon)
{
	static enum daemon_end (*const steps[])(struct daemon *) = {
		start_config, start_watchdog, start_inspector, start_base,
		start_prices, start_who,      start_ledger,    start_tap,
		start_out,    start_kube,     start_guard,     start_record,
		start_loop,   start_find,     start_observers, start_unprivileged,
	};
	enum daemon_end end = DAEMON_OK;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && end == DAEMON_OK; i++)
		end = steps[i](daemon);
	return end;
}
