/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schemas that ledgers in the field were made with, as they were then: a copy, so that no change of
 * ledger/schema.c can change what its migrations are tried on. old_schemas[n] takes a file from version n to n + 1.
 */
#ifndef UNIT_OLD_SCHEMAS_H
#define UNIT_OLD_SCHEMAS_H

static const char old_schema_1[] =
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

static const char old_schema_2[] =
	"CREATE TABLE standing (boot TEXT NOT NULL, kind INTEGER NOT NULL, pid INTEGER NOT NULL,"
	" start_ticks INTEGER NOT NULL, cgroup TEXT NOT NULL,"
	" PRIMARY KEY (boot, kind, pid, start_ticks, cgroup)) WITHOUT ROWID;"
	"CREATE TABLE overrides (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
	" key TEXT NOT NULL, limit_nanos INTEGER NOT NULL, limit_tokens INTEGER NOT NULL,"
	" made_us INTEGER NOT NULL, until_us INTEGER NOT NULL, made_by TEXT NOT NULL,"
	" reason TEXT NOT NULL);";

static const char old_schema_3[] =
	"ALTER TABLE actions ADD COLUMN until_us INTEGER NOT NULL DEFAULT 0;"
	"INSERT INTO meta VALUES ('ledger_id', lower(hex(randomblob(16))));"
	"CREATE TABLE outbox (webhook TEXT PRIMARY KEY, done_id INTEGER NOT NULL,"
	" sent INTEGER NOT NULL, dead INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE shared (key TEXT PRIMARY KEY, budget TEXT NOT NULL, counter TEXT NOT NULL,"
	" window_us INTEGER NOT NULL, until_us INTEGER NOT NULL, own INTEGER NOT NULL,"
	" remote INTEGER NOT NULL) WITHOUT ROWID;";

static const char old_schema_4[] = "CREATE INDEX subjects_pod ON subjects (pod_uid, container_id);";

static const char old_schema_5[] =
	"ALTER TABLE calls ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE calls ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_input INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_output INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE hours ADD COLUMN error_nanos INTEGER NOT NULL DEFAULT 0;";

static const char old_schema_6[] =
	"ALTER TABLE actions ADD COLUMN outcome TEXT NOT NULL DEFAULT '';"
	"UPDATE actions SET outcome = CASE WHEN action = 'override' THEN 'ordered'"
	" WHEN result GLOB 'done: SIGKILL after the grace*' THEN 'finished'"
	" WHEN result GLOB 'done: it ended within the grace*' THEN 'finished'"
	" WHEN result GLOB 'done*' THEN 'done' WHEN result GLOB 'rehearsed*' THEN 'rehearsed'"
	" WHEN result GLOB 'ended*' THEN 'ended' WHEN result GLOB 'failed*' THEN 'failed'"
	" WHEN result GLOB 'refused*' THEN 'refused' ELSE '' END;";

static const char old_schema_7[] =
	"CREATE TABLE jobs (provider TEXT NOT NULL, id TEXT NOT NULL, time_us INTEGER NOT NULL,"
	" PRIMARY KEY (provider, id)) WITHOUT ROWID;"
	"CREATE INDEX jobs_time ON jobs (time_us);";

#define OLD_SCHEMA_8_COLUMNS(table)                                                 \
	"ALTER TABLE " table " ADD COLUMN under_input INTEGER NOT NULL DEFAULT 0;"  \
	"ALTER TABLE " table " ADD COLUMN under_output INTEGER NOT NULL DEFAULT 0;" \
	"ALTER TABLE " table " ADD COLUMN under_nanos INTEGER NOT NULL DEFAULT 0;"  \
	"ALTER TABLE " table " ADD COLUMN over_nanos INTEGER NOT NULL DEFAULT 0;"   \
	"ALTER TABLE " table " ADD COLUMN excess INTEGER NOT NULL DEFAULT 0;"       \
	"UPDATE " table " SET under_input = min(error_input, input),"               \
	" under_output = min(error_output, output), over_nanos = error_nanos,"      \
	" under_nanos = min(error_nanos, cost_nanos)"                               \
	" WHERE error_input OR error_output OR error_nanos;"
static const char old_schema_8[] = OLD_SCHEMA_8_COLUMNS("calls") OLD_SCHEMA_8_COLUMNS("hours");

static const char old_schema_9[] =
	"CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, begin_us INTEGER NOT NULL,"
	" seen_us INTEGER NOT NULL, end_us INTEGER NOT NULL);";

static const char old_schema_10[] =
	"ALTER TABLE runs ADD COLUMN how INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE runs ADD COLUMN seen_mono_us INTEGER NOT NULL DEFAULT 0;";

static const char old_schema_11[] =
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

static const char old_schema_12[] =
	"ALTER TABLE actions ADD COLUMN rule_text TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE actions ADD COLUMN in_flight INTEGER NOT NULL DEFAULT 0;";

static const char old_schema_13[] =
	"CREATE TABLE services_13 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" UNIQUE (model, host, provider, operation, price_key, price_origin, tier, account, client));"
	"INSERT INTO services_13 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_13 RENAME TO services;";

static const char old_schema_14[] = "ALTER TABLE calls ADD COLUMN count INTEGER NOT NULL DEFAULT 1;";

static const char old_schema_15[] =
	"ALTER TABLE actions ADD COLUMN who TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE actions ADD COLUMN decided_us INTEGER NOT NULL DEFAULT 0;";

static const char old_schema_16[] =
	"CREATE TABLE services_16 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" destination TEXT NOT NULL, UNIQUE (model, host, provider, operation, price_key,"
	" price_origin, tier, account, client, destination));"
	"INSERT INTO services_16 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, client, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_16 RENAME TO services;";

static const char old_schema_17[] =
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

static const char old_schema_18[] =
	"CREATE TABLE services_18 (id INTEGER PRIMARY KEY, host TEXT NOT NULL, provider TEXT NOT NULL,"
	" model TEXT NOT NULL, operation TEXT NOT NULL, price_key TEXT NOT NULL,"
	" price_origin TEXT NOT NULL, tier TEXT NOT NULL, account TEXT NOT NULL, client TEXT NOT NULL,"
	" destination TEXT NOT NULL, via TEXT NOT NULL, UNIQUE (model, host, provider, operation,"
	" price_key, price_origin, tier, account, client, destination, via));"
	"INSERT INTO services_18 SELECT id, host, provider, model, operation, price_key,"
	" price_origin, tier, account, client, destination, '' FROM services;"
	"DROP TABLE services;"
	"ALTER TABLE services_18 RENAME TO services;";

static const char *const old_schemas[] = {
	old_schema_1,  old_schema_2,  old_schema_3,  old_schema_4,  old_schema_5,  old_schema_6,
	old_schema_7,  old_schema_8,  old_schema_9,  old_schema_10, old_schema_11, old_schema_12,
	old_schema_13, old_schema_14, old_schema_15, old_schema_16, old_schema_17, old_schema_18
};

#endif
