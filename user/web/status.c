/* SPDX-License-Identifier: Apache-2.0 */
#include "web/status.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"

#define DAY_US     (86400 * US_PER_S)
#define TARGET_LEN TEXT_LEN(300)

struct recent_action {
	int64_t time_us, spent_nanos, limit_nanos;
	uint64_t spent_tokens, limit_tokens;
	bool is_rehearsed;
	char budget[TARGET_LEN], action[32], subject[TARGET_LEN], target[TARGET_LEN],
		result[TARGET_LEN];
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

void status_expire(struct status *status, uint64_t now_ns)
{
	spend_expire(status->spend, now_ns);
}

static void copy(char *to, size_t size, const char *from)
{
	text_plain(from ? from : "", to, size);
}

void status_action(struct status *status, const struct ledger_action *action)
{
	struct recent_action *recent_action =
		&status->recent_actions[status->n_actions++ % STATUS_ACTIONS];

	*recent_action = (struct recent_action){ .time_us = action->time_us,
						 .spent_nanos = action->spent_nanos,
						 .limit_nanos = action->limit_nanos,
						 .spent_tokens = action->spent_tokens,
						 .limit_tokens = action->limit_tokens,
						 .is_rehearsed = action->is_rehearsed };
	copy(recent_action->budget, sizeof(recent_action->budget), action->budget);
	copy(recent_action->action, sizeof(recent_action->action), action->action);
	copy(recent_action->subject, sizeof(recent_action->subject), action->subject);
	copy(recent_action->target, sizeof(recent_action->target), action->target);
	copy(recent_action->result, sizeof(recent_action->result), action->result);
}

/* JSON of each part. */

static json_t *money(int64_t nanos)
{
	char text[MONEY_LEN];

	return json_string(money_format(nanos, text));
}

static json_t *number(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

static json_t *plain(const char *name)
{
	char text[TARGET_LEN];

	return json_string(text_plain(name, text, sizeof(text)));
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

static json_t *sums(const struct spend_row *row)
{
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "name",
			 row->name, "detail", row->detail, "model", row->model, "minute",
			 money(spend_last_minutes(row, 1)), "five_minutes",
			 money(spend_last_minutes(row, 5)), "hour",
			 money(spend_last_minutes(row, SPEND_MINUTES)), "day",
			 money(spend_day(row)), "calls", number(row->calls), "tokens",
			 number(row->tokens), "estimated", number(row->estimated), "unpriced",
			 number(row->unpriced), "spark", spark(row));
}

static json_t *spenders(struct status *status, int64_t now_us, size_t *ret_more)
{
	const struct spend_row *rows[STATUS_SPENDERS];
	size_t n = spend_top(status->spend, now_us, rows, STATUS_SPENDERS, ret_more);
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, sums(rows[i]));
	return array;
}

static json_t *budgets(const struct scrape_sources *sources, int64_t now_us, size_t *ret_more)
{
	struct fullest_budgets fullest_budgets;
	json_t *array = json_array();

	*ret_more = 0;
	if (fullest_budgets_take(&fullest_budgets, sources->policy, STATUS_BUDGETS, now_us) < 0)
		return array;
	for (size_t i = 0; i < fullest_budgets.n; i++) {
		const struct fullest_budget *fullest_budget = &fullest_budgets.rows[i];

		json_array_append_new(
			array,
			json_pack("{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:f, s:I}", "budget",
				  plain(fullest_budget->budget), "counter",
				  plain(fullest_budget->key), "window", fullest_budget->window,
				  "reached", fullest_budget->reached, "unit",
				  fullest_budget->in_money ? "USD" : "tokens", "used",
				  fullest_budget->in_money ? money(fullest_budget->spent_nanos) :
							     number(fullest_budget->spent_tokens),
				  "limit",
				  fullest_budget->in_money ? money(fullest_budget->limit_nanos) :
							     number(fullest_budget->limit_tokens),
				  "share", fullest_budget->used, "end_us",
				  (json_int_t)fullest_budget->window_end_us));
	}
	*ret_more = fullest_budgets.n_more;
	fullest_budgets_done(&fullest_budgets);
	return array;
}

static void add_gate(void *arg, const struct enforcer_gate *gate)
{
	json_t *array = arg;

	if (json_array_size(array) < STATUS_GATES)
		json_array_append_new(array,
				      json_pack("{s:s, s:o, s:o, s:o, s:I}", "action", gate->action,
						"budget", plain(gate->budget), "counter",
						plain(gate->key), "target", plain(gate->target),
						"until_us", (json_int_t)gate->until_us));
}

static json_t *actions(const struct status *status)
{
	json_t *array = json_array();

	for (size_t i = 0; i < STATUS_ACTIONS && i < status->n_actions; i++) {
		const struct recent_action *recent_action =
			&status->recent_actions[(status->n_actions - 1 - i) % STATUS_ACTIONS];
		bool in_money = recent_action->limit_nanos || !recent_action->limit_tokens;

		json_array_append_new(
			array,
			json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:o, s:o}", "time_us",
				  (json_int_t)recent_action->time_us, "budget",
				  recent_action->budget, "action", recent_action->action, "counter",
				  recent_action->subject, "target", recent_action->target, "result",
				  recent_action->result, "rehearsed", recent_action->is_rehearsed,
				  "unit", in_money ? "USD" : "tokens", "spent",
				  in_money ? money(recent_action->spent_nanos) :
					     number(recent_action->spent_tokens),
				  "limit",
				  in_money ? money(recent_action->limit_nanos) :
					     number(recent_action->limit_tokens)));
	}
	return array;
}

static json_t *both(const uint64_t bytes[2])
{
	return number(bytes[EV_OUT] + bytes[EV_IN]);
}

static void add_process(void *arg, const struct reconcile_row *row)
{
	json_t *array = arg;

	if (json_array_size(array) < STATUS_PROCESSES)
		json_array_append_new(array, json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "pid",
						       number(row->tgid), "command",
						       plain(row->comm), "host", plain(row->host),
						       "traffic", both(row->flow_bytes), "measured",
						       both(row->read_bytes), "estimated",
						       both(row->charged_bytes)));
}

static json_t *coverage(const struct scrape_sources *sources, const struct pipeline_stats *stats)
{
	json_t *processes = json_array();
	uint64_t charged[2] = { 0 };

	for (unsigned why = 0; why < UNMETERED_WHYS; why++)
		for (int dir = 0; dir < 2; dir++)
			charged[dir] += stats->reconcile.charged_bytes[why][dir];

	pipeline_coverage(sources->pipeline, add_process, processes);
	return json_pack("{s:o, s:o, s:o, s:o}", "traffic", both(stats->reconcile.flow_bytes),
			 "measured", both(stats->reconcile.read_bytes), "estimated", both(charged),
			 "processes", processes);
}

static json_t *losses(const struct scrape_sources *sources)
{
	uint64_t counters[CTL_COUNTERS] = { 0 };
	json_t *object = json_object();

	if (sources->tap)
		(void)tap_counters(sources->tap, counters);
	for (unsigned i = 0; i < CTL_COUNTERS; i++)
		if (tap_counter_name(i) && counters[i])
			json_object_set_new(object, tap_counter_name(i), number(counters[i]));
	if (ledger_lost(sources->ledger))
		json_object_set_new(object, "ledger_lost_calls",
				    number(ledger_lost(sources->ledger)));
	return object;
}

static char *make(struct status *status, const struct scrape_sources *sources, const char *node,
		  const char *trouble, int64_t now_us)
{
	struct pipeline_stats stats;
	size_t more_spenders = 0, more_budgets = 0;
	json_t *gates = json_array(), *object;
	char *text = NULL;

	pipeline_stats(sources->pipeline, &stats);
	enforcer_gates(sources->enforcer, add_gate, gates);
	object = json_pack("{s:s, s:o, s:I, s:I, s:b, s:s}", "version", sources->version, "node",
			   plain(node), "now_us", (json_int_t)now_us, "started_us",
			   (json_int_t)sources->started_us, "enforce", sources->enforce, "trouble",
			   trouble);
	if (object) {
		json_object_set_new(object, "total", sums(spend_total(status->spend, now_us)));
		json_object_set_new(object, "spenders", spenders(status, now_us, &more_spenders));
		json_object_set_new(object, "more_spenders", number(more_spenders));
		json_object_set_new(object, "budgets", budgets(sources, now_us, &more_budgets));
		json_object_set_new(object, "more_budgets", number(more_budgets));
		json_object_set(object, "gates", gates);
		json_object_set_new(object, "actions", actions(status));
		json_object_set_new(object, "coverage", coverage(sources, &stats));
		json_object_set_new(object, "in_flight", number(stats.connections.calls));
		json_object_set_new(object, "losses", losses(sources));
		text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	}
	json_decref(gates);
	json_decref(object);
	return text;
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
