/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ledger: SQLite in WAL mode, and the only interface between the daemon and the other
 * subcommands. All SQL is in this room, except for the table of shared/entries.c. A charge and the
 * hourly sums it belongs to are one transaction; transactions are at most LEDGER_COMMIT_NS old, so a
 * kill -9 loses no more and counts nothing twice.
 *
 * A new column is a new migration at the end of schema.c, never a change of an older one. Then the column is
 * written and read: of calls in call_queue.c, replay.c and report.c (in sql.c if it is added up), of actions in
 * action_queue.c and actions.c. tests/unit/ledger/test_schema.c migrates a ledger of every older version.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "usage/charge.h"
#include "names/pod.h"
#include "who/who.h"

struct ledger;

#define LEDGER_FILE         "ledger.db"
#define LEDGER_COMMIT_NS    100000000ULL /* half of the 200 ms that may be lost */
#define LEDGER_QUEUE        10000        /* calls that wait for the disk; about 2.5 MB */
#define LEDGER_ACTION_QUEUE 1000         /* actions that wait for the disk */

/* The state directory when none is named. */
#define LEDGER_DIR "/var/lib/aigress"

/*
 * Opens (and for writing makes) DIR/ledger.db. 0 or -errno, then ret_error is a sentence that says
 * what to do, to be freed. Readers may be many, writers are one (-EBUSY: another daemon runs).
 */
int ledger_open(struct ledger **ret, const char *dir, bool writable, char **ret_error);
struct ledger *ledger_free(struct ledger *ledger); /* commits */
/* Has a daemon DIR's ledger open for writing? False, too, for who may not read its lock. */
bool ledger_is_written(const char *dir);

/*
 * One call with whose it was. start_us: wall clock, microseconds since the epoch. When it was read:
 * group->cgroup is 0 (ids do not outlive a boot: look the path up), start_mono_ns is 0.
 */
struct ledger_call {
	int64_t id; /* set when read */
	int64_t start_us;
	const struct charge *charge;
	const struct who_group *group;
	const struct who_process *process;
};
/*
 * Takes a call into the batch that the next commit writes; a batch of 1,024 is written at once.
 * ret_id (may be NULL) is the row's id, rising in the order of ledger_add whatever the clock does.
 * 0; -ENOBUFS: the queue is full behind a broken disk, the call is counted
 * as lost; -ENOMEM: likewise. A failing disk alone is no error here: see ledger_commit().
 */
int ledger_add(struct ledger *ledger, const struct ledger_call *call, int64_t *ret_id);
/*
 * Writes what waits, calls and the hours they belong to, as one transaction. 0 or -errno (kept in memory):
 * -EBUSY, somebody else writes, which is not waited for; -ENOSPC, -EIO, ..., tried again a second
 * later at the earliest.
 */
int ledger_commit(struct ledger *ledger);
/* Likewise, but now, whatever failed a moment ago, and waits for others' locks, 100 ms at most. */
int ledger_flush(struct ledger *ledger);
/* From now on checkpoints, which wait for the disk, are made in a thread, with the privileges of who commits. */
void ledger_use_thread(struct ledger *ledger);

/*
 * Names that came late: calls and hours that were written without them, or with names guessed from
 * a pod's own, get them. What waits is written first. Returns how many subjects changed, or -errno
 * (nothing has changed, it may be tried again).
 */
int ledger_name_pod(struct ledger *ledger, const struct who_pod *pod);
int ledger_name_container(struct ledger *ledger, const struct who_container *container);

/* Forgets calls that started before before_us; the hours stay. Bounded work: 0 when no more is
 * left, 1 when it should be called again, or -errno. */
int ledger_prune(struct ledger *ledger, int64_t before_us);

/*
 * Hands back every call that started at or after since_us, in the order they were added, which is
 * the order in which they ended and were charged (at start_us + duration). 0 or -errno.
 */
int ledger_replay(struct ledger *ledger, int64_t since_us,
		  void (*fn)(void *arg, const struct ledger_call *call), void *arg);

/* What came of an action; `result` says it in a sentence for people. */
enum action_result {
	ACTION_UNKNOWN,   /* written before there was such a column, in words that are not known */
	ACTION_REHEARSED, /* nothing was done, since nothing is enforced */
	ACTION_DONE,
	ACTION_FINISHED, /* the second half of a kill: what was signalled before is gone */
	ACTION_ENDED,    /* what was done is undone: the window is over, or an operator says so */
	ACTION_FAILED,   /* the kernel refused it */
	ACTION_REFUSED,  /* by a rule: `protect`, min-healthy, the most kills an hour */
	ACTION_ORDERED,  /* an operator's order or its end */
	ACTION_INEFFECTIVE,     /* a kill, soon after which its cgroup called again */
	ACTION_NOT_ENFORCEABLE, /* a gate that a call got around */
	ACTION_RESULTS
};
/* "done", "finished", ...: stable, they are stored; "" for ACTION_UNKNOWN. NULL: no such result. */
const char *action_result_name(enum action_result result);
enum action_result action_result_of(const char *name); /* ACTION_UNKNOWN: no such name */
/* The label of metrics and the first word of a sentence: the name, but "done" for both halves of a kill. */
const char *action_result_word(enum action_result result);

struct ledger_action;
/* Whether such a row tells what came of an earlier one, with the same budget, action, counter and target. */
bool action_result_is_sequel(enum action_result result);
/* Whether it holds until somebody or something ends it, as a gate does; an end that is a row of its own is not looked for. */
bool action_holds(const struct ledger_action *action, int64_t now_us);
/* Its result as a reason: without the "ended: " that an end begins with. */
const char *action_because(const struct ledger_action *action);
/* Its result without the "done: " that what came of something begins with. */
const char *action_done(const struct ledger_action *action);

/* An action, rehearsed or real, with its evidence. Strings are copied; NULL is empty. */
struct ledger_action {
	int64_t id;         /* set when read */
	int64_t time_us;    /* when it was in force, or seen to have had its effect */
	int64_t decided_us; /* when the step was reached; 0: not known */
	const char *budget;
	const char *rule;      /* "agents.yaml:12" */
	const char *rule_text; /* what stood there, in words; "": not known */
	const char *action;    /* note, refuse, kill, ... */
	const char *subject;   /* the counter: "cgroup=/kubepods/..." */
	const char *target;    /* what was done to: "cgroup /a/b", "process 123 (python3)" */
	const char *who;       /* whose that is (who_label()); "": not known */
	const char *result;    /* "rehearsed", "done", "failed: ..." */
	enum action_result outcome;
	bool is_rehearsed;
	int64_t spent_nanos;
	int64_t limit_nanos; /* 0: a limit in tokens */
	uint64_t spent_tokens, limit_tokens;
	uint64_t in_flight; /* of calls in flight, so far and expected; in the limit's unit */
	int64_t window_start_us;
	int64_t until_us;           /* what it rests on ends then; 0: not known */
	uint32_t measured_permille; /* how much of the sum was measured */
	const char *pod_uid;    /* of the target's pod, else empty; given to hooks, not stored */
	const char *last_calls; /* JSON array of the ids of the calls that crossed the line */
};
/* Written at once, after the calls that it names. 0, or -errno as ledger_commit() (kept, tried
 * again). */
int ledger_add_action(struct ledger *ledger, const struct ledger_action *action);
/* Hands back the calls of these ids that the ledger still has, in their order there; strings as ledger_replay(). */
int ledger_calls(struct ledger *ledger, const int64_t *ids, size_t n,
		 void (*fn)(void *arg, const struct ledger_call *call), void *arg);
/* Hands back actions since since_us, oldest first; strings are never NULL. */
int ledger_actions(struct ledger *ledger, int64_t since_us,
		   void (*fn)(void *arg, const struct ledger_action *action), void *arg);

/* Who this ledger is: 32 hexadecimal digits, made with the file. To be freed; NULL: unreadable. */
char *ledger_identity(struct ledger *ledger);

/* The id of the last call that was added; 0: none ever was. */
int64_t ledger_last_id(const struct ledger *ledger);
/* Ids up to this one are not used again: somebody has seen them, and this file lost them. */
void ledger_skip(struct ledger *ledger, int64_t id);

/*
 * A job of a provider, by its id, is charged now. 0: it is the first time; -EEXIST: it was charged before, by this
 * process or another; another -errno: not known. Those of two months ago are forgotten.
 */
int ledger_claim_job(struct ledger *ledger, const char *provider, const char *job, int64_t now_us);

/* Facts that the daemon publishes to other subcommands ("coverage", "gates", "version", ...); JSON values. */
int ledger_put(struct ledger *ledger, const char *key, const char *json);
/* NULL: none. To be freed. */
char *ledger_get(struct ledger *ledger, const char *key);

/* Keys of a report, in this order when a row prints them. */
enum ledger_key {
	LEDGER_BY_TIME, /* of one call; only with LEDGER_BY_CALL */
	LEDGER_BY_HOUR, /* "2026-11-23T19:00Z" */
	LEDGER_BY_TEAM, /* only after ledger_set_team() */
	LEDGER_BY_WHO,  /* who_label() */
	LEDGER_BY_NAMESPACE,
	LEDGER_BY_WORKLOAD,
	LEDGER_BY_POD,
	LEDGER_BY_CONTAINER,
	LEDGER_BY_IMAGE, /* "registry.example/web:1.2" */
	LEDGER_BY_CGROUP,
	LEDGER_BY_UNIT,
	LEDGER_BY_USER,
	LEDGER_BY_COMMAND,
	LEDGER_BY_EXE,
	LEDGER_BY_CLIENT, /* "claude-cli/2.1.332" */
	LEDGER_BY_PID,
	LEDGER_BY_HOST,
	LEDGER_BY_PROVIDER,
	LEDGER_BY_MODEL,
	LEDGER_BY_TIER,        /* "batch", "flex us"; empty: none */
	LEDGER_BY_ACCOUNT,     /* "organisation/project" */
	LEDGER_BY_DESTINATION, /* CHARGE_CONFIRMED, CHARGE_UNCONFIRMED; empty: nobody asked */
	LEDGER_BY_VIA,         /* the gateway that passed it on; empty: none is known */
	LEDGER_BY_API_KEY,     /* its fingerprint; empty: none was taken */
	LEDGER_BY_SOURCE,
	LEDGER_BY_CALL,
	LEDGER_KEYS
};
/* "hour", "cgroup", ...; NULL past the end. */
const char *ledger_key_name(enum ledger_key key);

/*
 * Says whose a caller is, for LEDGER_BY_TEAM: writes into `ret`, which is "" before. `arg` must outlive the ledger's
 * reports. 0 or -errno.
 */
int ledger_set_team(struct ledger *ledger,
		    void (*fn)(void *arg, const struct who_group *group,
			       const struct who_process *process, char *ret, size_t size),
		    void *arg);

struct ledger_row {
	const char *keys[LEDGER_KEYS]; /* NULL where not asked for */
	/* only with LEDGER_BY_CALL: */
	int64_t call_id, start_us;
	const char *path, *operation, *outcome, *price_key, *price_origin;
	int status;
	uint64_t duration_us, first_token_us;
	bool is_stream;
	/* sums: */
	uint64_t calls, measured_calls, estimated_calls, unpriced_calls, free_calls;
	struct usage tokens;
	uint64_t request_bytes, response_bytes;
	int64_t cost_nanos;
	uint64_t error_input,
		error_output; /* how far the estimates among them may be off: tokens, ... */
	int64_t error_nanos;  /* ... and of the cost */
	int64_t budget_nanos; /* what budgets count: unpriced calls as well */
	uint64_t under_input, under_output;
	int64_t under_nanos, over_nanos; /* as in struct charge */
	uint64_t excess;
	/* Of the calls and of budget_nanos, what only its sender vouches for; the calls of which somebody asked. */
	uint64_t unconfirmed_calls, asked_calls;
	int64_t unconfirmed_nanos;
};
/* What comes first; equal rows are in the order of their words. */
enum ledger_order {
	LEDGER_DEAREST,      /* by what has a price, then by calls */
	LEDGER_MOST_COUNTED, /* by what budgets count */
	LEDGER_MOST_CALLS,
	LEDGER_MOST_TOKENS,
	LEDGER_BY_WORDS,
	LEDGER_ORDERS
};
#define LEDGER_NO_END INT64_MAX
struct ledger_query {
	int64_t since_us, until_us; /* of the calls that started in [since_us, until_us) */
	uint32_t keys;              /* bits (1u << enum ledger_key) */
	enum ledger_order order;
	const char *who; /* of this caller alone (who_label()); NULL: of all */
};
/*
 * Sums by keys. Exact to the microsecond: whole hours come from the hourly sums, begun ones from the
 * calls. TIME, PID and CALL exist in calls only; there, and in begun hours, what ledger_prune() took is
 * missing. No lock is held while fn runs, so a reader behind a pager does not stop the WAL.
 * -EINVAL: TIME without CALL, TEAM without ledger_set_team(); -EOVERFLOW: a sum beyond 64 bits.
 */
int ledger_report(struct ledger *ledger, const struct ledger_query *query,
		  void (*fn)(void *arg, const struct ledger_row *row), void *arg);

/* Charges that could not be written (disk full) and wait in memory; bounded. */
uint64_t ledger_pending(const struct ledger *ledger);
/* Calls that were given up: no room in the queue, or a row that SQLite will not take. */
uint64_t ledger_lost(const struct ledger *ledger);

#endif
