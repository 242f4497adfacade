/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the ledger share; for no other module. */
#ifndef LEDGER_LEDGER_INTERNAL_H
#define LEDGER_LEDGER_INTERNAL_H

#include <sqlite3.h>

#include "ledger/ledger.h"

/* The dictionaries: what repeats from call to call is stored once. */
enum ledger_words { LEDGER_SUBJECTS, LEDGER_SERVICES, LEDGER_PATHS, LEDGER_DICTIONARIES };
#define LEDGER_COLUMNS_MAX 13

/* Columns of a dictionary, in the order in which their texts are packed. NULL-terminated. */
extern const char *const ledger_columns[LEDGER_DICTIONARIES][LEDGER_COLUMNS_MAX + 1];

/* Of every connection of a writer. */
#define LEDGER_BUSY_MS 100
#define LEDGER_PRAGMAS                                                \
	"PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 0;" \
	"PRAGMA journal_size_limit = 4194304;"

struct ledger_word;
struct checkpoint;
struct call_queue;
struct action_queue;

struct ledger {
	sqlite3 *db;
	bool is_writable;
	int lock; /* -1 for readers */
	int64_t next_id;
	void (*team)(void *arg, const struct who_group *group, const struct who_process *process,
		     char *ret, size_t size); /* ledger_set_team() */
	void *team_arg;
	unsigned reports;  /* names the temporary table of each */
	uint64_t retry_ns; /* no commit before, after one that failed */
	int retry_error;
	struct checkpoint *wal;
	struct call_queue *queue;
	struct action_queue *actions;
};

/* db.c. -errno of an SQLite result code; 0 for OK, ROW and DONE. */
int ledger_errno(int result);
/* 0 or -errno; the statement is the caller's to finalize. */
int ledger_prepare(struct ledger *ledger, const char *sql, sqlite3_stmt **ret);
/* Statements without parameters and rows. 0 or -errno. */
int ledger_exec(struct ledger *ledger, const char *sql);
/* The first column of the first row; without a row *ret stays. 0 or -errno. */
int ledger_query_int(struct ledger *ledger, const char *sql, int64_t *ret);
static inline void ledger_finalizep(sqlite3_stmt **statement)
{
	sqlite3_finalize(*statement);
}
#define _cleanup_statement_ _cleanup_(ledger_finalizep)

/* schema.c. The version that this aigress writes, and the way there from an older one, as one transaction. */
extern const int schema_version;
int schema_migrate(struct ledger *ledger, int64_t version);

/* The queue of calls. Writing happens inside the caller's transaction. */
int call_queue_new(struct ledger *ledger);
void call_queue_free(struct ledger *ledger);
/* As ledger_add(), but 1 when a batch is full, which is to be committed now. */
int call_queue_add(struct ledger *ledger, const struct ledger_call *call, int64_t *ret_id);
bool call_queue_is_empty(const struct ledger *ledger);
int call_queue_write(struct ledger *ledger);
/* The transaction ended: forget what was written, or what was believed to be. */
void call_queue_written(struct ledger *ledger, bool committed);

/* The queue of actions, likewise. */
int action_queue_new(struct ledger *ledger);
void action_queue_free(struct ledger *ledger);
int action_queue_add(struct ledger *ledger, const struct ledger_action *action);
bool action_queue_is_empty(const struct ledger *ledger);
int action_queue_write(struct ledger *ledger);
void action_queue_written(struct ledger *ledger, bool committed);

/* The key "who" of a subject s (who_key.c), and the subjects that have that of the parameter that follows. */
#define LEDGER_WHO         "who(s.namespace, s.pod, s.container, s.container_id, s.unit, s.cgroup)"
#define LEDGER_SUBJECTS_OF "SELECT s.id FROM subjects s WHERE " LEDGER_WHO " = "
int who_key_new(struct ledger *ledger);

/* actions.c. An action's columns, and what a row of them says; texts live as long as the row. */
#define LEDGER_ACTION_COLUMNS                                                                 \
	"id, time_us, budget, rule, action, subject, target, result, rehearsed, spent_nanos," \
	" limit_nanos, spent_tokens, limit_tokens, window_start_us, measured_permille,"       \
	" last_calls, until_us, outcome, rule_text, in_flight, who, decided_us"
void ledger_read_action(sqlite3_stmt *row, struct ledger_action *ret);

/* The WAL. checkpoint_look: something was committed, has it grown enough for a checkpoint? */
int checkpoint_new(struct ledger *ledger);
void checkpoint_free(struct ledger *ledger); /* waits for the checkpoint that runs */
void checkpoint_look(struct ledger *ledger);
bool checkpoint_is_held(const struct ledger *ledger); /* it starts over: a commit would wait */

#endif
