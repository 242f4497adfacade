/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: puts the stages on the loop, in the order in which each may rely on the one before.
 * What is over its budget in the ledger is gated before the first event is read.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "cmd/cmd.h"
#include "config.h"
#include "facts.h"
#include "find/find.h"
#include "find/selftest.h"
#include "guard/act.h"
#include "guard/ledger.h"
#include "guard/policy.h"
#include "keeper.h"
#include "levers.h"
#include "lines.h"
#include "meter/api.h"
#include "meter/price.h"
#include "orders.h"
#include "pipeline.h"
#include "privileges.h"
#include "restore.h"
#include "tap/record.h"
#include "tap/tap.h"
#include "who/who.h"

#define SWEEP_NS (60 * NS_PER_S)	/* connections of dead processes, long unread flows */
#define TICK_NS NS_PER_S		/* ends of windows; facts after a call */

struct options {
	const char *config, *state, *record;
	bool log_json, debug, quiet;
};

struct daemon {
	struct options options;
	struct config config;
	char cgroup_root[WHO_PATH_LEN];
	struct loop *loop;
	struct who *who;
	struct prices *prices;
	struct ledger *ledger;
	struct policy *policy;
	struct levers levers;
	struct keeper *keeper;
	struct act *act;
	struct orders *orders;
	struct tap *tap;
	struct find *find;
	struct record *record;
	struct pipeline *pipeline;
	struct loop_source *commit, *tell;
	struct lines *lines;
	bool is_commit_armed, is_tell_armed;
};

static void say(const char *what, int err, char *sentence)
{
	if (sentence)
		log_error("%s", sentence);
	else
		log_error("%s: %s", what, strerror(-err));
	free(sentence);
}

/* Hooks of the pipeline. */

static void on_decide(void *arg, uint64_t connection, enum ctl_verdict verdict)
{
	struct daemon *daemon = arg;

	tap_decide(daemon->tap, connection, verdict);
}

static void on_greeted(void *arg, uint32_t tgid, uint64_t cgroup)
{
	struct daemon *daemon = arg;

	if (daemon->find)
		find_greeted(daemon->find, tgid, cgroup);
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

static int on_flow_bytes(void *arg, uint64_t cookie, uint64_t ret_bytes[2])
{
	struct daemon *daemon = arg;

	return tap_flow_bytes(daemon->tap, cookie, ret_bytes);
}

static void commit_soon(struct daemon *daemon)
{
	if (!daemon->is_commit_armed)
		daemon->is_commit_armed = !loop_arm(daemon->commit, LEDGER_COMMIT_NS);
}

static void on_called(void *arg, const struct ledger_call *call)
{
	struct daemon *daemon = arg;

	commit_soon(daemon);
	if (!daemon->is_tell_armed)
		daemon->is_tell_armed = !loop_arm(daemon->tell, TICK_NS);
	lines_call(daemon->lines, call);
}

static void on_told(void *arg, const struct ledger_action *action)
{
	struct daemon *daemon = arg;

	lines_action(daemon->lines, action);
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

static void on_ring(void *arg)
{
	struct daemon *daemon = arg;

	tap_drain(daemon->tap, on_event, daemon);
}

static void put_facts(struct daemon *daemon, int64_t now_us)
{
	struct facts facts = { .ledger = daemon->ledger, .policy = daemon->policy,
			       .act = daemon->act, .pipeline = daemon->pipeline,
			       .tap = daemon->tap };

	if (facts_put(&facts, now_us))
		commit_soon(daemon);
}

static void on_commit(void *arg)
{
	struct daemon *daemon = arg;
	int err = ledger_commit(daemon->ledger);

	daemon->is_commit_armed = false;
	if (err) {
		log_debug("the ledger cannot be written (%s), %lu calls wait", strerror(-err),
			  ledger_pending(daemon->ledger));
		loop_arm(daemon->commit, NS_PER_S);
		daemon->is_commit_armed = true;
	}
}

static void on_tell(void *arg)
{
	struct daemon *daemon = arg;

	daemon->is_tell_armed = false;
	put_facts(daemon, clock_wall_us());
}

static void on_tick(void *arg)
{
	struct daemon *daemon = arg;

	int64_t now_us = clock_wall_us();
	int err = orders_look(daemon->orders, daemon->act, now_us);

	if (err < 0)
		log_debug("the overrides cannot be read: %s", strerror(-err));
	act_expire(daemon->act, now_us);
}

static void on_sweep(void *arg)
{
	struct daemon *daemon = arg;

	tap_sweep(daemon->tap, on_event, daemon);
	pipeline_tick(daemon->pipeline, clock_mono_ns());
	put_facts(daemon, clock_wall_us());
}

static void on_stop(void *arg)
{
	struct daemon *daemon = arg;

	loop_stop(daemon->loop);
}

static int64_t wall_us(uint64_t mono_ns)
{
	return clock_wall_us() - ((int64_t)clock_mono_ns() - (int64_t)mono_ns) / 1000;
}

/* Steps of the start; each logs its own failure and returns an exit code. */

static bool may_halt(const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++)
		for (size_t j = 0; j < rules->budgets[i].n_steps; j++)
			if (rules->budgets[i].steps[j].action == POLICY_STOP ||
			    rules->budgets[i].steps[j].action == POLICY_FREEZE)
				return true;
	return false;
}

/* First of all: the child is a copy of this process, which holds nothing yet. */
static int start_keeper(struct daemon *daemon)
{
	int err = may_halt(&daemon->config.rules) ? keeper_new(&daemon->keeper) : 0;

	if (err)
		say("the keeper cannot start", err, NULL);
	return err ? CMD_FAILED : CMD_OK;
}

static int start_prices(struct daemon *daemon)
{
	char *sentence = NULL;
	const char *warning;
	int err = prices_new(&daemon->prices);

	if (!err)
		err = prices_load_builtin(daemon->prices, &sentence);
	if (!err && daemon->config.prices)
		err = prices_load(daemon->prices, daemon->config.prices, "override", &sentence);
	if (err) {
		say("prices", err, sentence);
		return daemon->config.prices ? CMD_USAGE : CMD_FAILED;
	}
	for (size_t i = 0; (warning = prices_warning(daemon->prices, i)); i++)
		log_debug("prices: %s", warning);
	return CMD_OK;
}

static int start_who(struct daemon *daemon)
{
	int err = who_cgroup_mount(daemon->cgroup_root, sizeof(daemon->cgroup_root));

	if (err) {
		log_error("no cgroup v2 mount was found; mount one: "
			  "mount -t cgroup2 none /sys/fs/cgroup/unified");
		return CMD_UNSUPPORTED;
	}
	err = who_new(&daemon->who, daemon->cgroup_root);
	if (err) {
		say(daemon->cgroup_root, err, NULL);
		return CMD_FAILED;
	}
	return CMD_OK;
}

static int start_ledger(struct daemon *daemon)
{
	char *sentence = NULL;
	int err = ledger_open(&daemon->ledger, daemon->options.state, true, &sentence);

	if (err) {
		say(daemon->options.state, err, sentence);
		return CMD_FAILED;
	}
	return CMD_OK;
}

static int start_tap(struct daemon *daemon)
{
	struct tap_config config = { .cgroup_root = daemon->cgroup_root };
	char *sentence = NULL;
	const char *pattern;
	int err = tap_new(&daemon->tap, &config, &sentence);

	for (size_t i = 0; !err && (pattern = api_pattern(i)); i++)
		err = tap_add_host(daemon->tap, pattern);
	if (err) {
		say("the kernel half cannot start", err, sentence);
		return CMD_UNSUPPORTED;
	}
	return CMD_OK;
}

static int start_find(struct daemon *daemon)
{
	char *sentence = NULL;
	int err = 0;

	if (daemon->config.find.mode != FIND_NEVER)
		err = find_selftest(daemon->tap, &sentence);
	if (!err)
		err = find_new(&daemon->find, daemon->loop, daemon->tap, &daemon->config.find,
			       &sentence);
	if (!err)
		err = find_scan(daemon->find);
	if (err) {
		say("processes cannot be looked at", err, sentence);
		return CMD_UNSUPPORTED;
	}
	return CMD_OK;
}

static int start_record(struct daemon *daemon)
{
	int err;

	if (!daemon->options.record)
		return CMD_OK;
	err = record_create(&daemon->record, daemon->options.record);
	if (err) {
		say(daemon->options.record, err, NULL);
		return CMD_FAILED;
	}
	log_warn("%s will hold plaintext of requests and answers: for tests only",
		 daemon->options.record);
	return CMD_OK;
}

static int start_pipeline(struct daemon *daemon)
{
	struct pipeline_config config = {
		.who = daemon->who,
		.prices = daemon->prices,
		.ledger = daemon->ledger,
		.policy = daemon->policy,
		.act = daemon->act,
		.hooks = { .decide = on_decide, .greeted = on_greeted, .gone = on_gone,
			   .forget = on_forget, .called = on_called, .destroy = on_destroy,
			   .flow_bytes = on_flow_bytes, .arg = daemon },
		.wall_us = wall_us,
	};
	int err = pipeline_new(&daemon->pipeline, &config);

	daemon->levers.pipeline = daemon->pipeline;
	if (err)
		say("pipeline", err, NULL);
	return err ? CMD_FAILED : CMD_OK;
}

static int start_guard(struct daemon *daemon)
{
	struct act_levers levers;
	int err;

	daemon->levers = (struct levers){ .tap = daemon->tap, .who = daemon->who,
					  .keeper = daemon->keeper,
					  .cgroup_root = daemon->cgroup_root,
					  .told = on_told, .told_arg = daemon };
	levers = levers_of(&daemon->levers);
	daemon->policy = policy_new(&daemon->config.rules);
	daemon->act = act_new(daemon->loop, daemon->ledger, &daemon->config.rules, &levers);
	if (daemon->policy)
		daemon->orders = orders_new(daemon->ledger, daemon->policy, clock_wall_us());
	err = daemon->orders && daemon->act ? start_pipeline(daemon) : CMD_FAILED;
	if (err)
		return err;
	err = restore(daemon->ledger, daemon->policy, daemon->act, daemon->who, clock_wall_us());
	if (err) {
		say("budgets cannot be rebuilt from the ledger", err, NULL);
		return CMD_FAILED;
	}
	orders_apply(daemon->orders, daemon->act, clock_wall_us());
	err = act_recover(daemon->act);
	if (err < 0)
		log_warn("what an earlier aigress made to stand is not let go: %s, proceeding",
			 strerror(-err));
	else if (err)
		log_info("let go %d that an earlier aigress had made to stand", err);
	return CMD_OK;
}

static int start_loop(struct daemon *daemon)
{
	int err = loop_add_signal(daemon->loop, SIGTERM, on_stop, daemon, NULL);

	if (!err)
		err = loop_add_signal(daemon->loop, SIGINT, on_stop, daemon, NULL);
	if (!err)
		err = loop_add_timer(daemon->loop, LEDGER_COMMIT_NS, on_commit, daemon,
				     &daemon->commit);
	if (!err)
		err = loop_arm(daemon->commit, 0);
	if (!err)
		err = loop_add_timer(daemon->loop, TICK_NS, on_tell, daemon, &daemon->tell);
	if (!err)
		err = loop_arm(daemon->tell, 0);
	if (!err)
		err = loop_add_timer(daemon->loop, SWEEP_NS, on_sweep, daemon, NULL);
	/* An idle daemon without budgets sleeps. */
	if (!err && daemon->config.rules.n_budgets)
		err = loop_add_timer(daemon->loop, TICK_NS, on_tick, daemon, NULL);
	if (!err)
		err = loop_add_fd(daemon->loop, tap_fd(daemon->tap), on_ring, daemon, NULL);
	if (err)
		say("event loop", err, NULL);
	return err ? CMD_FAILED : CMD_OK;
}

static int start(struct daemon *daemon)
{
	static int (*const steps[])(struct daemon *) = {
		start_keeper, start_prices, start_who, start_ledger, start_tap, start_guard,
		start_record, start_loop, start_find,
	};
	int code = CMD_OK;

	for (size_t i = 0; i < ARRAY_SIZE(steps) && code == CMD_OK; i++)
		code = steps[i](daemon);
	return code;
}

static void stop(struct daemon *daemon)
{
	daemon->find = find_free(daemon->find);
	if (daemon->tap)
		tap_drain(daemon->tap, on_event, daemon);
	pipeline_free(daemon->pipeline);
	act_free(daemon->act);
	orders_free(daemon->orders);
	policy_free(daemon->policy);
	keeper_free(daemon->keeper);
	tap_free(daemon->tap);
	ledger_free(daemon->ledger);
	record_free(daemon->record);
	prices_free(daemon->prices);
	who_free(daemon->who);
	lines_free(daemon->lines);
	loop_free(daemon->loop);
	config_done(&daemon->config);
}

static int serve(struct daemon *daemon)
{
	struct tap_features features;
	int code = start(daemon);
	int err;

	if (code == CMD_OK) {
		tap_probe_features(&features);
		err = privileges_drop(!features.has_uprobe_multi || daemon->config.rules.enforce);
		if (err)
			log_warn("privileges cannot be dropped (%s), proceeding", strerror(-err));
		facts_put_daemon(daemon->ledger, daemon->cgroup_root);
		ledger_commit(daemon->ledger);
		fprintf(stderr, "ready\n");
		err = loop_run(daemon->loop);
		if (err)
			say("event loop", err, NULL);
		code = err ? CMD_FAILED : CMD_OK;
	}
	stop(daemon);
	return code;
}

static const struct argp_option rows[] = {
	{ "config", 'c', "FILE", 0, "Budgets and settings (YAML); none: watch only", 0 },
	{ "state", 's', "DIR", 0, "Where the ledger is kept (default " LEDGER_DIR ")", 0 },
	{ "record", 'R', "FILE", 0, "Also write the events to FILE: holds plaintext, for tests", 0 },
	{ "quiet", 'q', NULL, 0, "No line a call on standard output", 0 },
	{ "log-json", 'j', NULL, 0, "Log in JSON lines", 0 },
	{ "debug", 'd', NULL, 0, "Log more", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->config = arg;
		return 0;
	case 's':
		options->state = arg;
		return 0;
	case 'R':
		options->record = arg;
		return 0;
	case 'q':
		options->quiet = true;
		return 0;
	case 'j':
		options->log_json = true;
		return 0;
	case 'd':
		options->debug = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = { rows, parse, NULL,
					  "Watch this host: meter AI calls, keep the ledger, "
					  "enforce budgets.", NULL, NULL, NULL };
	struct daemon daemon = { .options.state = LEDGER_DIR };
	char *sentence = NULL;
	int err;

	argp_err_exit_status = CMD_USAGE;
	argp_parse(&argp, argc, argv, 0, NULL, &daemon.options);
	log_setup(daemon.options.debug ? LOG_DEBUG : LOG_INFO,
		  daemon.options.log_json ? LOG_JSON : LOG_TEXT);
	/* What this process reads must not end in a core dump: prctl(2), getrlimit(2). */
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	err = config_load(&daemon.config, daemon.options.config, &sentence);
	if (err) {
		say(daemon.options.config, err, sentence);
		return CMD_USAGE;
	}
	if (loop_new(&daemon.loop) < 0 || !(daemon.lines = lines_new(daemon.options.quiet)))
		return CMD_FAILED;
	for (size_t i = 0; i < daemon.config.n_hosts && !err; i++) {
		err = api_add_host(daemon.config.hosts[i].pattern, daemon.config.hosts[i].provider);
		if (err)
			log_error("hosts[%zu]: \"%s\" like \"%s\": %s", i,
				  daemon.config.hosts[i].pattern, daemon.config.hosts[i].provider,
				  err == -ENOENT ? "no such provider" : strerror(-err));
	}
	return err ? CMD_USAGE : serve(&daemon);
}
