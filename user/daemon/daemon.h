/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon: the stages on the loop. daemon.c holds what happens while it runs (the pipeline's
 * hooks, the loop's sources), daemon_start.c the steps in which it comes up, each relying on the
 * ones before; what is over its budget in the ledger is gated before the first event is read.
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
	bool quiet; /* no line a call on standard output */
};

struct daemon {
	struct daemon_options options;
	struct config config;
	char cgroup_root[WHO_PATH_LEN];
	struct loop *loop;
	struct who *who;
	struct prices *prices;
	struct ledger *ledger;
	struct policy *policy;
	struct actuators actuators;
	struct watchdog *watchdog;
	struct waiters *waiters;
	struct overrides *overrides;
	int64_t prune_us; /* wall clock: no pruning before */
	struct enforcer *enforcer;
	struct tap *tap;
	struct find *find;
	struct record *record;
	struct pipeline *pipeline;
	char node[WHO_NAME_LEN]; /* what others call this host */
	struct fetcher *fetcher;
	struct webhooks *webhooks;
	struct shared *shared; /* NULL: no budget is */
	struct reload *reload;
	struct resolve *resolve;                          /* NULL: not asked for */
	struct loop_source *commit, *tell, *pace, *sweep; /* each armed when there is need */
	struct stdout_lines *stdout_lines;
	struct kube *kube;
	struct observers *observers; /* NULL: nothing is served */
	uint64_t telling_ns;         /* how long the facts took last, or have taken so far */
	size_t next_fact;            /* which is told next; 0: all have been */
	uint64_t paced_ns;           /* when pacing was last looked after */
	uint64_t unread_ns; /* when flows that nobody reads were last counted, of a budget nearly spent */
};

/* How it ended; the values are the exit codes of cmd.h. */
enum daemon_end { DAEMON_OK = 0, DAEMON_FAILED = 1, DAEMON_USAGE = 2, DAEMON_UNSUPPORTED = 3 };

/* Brings everything up to the point where loop_run() may begin; what failed was logged. */
enum daemon_end daemon_start(struct daemon *daemon);
/* Takes down what is up, at any point of the start. */
void daemon_stop(struct daemon *daemon);

/* For daemon_start.c: the hooks, and the sources of the loop. 0 or -errno. */
struct pipeline_hooks daemon_hooks(struct daemon *daemon);
int64_t daemon_wall_us(uint64_t mono_ns);
/* For the enforcer: resets the AI connections of a cgroup and below; of one socket. */
void daemon_destroy(void *arg, const char *path);
bool daemon_reset(void *arg, uint64_t cookie);
/* The pace timer is wanted. */
void daemon_pacing(void *arg);
void daemon_on_action(void *arg, const struct ledger_action *action);
int daemon_listen(struct daemon *daemon);
struct sockaddr;
void daemon_resolved(void *arg, const struct sockaddr *address, const char *host);
void daemon_commit_soon(struct daemon *daemon);
/* What the facts say may be another now; arg: the daemon. */
void daemon_snapshot_soon(void *arg);
/* share.c. Begins anew with the shared budgets that there are now; logs what fails. */
void daemon_remote_spend(struct daemon *daemon);
/* Overrides are looked for when there are budgets. 0 or -errno. */
int daemon_overrides_if_needed(struct daemon *daemon);
/* Counts every budget anew from the ledger's calls, whose names have changed. 0 or -errno. */
int daemon_rebuild(struct daemon *daemon);
/* Pins the gates when a budget is to outlive the daemon, else takes away what was pinned. */
void daemon_pin_if_needed(struct daemon *daemon);

#endif
