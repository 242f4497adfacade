/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/snapshot.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/loop.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "find/finder.h"
#include "kube/kube.h"
#include "provider/api.h"
#include "notify/webhook.h"
#include "pipeline/pipeline.h"
#include "shared/shared.h"
#include "tap/tap.h"

/* Rows of a part, which must stay readable in one piece. */
#define ROWS_MAX 1000

static int put(struct ledger *ledger, const char *key, json_t *value)
{
	_cleanup_free_ char *text = fields_line(value);
	_cleanup_free_ char *before = ledger_get(ledger, key);
	int err;

	if (!text)
		return -ENOMEM;
	if (before && !strcmp(before, text))
		return 0;
	err = ledger_put(ledger, key, text);
	return err ? err : 1;
}

/* Both directions as an object. */
static void set_bytes(json_t *object, const char *key, const uint64_t bytes[2])
{
	json_t *both = json_object();

	field_number(both, "out", bytes[EV_OUT]);
	field_number(both, "in", bytes[EV_IN]);
	field_set(object, key, both);
}

/* A new object at the end of the array; NULL: it is full. */
static json_t *add_row(json_t *array)
{
	json_t *row = json_array_size(array) < ROWS_MAX ? json_object() : NULL;

	return json_array_append_new(array, row) ? NULL : row;
}

struct counters_job {
	json_t *array;
	struct trends *trends;
	int64_t now_us;
};

/* What it takes in an hour, and when its limit is reached so; absent: not known, or not in this window. */
static void set_trend(json_t *row, const struct counters_job *job,
		      const struct policy_counter *counter)
{
	struct trend trend;

	if (!job->trends)
		return;
	trends_see(job->trends, counter, job->now_us, &trend);
	if (!trend.is_known)
		return;
	if (policy_in_money(counter->budget))
		field_money(row, "usd_per_hour", trend.per_hour);
	else
		field_number(row, "tokens_per_hour", (uint64_t)trend.per_hour);
	if (trend.reached_us)
		field_number(row, "limit_reached_us", (uint64_t)trend.reached_us);
}

static void add_counter(void *arg, const struct policy_counter *counter)
{
	struct counters_job *job = arg;
	json_t *row = add_row(job->array);

	if (!row)
		return;
	field_text(row, "budget", counter->budget->name);
	field_text(row, "key", counter->key);
	field_money(row, "spent_usd", counter->spent_nanos);
	field_money(row, "limit_usd", counter->limit_nanos);
	field_number(row, "spent_tokens", counter->spent_tokens);
	field_number(row, "limit_tokens", counter->limit_tokens);
	field_number(row, "window_end_us", (uint64_t)counter->window_end_us);
	field_text(row, "reached",
		   counter->reached ? policy_action_name(counter->reached->action) : "");
	set_trend(row, job, counter);
}

static void add_gate(void *arg, const struct enforcer_gate *gate)
{
	json_t *row = add_row(arg);

	if (!row)
		return;
	field_text(row, "action", gate->action);
	field_text(row, "budget", gate->budget);
	field_text(row, "key", gate->key);
	field_text(row, "target", gate->target);
	field_text(row, "who", gate->who);
	field_number(row, "decided_us", (uint64_t)gate->decided_us);
	field_number(row, "until_us", (uint64_t)gate->until_us);
	if (!gate->pace_per_hour)
		return;
	if (gate->in_money)
		field_money(row, "to_usd_per_hour", gate->pace_per_hour);
	else
		field_number(row, "to_tokens_per_hour", (uint64_t)gate->pace_per_hour);
	field_number(row, "let_go", gate->admitted);
	field_number(row, "held", gate->held);
}

static void add_coverage(void *arg, const struct reconcile_row *account,
			 const struct who_group *group)
{
	json_t *row = add_row(arg);
	char who[WHO_LABEL_LEN] = "";

	if (!row)
		return;
	field_text(row, "who", group ? who_label(group, who) : "");
	field_number(row, "pid", account->tgid);
	field_text(row, "command", account->comm);
	field_text(row, "host", account->host);
	field_number(row, "flows", account->flows);
	field_number(row, "open", account->open);
	field_number(row, "quic", account->quic);
	field_number(row, "older", account->adopted);
	field_number(row, "other_requests", account->others);
	field_text(row, "why", unmetered_why_name(account->why));
	set_bytes(row, "flow_bytes", account->flow_bytes);
	set_bytes(row, "read_bytes", account->read_bytes);
	set_bytes(row, "estimated_bytes", account->charged_bytes);
	field_number(row, "lost_bytes", account->lost_bytes);
	set_bytes(row, "doubtful_bytes", account->doubtful_bytes);
}

/* The error is what measured calls have shown; null while there are none, and constants are used. */
static void add_estimate(void *arg, const struct calibration_row *factor,
			 const struct who_group *group)
{
	static const char *const of[CALIBRATED_COUNT][2] = {
		[CALIBRATED_TEXT_INPUT] = { "text", "input" },
		[CALIBRATED_JSON_INPUT] = { "json", "input" },
		[CALIBRATED_JSON_OUTPUT] = { "json", "output" },
		[CALIBRATED_STREAM_INPUT] = { "stream", "input" },
		[CALIBRATED_STREAM_OUTPUT] = { "stream", "output" },
	};
	json_t *row = add_row(arg);
	char who[WHO_LABEL_LEN];

	if (!row)
		return;
	field_text(row, "who", who_label(group, who));
	field_text(row, "cgroup", group->path);
	field_text(row, "host", factor->key.host);
	field_text(row, "model", factor->key.model);
	field_text(row, "from", of[factor->key.what][0]);
	field_text(row, "tokens", of[factor->key.what][1]);
	field_number(row, "calls", factor->samples);
	field_number(row, "factor_permille", factor->factor);
	field_set(row, "error_permille",
		  factor->has_error ? json_integer(factor->error) : json_null());
}

static void add_webhook(void *arg, const struct webhook_state *state)
{
	json_t *row = add_row(arg);

	if (!row)
		return;
	field_text(row, "name", state->name);
	field_number(row, "waiting", state->waiting);
	field_number(row, "sent", state->sent);
	field_number(row, "given_up", state->dead);
	field_text(row, "error", state->error);
}

static json_t *sharing(const struct snapshot *snapshot)
{
	struct shared_state state;
	json_t *object;

	if (!snapshot->shared)
		return NULL;
	shared_state(snapshot->shared, &state);
	object = json_object();
	field_text(object, "server", state.is_up ? "up" : "away");
	field_number(object, "nodes", state.nodes);
	field_number(object, "counters", state.counters);
	field_number(object, "dropped", state.dropped);
	field_text(object, "error", state.error);
	return object;
}

static json_t *kernel_counters(const struct tap *tap)
{
	uint64_t counters[CTL_COUNTERS] = { 0 };
	json_t *object = json_object();

	(void)tap_counters(tap, counters);
	for (size_t i = 0; i < CTL_COUNTERS; i++)
		if (tap_counter_name(i))
			field_number(object, tap_counter_name(i), counters[i]);
	return object;
}

static json_t *parser_counters(const struct pipeline *pipeline)
{
	json_t *object = json_object();
	struct pipeline_stats stats;

	pipeline_stats(pipeline, &stats);
	field_number(object, "bad_events", stats.bad_events);
	field_number(object, "gaps", stats.connections.gaps);
	field_number(object, "gap_bytes", stats.connections.gap_bytes);
	field_number(object, "resyncs", stats.connections.resyncs);
	field_number(object, "bad_encodings", stats.connections.bad_encodings);
	field_number(object, "connections_dropped", stats.connections.connections_dropped);
	field_number(object, "calls_dropped", stats.connections.calls_dropped);
	field_number(object, "reader_refused", stats.connections.refused);
	field_number(object, "accounts_dropped", stats.reconcile.accounts_dropped);
	field_number(object, "lessons_dropped", stats.calibration.evicted + stats.mix.evicted);
	return object;
}

static json_t *search_counters(const struct snapshot *snapshot)
{
	struct find_stats stats = { 0 };
	json_t *object = json_object();

	if (snapshot->finder)
		finder_stats(snapshot->finder, &stats);
	field_number(object, "looks_given_up", stats.looks_given_up);
	field_number(object, "looks_refused", stats.looks_refused);
	field_number(object, "files_refused", stats.files_refused);
	field_number(object, "files_set_aside", stats.files_set_aside);
	field_number(object, "processes_refused", stats.processes_refused);
	field_number(object, "greetings_crowded", stats.crowded);
	field_number(object, "attach_failures", stats.attach_failures);
	return object;
}

json_t *snapshot_health(const struct snapshot *snapshot)
{
	json_t *object = json_object(), *ledger = json_object(), *loop = json_object();
	struct loop_stats stats;

	field_number(ledger, "pending", ledger_pending(snapshot->ledger));
	field_number(ledger, "lost", ledger_lost(snapshot->ledger));
	field_set(object, "kernel", kernel_counters(snapshot->tap));
	field_set(object, "search", search_counters(snapshot));
	field_set(object, "parsers", parser_counters(snapshot->pipeline));
	field_set(object, "ledger", ledger);
	loop_stats(snapshot->loop, &stats);
	field_number(loop, "late_turns", stats.late);
	/* of those: what is below changes with each turn, and says nothing */
	field_number(loop, "longest_ms", stats.late ? stats.longest_ns / 1000000 : 0);
	field_set(object, "loop", loop);
	return object;
}

static void add_source(void *arg, const char *name, bool works, const char *why)
{
	json_t *row = add_row(arg);

	if (!row)
		return;
	field_text(row, "source", name);
	field_bool(row, "works", works);
	field_text(row, "why", why);
}

/* What a tenant wrote may be anything: it is shown once it is valid UTF-8, as null otherwise. */
static void add_annotation(void *arg, const char *subject, const struct who_wish *wish,
			   const char *state)
{
	json_t *row = add_row(arg);

	if (!row)
		return;
	field_text(row, "subject", subject);
	field_set(row, "budget", json_string(wish->budget) ?: json_null());
	field_set(row, "mode", json_string(wish->mode) ?: json_null());
	field_text(row, "state", state);
}

static void fill_budgets(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	struct counters_job job = { array, snapshot->trends, now_us };

	policy_counters(snapshot->policy, now_us, add_counter, &job);
}

static void fill_gates(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	enforcer_gates(snapshot->enforcer, add_gate, array);
}

static void fill_coverage(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	pipeline_coverage(snapshot->pipeline, add_coverage, array);
}

static void fill_estimates(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	pipeline_estimates(snapshot->pipeline, add_estimate, array);
}

static void fill_webhooks(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	webhooks_walk(snapshot->webhooks, add_webhook, array);
}

static void fill_names(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	names_each_source(kube_names(snapshot->kube), add_source, array);
}

static void fill_annotations(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	annotations_each(kube_annotations(snapshot->kube), add_annotation, array);
}

int snapshot_put_daemon(struct ledger *ledger, const char *cgroup_root, bool by_instruction)
{
	json_t *object = json_object();
	int err;

	field_number(object, "pid", (uint64_t)getpid());
	field_number(object, "started_us", (uint64_t)clock_wall_us());
	field_text(object, "cgroup_root", cgroup_root);
	field_text(object, "returns", by_instruction ? "instructions" : "probes");
	err = put(ledger, "daemon", object);
	return err < 0 ? err : 0;
}

int snapshot_put_config(struct ledger *ledger, const char *path, const char *zone,
			const char *error, bool is_restored)
{
	json_t *object = json_object(), *ports = json_array();
	uint16_t port;
	int err;

	for (size_t i = 0; (port = api_port(i)); i++)
		json_array_append_new(ports, json_integer(port));
	field_set(object, "ports", ports); /* at which plain HTTP is read */
	field_text(object, "file", path ? path : "");
	field_text(object, "zone", zone ? zone : "");
	field_text(object, "error", error);
	field_bool(object, "restored", is_restored);
	err = put(ledger, "config", object);
	return err < 0 ? err : 0;
}

int snapshot_put_prices(struct ledger *ledger, const struct prices *prices, const char *path,
			const char *error)
{
	json_t *object = json_object(), *files = json_array();
	const char *origin;
	int err;

	for (size_t i = 0; (origin = prices_origin(prices, i)); i++)
		json_array_append_new(files, json_string(origin));
	field_number(object, "models", prices_count(prices));
	field_set(object, "files", files);
	field_text(object, "path", path ? path : "");
	field_text(object, "error", error);
	err = put(ledger, "prices", object);
	return err < 0 ? err : 0;
}

int snapshot_put_rules(struct ledger *ledger, const struct policy_rules *rules)
{
	json_t *array = json_array();
	int err;

	for (size_t i = 0; i < rules->n_budgets; i++) {
		const struct policy_budget *budget = &rules->budgets[i];
		json_t *row = add_row(array);

		if (!row)
			break;
		field_text(row, "budget", budget->name);
		field_money(row, "limit_usd", budget->limit_nanos);
		field_number(row, "limit_tokens", budget->limit_tokens);
		field_bool(row, "enforced", rules->enforce && !budget->is_rehearsed);
	}
	err = put(ledger, "rules", array);
	return err < 0 ? err : 0;
}

/* Each is an array, which is filled, or an object, which is made; NULL: it is left out. */
static const struct {
	const char *key;
	void (*fill)(const struct snapshot *snapshot, int64_t now_us, json_t *array);
	json_t *(*make)(const struct snapshot *snapshot);
} parts[SNAPSHOT_PARTS] = {
	[SNAPSHOT_BUDGETS] = { "budgets", .fill = fill_budgets },
	[SNAPSHOT_GATES] = { "gates", .fill = fill_gates },
	[SNAPSHOT_COVERAGE] = { "coverage", .fill = fill_coverage },
	[SNAPSHOT_ESTIMATES] = { "estimates", .fill = fill_estimates },
	[SNAPSHOT_WEBHOOKS] = { "webhooks", .fill = fill_webhooks },
	[SNAPSHOT_SHARED] = { "shared", .make = sharing },
	[SNAPSHOT_HEALTH] = { "health", .make = snapshot_health },
	[SNAPSHOT_NAMES] = { "names", .fill = fill_names },
	[SNAPSHOT_ANNOTATIONS] = { "annotations", .fill = fill_annotations },
};

int snapshot_put(const struct snapshot *snapshot, enum snapshot_part which, int64_t now_us)
{
	json_t *value;

	if (which >= SNAPSHOT_PARTS)
		return -ENOENT;
	value = parts[which].make ? parts[which].make(snapshot) : json_array();
	if (value && parts[which].fill)
		parts[which].fill(snapshot, now_us, value);
	return value && put(snapshot->ledger, parts[which].key, value) > 0;
}
