/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the shared budgets share; for no other module. */
#ifndef SHARED_SHARED_INTERNAL_H
#define SHARED_SHARED_INTERNAL_H

#include <sys/queue.h>

#include "base/hash.h"
#include "shared/shared.h"
#include "shared/wire.h"

/* One counter in one window. */
struct shared_entry {
	UT_hash_handle hh;
	TAILQ_ENTRY(shared_entry) queue;
	char *budget, *counter;
	int64_t window_start_us, until_us; /* start 0: rolling */
	int64_t slot_us;
	uint64_t own;                    /* of this node, all of part */
	uint64_t own_asked, own_known;   /* the same when it was sent last, and answered last */
	struct shared_part part, remote; /* remote: of all others together */
	uint64_t known; /* remote when the server's parts of a rolling window are not known */
	uint64_t asked_ns;
	bool is_queued, is_asked, is_unsaved;
	char key[];
};

TAILQ_HEAD(shared_queue, shared_entry);

struct shared_table {
	struct shared_entry *entries;
	struct shared_queue queue; /* to be told to the server */
	const char *prefix;
	uint64_t dropped;
};

/* The entry of a counter; NULL: no room or no memory, counted. */
struct shared_entry *shared_entry_get(struct shared_table *table, const struct policy_own *own,
				      int64_t now_us);
/* Takes what this node has spent, for the server. */
void shared_entry_own(struct shared_entry *entry, const struct policy_own *own, int64_t seq);
/*
 * Takes an answer: all parts. Returns the seq of this node's own, -1 if it has none; *ret_bad is how
 * many parts were none.
 */
int64_t shared_entry_parts(struct shared_entry *entry, const struct shared_reply *reply,
			   const char *node, int64_t now_us, unsigned *ret_bad);
/* What others have spent in the window that is now. */
uint64_t shared_entry_remote(const struct shared_entry *entry, int64_t now_us);
void shared_entry_queue(struct shared_table *table, struct shared_entry *entry);
/* Drops those whose time is over. */
void shared_table_sweep(struct shared_table *table, int64_t now_us);
void shared_table_done(struct shared_table *table);

/* The ledger's memory of what the server said. 0 or -errno. */
int shared_save(struct ledger *ledger, struct shared_table *table);
int shared_load(struct ledger *ledger, struct shared_table *table, int64_t now_us);

enum shared_question { ASK_AUTH, ASK_SELECT, ASK_LOAD_SYNC, ASK_LOAD_BEAT, ASK_BEAT, ASK_SYNC };

struct shared_asked {
	enum shared_question question;
	struct shared_entry *entry;
	uint64_t at_ns;
};

#define SHARED_ASKED (SHARED_PIPELINE + 16) /* the greeting and heart-beats beside */

struct shared {
	struct loop *loop;
	struct fetcher *fetcher;
	struct ledger *ledger;
	struct policy *policy;
	const struct shared_config *config;
	struct shared_hooks hooks;
	char *node; /* the ledger's identity */
	struct shared_table table;
	struct loop_source *tick, *retry;
	struct channel *channel;
	struct shared_reader *reader;
	bool is_greeted;      /* scripts are loaded */
	bool is_up, was_told; /* is_up: as the policy sees it */
	uint64_t answered_ns, beat_ns;
	unsigned tries;
	uint32_t nodes;
	char scripts[2][48];                     /* their SHA-1 */
	struct shared_asked asked[SHARED_ASKED]; /* a ring, oldest first */
	size_t first, n_asked;
	bool needs_review;
	char error[128];
};

/* ---- shared_ask.c ---- */

/* AUTH, SELECT and the scripts. 0 or -errno, as the others. */
int shared_greet(struct shared *shared);
int shared_beat(struct shared *shared);
/* Tells what is queued, as far as the pipeline goes. */
void shared_flush(struct shared *shared);

#endif
