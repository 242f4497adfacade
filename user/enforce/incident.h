/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What act remembers. A story is a step that a counter has reached: it has the evidence, ends with
 * the window, and holds deeds, one a target. A deed's presence is what makes the next verdict a
 * repetition. For act.c alone.
 */
#ifndef ENFORCE_INCIDENT_H
#define ENFORCE_INCIDENT_H

#include <sys/queue.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "enforce/bucket.h"
#include "enforce/enforcer.h"

/* One process (pid and start time), one cgroup (0 and its id), or nobody (a note). */
struct target {
	uint64_t tgid, id;
};

struct incident;

struct applied {
	UT_hash_handle hh;
	LIST_ENTRY(applied) pending;
	LIST_ENTRY(applied) holding; /* in held.deeds, while it holds */
	struct incident *incident;
	struct target target;
	uint64_t cgroup;  /* whose member it is, for a signal or a freeze */
	char *name;       /* "process 12 (python3)" */
	bool is_void;     /* protected or rehearsed: nothing is done to it */
	bool holds;       /* a gate, a stop or a freeze, by the step's action */
	bool is_soft;     /* a gate without a reset, for what calls in flight will cost */
	bool is_hard;     /* a gate that stops live connections, and will as long as it holds */
	int error;        /* of the last try to hold */
	uint64_t kill_ns; /* CLOCK_MONOTONIC of the SIGKILL; 0: none is due */
	struct who_group *group; /* what a signal or a freeze is for; NULL: the process */
	uint64_t done_ticks; /* when a cgroup was killed, as process start times count; 0: not */
};

/* What a fuse knows of its bucket (fuse.c). */
struct allowance {
	int64_t apart;   /* requests that the kernel let go less calls that were seen, for good */
	int64_t even_us; /* when there were no others; 0: not yet asked */
};

struct incident {
	UT_hash_handle hh;
	const struct policy_budget *budget;
	const struct policy_step *step;
	int64_t until_us;
	bool is_ordered, is_reserved;  /* of the last verdict */
	struct ledger_action evidence; /* the numbers, as of the last verdict */
	char calls[POLICY_CALLS * 21 + 3];
	uint64_t minute_ns;
	unsigned rows, unwritten;
	struct applied *applied_list;
	uint32_t bucket; /* pace, fuse: its number; 0: none yet */
	union {
		struct bucket pace;
		struct allowance allowance;
	};
	size_t key_len;
	char key[]; /* budget, step, the counter's name */
};

/* What is held, and by which deeds. */
enum hold { HOLD_GATE, HOLD_STOP, HOLD_FREEZE };
struct held_key {
	uint64_t hold;
	struct target target;
};
struct held {
	UT_hash_handle hh;
	struct held_key key;
	LIST_HEAD(, applied) applied_list;
};

struct enforcer {
	struct loop *loop;
	struct ledger *ledger;
	const struct policy_rules *rules;
	struct enforcer_ops actuators;
	struct incident *incidents;
	struct held *held;
	const struct who_group *present; /* who brought the verdict that is carried out; or NULL */
	int64_t next_us;                 /* no story ends before */
	size_t n_actions, n_reserved;    /* stories that is_reserved */
	LIST_HEAD(, applied) pending;
	/* armed while there is something to renew, to end and to kill; NULL without a loop */
	struct loop_source *renewal, *expiry, *grace;
	uint64_t kills_ns[POLICY_KILLS]; /* CLOCK_MONOTONIC of the last ones, as a ring */
	size_t n_kills;                  /* ever */
	uint32_t buckets;                /* numbers given, ever */
	size_t n_buckets, n_allowances;  /* in use; of these, fuses */
	struct enforcer_stats stats;
};

/* A story may end at this moment of the wall clock. */
void enforcer_expire_at(struct enforcer *enforcer, int64_t at_us);

const char *incident_name(const struct incident *incident);
/* No step of its own: nothing is written of it. */
static inline bool incident_is_allowance(const struct incident *incident)
{
	return incident->step == &policy_allowance;
}
/* Whether its steps are carried out, or only written down. */
bool incident_is_enforced(const struct enforcer *enforcer, const struct incident *incident);
/* The story of a verdict, with the verdict's numbers as its evidence. NULL: no memory. */
struct incident *incident_get(struct enforcer *enforcer, const struct policy_verdict *verdict);
void incident_free(struct enforcer *enforcer, struct incident *incident);
/* Ends what it holds and has pending, and the story; act.c. */
void incident_drop(struct enforcer *enforcer, struct incident *incident, const char *why,
		   int64_t now_us);

/* The same story under other rules. 0 or -ENOMEM: it is as it was. */
int incident_move(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_budget *budget, const struct policy_step *step);

struct applied *applied_find(struct incident *incident, struct target target);
/* NULL: no memory, counted. */
struct applied *applied_new(struct enforcer *enforcer, struct incident *incident,
			    struct target target, const char *name);
/* Writes a row to the ledger and the log, if the story has not written too many this minute. */
void applied_write(struct enforcer *enforcer, const struct applied *applied, int64_t now_us,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- hold.c ---- */

/* 0 or -ENOMEM. Once more for the same deed is nothing new. */
int hold_take(struct enforcer *enforcer, struct applied *applied);
/* True when no other step, of whatever budget, wants it held; a fuse, which is none, may still. */
bool hold_drop(struct enforcer *enforcer, struct applied *applied);
/*
 * The gate that the deeds which hold a cgroup's want together; open if there are none.
 * ret_loss_us: until when (wall clock) it stays shut without a daemon; 0: no longer than its lease.
 */
struct ctl_gate hold_gate(const struct enforcer *enforcer, uint64_t cgroup, int64_t *ret_loss_us);
bool hold_stands(const struct enforcer *enforcer, enum hold hold, struct target target);

/* ---- aim.c ---- */

/*
 * The deed of a step for a process or a cgroup; new ones are checked against what is protected,
 * and rehearsed if nothing is enforced: then a row is written and NULL returned, now and each time
 * after.
 */
struct applied *find_targets(struct enforcer *enforcer, struct incident *incident,
			     const struct policy_verdict *verdict,
			     const struct policy_subject *subject, bool is_cgroup, bool *ret_is_new,
			     int64_t now_us);

/* ---- healthy.c ---- */

/*
 * May a member of the verdict's counter be stopped, frozen or killed, with as many left as the budget
 * wants healthy? False: it was written down, and is asked again with the next charge.
 */
bool min_healthy_stay(struct enforcer *enforcer, struct applied *applied,
		      const struct policy_verdict *verdict, int64_t now_us);

/* ---- refuse.c, pace.c, halt.c, kill.c ---- */

/* Levers; -EOPNOTSUPP where there is none. gate_pull() sets the gate as hold_gate() has it. */
int gate_pull(struct enforcer *enforcer, uint64_t cgroup);
int gate_reset(struct enforcer *enforcer, uint64_t cgroup);
int signal_pull(struct enforcer *enforcer, const struct applied *applied, int signal);

void refuse_apply(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_verdict *verdict, const struct policy_subject *subject,
		  int64_t now_us);
/* Gates are for the subject's cgroup and for the counter's other members: fn for each. */
void gate_each(struct enforcer *enforcer, struct incident *incident,
	       const struct policy_verdict *verdict, const struct policy_subject *subject,
	       int64_t now_us,
	       void (*fn)(struct enforcer *enforcer, struct applied *applied, bool is_new,
			  int64_t now_us));
void pace_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us);
/* The kernel's bucket of a story, empty at first. Again is nothing new. 0 or -errno. */
int bucket_open(struct enforcer *enforcer, struct incident *incident);
void bucket_close(struct enforcer *enforcer, struct incident *incident);
/* fuse.c */
void allowance_apply(struct enforcer *enforcer, struct incident *incident,
		     const struct policy_verdict *verdict, const struct policy_subject *subject,
		     int64_t now_us);
/*
 * What the bucket is to be told, given what the kernel has taken before the pulse was looked at, and how
 * many of the calls in flight wait to begin: what those will cost must not keep them waiting.
 */
struct ctl_allowance allowance_update(struct allowance *allowance,
				      const struct policy_usage_snapshot *snapshot,
				      const struct ctl_consumed *take, size_t waiting,
				      int64_t now_us);
/* Requests that a fuse's bucket, or another over the same cgroups, does not let begin. */
size_t allowance_waiting(const struct enforcer *enforcer, const struct incident *incident);
/* stop and freeze */
void suspend_apply(struct enforcer *enforcer, struct incident *incident,
		   const struct policy_verdict *verdict, const struct policy_subject *subject,
		   int64_t now_us);
/* Lets go what stands. 0 or -errno; what has ended meanwhile is no error. */
int suspend_undo(struct enforcer *enforcer, const struct applied *applied);
void kill_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us);
void kill_on_grace(void *arg);
/* Counts the kills of the last hour that the ledger tells of. */
void kill_recall(struct enforcer *enforcer);

#endif
