/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon tells the other subcommands beside its calls and actions: facts in the ledger,
 * JSON values by name. "daemon": who runs; "budgets": every counter; "gates": every gate in force;
 * "coverage": how much of each process's AI traffic is read, and why not all; "estimates": how good
 * estimates are by what measured calls taught; "health": what was lost and dropped;
 * "webhooks": what waits for each and what it did not take; "names": where names of pods come from;
 * "annotations": what pods and namespaces ask for, and what came of it;
 * "shared": the server of shared budgets.
 */
#ifndef DAEMON_SNAPSHOT_H
#define DAEMON_SNAPSHOT_H

#include <stdbool.h>
#include <stdint.h>

#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "ledger/ledger.h"

/* At start. `by_instruction`: how returns are seen (find.h). 0 or -errno. */
int snapshot_put_daemon(struct ledger *ledger, const char *cgroup_root, bool by_instruction);
struct waiters;
struct pipeline;
struct tap;
struct webhooks;
struct kube;
struct shared;

/* Where the facts come from. */
struct snapshot {
	struct ledger *ledger;
	struct policy *policy;
	struct enforcer *enforcer;
	struct pipeline *pipeline;
	struct tap *tap;
	struct waiters *waiters;
	struct webhooks *webhooks;
	struct kube *kube;
	struct shared *shared; /* NULL: nothing is shared */
};
/*
 * Writes fact number `which`, from 0, if it is another than in the ledger: 1, else 0. -ENOENT: there are not so
 * many. One at a time, because with hundreds of callers each takes about a millisecond.
 */
int snapshot_put(const struct snapshot *snapshot, size_t which, int64_t now_us);

#endif
