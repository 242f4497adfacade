/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets over many nodes, by a Valkey or Redis server that the cluster already has. Each node keeps
 * one part of each counter there: what it has spent in the window, as its ledger has it on disk, with
 * the ledger's last call as a sequence number. The sum over all parts is the counter. A part is
 * put, never added to, so nothing sent twice or late counts twice, and what could not be sent
 * needs no queue: it is in the next part. Only numbers, names and the ledger's identity go out.
 *
 * Parts of others come back with each part that is put, and each second. When the server is away,
 * every node takes its share of what was left (policy_remote()). Calls in flight elsewhere are not
 * known: what they cost comes when they end, so the overshoot is what is in flight on all nodes.
 */
#ifndef SHARED_SHARED_H
#define SHARED_SHARED_H

#include "base/fetch.h"
#include "budget/policy.h"
#include "ledger/ledger.h"

#define SHARED_COUNTERS \
	4096                /* counters that are told to the server, 2.5 kB each; beyond: counted */
#define SHARED_PIPELINE 256 /* asked at once, and polled in a second */
#define SHARED_AWAY_NS  3000000000ULL /* without an answer: the server is away */
#define SHARED_LIVE_MS  "10000"       /* without a heart-beat: a node is not there */

struct shared_config {
	char *url; /* http://HOST:PORT, https:// with TLS; NULL: no server */
	unsigned db;
	char *user, *password_file, *ca_file, *prefix; /* prefix NULL: "aigress" */
	uint32_t nodes; /* that there are, while no server ever told; 0: 1 */
};
void shared_config_done(struct shared_config *config);
/* "valkey://HOST[:PORT][/DB]", redis://, and with TLS valkeys://, rediss://. 0, -EINVAL, -ENOMEM. */
int shared_config_server(struct shared_config *config, const char *text);

struct shared;
struct loop;

struct shared_hooks {
	/* A step was reached by what others spent; for the counter's members, nobody in particular. */
	void (*verdict)(void *arg, const struct policy_verdict *verdict);
	void (*review)(void *arg); /* steps no longer stand: enforcer_review() */
	void (*said)(void *arg, bool is_up,
		     const char *text); /* the server came or went; for the log */
	void *arg;
};

/*
 * The policy holds what the ledger has. What the server said last, before this daemon, is in force
 * at once. The config stays the caller's. 0 or -errno; a server that is away is no error.
 */
int shared_new(struct shared **ret, struct loop *loop, struct fetcher *fetcher,
	       struct ledger *ledger, struct policy *policy, const struct shared_config *config,
	       const struct shared_hooks *hooks);
struct shared *shared_free(struct shared *shared);
/* Another policy, that holds the same ledger. */
void shared_policy(struct shared *shared, struct policy *policy);

/* After a commit: tells the server what is on disk now. */
void shared_commit(struct shared *shared);
/* After events: asks at once for counters that are new here. Cheap. */
void shared_look(struct shared *shared);

struct shared_state {
	bool is_up;
	uint32_t nodes;             /* that live, of the last answer */
	uint64_t counters, dropped; /* held; not told for want of room */
	const char *error;
};
void shared_state(const struct shared *shared, struct shared_state *ret);

#endif
