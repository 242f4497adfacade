/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts to actions: sets gates, stops, freezes, kills, and writes each action down with its
 * evidence, rehearsed or real. What no rule named is never touched; pid 1, this process, the kubelet, the
 * container runtime and what `protect:` names are refused here again, whatever a verdict says.
 */
#ifndef ENFORCE_ENFORCER_H
#define ENFORCE_ENFORCER_H

#include "control.h"
#include "budget/policy.h"
#include "ledger/ledger.h"

struct enforcer;
struct loop;
struct tap;

/*
 * What the enforcer does to the world, so that a test can replace it. All return 0 or -errno; a NULL
 * function counts as -EOPNOTSUPP, which becomes the row's result.
 */
struct enforcer_ops {
	/* State, lease and buckets; CTL_OPEN: there is to be none. */
	int (*gate)(void *arg, uint64_t cgroup, const struct ctl_gate *gate);
	/* Credit of a pace's bucket (control.h), made if it is new; NULL: it ends. */
	int (*allowed)(void *arg, uint32_t bucket, const struct ctl_allowance *allowed);
	int (*taken)(void *arg, uint32_t bucket, struct ctl_consumed *ret);
	/* Requests that wait now for a bucket's credit, 0: for any's; NULL: none ever does. */
	size_t (*waiting)(void *arg, uint32_t bucket);
	/* Live AI connections of a cgroup; returns how many stay because they carry others' calls. */
	int (*destroy)(void *arg, uint64_t cgroup);
	/* The process that has the pid and started then (process_start_time()); -ESRCH: it is gone. */
	int (*signal)(void *arg, uint32_t tgid, uint64_t start_ticks, int signal);
	/*
	 * Every process of the cgroup and below, if group->path still has the id group->cgroup; an
	 * id of 0 means whichever cgroup has the path (what an earlier daemon left).
	 */
	int (*signal_cgroup)(void *arg, const struct who_group *group, int signal);
	int (*freeze)(void *arg, const struct who_group *group, bool frozen);
	bool (*is_live)(void *arg, uint64_t cgroup); /* it has processes; NULL: all have */
	/* What is known of a cgroup (who_group_get()); NULL: nothing of any. */
	void (*group)(void *arg, uint64_t cgroup, struct who_group *ret);
	/* Each container of a pod on this host, as far as it is known; NULL: of none. */
	void (*each_container)(void *arg, void (*fn)(void *ctx, const struct who_group *group),
			       void *ctx);
	/* Each row as it is written; may be NULL. */
	void (*on_action)(void *arg, const struct ledger_action *action);
	void *arg;
	const char *cgroup_root; /* v2 mount, to see who is in a cgroup; NULL: /sys/fs/cgroup */
};

#define ENFORCER_LEASE_NS        10000000000ULL /* a gate outlives a dead daemon by no more */
#define ENFORCER_RENEW_NS        3000000000ULL  /* two renewals may be missed */
#define ENFORCER_ROWS_PER_MINUTE 30    /* a (step, counter); the rest are counted in the next row */
#define ENFORCER_DEEDS           65536 /* targets acted on in windows in force */

/* NULL: no memory. The loop carries the grace timers and the renewal of leases. */
struct enforcer *enforcer_new(struct loop *loop, struct ledger *ledger,
			      const struct policy_rules *rules,
			      const struct enforcer_ops *actuators);
/* Resumes stopped processes and thaws frozen cgroups. Gates stay: see enforcer_outlives(). */
struct enforcer *enforcer_free(struct enforcer *enforcer);

/*
 * Carries out (or rehearses) one verdict. A step already in force for that target makes no second
 * row; its gate is set again. A note comes once a window. Calls that this verdict rests on must
 * have been given to the ledger before.
 */
void enforcer_apply(struct enforcer *enforcer, const struct policy_verdict *verdict,
		    const struct policy_subject *subject, int64_t now_us);
/*
 * Is this an enforced stop, freeze or kill, which waits for the next AI call of a member (is_calling)? A step
 * that was crossed before enforcement began, or before a restart, is carried out no sooner.
 */
bool enforcer_defers(const struct enforcer *enforcer, const struct policy_verdict *verdict);
/* Likewise each verdict that is left; the subject is the one that they are on. */
void enforcer_apply_all(struct enforcer *enforcer, struct verdict_iter *verdicts,
			const struct policy_subject *subject, int64_t now_us);
/* Ends what holds and whose window is over; cheap. A timer does it when the first one is. */
void enforcer_expire(struct enforcer *enforcer, int64_t now_us);
/*
 * The wall clock was set, by so much, and the policy was told: what holds until a rolling window lets go still does for
 * as long; what holds until a calendar window's end ends no later than the present one.
 */
void enforcer_clock_moved(struct enforcer *enforcer, struct policy *policy, int64_t by_us,
			  int64_t now_us);
/*
 * Ends what the policy no longer orders: an override or a raised limit releases it, or, with
 * in_flight_only (cheap while there is no such gate), calls in flight have cost less than was reserved.
 */
void enforcer_review(struct enforcer *enforcer, struct policy *policy, bool in_flight_only,
		     int64_t now_us);
/*
 * The rules that the enforcer was made with have changed in place; the old budgets live until this
 * returns. What a budget of the same name and the same step still orders goes on; the rest is
 * released, and all of it if the stance (enforcement, protection) has changed.
 */
void enforcer_rules(struct enforcer *enforcer, bool same_stance, int64_t now_us);
/*
 * Brings the credit of what is paced up to date, with the policy's charges; to be called after a pace has
 * begun, and each ENFORCER_PACE_NS while it returns more than 0: the buckets that earn, or for which a call is
 * in flight. Fuses alone (enforcer_has_allowance) end with their windows: ENFORCER_REST_NS is enough.
 */
#define ENFORCER_PACE_NS 100000000ULL
#define ENFORCER_REST_NS 1000000000ULL
size_t enforcer_pace(struct enforcer *enforcer, struct policy *policy, int64_t now_us);
/*
 * Is a budget so nearly spent that the kernel counts what is left? Then enforcer_pace() is to be called soon
 * after each charge and reserve, ENFORCER_FUSE_NS: what the kernel holds too early waits for that.
 */
#define ENFORCER_FUSE_NS 2000000ULL
bool enforcer_has_allowance(const struct enforcer *enforcer);
/* Sets every gate in force again; a timer does it each ENFORCER_RENEW_NS while there is one. */
void enforcer_renew(struct enforcer *enforcer);

/* Does a step want the gate of this cgroup shut? */
bool enforcer_holds_gate(const struct enforcer *enforcer, uint64_t cgroup);
/* How a call left, as far as its sockets tell. */
enum enforcer_way {
	ENFORCER_OWN_SOCKET,
	ENFORCER_SHARED_SOCKET,  /* a relay's, which carries others' calls, too */
	ENFORCER_UNKNOWN_SOCKET, /* none is known that carries it */
};

/*
 * A call of the subject that began at `start_ns` (CLOCK_MONOTONIC) was answered. If the gate of its cgroup had been
 * shut for a second then, or had paced it for a second and let fewer requests go than were answered since,
 * nothing keeps that cgroup from calling: a row of each action that holds the gate says so once.
 */
void enforcer_answered(struct enforcer *enforcer, const struct policy_subject *subject,
		       uint64_t start_ns, enum enforcer_way way, int64_t now_us);
/*
 * Is there a gate whose budget says that it outlives the daemon? Its lease is then as long as its
 * window; the others' are ENFORCER_LEASE_NS at most.
 */
bool enforcer_outlives(struct enforcer *enforcer);

/*
 * Resumes what the ledger lists as stopped or frozen and no step of this daemon wants: left by an
 * earlier one that was killed. Once, when the steps in force have been applied. Returns how many, or
 * -errno.
 */
int enforcer_recover(struct enforcer *enforcer);

/* What is in force: gates, stops and freezes. */
struct enforcer_gate {
	uint64_t cgroup; /* 0: a process */
	const char *action;
	const char *budget, *key, *target;
	const char *who; /* whose it is (who_label()); "": not known */
	int64_t decided_us, until_us;
	int64_t pace_per_hour; /* pace: nano-dollars, or tokens; else 0 */
	bool in_money;
	uint64_t admitted, held; /* pace: requests, of all that share the counter */
	bool is_around;          /* a call got around it: not enforceable */
};
void enforcer_gates(const struct enforcer *enforcer,
		    void (*fn)(void *arg, const struct enforcer_gate *gate), void *arg);

struct enforcer_stats {
	uint64_t rows, rows_unwritten; /* written; held back by ENFORCER_ROWS_PER_MINUTE */
	uint64_t dropped;              /* verdicts with no room in ENFORCER_DEEDS: not acted on */
	uint64_t allowances; /* budgets that are nearly spent now, counted in the kernel */
};
void enforcer_stats(const struct enforcer *enforcer, struct enforcer_stats *ret);

#endif
