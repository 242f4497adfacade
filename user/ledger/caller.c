/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/caller.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/text.h"
#include "ledger/action_json.h"
#include "ledger/forecast.h"
#include "ledger/ledger_internal.h"
#include "ledger/overrides.h"

#define HOUR_US  (3600 * US_PER_S)
#define DAY_US   (24 * HOUR_US)
#define PAST_US  (30 * DAY_US)
#define BIT(key) (1u << (key))

static int64_t less(int64_t nanos, int64_t by)
{
	return by > nanos ? 0 : nanos - by;
}

/* What is known of the cost, beside what budgets count and how far off that may be. */
static void set_sums(json_t *object, const struct ledger_row *row)
{
	uint64_t paid = row->calls - row->free_calls;
	bool is_unpriced = row->unpriced_calls && row->unpriced_calls >= paid;

	field_number(object, "calls", row->calls);
	field_number(object, "estimated_calls", row->estimated_calls);
	field_number(object, "unpriced_calls", row->unpriced_calls);
	field_number(object, "unconfirmed_calls", row->unconfirmed_calls);
	field_number(object, "tokens", usage_tokens(&row->tokens));
	if (is_unpriced)
		field_set(object, "cost_usd", json_null());
	else
		field_money(object, "cost_usd", row->cost_nanos);
	field_money(object, "in_budgets_usd", row->budget_nanos);
	field_money(object, "low_usd", less(row->budget_nanos, row->under_nanos));
	field_money(object, "high_usd", row->budget_nanos + row->over_nanos);
}

static void on_sum(void *arg, const struct ledger_row *row)
{
	set_sums(arg, row);
}

static int add_sums(struct ledger *ledger, const char *who, int64_t since_us, json_t *root,
		    const char *key)
{
	json_t *object = json_object();
	int err = ledger_report(
		ledger,
		&(struct ledger_query){ .since_us = since_us, .until_us = LEDGER_NO_END, .who = who },
		on_sum, object);

	if (!json_object_size(object))
		set_sums(object, &(struct ledger_row){ .calls = 0 });
	field_set(root, key, object);
	return err;
}

static void on_row(void *arg, const struct ledger_row *row)
{
	json_t *object = json_array_size(arg) < CALLER_ROWS ? json_object() : NULL;

	if (json_array_append_new(arg, object))
		return;
	field_text(object, "model", row->keys[LEDGER_BY_MODEL]);
	field_text(object, "host", row->keys[LEDGER_BY_HOST]);
	field_text(object, "command", row->keys[LEDGER_BY_COMMAND]);
	field_text(object, "client", row->keys[LEDGER_BY_CLIENT]);
	set_sums(object, row);
}

static int add_rows(struct ledger *ledger, const char *who, int64_t now_us, json_t *root)
{
	json_t *array = json_array();
	int err = ledger_report(
		ledger,
		&(struct ledger_query){ .since_us = now_us - DAY_US,
					.until_us = LEDGER_NO_END,
					.keys = BIT(LEDGER_BY_MODEL) | BIT(LEDGER_BY_HOST) |
						BIT(LEDGER_BY_COMMAND) | BIT(LEDGER_BY_CLIENT),
					.order = LEDGER_MOST_COUNTED,
					.who = who },
		on_row, array);

	field_set(root, "rows", array);
	return err;
}

static void on_call(void *arg, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	json_t *object = json_object();
	char text[TEXT_TIME_LEN];

	field_number(object, "call", (uint64_t)call->id);
	field_text(object, "time", text_time(call->start_us, text));
	field_text(object, "host", charge->host);
	field_text(object, "model", charge->model);
	field_text(object, "command", call->process->comm);
	field_number(object, "pid", call->process->tgid);
	field_number(object, "status", charge->status > 0 ? (uint64_t)charge->status : 0);
	field_text(object, "source", charge_source_name(charge->source));
	field_number(object, "count", charge_count(charge));
	field_number(object, "tokens", usage_tokens(&charge->usage));
	if (charge->is_priced)
		field_money(object, "cost_usd", charge->cost_nanos);
	else
		field_set(object, "cost_usd", json_null());
	field_money(object, "in_budgets_usd", charge->budget_nanos);
	/* the latest first */
	json_array_insert_new(arg, 0, object);
}

static int add_calls(struct ledger *ledger, const char *who, int64_t now_us, json_t *root)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	json_t *array = json_array();
	int64_t ids[CALLER_CALLS];
	size_t n = 0;
	int err = ledger_prepare(ledger,
				 "SELECT id FROM calls WHERE start_us >= ?1 AND subject IN"
				 " (" LEDGER_SUBJECTS_OF "?2) ORDER BY id DESC LIMIT ?3",
				 &statement);

	if (!err) {
		sqlite3_bind_int64(statement, 1, now_us - DAY_US);
		sqlite3_bind_text(statement, 2, who, -1, SQLITE_STATIC);
		sqlite3_bind_int(statement, 3, CALLER_CALLS);
		while (sqlite3_step(statement) == SQLITE_ROW && n < CALLER_CALLS)
			ids[n++] = sqlite3_column_int64(statement, 0);
	}
	if (!err && n)
		err = ledger_calls(ledger, ids, n, on_call, array);
	field_set(root, "calls", array);
	return err;
}

static int add_actions(struct ledger *ledger, const char *who, int64_t now_us, json_t *root)
{
	json_t *array = json_array();
	int err = actions_json(ledger, who, now_us - PAST_US, now_us, CALLER_ACTIONS, array);

	field_set(root, "actions", array);
	return err;
}

static int add_forecasts(struct ledger *ledger, const char *who, const struct zone *zone,
			 int64_t now_us, json_t *root)
{
	_cleanup_free_ struct history *history = malloc(sizeof(*history));
	struct forecast priced, counted;
	int err = history ? history_load(history, ledger, zone, who, now_us) : -ENOMEM;

	if (err)
		return err;
	forecast_make(history, zone, HISTORY_PRICED, now_us, &priced);
	forecast_make(history, zone, HISTORY_COUNTED, now_us, &counted);
	field_set(root, "forecast", forecast_json(&priced));
	field_set(root, "forecast_in_budgets", forecast_json(&counted));
	return 0;
}

static void on_name(void *arg, const struct ledger_row *row)
{
	*(bool *)arg |= row->calls > 0;
}

json_t *caller_json(struct ledger *ledger, const char *who, const struct zone *zone, int64_t now_us,
		    int *ret_err)
{
	json_t *root = json_object();
	bool is_known = false;
	char text[TEXT_TIME_LEN];
	int err = ledger_report(ledger,
				&(struct ledger_query){ .since_us = now_us - PAST_US,
							.until_us = LEDGER_NO_END,
							.who = who },
				on_name, &is_known);

	field_text(root, "who", who);
	field_text(root, "time", text_time(now_us / US_PER_S * US_PER_S, text));
	err = err       ? err :
	      !is_known ? -ENOENT :
			  add_sums(ledger, who, now_us - HOUR_US, root, "hour");
	err = err ? err : add_sums(ledger, who, now_us - DAY_US, root, "day");
	err = err ? err : add_forecasts(ledger, who, zone, now_us, root);
	err = err ? err : add_rows(ledger, who, now_us, root);
	err = err ? err : add_calls(ledger, who, now_us, root);
	err = err ? err : add_actions(ledger, who, now_us, root);
	*ret_err = err ? err : root ? 0 : -ENOMEM;
	if (!err)
		return root;
	json_decref(root);
	return NULL;
}

struct names {
	const char *part;
	char **ret;
	size_t n, max;
	bool is_exact;
};

static void on_match(void *arg, const struct ledger_row *row)
{
	struct names *names = arg;
	const char *name = row->keys[LEDGER_BY_WHO];

	if (names->is_exact || !strcasestr(name, names->part))
		return;
	names->is_exact = !strcmp(name, names->part);
	for (; names->is_exact && names->n; names->n--)
		if (names->n <= names->max)
			free(names->ret[names->n - 1]);
	if (names->n < names->max)
		names->ret[names->n] = strdup(name);
	names->n++;
}

int caller_names(struct ledger *ledger, const char *part, int64_t now_us, char **ret, size_t max)
{
	struct names names = { .part = part, .ret = ret, .max = max };
	int err = ledger_report(ledger,
				&(struct ledger_query){ .since_us = now_us - PAST_US,
							.until_us = LEDGER_NO_END,
							.keys = BIT(LEDGER_BY_WHO),
							.order = LEDGER_MOST_COUNTED },
				on_match, &names);

	return err ? err : (int)names.n;
}
