/* SPDX-License-Identifier: Apache-2.0 */
#include "web/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/fields.h"
#include "base/text.h"
#include "ledger/forecast.h"
#include "ledger/gaps.h"
#include "ledger/overrides.h"

#define DAY_US     (86400 * US_PER_S)
#define TARGET_LEN TEXT_LEN(300)

struct recent_action {
	int64_t time_us, decided_us, ended_us, spent_nanos, limit_nanos;
	uint64_t spent_tokens, limit_tokens;
	bool is_rehearsed;
	char budget[TARGET_LEN], action[32], subject[TARGET_LEN], target[TARGET_LEN],
		who[TARGET_LEN], result[TARGET_LEN];
};

struct status {
	struct spend *spend;
	struct recent_action recent_actions[STATUS_ACTIONS]; /* at [n % STATUS_ACTIONS] */
	size_t n_actions;
	char *json; /* the last answer */
	uint64_t json_ns;
};

static void on_old_action(void *arg, const struct ledger_action *action)
{
	status_action(arg, action);
}

struct status *status_new(struct ledger *ledger, int64_t now_us, uint64_t now_ns)
{
	struct status *status = calloc(1, sizeof(*status));

	if (!status)
		return NULL;
	status->spend = spend_new();
	if (!status->spend)
		return status_free(status);
	/* Without them the page begins with what happens from now on. */
	(void)spend_restore(status->spend, ledger, now_us, now_ns);
	(void)ledger_actions(ledger, now_us - DAY_US, on_old_action, status);
	return status;
}

struct status *status_free(struct status *status)
{
	if (!status)
		return NULL;
	spend_free(status->spend);
	free(status->json);
	free(status);
	return NULL;
}

void status_call(struct status *status, const struct ledger_call *call, uint64_t now_ns)
{
	spend_call(status->spend, call, now_ns);
}

void status_rename(struct status *status, struct ledger *ledger, int64_t now_us, uint64_t now_ns)
{
	/* Else they are ids for a day longer. */
	(void)spend_rename(&status->spend, ledger, now_us, now_ns);
}

void status_expire(struct status *status, uint64_t now_ns)
{
	spend_expire(status->spend, now_ns);
}

static void copy(char *to, size_t size, const char *from)
{
	text_plain(from ? from : "", to, size);
}

/* The latest one that this tells of; NULL: it is not there any more. */
static struct recent_action *find_begun(struct status *status, const struct recent_action *end)
{
	for (size_t i = 0; i < STATUS_ACTIONS && i < status->n_actions; i++) {
		struct recent_action *begun =
			&status->recent_actions[(status->n_actions - 1 - i) % STATUS_ACTIONS];

		if (!begun->ended_us && !strcmp(begun->budget, end->budget) &&
		    !strcmp(begun->action, end->action) && !strcmp(begun->subject, end->subject) &&
		    !strcmp(begun->target, end->target))
			return begun;
	}
	return NULL;
}

void status_action(struct status *status, const struct ledger_action *action)
{
	struct recent_action made, *recent_action = &made, *begun;
	size_t len;

	*recent_action = (struct recent_action){ .time_us = action->time_us,
						 .decided_us = action->decided_us,
						 .spent_nanos = action->spent_nanos,
						 .limit_nanos = action->limit_nanos,
						 .spent_tokens = action->spent_tokens,
						 .limit_tokens = action->limit_tokens,
						 .is_rehearsed = action->is_rehearsed };
	copy(recent_action->budget, sizeof(recent_action->budget), action->budget);
	copy(recent_action->action, sizeof(recent_action->action), action->action);
	copy(recent_action->subject, sizeof(recent_action->subject), action->subject);
	copy(recent_action->target, sizeof(recent_action->target), action->target);
	copy(recent_action->who, sizeof(recent_action->who), action->who);
	copy(recent_action->result, sizeof(recent_action->result), action->result);
	begun = action_result_is_sequel(action->outcome) ? find_begun(status, &made) : NULL;
	if (!begun) {
		status->recent_actions[status->n_actions++ % STATUS_ACTIONS] = made;
		return;
	}
	if (action->outcome == ACTION_ENDED) {
		begun->ended_us = made.time_us;
		memcpy(begun->result, made.result, sizeof(begun->result));
		return;
	}
	/* whom a grace was given, and what came of it */
	len = strlen(begun->result);
	snprintf(begun->result + len, sizeof(begun->result) - len, "; %s", made.result);
}

/* JSON of each part. */

/* Money or tokens, whichever the limit is in. */
static void set_amount(json_t *object, const char *key, bool in_money, int64_t nanos,
		       uint64_t tokens)
{
	if (in_money)
		field_money(object, key, nanos);
	else
		field_number(object, key, tokens);
}

/* Names come from processes and hosts: nothing in them may change how the page reads. */
static void set_plain(json_t *object, const char *key, const char *name)
{
	char text[TARGET_LEN];

	field_text(object, key, text_plain(name, text, sizeof(text)));
}

/* A new object at the end of the array; NULL: it has `max` already. */
static json_t *add_row(json_t *array, size_t max)
{
	json_t *row = json_array_size(array) < max ? json_object() : NULL;

	return json_array_append_new(array, row) ? NULL : row;
}

/* Oldest first; micro-dollars are enough for a line of 60 points. */
static json_t *spark(const struct spend_row *row)
{
	json_t *array = json_array();

	for (int64_t i = SPEND_MINUTES - 1; i >= 0; i--) {
		int64_t at = row->minute - i;

		json_array_append_new(
			array, json_integer(at < 0 ? 0 : row->minutes[at % SPEND_MINUTES] / 1000));
	}
	return array;
}

static json_t *sums(const struct spend_row *row, bool has_spark)
{
	const struct spend_sums day = spend_day(row);
	json_t *object = json_object();

	field_text(object, "name", row->name);
	field_text(object, "detail", row->detail);
	field_text(object, "who", row->who);
	field_text(object, "model", row->model);
	field_text(object, "program", row->program);
	field_money(object, "minute", spend_last_minutes(row, 1));
	field_money(object, "five_minutes", spend_last_minutes(row, 5));
	field_money(object, "hour", spend_last_minutes(row, SPEND_MINUTES));
	field_money(object, "day", day.priced);
	field_money(object, "day_in_budgets", day.counted);
	field_number(object, "calls", day.calls);
	field_number(object, "tokens", day.tokens);
	field_number(object, "estimated", day.estimated);
	field_number(object, "unpriced", day.unpriced);
	field_number(object, "unconfirmed", day.unconfirmed);
	if (has_spark)
		field_set(object, "spark", spark(row));
	return object;
}

static json_t *spenders(struct status *status, int64_t now_us, size_t *ret_more)
{
	static const struct spend_row *rows[STATUS_SPENDERS]; /* one loop asks */
	size_t n = spend_top(status->spend, now_us, rows, STATUS_SPENDERS, ret_more);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, sums(rows[i], i < STATUS_SPARKS));
	return array;
}

static void add_budget(json_t *array, const struct fullest_budget *budget)
{
	json_t *row = add_row(array, STATUS_BUDGETS);

	set_plain(row, "budget", budget->budget);
	set_plain(row, "counter", budget->key);
	field_text(row, "window", budget->window);
	field_text(row, "reached", budget->reached);
	field_text(row, "unit", budget->in_money ? "USD" : "tokens");
	set_amount(row, "used", budget->in_money, budget->spent_nanos, budget->spent_tokens);
	set_amount(row, "limit", budget->in_money, budget->limit_nanos, budget->limit_tokens);
	field_set(row, "share", json_real(budget->used));
	field_set(row, "end_us", json_integer((json_int_t)budget->window_end_us));
	if (budget->trend.is_known)
		set_amount(row, "per_hour", budget->in_money, budget->trend.per_hour,
			   (uint64_t)budget->trend.per_hour);
	field_set(row, "full_us", json_integer((json_int_t)budget->trend.reached_us));
}

static json_t *budgets(const struct scrape_sources *sources, int64_t now_us, size_t *ret_more)
{
	struct fullest_budgets fullest_budgets;
	json_t *array = json_array();

	*ret_more = 0;
	if (fullest_budgets_take(&fullest_budgets, sources->policy, sources->trends, STATUS_BUDGETS,
				 now_us) < 0)
		return array;
	for (size_t i = 0; i < fullest_budgets.n; i++)
		add_budget(array, &fullest_budgets.rows[i]);
	*ret_more = fullest_budgets.n_more;
	fullest_budgets_done(&fullest_budgets);
	return array;
}

static void add_gate(void *arg, const struct enforcer_gate *gate)
{
	json_t *row = add_row(arg, STATUS_GATES);
	char command[OVERRIDE_COMMAND_LEN];

	field_text(row, "action", gate->action);
	set_plain(row, "budget", gate->budget);
	set_plain(row, "counter", gate->key);
	set_plain(row, "target", gate->target);
	set_plain(row, "who", gate->who);
	field_set(row, "decided_us", json_integer((json_int_t)gate->decided_us));
	field_text(row, "release", override_open_command(gate->key, command));
	field_set(row, "until_us", json_integer((json_int_t)gate->until_us));
}

static void add_action(json_t *array, const struct recent_action *action)
{
	bool in_money = action->limit_nanos || !action->limit_tokens;
	json_t *row = add_row(array, STATUS_ACTIONS);

	field_set(row, "time_us", json_integer((json_int_t)action->time_us));
	field_set(row, "decided_us", json_integer((json_int_t)action->decided_us));
	field_set(row, "ended_us", json_integer((json_int_t)action->ended_us));
	field_text(row, "budget", action->budget);
	field_text(row, "action", action->action);
	field_text(row, "counter", action->subject);
	field_text(row, "target", action->target);
	field_text(row, "who", action->who);
	field_text(row, "result", action->result);
	field_bool(row, "rehearsed", action->is_rehearsed);
	field_text(row, "unit", in_money ? "USD" : "tokens");
	set_amount(row, "spent", in_money, action->spent_nanos, action->spent_tokens);
	set_amount(row, "limit", in_money, action->limit_nanos, action->limit_tokens);
}

/* The latest first. */
static json_t *actions(const struct status *status)
{
	json_t *array = json_array();

	for (size_t i = 0; i < STATUS_ACTIONS && i < status->n_actions; i++)
		add_action(array,
			   &status->recent_actions[(status->n_actions - 1 - i) % STATUS_ACTIONS]);
	return array;
}

/* Both directions together. */
static void set_bytes(json_t *object, const char *key, const uint64_t bytes[2])
{
	field_number(object, key, bytes[EV_OUT] + bytes[EV_IN]);
}

static void add_process(void *arg, const struct reconcile_row *account,
			const struct who_group *group)
{
	json_t *row = add_row(arg, STATUS_PROCESSES);

	field_number(row, "pid", account->tgid);
	set_plain(row, "command", account->comm);
	set_plain(row, "host", account->host);
	set_bytes(row, "traffic", account->flow_bytes);
	set_bytes(row, "measured", account->read_bytes);
	set_bytes(row, "estimated", account->charged_bytes);
}

static json_t *coverage(const struct scrape_sources *sources, const struct pipeline_stats *stats)
{
	json_t *object = json_object(), *processes = json_array();
	uint64_t charged[2] = { 0 };

	for (unsigned why = 0; why < UNMETERED_WHYS; why++)
		for (int dir = 0; dir < 2; dir++)
			charged[dir] += stats->reconcile.charged_bytes[why][dir];
	pipeline_coverage(sources->pipeline, add_process, processes);
	set_bytes(object, "traffic", stats->reconcile.flow_bytes);
	set_bytes(object, "measured", stats->reconcile.read_bytes);
	set_bytes(object, "estimated", charged);
	field_set(object, "processes", processes);
	return object;
}

static json_t *losses(const struct scrape_sources *sources)
{
	uint64_t counters[CTL_COUNTERS] = { 0 };
	json_t *object = json_object();

	if (sources->tap)
		(void)tap_counters(sources->tap, counters);
	for (unsigned i = 0; i < CTL_COUNTERS; i++)
		if (tap_counter_name(i) && counters[i])
			field_number(object, tap_counter_name(i), counters[i]);
	if (ledger_lost(sources->ledger))
		field_number(object, "ledger_lost_calls", ledger_lost(sources->ledger));
	return object;
}

static void add_gap(void *arg, const struct gap *gap)
{
	json_t *row = add_row(arg, STATUS_GAPS);

	field_set(row, "from_us", json_integer((json_int_t)gap->from_us));
	field_set(row, "until_us", json_integer((json_int_t)gap->until_us));
}

/* When nobody measured, of the 24 hours that the sums are of. */
static json_t *gaps(const struct scrape_sources *sources, int64_t now_us)
{
	json_t *array = json_array();

	if (sources->ledger)
		(void)gaps_read(sources->ledger, now_us - DAY_US, now_us, GAPS_MEASURING, add_gap,
				array);
	return array;
}

static char *make(struct status *status, const struct scrape_sources *sources, const char *node,
		  const char *trouble, int64_t now_us)
{
	json_t *object = json_object(), *gates = json_array();
	struct pipeline_stats stats;
	size_t more;

	pipeline_stats(sources->pipeline, &stats);
	field_text(object, "version", sources->version);
	set_plain(object, "node", node);
	field_set(object, "now_us", json_integer((json_int_t)now_us));
	field_set(object, "started_us", json_integer((json_int_t)sources->started_us));
	field_bool(object, "enforce", sources->enforce);
	field_text(object, "trouble", trouble);
	set_plain(object, "config_error", sources->config_error ? sources->config_error : "");
	set_plain(object, "prices_error", sources->prices_error ? sources->prices_error : "");
	field_set(object, "day_from_us", json_integer((json_int_t)spend_day_from_us(now_us)));
	field_set(object, "total", sums(spend_total(status->spend, now_us), true));
	field_set(object, "spenders", spenders(status, now_us, &more));
	field_number(object, "more_spenders", more);
	field_set(object, "budgets", budgets(sources, now_us, &more));
	field_number(object, "more_budgets", more);
	enforcer_gates(sources->enforcer, add_gate, gates);
	field_set(object, "gates", gates);
	field_set(object, "actions", actions(status));
	field_set(object, "coverage", coverage(sources, &stats));
	field_set(object, "gaps", gaps(sources, now_us));
	if (sources->forecasts) {
		field_set(object, "forecast", forecast_json(&sources->forecasts[HISTORY_PRICED]));
		field_set(object, "forecast_in_budgets",
			  forecast_json(&sources->forecasts[HISTORY_COUNTED]));
	}
	field_number(object, "in_flight", stats.connections.calls);
	field_set(object, "losses", losses(sources));
	return fields_line(object);
}

char *status_json(struct status *status, const struct scrape_sources *sources, const char *node,
		  const char *trouble, int64_t now_us, uint64_t now_ns)
{
	if (!status->json || now_ns - status->json_ns > STATUS_FRESH_NS) {
		free(status->json);
		status->json = make(status, sources, node, trouble, now_us);
		status->json_ns = now_ns;
	}
	return status->json ? strdup(status->json) : NULL;
}
