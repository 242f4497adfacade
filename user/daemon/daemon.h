/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: the stages on the loop. start.c has the steps in which it comes up, each relying on the
 * ones before: what is over its budget in the ledger is gated before the first event is read. While it
 * runs, events.c passes on what the kernel reports, hooks.c what the stages call back, timers.c what
 * is due; apply.c exchanges the rules. daemon.c ends it.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include <stdbool.h>

#include "budget/policy.h"
#include "config/config.h"
#include "enforce/actuators.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"
#include "pipeline/pipeline.h"

struct daemon_options {
	const char *config, *state, *record; /* record: NULL, none */
	const char *version;
	bool quiet;   /* no line a call on standard output */
	bool as_json; /* lines on standard output are JSON */
};

struct daemon {
	struct daemon_options options;
	struct config config;
	char cgroup_root[WHO_PATH_LEN];
	char searches[WHO_PATH_LEN]; /* folder where searches of program files are remembered */
	struct loop *loop;
	int64_t clock_offset_us; /* of the wall clock to the time since boot, as of the last turn of the loop */
	struct who *who;
	struct prices *prices;
	struct ledger *ledger;
	struct policy *policy;
	struct trends *trends;
	struct actuators actuators;
	struct watchdog *watchdog;
	struct waiters *waiters;
	struct overrides *overrides;
	struct enforcer *enforcer;
	struct tap *tap;
	struct leases *leases; /* renewed beside the loop while that is late */
	bool is_spend_unknown; /* the ledger has lost some, and nothing else knows it */
	struct inspector *inspector;
	struct finder *finder;
	struct record *record;
	struct pipeline *pipeline;
	char node[WHO_NAME_LEN]; /* what others call this host */
	struct fetcher *fetcher;
	struct webhooks *webhooks;
	struct shared *shared;   /* NULL: no budget is */
	struct timers *timers;   /* NULL: the loop does not run yet */
	struct reload *reload;   /* NULL: there is no file */
	struct resolve *resolve; /* NULL: not asked for */
	struct stdout_lines *stdout_lines;
	struct kube *kube;
	struct observers *observers; /* NULL: nothing is served */
	bool is_measuring;           /* it has begun, and the ledger has it */
	char config_error[512];      /* of the file, while an earlier one is in force; "" */
	char prices_error[512];      /* of the file, while the built-in prices alone count; "" */
};

/* How it ended; the values are the exit codes of cmd.h. */
enum daemon_end { DAEMON_OK = 0, DAEMON_FAILED = 1, DAEMON_USAGE = 2, DAEMON_UNSUPPORTED = 3 };

/* Brings everything up to the point where loop_run() may begin; what failed was logged. */
enum daemon_end daemon_start(struct daemon *daemon);
/* Takes down what is up, at any point of the start. */
void daemon_stop(struct daemon *daemon);

/* Adds the signals, the timers, the watch on the configuration and the ring to the loop. 0 or -errno. */
int daemon_listen(struct daemon *daemon);

#endif
