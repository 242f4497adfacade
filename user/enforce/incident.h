/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the enforcer remembers. An incident is a step that a counter has reached: it has the
 * evidence, ends with the window, and lists what was applied, one entry a target. An entry is what
 * makes the next verdict a repetition. For this room alone; files below are in the order in which
 * they know each other.
 */
#ifndef ENFORCE_INCIDENT_H
#define ENFORCE_INCIDENT_H

#include <sys/queue.h>

#include "base/hash.h"
#include "enforce/bucket.h"
#include "enforce/enforcer.h"

/* One process (pid and start time), one cgroup (0 and its id), or neither (a note). */
struct target {
	uint64_t tgid, id;
};

struct incident;

struct applied {
	UT_hash_handle hh;
	LIST_ENTRY(applied) pending;
	LIST_ENTRY(applied) holding; /* in held.applied_list, while it holds */
	struct incident *incident;
	struct target target;
	uint64_t cgroup; /* whose member it is, for a signal or a freeze */
	char *name;      /* "process 12 (python3)" */
	char *who;       /* whose that is (who_label()); "": not known */
	char pod_uid[WHO_UID_LEN];
	int64_t decided_us; /* wall clock */
	bool is_void;       /* protected or rehearsed: nothing is done to it */
	bool holds;         /* a gate, a stop or a freeze, by the step's action */
	bool is_listed;     /* in the ledger, as stopped or frozen */
	bool is_soft;       /* a gate without a reset, for what calls in flight will cost */
	bool is_hard;       /* a gate that stops live connections, and will as long as it holds */
	bool is_around;     /* a call got around that gate, and it was said */
	int error;          /* of the last try to hold */
	int cut_error;      /* of the reset that goes with a stop or a freeze */
	uint64_t due_ns; /* CLOCK_MONOTONIC of a SIGKILL, or of a look at what came of it; 0: none */
	uint64_t look_until_ns;  /* 0: it is the SIGKILL that is due, or a look before it */
	uint64_t kill_at_ns;     /* CLOCK_MONOTONIC of that SIGKILL */
	struct family *family;   /* of a caller that is killed with its kin; NULL: not so */
	struct who_group *group; /* what a signal or a freeze is for; NULL: the process */
	uint64_t done_ticks; /* when a cgroup was killed, as process start times count; 0: not */
	uint64_t shut_ns;    /* CLOCK_MONOTONIC since when it is_hard, or paces */
	uint64_t answered;   /* pace: calls that were, of those that began a while after shut_ns */
	uint64_t ended_ns; /* CLOCK_MONOTONIC of a family's first signal; 0: none, or it was said */
};

/* What an allowance knows of its bucket (credit.c). */
struct allowance {
	int64_t apart;   /* requests that the kernel admitted less calls that were seen, for good */
	int64_t even_us; /* when there were no others; 0: not yet asked */
};

#define INCIDENT_NAME_LEN (2 * WHO_NAME_LEN + WHO_PATH_LEN)

/* Hashed as bytes, as far as the name's NUL; there is no padding. */
struct incident_key {
	const struct policy_budget *budget;
	const struct policy_step *step;
	char name[INCIDENT_NAME_LEN]; /* the counter's */
};

struct incident {
	UT_hash_handle hh;
	int64_t until_us;
	bool is_ordered, is_reserved, is_running; /* of the last verdict */
	struct ledger_action evidence;            /* the numbers, as of the last verdict */
	char calls[POLICY_CALLS * 21 + 3];
	uint64_t minute_ns;
	unsigned rows, unwritten;
	struct applied *applied_list;
	uint32_t bucket; /* pace, allowance: its number; 0: none yet */
	union {
		struct bucket pace;
		struct allowance allowance;
	};
	struct incident_key key; /* allocated as far as its NUL */
};

/* What is held, and by which applied actions. */
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
	const struct who_group *present; /* whose call brought the current verdict; or NULL */
	int64_t next_us;                 /* no incident ends before */
	size_t n_actions,
		n_unsettled; /* entries; incidents of calls in flight (incident_is_unsettled()) */
	LIST_HEAD(, applied) pending;
	/* armed while there is something to renew, to end and to kill; NULL without a loop */
	struct loop_source *renewal, *expiry, *grace;
	uint64_t kills_ns[POLICY_KILLS]; /* CLOCK_MONOTONIC of the last ones, as a ring */
	size_t n_kills;                  /* ever */
	uint32_t buckets;                /* numbers given, ever */
	size_t n_buckets, n_allowances;  /* in use; of these, allowances */
	struct enforcer_stats stats;
};

static inline const char *enforcer_root(const struct enforcer *enforcer)
{
	return enforcer->actuators.cgroup_root ?: "/sys/fs/cgroup";
}

/* No step of its own: nothing is written of it. */
static inline bool incident_is_allowance(const struct incident *incident)
{
	return incident->key.step == &policy_allowance;
}
static inline bool incident_holds_gate(const struct incident *incident)
{
	return incident->key.step->action == POLICY_REFUSE ||
	       incident->key.step->action == POLICY_PACE;
}

/*
 * It was reached by calls in flight, and ends if they cost less. What is no gate has had its effect, and stays for
 * what they had cost by then.
 */
static inline bool incident_is_unsettled(const struct incident *incident)
{
	return incident->is_reserved || (incident->is_running && incident_holds_gate(incident));
}

/* A kill that ends callers and their kin of a cgroup, not the whole (family.h). */
static inline bool step_ends_family(const struct policy_step *step)
{
	return step->action == POLICY_KILL && step->target == POLICY_CGROUP && !step->whole;
}

/* ---- expiry.c ---- */

/* An incident may end at this moment of the wall clock. */
void enforcer_expire_at(struct enforcer *enforcer, int64_t at_us);
/* Sets the timer to enforcer->next_us. */
void expiry_arm(struct enforcer *enforcer);

/* ---- buckets.c ---- */

/* The kernel's bucket of an incident, empty at first. Again is nothing new. 0 or -errno. */
int bucket_open(struct enforcer *enforcer, struct incident *incident);
void bucket_close(struct enforcer *enforcer, struct incident *incident);
/* Gives it its credit; NULL: it ends. 0 or -errno. */
int bucket_allow(struct enforcer *enforcer, struct incident *incident,
		 const struct ctl_allowance *allowed);

/* ---- due.c ---- */

/* Sets when applied->due_ns is, and the timer. */
void due_at(struct enforcer *enforcer, struct applied *applied, uint64_t at_ns);
void due_drop(struct applied *applied);
void due_arm(struct enforcer *enforcer);

/* ---- incident.c ---- */

/* Whether its steps are carried out, or only written down. */
bool incident_is_enforced(const struct enforcer *enforcer, const struct incident *incident);
/* The incident of a verdict, with the verdict's numbers as its evidence. NULL: no memory. */
struct incident *incident_get(struct enforcer *enforcer, const struct policy_verdict *verdict);
/* Forgets it; what it holds and has pending must have ended (incident_end()), or outlives it. */
void incident_free(struct enforcer *enforcer, struct incident *incident);
/* The same incident under other rules. 0 or -ENOMEM: then it must be dropped. */
int incident_move(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_budget *budget, const struct policy_step *step);

struct applied *applied_find(struct incident *incident, struct target target);
/* `group`: whose the target is; NULL: not known. NULL: no memory, counted. */
struct applied *applied_new(struct enforcer *enforcer, struct incident *incident,
			    struct target target, const char *name, const struct who_group *group,
			    int64_t now_us);
/* Writes a row to the ledger and the log, if the incident has not written too many this minute. */
void applied_write(struct enforcer *enforcer, const struct applied *applied, int64_t now_us,
		   enum action_result outcome, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* ---- holders.c ---- */

/* 0 or -ENOMEM. Once more for the same action is nothing new. */
int hold_take(struct enforcer *enforcer, struct applied *applied);
/* True when no other step, of whatever budget, wants it held; an allowance, which is none, may still. */
bool hold_drop(struct enforcer *enforcer, struct applied *applied);
/*
 * The gate that all who hold a cgroup's want together; open if there are none.
 * ret_loss_us: until when (wall clock) it stays shut without a daemon; 0: no longer than its lease.
 */
struct ctl_gate hold_gate(const struct enforcer *enforcer, uint64_t cgroup, int64_t *ret_loss_us);
/* Who holds it; NULL: nobody. */
struct held *hold_find(const struct enforcer *enforcer, enum hold hold, struct target target);
bool hold_stands(const struct enforcer *enforcer, enum hold hold, struct target target);

/* ---- gates.c ---- */

/* Sets a cgroup's gate as hold_gate() has it. 0 or -errno; -EOPNOTSUPP: there is no such actuator. */
int gate_pull(struct enforcer *enforcer, uint64_t cgroup);
/* Resets its live AI connections: how many stay because they carry others' calls, or as gate_pull(). */
int gate_reset(struct enforcer *enforcer, uint64_t cgroup);
/* Gates are for the subject's cgroup and for the counter's other members: fn for each. */
void gate_each(struct enforcer *enforcer, struct incident *incident,
	       const struct policy_verdict *verdict, const struct policy_subject *subject,
	       int64_t now_us,
	       void (*fn)(struct enforcer *enforcer, struct applied *applied, bool is_new,
			  int64_t now_us));

/* ---- signals.c ---- */

/* Signals the process or the cgroup that it was applied to. 0 or -errno; -EOPNOTSUPP as gate_pull(). */
int signal_pull(struct enforcer *enforcer, const struct applied *applied, int signal);

/* ---- effect.c ---- */

/* The action was taken: looks for what came of it, and then writes that as the row. */
void effect_begin(struct enforcer *enforcer, struct applied *applied, int64_t now_us);
/* Looks once more; is_last: and writes what it finds. */
void effect_look(struct enforcer *enforcer, struct applied *applied, bool is_last);

/* ---- target.c ---- */

/*
 * The entry of a step for a process or a cgroup. A new one is checked against what is protected,
 * and rehearsed if nothing is enforced: then a row is written and NULL returned, now and each time
 * after.
 */
struct applied *find_targets(struct enforcer *enforcer, struct incident *incident,
			     const struct policy_verdict *verdict,
			     const struct policy_subject *subject, bool is_cgroup, bool *ret_is_new,
			     int64_t now_us);

/* ---- min_healthy.c ---- */

/*
 * May a member of the verdict's counter be stopped, frozen or killed, with as many left as the budget
 * wants healthy? False: it was written down, and is asked again with the next charge.
 */
bool min_healthy_stay(struct enforcer *enforcer, struct applied *applied,
		      const struct policy_verdict *verdict, int64_t now_us);

/* ---- the actions: refuse.c, pace.c, allowance.c, suspend.c, kill.c ---- */

void refuse_apply(struct enforcer *enforcer, struct incident *incident,
		  const struct policy_verdict *verdict, const struct policy_subject *subject,
		  int64_t now_us);
void pace_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us);
void allowance_apply(struct enforcer *enforcer, struct incident *incident,
		     const struct policy_verdict *verdict, const struct policy_subject *subject,
		     int64_t now_us);
/* stop and freeze */
void suspend_apply(struct enforcer *enforcer, struct incident *incident,
		   const struct policy_verdict *verdict, const struct policy_subject *subject,
		   int64_t now_us);
/* Resumes or thaws it. 0 or -errno; what has ended meanwhile is no error. */
int suspend_undo(struct enforcer *enforcer, const struct applied *applied);
void kill_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us);
/* Does what is due. */
void kill_on_grace(void *arg);
/* Counts the kills of the last hour that the ledger knows of. */
void kill_recall(struct enforcer *enforcer);

/* ---- release.c ---- */

/* Ends what it holds; SIGKILLs that are due stay due. */
void incident_end(struct enforcer *enforcer, struct incident *incident, const char *why,
		  int64_t now_us);
/* Ends what it holds and has pending, and the incident. */
void incident_drop(struct enforcer *enforcer, struct incident *incident, const char *why,
		   int64_t now_us);

/* ---- credit.c ---- */

/*
 * The credit that an allowance's bucket is to have, given what the kernel had taken before the
 * snapshot was made, and how many of the calls in flight wait to begin: what those will cost must
 * not keep them waiting.
 */
struct ctl_allowance allowance_update(struct allowance *allowance,
				      const struct policy_usage_snapshot *snapshot,
				      const struct ctl_consumed *take, size_t waiting,
				      int64_t now_us);
/* Requests that an allowance's bucket, or another over the same cgroups, does not let begin. */
size_t allowance_waiting(const struct enforcer *enforcer, const struct incident *incident);

#endif
