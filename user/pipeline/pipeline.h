/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins the stages: event bytes in, ledger rows and verdicts out. A ring buffer, a recorded file
 * and a fuzzer are three callers of pipeline_event(). It knows no kernel: what must reach one goes
 * through the levers it is given.
 */
#ifndef PIPELINE_PIPELINE_H
#define PIPELINE_PIPELINE_H

#include "event.h"
#include "control.h"
#include "budget/policy.h"
#include "enforce/enforcer.h"
#include "flow/reconcile.h"
#include "ledger/ledger.h"
#include "price/price.h"
#include "pipeline/connections.h"
#include "pipeline/legs.h"
#include "who/who.h"

struct pipeline;

/*
 * What the pipeline asks of the world, grouped by who answers; a NULL member is not called. Each
 * group has its own `arg`.
 */

/* The kernel half (tap/tap.h). */
struct pipeline_tap_ops {
	void (*decide)(void *arg, uint64_t connection, enum ctl_verdict verdict);
	/* Answers a flow that came up as CTL_ASK: its suffix fits, its name may not. */
	void (*flow_decide)(void *arg, const struct ev_flow *flow, enum ctl_verdict verdict);
	/* A TLS connection whose process is gone. */
	void (*forget)(void *arg, uint32_t tgid, uint64_t ssl);
	/* Resets a live connection. */
	void (*destroy)(void *arg, const struct ev_flow *flow);
	/* The process that holds the socket of a flow that was not seen to connect; 0: unknown. */
	uint32_t (*owner)(void *arg, uint64_t cookie);
	/* Do others use this adopted flow's address as well, as far as is known by now? */
	bool (*is_shared)(void *arg, const struct ev_flow *flow);
	/* The counts of a flow so far. 0 or -errno. */
	int (*flow_get)(void *arg, uint64_t cookie, struct ctl_flow *ret);
	/* Since when a flow's request is held at a gate (CLOCK_MONOTONIC); 0: none is. */
	uint64_t (*held)(void *arg, uint64_t cookie);
	/* A flow whose request was held has ended. */
	void (*hold_over)(void *arg, uint64_t cookie);
	void *arg;
};

/* Discovery of what to probe (find/finder.h). */
struct pipeline_find_ops {
	/* A process greets an AI host: it wants probes. The hello in `socket` (its cookie) waits for them; 0: none. */
	void (*greeted)(void *arg, uint32_t tgid, uint64_t cgroup, uint64_t socket);
	/* A process has a connection to an AI host, whether or not a socket of its own carries it. */
	void (*speaks)(void *arg, uint32_t tgid);
	void (*gone)(void *arg, uint32_t tgid);
	/* Why nothing was read of a process that greeted an AI host; UNMETERED_READ: it was, or is being looked at. */
	enum unmetered_why (*left_out)(void *arg, uint32_t tgid);
	void *arg;
};

/* The node's resolver. */
struct pipeline_names_ops {
	/* A connection goes to this AI host, at an address that no name service gave for it: is it one now? */
	void (*ask)(void *arg, uint64_t cgroup, const char *host);
	void *arg;
};

struct pipeline_observer_ops {
	/* Each call, and each estimate, as it is written to the ledger. */
	void (*called)(void *arg, const struct ledger_call *call);
	/* A flow has ended: pipeline_settle() is due in a second. NULL: it is done at once. */
	void (*settle_soon)(void *arg);
	void *arg;
};

struct pipeline_hooks {
	struct pipeline_tap_ops tap;
	struct pipeline_find_ops find;
	struct pipeline_names_ops
		names; /* ask NULL: nobody is asked, and no destination is confirmed or not */
	struct pipeline_observer_ops observer;
};

struct pipeline_config {
	struct who *who;
	struct prices *prices;
	struct ledger *ledger;     /* may be NULL: charges go to hooks.observer only */
	struct policy *policy;     /* may be NULL */
	struct enforcer *enforcer; /* may be NULL */
	struct pipeline_hooks hooks;
	int64_t (*wall_us)(uint64_t mono_ns); /* the wall clock at an event's time */
	uint32_t netns; /* inode number of the daemon's own network namespace */
};

int pipeline_new(struct pipeline **ret, const struct pipeline_config *config);
struct pipeline *pipeline_free(struct pipeline *pipeline); /* ends every call in progress */

/* Closely: a budget is nearly spent, and what a call has cost so far is reserved more often. */
void pipeline_follow(struct pipeline *pipeline, bool closely);

/* Other rules: what is in flight is reserved anew. The old policy is no longer touched. */
void pipeline_policy(struct pipeline *pipeline, struct policy *policy);

/*
 * An AI host's address, from the node's resolver, at now_ns: it confirms destinations, and names connections whose
 * greeting nobody saw.
 */
struct sockaddr;
void pipeline_address(struct pipeline *pipeline, const struct sockaddr *address, const char *host,
		      uint64_t now_ns);

/* A proxy of the operator's, likewise: what goes to it at this port may go to any provider. */
void pipeline_proxy(struct pipeline *pipeline, const struct sockaddr *address, uint16_t port,
		    uint64_t now_ns);

/* Any bytes may come; what is not an event is counted and dropped. */
void pipeline_event(struct pipeline *pipeline, const struct ev_head *event, size_t size);

/* Charges what flowed unread in connections that have ended: a second after settle_soon. */
void pipeline_settle(struct pipeline *pipeline, uint64_t now_ns);

/*
 * Charges what flowed so far of long connections that nothing is read of. To be called now and
 * then (each minute); flows that end are settled by themselves.
 */
void pipeline_tick(struct pipeline *pipeline, uint64_t now_ns);

/*
 * Resets the live AI connections of a cgroup and of those below it, each once, through hooks.tap.destroy.
 * `path` is the cgroup's, as who_group_get() gives it. What a relay carries for other cgroups stays, since these are
 * charged for it; returns how many such connections there are.
 */
size_t pipeline_destroy(struct pipeline *pipeline, const char *path);

/* The same for one connection. False: it is not known. */
bool pipeline_reset(struct pipeline *pipeline, uint64_t cookie);

/* Each live connection to an AI host but relays; fn must not hand events to the pipeline. */
void pipeline_flows(struct pipeline *pipeline, void (*fn)(void *arg, const struct ev_flow *flow),
		    void *arg);

/* How much of each process's AI traffic was read. `group` is the process's; NULL: not known. */
void pipeline_coverage(const struct pipeline *pipeline,
		       void (*fn)(void *arg, const struct reconcile_row *row,
				  const struct who_group *group),
		       void *arg);

/* What measured calls taught, and how good the estimates are; `group` is whose calls they were. */
void pipeline_estimates(const struct pipeline *pipeline,
			void (*fn)(void *arg, const struct calibration_row *row,
				   const struct who_group *group),
			void *arg);

struct pipeline_stats {
	uint64_t events, bad_events;
	uint64_t flows; /* now */
	uint64_t charges, charges_unwritten;
	uint64_t flows_dropped; /* connections that found no room: counted by the kernel alone, and not charged by size */
	uint64_t paired[EV_PAIR_HOWS]; /* sockets seen to carry a TLS connection, by how it is known */
	struct connections_stats connections;
	struct reconcile_stats reconcile;
	struct quota_stats calibration, mix;
	struct legs_stats legs;
};
void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret);

#endif
