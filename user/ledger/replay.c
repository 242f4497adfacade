/* SPDX-License-Identifier: Apache-2.0 */
/* Calls read back, so that budgets can be rebuilt: by id, which is the order in which they were charged. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define CACHE 256 /* entries of each dictionary; 3 kB each */

/* Entries of the dictionaries; `id` is first in each. */
struct subject {
	int64_t id;
	struct who_group group;
	struct who_process process;
};

struct service {
	int64_t id;
	struct charge charge; /* the names only */
};

struct path {
	int64_t id;
	char path[CHARGE_PATH_LEN];
};

struct replay {
	struct subject subjects[CACHE];
	struct service services[CACHE];
	struct path paths[CACHE];
	sqlite3_stmt *calls, *find[LEDGER_DICTIONARIES];
};

static void replay_freep(struct replay **replay)
{
	if (!*replay)
		return;
	sqlite3_finalize((*replay)->calls);
	for (int i = 0; i < LEDGER_DICTIONARIES; i++)
		sqlite3_finalize((*replay)->find[i]);
	free(*replay);
}

struct field {
	size_t at, size; /* in the entry */
};
#define FIELD(type, member)                                            \
	{                                                              \
		offsetof(type, member), sizeof(((type *)NULL)->member) \
	}

/* In the order of ledger_columns. */
static const struct field subject_fields[] = {
	FIELD(struct subject, group.namespace), FIELD(struct subject, group.workload),
	FIELD(struct subject, group.pod),       FIELD(struct subject, group.container_name),
	FIELD(struct subject, group.path),      FIELD(struct subject, group.unit),
	FIELD(struct subject, process.user),    FIELD(struct subject, process.comm),
	FIELD(struct subject, process.exe),     FIELD(struct subject, group.container),
	FIELD(struct subject, group.pod_uid),   FIELD(struct subject, group.labels),
	FIELD(struct subject, group.image),
};
static const struct field service_fields[] = {
	FIELD(struct service, charge.host),      FIELD(struct service, charge.provider),
	FIELD(struct service, charge.model),     FIELD(struct service, charge.operation),
	FIELD(struct service, charge.price_key), FIELD(struct service, charge.price_origin),
	FIELD(struct service, charge.tier),      FIELD(struct service, charge.account),
	FIELD(struct service, charge.client),    FIELD(struct service, charge.destination),
	FIELD(struct service, charge.via),       FIELD(struct service, charge.api_key),
};
static const struct field path_fields[] = { FIELD(struct path, path) };

static const struct dictionary {
	const char *table;
	size_t at, entry_size; /* of its entries in struct replay */
	const struct field *fields;
	size_t n_fields;
} dictionaries[LEDGER_DICTIONARIES] = {
	[LEDGER_SUBJECTS] = { "subjects", offsetof(struct replay, subjects), sizeof(struct subject),
			      subject_fields, ARRAY_SIZE(subject_fields) },
	[LEDGER_SERVICES] = { "services", offsetof(struct replay, services), sizeof(struct service),
			      service_fields, ARRAY_SIZE(service_fields) },
	[LEDGER_PATHS] = { "paths", offsetof(struct replay, paths), sizeof(struct path),
			   path_fields, ARRAY_SIZE(path_fields) },
};

/* The entry of an id, empty if the dictionary lacks it. It is kept until another takes its place. */
static void *entry_of(struct replay *replay, enum ledger_words which, int64_t id)
{
	const struct dictionary *dictionary = &dictionaries[which];
	char *entry = (char *)replay + dictionary->at +
		      (uint64_t)id % CACHE * dictionary->entry_size;
	sqlite3_stmt *row = replay->find[which];

	if (*(int64_t *)entry == id)
		return entry;
	memset(entry, 0, dictionary->entry_size);
	sqlite3_bind_int64(row, 1, id);
	if (sqlite3_step(row) == SQLITE_ROW)
		for (size_t i = 0; i < dictionary->n_fields; i++)
			snprintf(entry + dictionary->fields[i].at, dictionary->fields[i].size, "%s",
				 (const char *)sqlite3_column_text(row, (int)i) ?: "");
	*(int64_t *)entry = id;
	sqlite3_reset(row);
	return entry;
}

/* where: of the table of calls, with its order. */
static int prepare(struct ledger *ledger, struct replay *replay, const char *where)
{
	struct sql sql = { .len = 0 };
	int err = 0;

	for (int which = 0; !err && which < LEDGER_DICTIONARIES; which++) {
		char text[320] = "SELECT ";

		for (size_t i = 0; ledger_columns[which][i]; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 i ? ", " : "", ledger_columns[which][i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " FROM %s WHERE id = ?",
			 dictionaries[which].table);
		err = ledger_prepare(ledger, text, &replay->find[which]);
	}
	if (err)
		return err;
	sql_add(&sql,
		"SELECT id, start_us, subject, service, path, pid, uid, status, source, outcome,"
		" priced, stream, first_token_us, duration_us,"
		" beside_nanos, count");
	sql_add_sums(&sql);
	sql_add(&sql, " FROM calls WHERE %s ORDER BY id", where);
	return ledger_prepare(ledger, sql.text, &replay->calls);
}

static enum charge_source source_of(const char *name)
{
	for (int i = 0; i < CHARGE_SOURCES; i++)
		if (!strcmp(name, charge_source_name(i)))
			return i;
	return CHARGE_SIZE;
}

static enum charge_outcome outcome_of(const char *name)
{
	for (int i = 0; i <= CHARGE_NO_ANSWER; i++)
		if (!strcmp(name, charge_outcome_name(i)))
			return i;
	return CHARGE_ERROR;
}

static void read_charge(sqlite3_stmt *row, struct charge *charge)
{
	int at = 7;

	charge->status = sqlite3_column_int(row, at++);
	charge->source = source_of((const char *)sqlite3_column_text(row, at++) ?: "");
	charge->outcome = outcome_of((const char *)sqlite3_column_text(row, at++) ?: "");
	charge->is_priced = sqlite3_column_int(row, at++);
	charge->is_stream = sqlite3_column_int(row, at++);
	charge->first_token_ns = (uint64_t)sqlite3_column_int64(row, at++) * 1000;
	charge->duration_ns = (uint64_t)sqlite3_column_int64(row, at++) * 1000;
	charge->beside_nanos = sqlite3_column_int64(row, at++);
	charge->count = (uint32_t)sqlite3_column_int64(row, at++);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		*usage_at(&charge->usage, i) = (uint64_t)sqlite3_column_int64(row, at + (int)i);
	charge->cost_nanos = sqlite3_column_int64(row, at + SUM_COST_NANOS);
	charge->budget_nanos = sqlite3_column_int64(row, at + SUM_BUDGET_NANOS);
	charge->request_bytes = (uint64_t)sqlite3_column_int64(row, at + SUM_REQUEST_BYTES);
	charge->response_bytes = (uint64_t)sqlite3_column_int64(row, at + SUM_RESPONSE_BYTES);
	charge->error_input = (uint64_t)sqlite3_column_int64(row, at + SUM_ERROR_INPUT);
	charge->error_output = (uint64_t)sqlite3_column_int64(row, at + SUM_ERROR_OUTPUT);
	charge->error_nanos = sqlite3_column_int64(row, at + SUM_ERROR_NANOS);
	charge->under_input = (uint64_t)sqlite3_column_int64(row, at + SUM_UNDER_INPUT);
	charge->under_output = (uint64_t)sqlite3_column_int64(row, at + SUM_UNDER_OUTPUT);
	charge->under_nanos = sqlite3_column_int64(row, at + SUM_UNDER_NANOS);
	charge->over_nanos = sqlite3_column_int64(row, at + SUM_OVER_NANOS);
	charge->excess = (uint64_t)sqlite3_column_int64(row, at + SUM_EXCESS);
}

static int hand_back(struct replay *replay, void (*fn)(void *arg, const struct ledger_call *call),
		     void *arg)
{
	int result;

	while ((result = sqlite3_step(replay->calls)) == SQLITE_ROW) {
		sqlite3_stmt *row = replay->calls;
		struct subject *subject = entry_of(replay, LEDGER_SUBJECTS,
						   sqlite3_column_int64(row, 2));
		struct service *service = entry_of(replay, LEDGER_SERVICES,
						   sqlite3_column_int64(row, 3));
		struct path *path = entry_of(replay, LEDGER_PATHS, sqlite3_column_int64(row, 4));
		struct charge charge = service->charge;
		struct ledger_call call = { .id = sqlite3_column_int64(row, 0),
					    .start_us = sqlite3_column_int64(row, 1),
					    .charge = &charge,
					    .group = &subject->group,
					    .process = &subject->process };

		snprintf(charge.path, sizeof(charge.path), "%s", path->path);
		subject->process.tgid = (uint32_t)sqlite3_column_int64(row, 5);
		subject->process.uid = (uid_t)sqlite3_column_int64(row, 6);
		read_charge(row, &charge);
		fn(arg, &call);
	}
	return ledger_errno(result);
}

int ledger_replay(struct ledger *ledger, int64_t since_us,
		  void (*fn)(void *arg, const struct ledger_call *call), void *arg)
{
	/* The least id by a walk of the index alone, then the table in its own order. */
	static const char where[] = "start_us + 0 >= ?1 AND id >="
				    " (SELECT min(id) FROM calls WHERE start_us >= ?1)";
	_cleanup_(replay_freep) struct replay *replay = calloc(1, sizeof(*replay));
	int err;

	if (!replay)
		return -ENOMEM;
	(void)ledger_flush(ledger);
	err = prepare(ledger, replay, where);
	if (err)
		return err;
	sqlite3_bind_int64(replay->calls, 1, since_us);
	return hand_back(replay, fn, arg);
}

int ledger_calls(struct ledger *ledger, const int64_t *ids, size_t n,
		 void (*fn)(void *arg, const struct ledger_call *call), void *arg)
{
	_cleanup_(replay_freep) struct replay *replay = calloc(1, sizeof(*replay));
	struct sql where = { .len = 0 };
	int err;

	if (!replay)
		return -ENOMEM;
	(void)ledger_flush(ledger);
	sql_add(&where, "id IN (");
	for (size_t i = 0; i < n; i++)
		sql_add(&where, "%s%" PRId64, i ? ", " : "", ids[i]);
	sql_add(&where, ")");
	err = prepare(ledger, replay, where.text);
	return err ? err : hand_back(replay, fn, arg);
}
