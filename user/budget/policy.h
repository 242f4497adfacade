/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets: charges in, verdicts out. No clock, no file, no signal in here: the time is a parameter,
 * so a year of charges is a loop in a test. Counters live in memory and are rebuilt from the
 * ledger's calls at start.
 */
#ifndef BUDGET_POLICY_H
#define BUDGET_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "usage/charge.h"
#include "who/who.h"

enum policy_action {
	POLICY_NOTE,
	POLICY_PACE,
	POLICY_REFUSE,
	POLICY_FREEZE,
	POLICY_STOP,
	POLICY_KILL,
	POLICY_ACTIONS
};
const char *policy_action_name(enum policy_action action);

enum policy_per { /* what shares one counter */
		  POLICY_PER_MATCH,
		  POLICY_PER_NAMESPACE,
		  POLICY_PER_WORKLOAD,
		  POLICY_PER_POD,
		  POLICY_PER_CONTAINER,
		  POLICY_PER_CGROUP,
		  POLICY_PER_UNIT,
		  POLICY_PER_USER,
		  POLICY_PER_PROCESS,
};

enum policy_window {
	POLICY_HOUR,
	POLICY_DAY,
	POLICY_WEEK,
	POLICY_MONTH,   /* calendar, in the budget's time zone */
	POLICY_ROLLING, /* the last window_us microseconds */
};

/* What budgets count of a call that is estimated. */
enum policy_estimates {
	POLICY_EXPECTED,
	POLICY_HIGH, /* the most that it may be */
	POLICY_NONE, /* nothing: measured calls alone */
	POLICY_ESTIMATES
};

struct policy_label {
	char *name, *value; /* the value is a glob */
};

/* Glob patterns (fnmatch); NULL or empty matches all. All that are given must fit. */
struct policy_match {
	char *namespace, *workload, *pod, *container, *cgroup, *unit, *user, *command, *exe, *host,
		*model, *client, *image;
	struct policy_label *labels;
	size_t n_labels;
};

enum policy_target { POLICY_PROCESS, POLICY_CGROUP }; /* of stop and kill */

/* Words of enum policy_per, by its values; NULL behind the last. */
extern const char *const policy_pers[];

struct policy_step {
	uint32_t at_permille; /* of the limit: 800 is 80 % */
	enum policy_action action;
	enum policy_target target;
	uint64_t grace_ns;     /* kill: between SIGTERM and SIGKILL */
	int64_t pace_per_hour; /* pace: nano-dollars, or tokens for a limit in tokens */
	bool pace_in_tokens;
	bool cut;          /* freeze, stop: end streams in flight, too */
	bool whole;        /* kill of a cgroup: all of it, not its callers and their kin alone */
	bool lets_end;     /* refuse: streams in flight are not ended */
	bool by_estimates; /* freeze, stop, kill: what is estimated is evidence, too */
	unsigned line;     /* in the configuration file */
};

/* What happens to a gate when the daemon dies. What was stopped or frozen is resumed in any case. */
enum policy_loss {
	POLICY_LOSS_OPEN,
	POLICY_LOSS_HOLD,   /* it stays shut until the window's end */
	POLICY_LOSS_UNSAID, /* in a budget that was read: as the rules say */
};

struct policy_budget {
	char *name;
	struct policy_match match;
	enum policy_per per;
	int64_t limit_nanos; /* 0: a limit in tokens */
	uint64_t limit_tokens;
	enum policy_window window;
	unsigned start_day; /* of a week or month, as zone_window() takes it; 0: the first */
	int64_t window_us;  /* POLICY_ROLLING */
	/*
	 * Not 0: no limit, but a rate in the latest slots of a rolling window (the present one of
	 * POLICY_SLOTS and the two before) in thousandths of the rate in the ones before them,
	 * and no less than the floor. It needs POLICY_WARM_SLOTS of a past to compare with.
	 */
	uint32_t spike_permille;
	int64_t floor_nanos_per_hour;
	char *zone;      /* time zone name; NULL: the host's */
	bool is_shared;  /* its counters go over many nodes (policy_remote()) */
	bool is_default; /* only for subjects that no other budget names */
	bool parts_apart; /* per cgroup: those inside of a container, or below a delegated one, count for themselves */
	bool is_rehearsed; /* nothing is done for this one, whatever is enforced */
	enum policy_estimates estimates;
	/*
	 * The number of members of a counter, or the thousandths of them, that stop, freeze and kill leave
	 * alone: the cgroups that were charged here and live, the latest POLICY_MEMBERS, and this node's
	 * pods that fall under it (enforce/min_healthy.c).
	 */
	uint32_t min_healthy, min_healthy_permille;
	enum policy_loss on_loss;
	struct policy_step *steps; /* ascending by at_permille */
	size_t n_steps;
	unsigned line;
};

/* What its counters count towards its steps: money, else tokens. */
static inline bool policy_in_money(const struct policy_budget *budget)
{
	return budget->limit_nanos > 0 || budget->spike_permille;
}

/* Calls that fit and whose model is not known, or has no price, are taken to be of this one. */
struct policy_assume {
	struct policy_match match; /* without a model */
	char *model;
};

/*
 * "at 150 % of 3 USD a day per workload: kill the cgroup's callers, grace 30s". Returns buf, in which
 * POLICY_RULE_TEXT_LEN suffice.
 */
#define POLICY_RULE_TEXT_LEN 256
char *policy_rule_text(const struct policy_budget *budget, const struct policy_step *step,
		       char *buf, size_t size);

struct policy_rules {
	bool enforce;
	/* Of an earlier file, as the present one is broken: nobody is stopped, frozen or killed by them. */
	bool is_restored;
	enum policy_loss on_loss; /* of budgets that say nothing else */
	unsigned max_kills; /* in any hour, on this host, at most POLICY_KILLS; 0: no kill at all */
	struct policy_budget *budgets;
	size_t n_budgets;
	struct policy_match *protect;
	size_t n_protect;
	struct policy_assume *assume; /* the first that fits counts */
	size_t n_assume;
	size_t counters_bytes; /* 0: POLICY_COUNTERS_BYTES */
	char *file;            /* where the lines count; NULL: none */
};
void policy_rules_done(struct policy_rules *rules);
/* May a gate stay shut when the daemon is gone? Such gates have to be pinned. */
bool policy_rules_outlive(const struct policy_rules *rules);
/* May a step stop or freeze something? That needs the watchdog, which resumes it if the daemon dies. */
bool policy_rules_may_halt(const struct policy_rules *rules);

struct policy;
struct override;

extern const struct policy_step policy_hold; /* refuse, by order */
/*
 * What is left of a budget that is nearly spent is to be counted in the kernel, up to its first step
 * that stops calls (enforce/allowance.c). Only for budgets that are enforced.
 */
extern const struct policy_step policy_allowance;

/* Limits. Beyond COUNTERS a budget's further keys share one counter, "other". */
#define POLICY_COUNTERS         65536 /* a calendar budget: 0.6 kB each */
#define POLICY_ROLLING_COUNTERS 8192  /* a rolling one: 2.7 kB each */
#define POLICY_CACHE            4096  /* subjects whose budgets are remembered */
#define POLICY_SLOTS            64    /* of a rolling window: drops 1/64 early, never late */
#define POLICY_SPIKE_SLOTS      3
#define POLICY_WARM_SLOTS       16           /* a quarter of the window */
#define POLICY_CALLS            8            /* ids of the last calls, as evidence */
#define POLICY_COUNTERS_BYTES   (512u << 20) /* of all budgets together; beyond: "other" */
#define POLICY_KILLS            1000
#define POLICY_FLIGHTS          65536 /* calls in flight that are reserved; 16 B a budget and more */
#define POLICY_MEMBERS          32    /* cgroups of a counter; the latest stay */

/*
 * The rules' budgets and matches stay the caller's and must outlive the policy. NULL: no memory. A zone that cannot be
 * read counts as UTC: the configuration refuses it before (zone_load()).
 *
 * The clock: a window opens when the time passes the end of the last one, so a jump forward opens
 * a new one. A jump back keeps the window, with its sums, until the time passes its end; one
 * further back than a window's length before its start means that the clock had been wrong: the
 * window moves to the present, and the sums go with it. So no jump back resets or doubles a sum.
 */
struct policy *policy_new(const struct policy_rules *rules);
struct policy *policy_free(struct policy *policy);

/* Whose money and which call. host and model may be empty where nothing was called yet. */
struct policy_subject {
	const struct who_group *group;
	const struct who_process *process;
	const char *host, *model;
	const char *client; /* what the caller says it is; NULL: not known */
	const char *via; /* the gateway that passed it on, whose name a `host` may name as well; NULL: none */
	/*
	 * It makes an AI call now, or has just made one. False: it was only met, as at a start, at a reload
	 * or when its cgroup appeared; then nobody is stopped, frozen or killed for what was spent before.
	 */
	bool is_calling;
};

/*
 * Does a subject fall under a budget of these rules, and is the counter of that name its? Then
 * *ret_protected says whether a protect rule names it. It looks at the rules alone. host and model are
 * not NULL; "" fits only what asks for neither.
 */
bool policy_covers(const struct policy_rules *rules, const struct policy_budget *budget,
		   const char *key, const struct policy_subject *subject, bool *ret_protected);

/* The model that the rules assume of a subject's calls; NULL: none. Valid as long as the rules. */
const char *policy_assumed(const struct policy *policy, const struct policy_subject *subject);

/* A step that has been reached by a counter, for one member of its scope. */
struct policy_verdict {
	const struct policy_budget *budget;
	const struct policy_step *step;
	const char *key; /* the counter's name: "cgroup=/a/b" */
	uint64_t cgroup; /* of the subject that is judged */
	uint32_t tgid;
	bool is_protected; /* a protect rule names it: nothing may be done */
	bool is_first;     /* the counter reached this step with this charge */
	bool is_ordered;   /* by an operator: the step is &policy_hold, enforced in any case */
	bool is_reserved;  /* reached only with what calls in flight will cost */
	bool is_running; /* reached with what they have cost so far, as far as is known, and not without that */
	/*
	 * A freeze, stop or kill that is reached by estimates, and not by what was measured alone: nothing may be
	 * done. It is told again until it is proven, or the window ends.
	 */
	bool is_unproven;
	/*
	 * A rolling window ends when the sum falls below the step if nothing more is spent.
	 * Calendar windows end by the calendar.
	 */
	int64_t spent_nanos, window_start_us, window_end_us;
	uint64_t spent_tokens; /* both with what calls in flight have cost so far */
	int64_t limit_nanos;   /* in force: an operator may have raised it */
	uint64_t limit_tokens;
	uint64_t in_flight; /* of calls in flight: their cost so far, and what is expected; in the limit's unit */
	uint32_t measured_permille; /* of the sum in the limit's unit, without what is unconfirmed; 1000 when it is 0 */
	int64_t calls[POLICY_CALLS]; /* the last ones that were charged, newest first */
	size_t n_calls;
	const uint64_t *cgroups; /* members that no protect rule names; until the next charge */
	size_t n_cgroups;
};

/* Where a verdict of one counter comes from. */
struct verdict_at {
	enum verdict_kind {
		VERDICT_NONE,
		VERDICT_HOLD,      /* an operator's order: &policy_hold */
		VERDICT_STEP,      /* steps[step] of its budget */
		VERDICT_ALLOWANCE, /* it is nearly spent: &policy_allowance */
	} kind;
	uint32_t step;
};
/*
 * The verdicts on one subject: per budget, the steps that this subject's counter has reached in the present
 * window (all of them newly reached, else the highest). The caller owns it; there is nothing to free. It ends
 * when the policy is given another subject, which changes what it walks. Its fields are verdict_next()'s own.
 */
struct verdict_iter {
	const struct policy *policy;
	uint64_t judged;
	size_t i;             /* of the memberships that have a verdict */
	struct verdict_at at; /* the last verdict on that one */
	uint64_t cgroup;
	uint32_t tgid;
};
/* False: there is none any more, *ret is as it was. */
bool verdict_next(struct verdict_iter *iter, struct policy_verdict *ret);

/*
 * Adds a charge to every counter that it falls under. ret may be NULL, here and below: the verdicts are
 * not wanted. now_us: wall clock, microseconds since the epoch.
 */
void policy_charge(struct policy *policy, const struct policy_subject *subject,
		   const struct charge *charge, int64_t call_id, int64_t now_us,
		   struct verdict_iter *ret);
/* The same without a charge: for a cgroup or a connection that has just appeared. */
void policy_judge(struct policy *policy, const struct policy_subject *subject, int64_t now_us,
		  struct verdict_iter *ret);
/*
 * The same where a call will follow: the allowance of a counter that had no call yet is due if its budget is
 * small beside what a call may cost.
 */
void policy_expect(struct policy *policy, const struct policy_subject *subject, int64_t now_us,
		   struct verdict_iter *ret);

/*
 * A call in flight, known by a number of the caller's: what it has cost so far counts as spent, and
 * what it will cost (the mean of its counter's calls) is held against steps that turn calls away:
 * these verdicts have is_reserved. Again for the same number: replaces. At most
 * POLICY_FLIGHTS are held, the rest is counted in policy_stats.
 */
void policy_reserve(struct policy *policy, const struct policy_subject *subject, uint64_t flight,
		    const struct charge *so_far, int64_t now_us, struct verdict_iter *ret);
/* The call is over: to be called before its policy_charge(), or without one if it cost nothing. */
void policy_release(struct policy *policy, uint64_t flight);

/* The orders in force, as overrides_read() gives them; copied. 0 or -ENOMEM: the old ones stay in force. */
int policy_override(struct policy *policy, const struct override *overrides, size_t n);
/* One verdict for each counter that is ordered held, with its members and without a subject. */
void policy_held(struct policy *policy, int64_t now_us,
		 void (*fn)(void *arg, const struct policy_verdict *verdict), void *arg);
/*
 * True while a step is still reached; by reservations, too, if `reserved`. False when a limit was raised, an
 * order opened the counter, or reservations came back.
 */
bool policy_stands(struct policy *policy, const struct policy_budget *budget,
		   const struct policy_step *step, const char *key, bool reserved, int64_t now_us);

/* A counter as a stream of calls, in the unit of its budget's limit. */
struct policy_usage_snapshot {
	uint64_t epoch;   /* other sums of this and another epoch do not compare */
	uint64_t charged; /* ever, in this epoch, beyond any window */
	uint64_t calls;   /* that cost something */
	uint64_t mean; /* of a call; while few of the counter's have ended, a guess is mixed in */
	uint32_t n_flights; /* calls in flight now */
	uint64_t landed;    /* calls that were in flight, ever */
	/*
	 * Of a fuse: where its step lies; what is left up to there, and what calls in flight will still cost
	 * of that; what a KiB of the answers that flow now costs, 0: not known. lets_flow: answers are not
	 * to be cut.
	 */
	uint64_t line;
	int64_t left;
	uint64_t reserved;
	uint64_t per_kib;
	bool lets_flow;
};
/* False: there is no such counter any more. */
bool policy_usage_snapshot(struct policy *policy, const struct policy_budget *budget,
			   const char *key, struct policy_usage_snapshot *ret);

/*
 * Budgets over many nodes. What others have spent of a counter is an input, the sum `spent` at a time
 * when this node's own sum was `own`; it counts like spending here. While the server cannot be asked,
 * `others` is how many other nodes live, and each is taken to spend what this one does since: so
 * this node uses up 1/(others + 1) of what was left then, and no more.
 */
struct policy_remote {
	uint64_t spent, own; /* in the unit of the limit */
	uint32_t others;
};
/*
 * Sets it for one window (window_start_us; 0 for a rolling budget), of a counter of the budget of that
 * name. fn is given a verdict for each step that this reaches, without a subject. Returns true if
 * steps are no longer reached: enforcer_review() is due. Where there is no such counter now it is ignored.
 */
bool policy_remote(struct policy *policy, const char *budget, const char *key,
		   int64_t window_start_us, const struct policy_remote *remote, int64_t now_us,
		   void (*fn)(void *arg, const struct policy_verdict *verdict), void *arg);
/* A counter of a shared budget. */
struct policy_own {
	const struct policy_budget *budget;
	const char *key;
	int64_t window_start_us, window_end_us; /* of a calendar window, else 0 */
	int64_t slot_us, newest; /* of a rolling one: sums[i] is of the slot newest - i */
	uint64_t spent;          /* here, all of it */
	uint64_t sums[POLICY_SLOTS];
};
/* Those that were charged or made since it was last called; each once. */
void policy_changed(struct policy *policy, int64_t now_us,
		    void (*fn)(void *arg, const struct policy_own *own), void *arg);
/* True once after a counter of a shared budget was made: others may have spent of it. */
bool policy_has_new(struct policy *policy);

/* Where a replay must begin: the oldest start of a window in force, less an hour for long calls. */
int64_t policy_since(const struct policy *policy, int64_t now_us);
/* When the present window of a budget ends; INT64_MAX: it rolls. */
int64_t policy_window_end(const struct policy *policy, const struct policy_budget *budget,
			  int64_t now_us);
/*
 * The wall clock was set, by so much: rolling windows go on as if it had not been, by the time that has truly passed.
 * A calendar window is what the clock says: set back, it keeps its sum; set beyond its end, a new one begins.
 */
void policy_clock_moved(struct policy *policy, int64_t by_us);
/* When the next calendar window ends; INT64_MAX: never. (enforcer_expire() looks at its own gates.) */
int64_t policy_next_reset(const struct policy *policy, int64_t now_us);

/* Every counter, for `top`, metrics and gates at start. */
struct policy_counter {
	const struct policy_budget *budget;
	const char *key;
	int64_t spent_nanos, window_start_us, window_end_us;
	uint64_t spent_tokens;
	int64_t limit_nanos; /* in force: an operator may have raised it */
	uint64_t limit_tokens;
	const struct policy_step *reached; /* the highest step; NULL: none */
	const uint64_t *cgroups;           /* that were charged to it, bounded */
	size_t n_cgroups;
};
void policy_counters(struct policy *policy, int64_t now_us,
		     void (*fn)(void *arg, const struct policy_counter *counter), void *arg);

/* What a counter is known to have held, by another record than the ledger, which has lost some. */
struct policy_known {
	const char *budget, *key;
	int64_t window_start_us; /* of a calendar window */
	int64_t at_us;           /* when it held so much; of a rolling window */
	int64_t nanos;
	uint64_t tokens;
};
/*
 * Adds to the counter what is missing to that, as spent now and not measured. False: nothing is missing, it was another
 * window or budget, or the budget is shared, whose server knows.
 */
bool policy_at_least(struct policy *policy, const struct policy_known *known, int64_t now_us);

struct policy_stats {
	uint64_t counters;   /* now */
	uint64_t cached;     /* subjects now in the cache */
	uint64_t shared;     /* charges that fell to an "other" counter for want of room */
	uint64_t dropped;    /* charges that no counter took for want of memory */
	uint64_t flights;    /* calls that are reserved now */
	uint64_t unreserved; /* calls in flight with no room in POLICY_FLIGHTS */
};
void policy_stats(const struct policy *policy, struct policy_stats *ret);

#endif
