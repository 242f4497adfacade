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

struct story;

struct deed {
	UT_hash_handle hh;
	LIST_ENTRY(deed) pending;
	LIST_ENTRY(deed) holding; /* in held.deeds, while it holds */
	struct story *story;
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
struct fuse {
	int64_t apart;   /* requests that the kernel let go less calls that were seen, for good */
	int64_t even_us; /* when there were no others; 0: not yet asked */
};

struct story {
	UT_hash_handle hh;
	const struct policy_budget *budget;
	const struct policy_step *step;
	int64_t until_us;
	bool is_ordered, is_ahead;     /* of the last verdict */
	struct ledger_action evidence; /* the numbers, as of the last verdict */
	char calls[POLICY_CALLS * 21 + 3];
	uint64_t minute_ns;
	unsigned rows, unwritten;
	struct deed *deeds;
	uint32_t bucket; /* pace, fuse: its number; 0: none yet */
	union {
		struct bucket pace;
		struct fuse fuse;
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
	LIST_HEAD(, deed) deeds;
};

struct act {
	struct loop *loop;
	struct ledger *ledger;
	const struct policy_rules *rules;
	struct act_levers levers;
	struct story *stories;
	struct held *held;
	const struct who_group *present; /* who brought the verdict that is carried out; or NULL */
	int64_t next_us;                 /* no story ends before */
	size_t n_deeds, n_ahead;         /* stories that is_ahead */
	LIST_HEAD(, deed) pending;
	/* armed while there is something to renew, to end and to kill; NULL without a loop */
	struct loop_source *renewal, *expiry, *grace;
	uint64_t kills_ns[POLICY_KILLS]; /* CLOCK_MONOTONIC of the last ones, as a ring */
	size_t n_kills;                  /* ever */
	uint32_t buckets;                /* numbers given, ever */
	size_t n_buckets, n_fuses;       /* in use; of these, fuses */
	struct act_stats stats;
};

/* A story may end at this moment of the wall clock. */
void act_expire_at(struct act *act, int64_t at_us);

const char *story_name(const struct story *story);
/* No step of its own: nothing is written of it. */
static inline bool story_is_fuse(const struct story *story)
{
	return story->step == &policy_fuse;
}
/* Whether its steps are carried out, or only written down. */
bool story_is_enforced(const struct act *act, const struct story *story);
/* The story of a verdict, with the verdict's numbers as its evidence. NULL: no memory. */
struct story *story_get(struct act *act, const struct policy_verdict *verdict);
void story_free(struct act *act, struct story *story);
/* Ends what it holds and has pending, and the story; act.c. */
void story_drop(struct act *act, struct story *story, const char *why, int64_t now_us);

/* The same story under other rules. 0 or -ENOMEM: it is as it was. */
int story_move(struct act *act, struct story *story, const struct policy_budget *budget,
	       const struct policy_step *step);

struct deed *deed_find(struct story *story, struct target target);
/* NULL: no memory, counted. */
struct deed *deed_new(struct act *act, struct story *story, struct target target, const char *name);
/* Writes a row to the ledger and the log, if the story has not written too many this minute. */
void deed_write(struct act *act, const struct deed *deed, int64_t now_us, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* ---- hold.c ---- */

/* 0 or -ENOMEM. Once more for the same deed is nothing new. */
int hold_take(struct act *act, struct deed *deed);
/* True when no other step, of whatever budget, wants it held; a fuse, which is none, may still. */
bool hold_drop(struct act *act, struct deed *deed);
/*
 * The gate that the deeds which hold a cgroup's want together; open if there are none.
 * ret_loss_us: until when (wall clock) it stays shut without a daemon; 0: no longer than its lease.
 */
struct ctl_gate hold_gate(const struct act *act, uint64_t cgroup, int64_t *ret_loss_us);
bool hold_stands(const struct act *act, enum hold hold, struct target target);

/* ---- aim.c ---- */

/*
 * The deed of a step for a process or a cgroup; new ones are checked against what is protected,
 * and rehearsed if nothing is enforced: then a row is written and NULL returned, now and each time
 * after.
 */
struct deed *aim(struct act *act, struct story *story, const struct policy_verdict *verdict,
		 const struct policy_subject *subject, bool is_cgroup, bool *ret_is_new,
		 int64_t now_us);

/* ---- healthy.c ---- */

/*
 * May a member of the verdict's counter be stopped, frozen or killed, with as many left as the budget
 * wants healthy? False: it was written down, and is asked again with the next charge.
 */
bool healthy_stay(struct act *act, struct deed *deed, const struct policy_verdict *verdict,
		  int64_t now_us);

/* ---- refuse.c, pace.c, halt.c, kill.c ---- */

/* Levers; -EOPNOTSUPP where there is none. gate_pull() sets the gate as hold_gate() has it. */
int gate_pull(struct act *act, uint64_t cgroup);
int gate_reset(struct act *act, uint64_t cgroup);
int signal_pull(struct act *act, const struct deed *deed, int signal);

void refuse_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		  const struct policy_subject *subject, int64_t now_us);
/* Gates are for the subject's cgroup and for the counter's other members: fn for each. */
void gate_each(struct act *act, struct story *story, const struct policy_verdict *verdict,
	       const struct policy_subject *subject, int64_t now_us,
	       void (*fn)(struct act *act, struct deed *deed, bool is_new, int64_t now_us));
void pace_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us);
/* The kernel's bucket of a story, empty at first. Again is nothing new. 0 or -errno. */
int bucket_open(struct act *act, struct story *story);
void bucket_close(struct act *act, struct story *story);
/* fuse.c */
void fuse_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us);
/*
 * What the bucket is to be told, given what the kernel has taken before the pulse was looked at, and how
 * many of the calls in flight wait to begin: what those will cost must not keep them waiting.
 */
struct ctl_grant fuse_update(struct fuse *fuse, const struct policy_pulse *pulse,
			     const struct ctl_take *take, size_t waiting, int64_t now_us);
/* Requests that a fuse's bucket, or another over the same cgroups, does not let begin. */
size_t fuse_waiting(const struct act *act, const struct story *story);
/* stop and freeze */
void halt_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us);
/* Lets go what stands. 0 or -errno; what has ended meanwhile is no error. */
int halt_undo(struct act *act, const struct deed *deed);
void kill_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us);
void kill_on_grace(void *arg);
/* Counts the kills of the last hour that the ledger tells of. */
void kill_recall(struct act *act);

#endif
