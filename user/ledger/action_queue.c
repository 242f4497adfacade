/* SPDX-License-Identifier: Apache-2.0 */
/* Actions on their way to the disk, oldest first. */
#include <errno.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"
#include "ledger/sql.h"

/* An action's texts, in the order of the table. */
enum {
	TEXT_BUDGET,
	TEXT_RULE,
	TEXT_ACTION,
	TEXT_SUBJECT,
	TEXT_TARGET,
	TEXT_RESULT,
	TEXT_CALLS,
	TEXT_RULE_TEXT,
	TEXT_WHO,
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
	sqlite3_stmt *add;
};

int action_queue_new(struct ledger *ledger)
{
	struct action_queue *actions = calloc(1, sizeof(*actions));

	if (!actions)
		return -ENOMEM;
	STAILQ_INIT(&actions->waiting);
	ledger->actions = actions;
	return ledger_prepare(
		ledger,
		"INSERT INTO actions (time_us, budget, rule, action, subject, target,"
		" result, rehearsed, spent_nanos, limit_nanos, spent_tokens, limit_tokens,"
		" window_start_us, measured_permille, until_us, in_flight, last_calls,"
		" rule_text, who, outcome, decided_us)"
		" VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
		&actions->add);
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
	free(actions);
	ledger->actions = NULL;
}

bool action_queue_is_empty(const struct ledger *ledger)
{
	return !ledger->actions->n;
}

static struct queued *queued_action_new(const struct ledger_action *action)
{
	const char *const texts[TEXTS] = { action->budget,     action->rule,      action->action,
					   action->subject,    action->target,    action->result,
					   action->last_calls, action->rule_text, action->who };
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
				    action->until_us,
				    to_int64(action->in_flight) };
	int at = 1, result;

	sqlite3_bind_int64(statement, at++, action->time_us);
	for (int i = TEXT_BUDGET; i <= TEXT_RESULT; i++)
		sql_bind_name(statement, at++, queued->texts[i]);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sqlite3_bind_int64(statement, at++, numbers[i]);
	sqlite3_bind_text(statement, at++, queued->texts[TEXT_CALLS], -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, at++, queued->texts[TEXT_RULE_TEXT], -1, SQLITE_STATIC);
	sql_bind_name(statement, at++, queued->texts[TEXT_WHO]);
	sqlite3_bind_text(statement, at++, action_result_name(action->outcome), -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, at, action->decided_us);
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

int action_queue_add(struct ledger *ledger, const struct ledger_action *action)
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
	return 0;
}
