/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema, as the steps that led to it: each takes a file from one version to the next, and is never changed
 * after a release.
 */
#include <stdio.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

static const char schema_1[] =
	"CREATE TABLE subjects (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL, workload TEXT NOT "
	"NULL,"
	" pod TEXT NOT NULL, container TEXT NOT NULL, cgroup TEXT NOT NULL, unit TEXT NOT NULL,"
	" user TEXT NOT NULL, command TEXT NOT NULL, exe TEXT NOT NULL, container_id TEXT NOT NULL,"
	" pod_uid TEXT NOT NULL, labels TEXT NOT NULL,"
	" UNIQUE (cgroup, command, exe, user, namespace, workload, pod, container, unit, "
	"container_id,"
	" pod_uid, labels));"
	"CREATE TABLE services (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL,"
	" UNIQUE (model, host, provider, operation, price_key, price_origin));"
	"CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);"
	/* AUTOINCREMENT: the id of a pruned call is part of an action's evidence and is not used
	   again. */
	"CREATE TABLE calls (id INTEGER PRIMARY KEY AUTOINCREMENT, start_us INTEGER NOT NULL,"
	" subject INTEGER NOT NULL REFERENCES subjects, service INTEGER NOT NULL REFERENCES "
	"services,"
	" path INTEGER NOT NULL REFERENCES paths, pid INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" status INTEGER NOT NULL, source TEXT NOT NULL, outcome TEXT NOT NULL,"
	" priced INTEGER NOT NULL, stream INTEGER NOT NULL, input INTEGER NOT NULL,"
	" cache_read INTEGER NOT NULL, cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT "
	"NULL,"
	" output INTEGER NOT NULL, reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL,"
	" audio_output INTEGER NOT NULL, web_searches INTEGER NOT NULL, cost_nanos INTEGER NOT "
	"NULL,"
	" budget_nanos INTEGER NOT NULL, request_bytes INTEGER NOT NULL,"
	" response_bytes INTEGER NOT NULL, first_token_us INTEGER NOT NULL,"
	" duration_us INTEGER NOT NULL);"
	"CREATE INDEX calls_start ON calls (start_us);"
	"CREATE TABLE hours (hour INTEGER NOT NULL, subject INTEGER NOT NULL REFERENCES subjects,"
	" service INTEGER NOT NULL REFERENCES services, source TEXT NOT NULL, calls INTEGER NOT "
	"NULL,"
	" unpriced INTEGER NOT NULL, input INTEGER NOT NULL, cache_read INTEGER NOT NULL,"
	" cache_write_5m INTEGER NOT NULL, cache_write_1h INTEGER NOT NULL, output INTEGER NOT "
	"NULL,"
	" reasoning INTEGER NOT NULL, audio_input INTEGER NOT NULL, audio_output INTEGER NOT NULL,"
	" web_searches INTEGER NOT NULL, cost_nanos INTEGER NOT NULL, budget_nanos INTEGER NOT "
	"NULL,"
	" request_bytes INTEGER NOT NULL, response_bytes INTEGER NOT NULL,"
	" PRIMARY KEY (hour, subject, service, source)) WITHOUT ROWID;"
	"CREATE TABLE actions (id INTEGER PRIMARY KEY AUTOINCREMENT, time_us INTEGER NOT NULL,"
	" budget TEXT NOT NULL, rule TEXT NOT NULL, action TEXT NOT NULL, subject TEXT NOT NULL,"
	" target TEXT NOT NULL, result TEXT NOT NULL, rehearsed INTEGER NOT NULL,"
	" spent_nanos INTEGER NOT NULL, limit_nanos INTEGER NOT NULL, spent_tokens INTEGER NOT "
	"NULL,"
	" limit_tokens INTEGER NOT NULL, window_start_us INTEGER NOT NULL,"
	" measured_permille INTEGER NOT NULL, last_calls TEXT NOT NULL);"
	"CREATE INDEX actions_time ON actions (time_us);"
	"CREATE TABLE facts (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('made_by', 'aigress');";

static const char schema_2[] =
	/* What is halted (halted.h). kind: 0 process, 1 stopped cgroup, 2 frozen cgroup. */
	"CREATE TABLE standing (boot TEXT NOT NULL, kind INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" start_ticks INTEGER NOT NULL, cgroup TEXT NOT NULL,"
	" PRIMARY KEY (boot, kind, pid, start_ticks, cgroup)) WITHOUT ROWID;"
	/* Written by `aigress override`, read by the daemon (overrides.h). budget '': all. */
	"CREATE TABLE overrides (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
	" key TEXT NOT NULL, limit_nanos INTEGER NOT NULL, limit_tokens INTEGER NOT NULL,"
	" made_us INTEGER NOT NULL, until_us INTEGER NOT NULL, made_by TEXT NOT NULL,"
	" reason TEXT NOT NULL);";

static const char schema_3[] =
	"ALTER TABLE actions ADD COLUMN until_us INTEGER NOT NULL DEFAULT 0;"
	/* The identity of this ledger: a fresh one, whose ids start over, has another. */
	"INSERT INTO meta VALUES ('ledger_id', lower(hex(randomblob(16))));"
	/* How far each webhook has come in the actions (outbox.h). */
	"CREATE TABLE outbox (webhook TEXT PRIMARY KEY, done_id INTEGER NOT NULL,"
	" sent INTEGER NOT NULL, dead INTEGER NOT NULL) WITHOUT ROWID;"
	/* What the server of shared budgets said last (shared.h). */
	"CREATE TABLE shared (key TEXT PRIMARY KEY, budget TEXT NOT NULL, counter TEXT NOT NULL,"
	" window_us INTEGER NOT NULL, until_us INTEGER NOT NULL, own INTEGER NOT NULL,"
	" remote INTEGER NOT NULL) WITHOUT ROWID;";

static const char schema_4[] =
	/* Names that come late are found by these (rename.c). */
	"CREATE INDEX subjects_pod ON subjects (pod_uid, container_id);";

static const char schema_5[] =
	/* By how much an estimate may be off (struct charge). */
	"ALTER TABLE calls ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;";

/* What came of an action (enum action_result), which the sentences of older rows begin with. */
static const char schema_6[] =
	"ALTER TABLE actions ADD COLUMN outcome TEXT NOT NULL DEFAULT '';"
	"UPDATE actions SET outcome = CASE WHEN action = 'override' THEN 'ordered'"
	" WHEN result GLOB 'done: SIGKILL after the grace*' THEN 'finished'"
	" WHEN result GLOB 'done: it ended within the grace*' THEN 'finished'"
	" WHEN result GLOB 'done*' THEN 'done' WHEN result GLOB 'rehearsed*' THEN 'rehearsed'"
	" WHEN result GLOB 'ended*' THEN 'ended' WHEN result GLOB 'failed*' THEN 'failed'"
	" WHEN result GLOB 'refused*' THEN 'refused' ELSE '' END;";

/* Jobs that were charged (ledger_claim_job). */
static const char schema_7[] =
	"CREATE TABLE jobs (provider TEXT NOT NULL, id TEXT NOT NULL, time_us INTEGER NOT NULL,"
	" PRIMARY KEY (provider, id)) WITHOUT ROWID;"
	"CREATE INDEX jobs_time ON jobs (time_us);";

/*
 * How far below an estimate the truth may be, both in the money of budgets, and what usage claimed beyond what
 * can be (struct charge). Estimates so far were as far off either way.
 */
#define SCHEMA_8_COLUMNS(table)                                                     \
	"ALTER TABLE " table " ADD COLUMN under_input INTEGER NOT NULL DEFAULT 0;"  \
	"ALTER TABLE " table " ADD COLUMN under_output INTEGER NOT NULL DEFAULT 0;" \
	"ALTER TABLE " table " ADD COLUMN under_nanos INTEGER NOT NULL DEFAULT 0;"  \
	"ALTER TABLE " table " ADD COLUMN over_nanos INTEGER NOT NULL DEFAULT 0;"   \
	"ALTER TABLE " table " ADD COLUMN excess INTEGER NOT NULL DEFAULT 0;"       \
	"UPDATE " table " SET under_input = min(error_input, input),"               \
	" under_output = min(error_output, output), over_nanos = error_nanos,"      \
	" under_nanos = min(error_nanos, cost_nanos)"                               \
	" WHERE error_input OR error_output OR error_nanos;"
static const char schema_8[] = SCHEMA_8_COLUMNS("calls") SCHEMA_8_COLUMNS("hours");

/* When daemons measured (gaps.h). end_us 0: it runs, or did not come to say that it ended. */
static const char schema_9[] =
	"CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, begin_us INTEGER NOT NULL,"
	" seen_us INTEGER NOT NULL, end_us INTEGER NOT NULL);";

/* How a daemon ended (enum gap_why), and when it was last known to run, by CLOCK_MONOTONIC. */
static const char schema_10[] =
	"ALTER TABLE runs ADD COLUMN how INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN seen_mono_us INTEGER NOT NULL DEFAULT 0;";

/*
 * Tier and account tell services apart. beside_nanos (struct charge) is what a later price can not change. What other
 * prices made of calls is kept beside them (repricing.h).
 */
static const char schema_11[] =
	"CREATE TABLE services_11 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL,"
	" UNIQUE (model, host, provider, operation, price_key, price_origin, tier, account));"
	"INSERT INTO services_11 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, '', '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_11 RENAME TO services;"
	"ALTER TABLE calls ADD COLUMN beside_nanos INTEGER NOT NULL DEFAULT 0;"
	"CREATE TABLE repricings (id INTEGER PRIMARY KEY AUTOINCREMENT, made_us INTEGER NOT NULL,"
	" since_us INTEGER NOT NULL, until_us INTEGER NOT NULL, prices TEXT NOT NULL);"
	"CREATE TABLE repriced (call INTEGER NOT NULL, repricing INTEGER NOT NULL REFERENCES"
	" repricings, old_nanos INTEGER NOT NULL, cost_nanos INTEGER NOT NULL,"
	" price_key TEXT NOT NULL, price_origin TEXT NOT NULL,"
	" PRIMARY KEY (call, repricing)) WITHOUT ROWID;";

/* What stood at an action's rule then, and what calls in flight cost and were expected to cost. */
static const char schema_12[] =
	"ALTER TABLE actions ADD COLUMN rule_text TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE actions ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0;";

/*
 * What a caller says it is (struct charge) tells services apart, as tier and account do: of the caller's own columns a
 * process has one value each, and one process may speak through several clients.
 */
static const char schema_13[] =
	"CREATE TABLE services_13 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" UNIQUE (model, host, provider, operation, price_key, price_origin, tier, account, client));"
	"INSERT INTO services_13 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_13 RENAME TO services;";

/* How many calls a row is of: what nobody read of a connection is one estimate of all its requests (struct charge). */
static const char schema_14[] = "ALTER TABLE calls ADD COLUMN count INTEGER NOT NULL DEFAULT 1;";

/* Whose an action's target was, and when the step was reached that it is of. */
static const char schema_15[] =
	"ALTER TABLE actions ADD COLUMN who TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE actions ADD COLUMN decided_us INTEGER NOT NULL DEFAULT 0;";

/*
 * Who vouches for where a call went (struct charge) tells services apart likewise, so calls and hours know it. Nobody
 * asked in the time of older rows.
 */
static const char schema_16[] =
	"CREATE TABLE services_16 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" destination TEXT NOT NULL, UNIQUE (model, host, provider, operation, price_key,"
	" price_origin, tier, account, client, destination));"
	"INSERT INTO services_16 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, client, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_16 RENAME TO services;";

/* Of which image a container was. */
static const char schema_17[] =
	"CREATE TABLE subjects_17 (id INTEGER PRIMARY KEY, namespace TEXT NOT NULL,"
	" workload TEXT NOT NULL, pod TEXT NOT NULL, container TEXT NOT NULL, cgroup TEXT NOT NULL,"
	" unit TEXT NOT NULL, user TEXT NOT NULL, command TEXT NOT NULL, exe TEXT NOT NULL,"
	" container_id TEXT NOT NULL, pod_uid TEXT NOT NULL, labels TEXT NOT NULL,"
	" image TEXT NOT NULL, UNIQUE (cgroup, command, exe, user, namespace, workload, pod,"
	" container, unit, container_id, pod_uid, labels, image));"
	"INSERT INTO subjects_17 SELECT id, namespace, workload, pod, container, cgroup, unit,"
	" user, command, exe, container_id, pod_uid, labels, '' FROM subjects;"
	"DROP TABLE subjects;"
	"ALTER TABLE subjects_17 RENAME TO subjects;"
	"CREATE INDEX subjects_pod ON subjects (pod_uid, container_id);";

/* What a call went through (struct charge). */
static const char schema_18[] =
	"CREATE TABLE services_18 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" destination TEXT NOT NULL, via TEXT NOT NULL, UNIQUE (model, host, provider, operation,"
	" price_key, price_origin, tier, account, client, destination, via));"
	"INSERT INTO services_18 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, client, destination, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_18 RENAME TO services;";

/* Which API key it showed, by its fingerprint. */
static const char schema_19[] =
	"CREATE TABLE services_19 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" destination TEXT NOT NULL, via TEXT NOT NULL, api_key TEXT NOT NULL, UNIQUE (model, host, provider, operation,"
	" price_key, price_origin, tier, account, client, destination, via, api_key));"
	"INSERT INTO services_19 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, client, destination, via, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_19 RENAME TO services;";

/* migrations[n] takes a file from version n to n + 1. */
static const char *const migrations[] = { schema_1,  schema_2,  schema_3,  schema_4,  schema_5,
					  schema_6,  schema_7,  schema_8,  schema_9,  schema_10,
					  schema_11, schema_12, schema_13, schema_14, schema_15,
					  schema_16, schema_17, schema_18, schema_19 };
const int schema_version = (int)ARRAY_SIZE(migrations);

int schema_migrate(struct ledger *ledger, int64_t version)
{
	int err = ledger_exec(ledger, "BEGIN IMMEDIATE");
	char sql[64];

	for (; !err && version < schema_version; version++)
		err = ledger_exec(ledger, migrations[version]);
	snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; COMMIT", schema_version);
	if (!err)
		err = ledger_exec(ledger, sql);
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)ledger_exec(ledger, "ROLLBACK");
	return err;
}
