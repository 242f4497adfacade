/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of actions, and the facts that the daemon tells. */
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

/* An action's texts, in the order of the table. */
enum {
	TEXT_BUDGET,
	TEXT_RULE,
	TEXT_ACTION,
	TEXT_SUBJECT,
	TEXT_TARGET,
	TEXT_RESULT,
	TEXT_CALLS,
	TEXTS
};
#define TEXT_MAX 2048 /* the longest, a cgroup path, has 512 */

struct queued {
	STAILQ_ENTRY(queued) link;
	struct ledger_action action;
	char *texts[TEXTS];
};

struct action_queue {
	STAILQ_HEAD(, queued) waiting;
	size_t n;
	sqlite3_stmt *add, *put;
};

int action_queue_new(struct ledger *ledger)
{
	struct action_queue *actions = calloc(1, sizeof(*actions));
	int err;

	if (!actions)
		return -ENOMEM;
	STAILQ_INIT(&actions->waiting);
	ledger->actions = actions;
	err = ledger_prepare(
		ledger,
		"INSERT INTO actions (time_us, budget, rule, action, subject, target,"
		" result, rehearsed, spent_nanos, limit_nanos, spent_tokens, limit_tokens,"
		" window_start_us, measured_permille, until_us, last_calls)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		&actions->add);
	if (err)
		return err;
	return ledger_prepare(ledger,
			      "INSERT INTO facts VALUES (?, ?)"
			      " ON CONFLICT DO UPDATE SET value = excluded.value",
			      &actions->put);
}

static void queued_action_free(struct queued *queued)
{
	for (int i = 0; i < TEXTS; i++)
		free(queued->texts[i]);
	free(queued);
}

static void drop_first(struct action_queue *actions)
{
	struct queued *queued = STAILQ_FIRST(&actions->waiting);

	STAILQ_REMOVE_HEAD(&actions->waiting, link);
	actions->n--;
	queued_action_free(queued);
}

void action_queue_free(struct ledger *ledger)
{
	struct action_queue *actions = ledger->actions;

	if (!actions)
		return;
	while (actions->n)
		drop_first(actions);
	sqlite3_finalize(actions->add);
	sqlite3_finalize(actions->put);
	free(actions);
	ledger->actions = NULL;
}

bool action_queue_is_empty(const struct ledger *ledger)
{
	return !ledger->actions->n;
}

static struct queued *queued_action_new(const struct ledger_action *action)
{
	const char *const texts[TEXTS] = { action->budget,    action->rule,   action->action,
					   action->subject,   action->target, action->result,
					   action->last_calls };
	struct queued *queued = calloc(1, sizeof(*queued));

	if (!queued)
		return NULL;
	queued->action = *action;
	for (int i = 0; i < TEXTS; i++) {
		queued->texts[i] = strndup(texts[i] ? texts[i] : "", TEXT_MAX);
		if (!queued->texts[i]) {
			queued_action_free(queued);
			return NULL;
		}
	}
	return queued;
}

static int64_t to_int64(uint64_t value)
{
	return value > INT64_MAX ? INT64_MAX : (int64_t)value;
}

static int write_queued(sqlite3_stmt *statement, const struct queued *queued)
{
	const struct ledger_action *action = &queued->action;
	const int64_t numbers[] = { action->is_rehearsed,
				    action->spent_nanos,
				    action->limit_nanos,
				    to_int64(action->spent_tokens),
				    to_int64(action->limit_tokens),
				    action->window_start_us,
				    action->measured_permille,
				    action->until_us };
	int at = 1, result;

	sqlite3_bind_int64(statement, at++, action->time_us);
	for (int i = TEXT_BUDGET; i <= TEXT_RESULT; i++)
		sqlite3_bind_text(statement, at++, queued->texts[i], -1, SQLITE_STATIC);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sqlite3_bind_int64(statement, at++, numbers[i]);
	sqlite3_bind_text(statement, at++, queued->texts[TEXT_CALLS], -1, SQLITE_STATIC);
	result = sqlite3_step(statement);
	sqlite3_reset(statement);
	return ledger_errno(result);
}

int action_queue_write(struct ledger *ledger)
{
	struct queued *queued;
	int err = 0;

	STAILQ_FOREACH(queued, &ledger->actions->waiting, link) {
		err = write_queued(ledger->actions->add, queued);
		if (err && err != -EINVAL)
			return err;
	}
	return 0;
}

void action_queue_written(struct ledger *ledger, bool committed)
{
	while (committed && ledger->actions->n)
		drop_first(ledger->actions);
}

int ledger_add_action(struct ledger *ledger, const struct ledger_action *action)
{
	struct action_queue *actions = ledger->actions;
	struct queued *queued;

	if (!actions)
		return -EROFS;
	if (actions->n >= LEDGER_ACTION_QUEUE)
		return -ENOBUFS;
	queued = queued_action_new(action);
	if (!queued)
		return -ENOMEM;
	STAILQ_INSERT_TAIL(&actions->waiting, queued, link);
	actions->n++;
	return ledger_commit(ledger);
}

void ledger_read_action(sqlite3_stmt *row, struct ledger_action *ret)
{
	*ret = (struct ledger_action){
		.id = sqlite3_column_int64(row, 0),
		.time_us = sqlite3_column_int64(row, 1),
		.budget = (const char *)sqlite3_column_text(row, 2),
		.rule = (const char *)sqlite3_column_text(row, 3),
		.action = (const char *)sqlite3_column_text(row, 4),
		.subject = (const char *)sqlite3_column_text(row, 5),
		.target = (const char *)sqlite3_column_text(row, 6),
		.result = (const char *)sqlite3_column_text(row, 7),
		.is_rehearsed = sqlite3_column_int(row, 8),
		.spent_nanos = sqlite3_column_int64(row, 9),
		.limit_nanos = sqlite3_column_int64(row, 10),
		.spent_tokens = (uint64_t)sqlite3_column_int64(row, 11),
		.limit_tokens = (uint64_t)sqlite3_column_int64(row, 12),
		.window_start_us = sqlite3_column_int64(row, 13),
		.measured_permille = (uint32_t)sqlite3_column_int(row, 14),
		.last_calls = (const char *)sqlite3_column_text(row, 15),
		.until_us = sqlite3_column_int64(row, 16),
	};
}

int ledger_actions(struct ledger *ledger, int64_t since_us,
		   void (*fn)(void *arg, const struct ledger_action *action), void *arg)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct ledger_action action;
	int err, result;

	(void)ledger_flush(ledger);
	err = ledger_prepare(ledger,
			     "SELECT " LEDGER_ACTION_COLUMNS " FROM actions"
			     " WHERE time_us >= ? ORDER BY id",
			     &statement);
	if (err)
		return err;
	sqlite3_bind_int64(statement, 1, since_us);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		ledger_read_action(statement, &action);
		fn(arg, &action);
	}
	return ledger_errno(result);
}

int ledger_put(struct ledger *ledger, const char *key, const char *json)
{
	sqlite3_stmt *statement;
	int result;

	if (!ledger->actions)
		return -EROFS;
	statement = ledger->actions->put;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, json, -1, SQLITE_STATIC);
	result = sqlite3_step(statement);
	sqlite3_reset(statement);
	return ledger_errno(result);
}

char *ledger_get(struct ledger *ledger, const char *key)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (ledger_prepare(ledger, "SELECT value FROM facts WHERE key = ?", &statement))
		return NULL;
	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return strdup((const char *)sqlite3_column_text(statement, 0));
}

char *ledger_identity(struct ledger *ledger)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;

	if (ledger_prepare(ledger, "SELECT value FROM meta WHERE key = 'ledger_id'", &statement) ||
	    sqlite3_step(statement) != SQLITE_ROW)
		return NULL;
	return strdup((const char *)sqlite3_column_text(statement, 0));
}

int64_t ledger_last_id(const struct ledger *ledger)
{
	return ledger->next_id - 1;
}

void ledger_skip(struct ledger *ledger, int64_t id)
{
	if (ledger->next_id <= id)
		ledger->next_id = id + 1;
}
