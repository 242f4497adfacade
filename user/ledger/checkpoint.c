/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: what the WAL has goes into the file, and the WAL starts over. That waits for the disk
 * three times: for the log and the file, and, with the first page after, for the log's new header, so that no
 * crash leaves old pages behind a new header. Whoever writes that page waits, so it is written here.
 * A thread lives for one checkpoint, with a connection of its own: an idle daemon has none.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/thread.h"
#include "ledger/ledger_internal.h"

#define PASSIVE_PAGES     1000  /* 4 MB: SQLite's own default */
#define TRUNCATE_PAGES    16384 /* 64 MB: a reader kept it from starting over */
#define TRUNCATE_EVERY_NS (10 * NS_PER_S)

struct checkpoint {
	const char *path;     /* the database's */
	int pages;            /* when something was committed last; not for the thread */
	uint64_t truncate_ns; /* no TRUNCATE before */
	bool may_thread, has_thread;
	pthread_t thread;
	int mode; /* of the checkpoint that runs, in its second round */
	atomic_bool is_held, is_done;
};

static int count_pages(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct checkpoint *wal = arg;

	wal->pages = pages;
	return SQLITE_OK;
}

int checkpoint_new(struct ledger *ledger)
{
	struct checkpoint *wal = ledger->wal = calloc(1, sizeof(*wal));

	if (!wal)
		return -ENOMEM;
	wal->path = sqlite3_db_filename(ledger->db, NULL);
	sqlite3_wal_hook(ledger->db, count_pages, wal);
	return 0;
}

static void join(struct checkpoint *wal)
{
	if (wal->has_thread)
		pthread_join(wal->thread, NULL);
	wal->has_thread = false;
}

void checkpoint_free(struct ledger *ledger)
{
	if (ledger->wal)
		join(ledger->wal);
	free(ledger->wal);
	ledger->wal = NULL;
}

void ledger_use_thread(struct ledger *ledger)
{
	ledger->wal->may_thread = true;
}

/*
 * A writer starts the WAL over when the file has all of it. So the second round, which has the little that was
 * committed during the first, has the ledger to itself, and ends with a page of its own: the
 * smallest is an id that stays what it is.
 */
static void start_over(struct checkpoint *wal, sqlite3 *db)
{
	if (!sqlite3_wal_checkpoint_v2(db, NULL, wal->mode, NULL, NULL))
		(void)sqlite3_exec(db, "PRAGMA application_id = 0", NULL, NULL, NULL);
}

static void *run(void *arg)
{
	struct checkpoint *wal = arg;
	sqlite3 *db;
	int err = sqlite3_open_v2(wal->path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (!err) {
		(void)sqlite3_busy_timeout(db, LEDGER_BUSY_MS);
		err = sqlite3_exec(db, LEDGER_PRAGMAS, NULL, NULL, NULL);
	}
	if (!err)
		err = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	wal->is_held = true;
	if (!err)
		start_over(wal, db);
	wal->is_held = false;
	sqlite3_close(db);
	wal->is_done = true;
	return NULL;
}

bool checkpoint_is_held(const struct ledger *ledger)
{
	return ledger->wal && ledger->wal->is_held;
}

/* PASSIVE does not wait. TRUNCATE waits for readers, up to LEDGER_BUSY_MS, hence seldom. */
void checkpoint_look(struct ledger *ledger)
{
	struct checkpoint *wal = ledger->wal;
	uint64_t now_ns = clock_mono_ns();

	if (wal->pages < PASSIVE_PAGES || (wal->has_thread && !wal->is_done))
		return;
	join(wal);
	wal->mode = SQLITE_CHECKPOINT_PASSIVE;
	if (wal->pages >= TRUNCATE_PAGES && now_ns >= wal->truncate_ns) {
		wal->mode = SQLITE_CHECKPOINT_TRUNCATE;
		wal->truncate_ns = now_ns + TRUNCATE_EVERY_NS;
	}
	wal->pages = 0;
	wal->is_done = false;
	wal->has_thread = wal->may_thread && !thread_start(&wal->thread, run, wal);
	if (!wal->has_thread)
		run(wal);
}
