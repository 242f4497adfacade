/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls on their way to the disk. A row waits here until its transaction is known to be on disk, so
 * a full disk costs nothing until LEDGER_QUEUE rows wait. What repeats (whose, which service, which
 * path) is held once, in memory and in the file.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

#define BATCH       1024 /* rows that are written without waiting for the timer: about 15 ms */
#define WORDS_MAX   4096 /* of each dictionary; about 0.4 kB each, at most 2.5 kB */
#define PACKED_MAX  6144
#define US_PER_HOUR 3600000000LL

const char *const ledger_columns[LEDGER_DICTIONARIES][LEDGER_COLUMNS_MAX + 1] = {
	[LEDGER_SUBJECTS] = { "namespace", "workload", "pod", "container", "cgroup", "unit", "user",
			      "command", "exe", "container_id", "pod_uid", "labels", "image", NULL },
	[LEDGER_SERVICES] = { "host", "provider", "model", "operation", "price_key", "price_origin",
			      "tier", "account", "client", "destination", "via", "api_key", NULL },
	[LEDGER_PATHS] = { "path", NULL },
};
static const char *const tables[LEDGER_DICTIONARIES] = { "subjects", "services", "paths" };

struct ledger_word {
	UT_hash_handle hh;
	int64_t id;    /* 0: not known to be in the file */
	uint32_t refs; /* rows that wait with it */
	char packed[]; /* the columns' texts, each with its NUL */
};

struct row {
	int64_t id, start_us;
	struct ledger_word *words[LEDGER_DICTIONARIES];
	uint32_t pid, uid;
	int status;
	enum charge_source source;
	enum charge_outcome outcome;
	bool is_priced, is_stream;
	uint32_t count;
	int64_t first_token_us, duration_us, beside_nanos;
	int64_t sums[SUMS];
};

struct call_queue {
	struct row *rows; /* a ring */
	size_t first, n;
	uint64_t lost;
	struct ledger_word *words[LEDGER_DICTIONARIES];
	sqlite3_stmt *intern[LEDGER_DICTIONARIES];
	sqlite3_stmt *add_call, *add_hour;
};

static int prepare_intern(struct ledger *ledger, enum ledger_words which)
{
	char names[256] = "", marks[64] = "", sql[640];
	const char *const *columns = ledger_columns[which];

	for (size_t i = 0; columns[i]; i++) {
		snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s%s", i ? "," : "",
			 columns[i]);
		snprintf(marks + strlen(marks), sizeof(marks) - strlen(marks), "%s?", i ? "," : "");
	}
	/* DO UPDATE, since RETURNING says nothing of a row that DO NOTHING left alone. */
	snprintf(sql, sizeof(sql),
		 "INSERT INTO %s (%s) VALUES (%s) ON CONFLICT DO UPDATE SET %s = %s RETURNING id",
		 tables[which], names, marks, columns[0], columns[0]);
	return ledger_prepare(ledger, sql, &ledger->queue->intern[which]);
}

static int prepare_call(struct ledger *ledger)
{
	struct sql sql = { .len = 0 };

	sql_add(&sql,
		"INSERT INTO calls (id, start_us, subject, service, path, pid, uid, status, source,"
		" outcome, priced, stream, first_token_us, duration_us,"
		" beside_nanos, count");
	sql_add_sums(&sql);
	sql_add(&sql, ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?");
	sql_add_sum_marks(&sql);
	sql_add(&sql, ")");
	return ledger_prepare(ledger, sql.text, &ledger->queue->add_call);
}

static int prepare_hour(struct ledger *ledger)
{
	struct sql sql = { .len = 0 };

	sql_add(&sql, "INSERT INTO hours (calls, hour, subject, service, source, unpriced");
	sql_add_sums(&sql);
	sql_add(&sql, ") VALUES (?, ?, ?, ?, ?, ?");
	sql_add_sum_marks(&sql);
	sql_add(&sql, ") ON CONFLICT DO UPDATE SET calls = calls + excluded.calls,"
		      " unpriced = unpriced + excluded.unpriced");
	sql_add_sum_updates(&sql);
	return ledger_prepare(ledger, sql.text, &ledger->queue->add_hour);
}

int call_queue_new(struct ledger *ledger)
{
	struct call_queue *queue = calloc(1, sizeof(*queue));
	int err = 0;

	if (!queue)
		return -ENOMEM;
	ledger->queue = queue;
	queue->rows = calloc(LEDGER_QUEUE, sizeof(*queue->rows));
	if (!queue->rows)
		return -ENOMEM;
	for (int i = 0; !err && i < LEDGER_DICTIONARIES; i++)
		err = prepare_intern(ledger, i);
	if (!err)
		err = prepare_call(ledger);
	return err ? err : prepare_hour(ledger);
}

void call_queue_free(struct ledger *ledger)
{
	struct call_queue *queue = ledger->queue;
	struct ledger_word *word, *next;

	if (!queue)
		return;
	for (int i = 0; i < LEDGER_DICTIONARIES; i++) {
		HASH_ITER(hh, queue->words[i], word, next) {
			HASH_DEL(queue->words[i], word);
			free(word);
		}
		sqlite3_finalize(queue->intern[i]);
	}
	sqlite3_finalize(queue->add_call);
	sqlite3_finalize(queue->add_hour);
	free(queue->rows);
	free(queue);
	ledger->queue = NULL;
}

bool call_queue_is_empty(const struct ledger *ledger)
{
	return !ledger->queue->n;
}

uint64_t ledger_pending(const struct ledger *ledger)
{
	return ledger->queue ? ledger->queue->n : 0;
}

uint64_t ledger_lost(const struct ledger *ledger)
{
	return ledger->queue ? ledger->queue->lost : 0;
}

/* Forgets every word that no row waits with. */
static void sweep_words(struct call_queue *queue, enum ledger_words which)
{
	struct ledger_word *word, *next;

	HASH_ITER(hh, queue->words[which], word, next) {
		if (word->refs)
			continue;
		HASH_DEL(queue->words[which], word);
		free(word);
	}
}

static struct ledger_word *intern(struct call_queue *queue, enum ledger_words which,
				  const char *const *texts)
{
	struct ledger_word *word = NULL;
	char packed[PACKED_MAX];
	size_t len = 0;

	for (size_t i = 0; ledger_columns[which][i]; i++) {
		size_t n = strlen(texts[i]) + 1;

		if (len + n > sizeof(packed))
			return NULL;
		memcpy(packed + len, texts[i], n);
		len += n;
	}
	HASH_FIND(hh, queue->words[which], packed, len, word);
	if (word)
		return word;
	if (HASH_COUNT(queue->words[which]) >= WORDS_MAX)
		sweep_words(queue, which);
	word = calloc(1, sizeof(*word) + len);
	if (!word)
		return NULL;
	memcpy(word->packed, packed, len);
	HASH_ADD(hh, queue->words[which], packed, len, word);
	if (!word->hh.tbl) {
		free(word);
		return NULL;
	}
	return word;
}

static int64_t clamp(uint64_t value, uint64_t max)
{
	return (int64_t)(value < max ? value : max);
}

static int64_t clamp_nanos(int64_t nanos)
{
	return nanos < 0 ? 0 : nanos < CHARGE_NANOS_MAX ? nanos : CHARGE_NANOS_MAX;
}

/* Of what a cost has beside the classes, either way. */
static int64_t clamp_beside(int64_t nanos)
{
	return nanos < 0 ? -clamp_nanos(-nanos) : clamp_nanos(nanos);
}

static void fill_row(struct row *row, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;

	row->start_us = call->start_us;
	row->pid = call->process->tgid;
	row->uid = call->process->uid;
	row->status = charge->status;
	row->source = charge->source;
	row->outcome = charge->outcome;
	row->is_priced = charge->is_priced;
	row->is_stream = charge->is_stream;
	row->count = charge_count(charge);
	row->first_token_us = clamp(charge->first_token_ns / 1000, CHARGE_BYTES_MAX);
	row->duration_us = clamp(charge->duration_ns / 1000, CHARGE_BYTES_MAX);
	row->beside_nanos = clamp_beside(charge->beside_nanos);
	for (size_t i = 0; i < USAGE_COUNT; i++)
		row->sums[i] = clamp(usage_get(&charge->usage, i), CHARGE_TOKENS_MAX);
	row->sums[SUM_COST_NANOS] = clamp_nanos(charge->cost_nanos);
	row->sums[SUM_BUDGET_NANOS] = clamp_nanos(charge->budget_nanos);
	row->sums[SUM_REQUEST_BYTES] = clamp(charge->request_bytes, CHARGE_BYTES_MAX);
	row->sums[SUM_RESPONSE_BYTES] = clamp(charge->response_bytes, CHARGE_BYTES_MAX);
	row->sums[SUM_ERROR_INPUT] = clamp(charge->error_input, CHARGE_TOKENS_MAX);
	row->sums[SUM_ERROR_OUTPUT] = clamp(charge->error_output, CHARGE_TOKENS_MAX);
	row->sums[SUM_ERROR_NANOS] = clamp_nanos(charge->error_nanos);
	row->sums[SUM_UNDER_INPUT] = clamp(charge->under_input, CHARGE_TOKENS_MAX);
	row->sums[SUM_UNDER_OUTPUT] = clamp(charge->under_output, CHARGE_TOKENS_MAX);
	row->sums[SUM_UNDER_NANOS] = clamp_nanos(charge->under_nanos);
	row->sums[SUM_OVER_NANOS] = clamp_nanos(charge->over_nanos);
	row->sums[SUM_EXCESS] = clamp(charge->excess, CHARGE_TOKENS_MAX);
}

int call_queue_add(struct ledger *ledger, const struct ledger_call *call, int64_t *ret_id)
{
	const struct charge *charge = call->charge;
	const struct who_group *group = call->group;
	const struct who_process *process = call->process;
	const char *const subject[] = { group->namespace,      group->workload, group->pod,
					group->container_name, group->path,     group->unit,
					process->user,         process->comm,   process->exe,
					group->container,      group->pod_uid,  group->labels,
					group->image };
	const char *const service[] = {
		charge->host,      charge->provider,     charge->model, charge->operation,
		charge->price_key, charge->price_origin, charge->tier,  charge->account,
		charge->client,    charge->destination,  charge->via,   charge->api_key
	};
	const char *const path[] = { charge->path };
	const char *const *texts[] = { subject, service, path };
	struct call_queue *queue = ledger->queue;
	struct row *row;

	if (!queue)
		return -EROFS;
	if (queue->n >= LEDGER_QUEUE) {
		queue->lost++;
		return -ENOBUFS;
	}
	row = &queue->rows[(queue->first + queue->n) % LEDGER_QUEUE];
	/* Referenced one by one: looking up the next may sweep those without a row. */
	for (int i = 0; i < LEDGER_DICTIONARIES; i++) {
		row->words[i] = intern(queue, i, texts[i]);
		if (row->words[i]) {
			row->words[i]->refs++;
			continue;
		}
		while (i--)
			row->words[i]->refs--;
		queue->lost++;
		return -ENOMEM;
	}
	fill_row(row, call);
	row->id = ledger->next_id++;
	queue->n++;
	if (ret_id)
		*ret_id = row->id;
	return queue->n % BATCH == 0;
}

static int write_word(struct call_queue *queue, enum ledger_words which, struct ledger_word *word)
{
	sqlite3_stmt *statement = queue->intern[which];
	const char *text = word->packed;
	int result;

	if (word->id)
		return 0;
	for (int i = 0; ledger_columns[which][i]; i++) {
		sql_bind_name(statement, i + 1, text);
		text += strlen(text) + 1;
	}
	result = sqlite3_step(statement);
	if (result == SQLITE_ROW) {
		word->id = sqlite3_column_int64(statement, 0);
		result = sqlite3_step(statement);
	}
	sqlite3_reset(statement);
	return ledger_errno(result);
}

static void bind_sums(sqlite3_stmt *statement, int at, const struct row *row)
{
	for (size_t i = 0; i < SUMS; i++)
		sqlite3_bind_int64(statement, at++, row->sums[i]);
}

static int step_once(sqlite3_stmt *statement)
{
	int result = sqlite3_step(statement);

	sqlite3_reset(statement);
	return ledger_errno(result);
}

static int write_call(struct call_queue *queue, const struct row *row)
{
	sqlite3_stmt *statement = queue->add_call;
	const int64_t heads[] = { row->id,
				  row->start_us,
				  row->words[LEDGER_SUBJECTS]->id,
				  row->words[LEDGER_SERVICES]->id,
				  row->words[LEDGER_PATHS]->id,
				  row->pid,
				  row->uid,
				  row->status };
	int at = 1;

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		sqlite3_bind_int64(statement, at++, heads[i]);
	sqlite3_bind_text(statement, at++, charge_source_name(row->source), -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, at++, charge_outcome_name(row->outcome), -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, at++, row->is_priced);
	sqlite3_bind_int(statement, at++, row->is_stream);
	sqlite3_bind_int64(statement, at++, row->first_token_us);
	sqlite3_bind_int64(statement, at++, row->duration_us);
	sqlite3_bind_int64(statement, at++, row->beside_nanos);
	sqlite3_bind_int64(statement, at++, row->count);
	bind_sums(statement, at, row);
	return step_once(statement);
}

static int write_hour(struct call_queue *queue, const struct row *row)
{
	sqlite3_stmt *statement = queue->add_hour;
	int64_t hour = row->start_us / US_PER_HOUR - (row->start_us % US_PER_HOUR < 0);

	sqlite3_bind_int64(statement, 1, row->count);
	sqlite3_bind_int64(statement, 2, hour);
	sqlite3_bind_int64(statement, 3, row->words[LEDGER_SUBJECTS]->id);
	sqlite3_bind_int64(statement, 4, row->words[LEDGER_SERVICES]->id);
	sqlite3_bind_text(statement, 5, charge_source_name(row->source), -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6,
			   !row->is_priced && row->source != CHARGE_FREE ? row->count : 0);
	bind_sums(statement, 7, row);
	return step_once(statement);
}

static int write_row(struct call_queue *queue, struct row *row)
{
	int err = 0;

	for (int i = 0; !err && i < LEDGER_DICTIONARIES; i++)
		err = write_word(queue, i, row->words[i]);
	if (!err)
		err = write_call(queue, row);
	return err ? err : write_hour(queue, row);
}

int call_queue_write(struct ledger *ledger)
{
	struct call_queue *queue = ledger->queue;

	for (size_t i = 0; i < queue->n; i++) {
		struct row *row = &queue->rows[(queue->first + i) % LEDGER_QUEUE];
		int err = write_row(queue, row);

		/* A row that SQLite will never take must not hold up those behind it. */
		if (err == -EINVAL)
			queue->lost++;
		else if (err)
			return err;
	}
	return 0;
}

void call_queue_written(struct ledger *ledger, bool committed)
{
	struct call_queue *queue = ledger->queue;
	struct ledger_word *word, *next;

	for (; committed && queue->n; queue->n--) {
		struct row *row = &queue->rows[queue->first];

		for (int i = 0; i < LEDGER_DICTIONARIES; i++)
			row->words[i]->refs--;
		queue->first = (queue->first + 1) % LEDGER_QUEUE;
	}
	/* Ids that were given in a transaction that is gone mean nothing. */
	for (int i = 0; !committed && i < LEDGER_DICTIONARIES; i++)
		HASH_ITER(hh, queue->words[i], word, next)
			word->id = 0;
}
