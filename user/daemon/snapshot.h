/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other subcommands read of the daemon beside its calls and actions: JSON values by name in the
 * ledger. "daemon", written at the start, is who runs; the other parts are written again whenever they
 * have changed.
 */
#ifndef DAEMON_SNAPSHOT_H
#define DAEMON_SNAPSHOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "budget/policy.h"
#include "budget/trend.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"
#include "price/price.h"

struct finder;
struct loop;
struct waiters;
struct pipeline;
struct tap;
struct webhooks;
struct kube;
struct shared;

enum snapshot_part {
	SNAPSHOT_BUDGETS,     /* every counter */
	SNAPSHOT_GATES,       /* every gate in force */
	SNAPSHOT_COVERAGE,    /* how much of each process's AI traffic is read, and why not all */
	SNAPSHOT_ESTIMATES,   /* how good estimates are, going by measured calls */
	SNAPSHOT_WEBHOOKS,    /* what waits for each, and what it did not take */
	SNAPSHOT_SHARED,      /* the server of shared budgets; left out without one */
	SNAPSHOT_HEALTH,      /* what was lost and dropped */
	SNAPSHOT_NAMES,       /* where names of pods come from */
	SNAPSHOT_ANNOTATIONS, /* what pods and namespaces ask for, and what came of it */
	SNAPSHOT_PARTS
};

/* Where the parts come from. */
struct snapshot {
	struct loop *loop;
	struct finder *finder; /* NULL: nothing is probed */
	struct ledger *ledger;
	struct policy *policy;
	struct trends *trends; /* NULL: rates are not known */
	struct enforcer *enforcer;
	struct pipeline *pipeline;
	struct tap *tap;
	struct waiters *waiters;
	struct webhooks *webhooks;
	struct kube *kube;
	struct shared *shared; /* NULL: nothing is shared */
};

/*
 * Writes one part if it differs from what the ledger has: 1, else 0. -ENOENT: SNAPSHOT_PARTS or above.
 * One at a time, because with hundreds of callers each takes about a millisecond.
 */
int snapshot_put(const struct snapshot *snapshot, enum snapshot_part which, int64_t now_us);

/* The budgets that are configured, spent from or not; at the start and whenever they change. 0 or -errno. */
int snapshot_put_rules(struct ledger *ledger, const struct policy_rules *rules);

/* Which file is in force, and what is wrong with the one at `path`; "": nothing. 0 or -errno. */
int snapshot_put_config(struct ledger *ledger, const char *path, const char *zone,
			const char *error, bool is_restored);

/* The price files in force and the operator's path among them (NULL: none). 0 or -errno. */
int snapshot_put_prices(struct ledger *ledger, const struct prices *prices, const char *path,
			const char *error);

/* At the start. `by_instruction`: how returns are seen (find.h). 0 or -errno. */
int snapshot_put_daemon(struct ledger *ledger, const char *cgroup_root, bool by_instruction);

/* SNAPSHOT_HEALTH as it is now; a reference. */
json_t *snapshot_health(const struct snapshot *snapshot);

#endif
