/* SPDX-License-Identifier: Apache-2.0 */
/* Calls read back, so that budgets can be rebuilt: by id, which is the order they were charged in.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define CACHE 256 /* entries of each dictionary; 3 kB each */

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

#define COPY(to, statement, column) \
	snprintf(to, sizeof(to), "%s", (const char *)sqlite3_column_text(statement, column) ?: "")

/* Steps a dictionary's look-up to the row of an id; NULL: it is not there. Reset it after use. */
static sqlite3_stmt *look_up(sqlite3_stmt *find, int64_t id)
{
	sqlite3_bind_int64(find, 1, id);
	return sqlite3_step(find) == SQLITE_ROW ? find : NULL;
}

static struct subject *subject_of(struct replay *replay, int64_t id)
{
	struct subject *subject = &replay->subjects[(uint64_t)id % CACHE];
	sqlite3_stmt *row;

	if (subject->id == id)
		return subject;
	memset(subject, 0, sizeof(*subject));
	row = look_up(replay->find[LEDGER_SUBJECTS], id);
	if (row) {
		COPY(subject->group.namespace, row, 0);
		COPY(subject->group.workload, row, 1);
		COPY(subject->group.pod, row, 2);
		COPY(subject->group.container_name, row, 3);
		COPY(subject->group.path, row, 4);
		COPY(subject->group.unit, row, 5);
		COPY(subject->process.user, row, 6);
		COPY(subject->process.comm, row, 7);
		COPY(subject->process.exe, row, 8);
		COPY(subject->group.container, row, 9);
		COPY(subject->group.pod_uid, row, 10);
		COPY(subject->group.labels, row, 11);
	}
	subject->id = id;
	sqlite3_reset(replay->find[LEDGER_SUBJECTS]);
	return subject;
}

static struct service *service_of(struct replay *replay, int64_t id)
{
	struct service *service = &replay->services[(uint64_t)id % CACHE];
	sqlite3_stmt *row;

	if (service->id == id)
		return service;
	memset(service, 0, sizeof(*service));
	row = look_up(replay->find[LEDGER_SERVICES], id);
	if (row) {
		COPY(service->charge.host, row, 0);
		COPY(service->charge.provider, row, 1);
		COPY(service->charge.model, row, 2);
		COPY(service->charge.operation, row, 3);
		COPY(service->charge.price_key, row, 4);
		COPY(service->charge.price_origin, row, 5);
		COPY(service->charge.tier, row, 6);
		COPY(service->charge.account, row, 7);
	}
	service->id = id;
	sqlite3_reset(replay->find[LEDGER_SERVICES]);
	return service;
}

static const char *path_of(struct replay *replay, int64_t id)
{
	struct path *path = &replay->paths[(uint64_t)id % CACHE];
	sqlite3_stmt *row;

	if (path->id == id)
		return path->path;
	memset(path, 0, sizeof(*path));
	row = look_up(replay->find[LEDGER_PATHS], id);
	if (row)
		COPY(path->path, row, 0);
	path->id = id;
	sqlite3_reset(replay->find[LEDGER_PATHS]);
	return path->path;
}

static int prepare(struct ledger *ledger, struct replay *replay)
{
	static const char *const tables[LEDGER_DICTIONARIES] = { "subjects", "services", "paths" };
	struct sql sql = { .len = 0 };
	int err = 0;

	for (int which = 0; !err && which < LEDGER_DICTIONARIES; which++) {
		char text[320] = "SELECT ";

		for (size_t i = 0; ledger_columns[which][i]; i++)
			snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s",
				 i ? ", " : "", ledger_columns[which][i]);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), " FROM %s WHERE id = ?",
			 tables[which]);
		err = ledger_prepare(ledger, text, &replay->find[which]);
	}
	if (err)
		return err;
	sql_add(&sql,
		"SELECT id, start_us, subject, service, path, pid, uid, status, source, outcome,"
		" priced, stream, first_token_us, duration_us,"
		" beside_nanos");
	sql_add_sums(&sql);
	/* The least id by a walk of the index alone, then the table in its own order. */
	sql_add(&sql, " FROM calls WHERE start_us + 0 >= ?1 AND id >="
		      " (SELECT min(id) FROM calls WHERE start_us >= ?1) ORDER BY id");
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

int ledger_replay(struct ledger *ledger, int64_t since_us,
		  void (*fn)(void *arg, const struct ledger_call *call), void *arg)
{
	_cleanup_(replay_freep) struct replay *replay = calloc(1, sizeof(*replay));
	int err, result;

	if (!replay)
		return -ENOMEM;
	(void)ledger_flush(ledger);
	err = prepare(ledger, replay);
	if (err)
		return err;
	sqlite3_bind_int64(replay->calls, 1, since_us);
	while ((result = sqlite3_step(replay->calls)) == SQLITE_ROW) {
		sqlite3_stmt *row = replay->calls;
		struct subject *subject = subject_of(replay, sqlite3_column_int64(row, 2));
		struct service *service = service_of(replay, sqlite3_column_int64(row, 3));
		struct charge charge = service->charge;
		struct ledger_call call = { .id = sqlite3_column_int64(row, 0),
					    .start_us = sqlite3_column_int64(row, 1),
					    .charge = &charge,
					    .group = &subject->group,
					    .process = &subject->process };

		snprintf(charge.path, sizeof(charge.path), "%s",
			 path_of(replay, sqlite3_column_int64(row, 4)));
		subject->process.tgid = (uint32_t)sqlite3_column_int64(row, 5);
		subject->process.uid = (uid_t)sqlite3_column_int64(row, 6);
		read_charge(row, &charge);
		fn(arg, &call);
	}
	return ledger_errno(result);
}
