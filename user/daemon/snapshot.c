/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/snapshot.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "kube/kube.h"
#include "notify/webhook.h"
#include "pipeline/pipeline.h"
#include "shared/shared.h"
#include "tap/tap.h"

/* Counters that are shown; the dearest matter, and a fact must stay readable. */
#define OBSERVERS_MAX 1000

static int put(struct ledger *ledger, const char *key, json_t *value)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *before = ledger_get(ledger, key);
	int err;

	if (value)
		text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(value);
	if (!text)
		return -ENOMEM;
	if (before && !strcmp(before, text))
		return 0;
	err = ledger_put(ledger, key, text);
	return err ? err : 1;
}

int snapshot_put_daemon(struct ledger *ledger, const char *cgroup_root, bool by_instruction)
{
	int err = put(ledger, "daemon",
		      json_pack("{s:i, s:I, s:s, s:s}", "pid", (int)getpid(), "started_us",
				(json_int_t)clock_wall_us(), "cgroup_root", cgroup_root, "returns",
				by_instruction ? "instructions" : "probes"));

	return err < 0 ? err : 0;
}

static void add_counter(void *arg, const struct policy_counter *counter)
{
	char spent[MONEY_LEN], limit[MONEY_LEN];
	json_t *array = arg;

	if (json_array_size(array) >= OBSERVERS_MAX)
		return;
	json_array_append_new(
		array,
		json_pack("{s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:s}", "budget",
			  text_json(counter->budget->name), "key", text_json(counter->key),
			  "spent_usd", money_format(counter->spent_nanos, spent), "limit_usd",
			  money_format(counter->limit_nanos, limit), "spent_tokens",
			  (json_int_t)counter->spent_tokens, "limit_tokens",
			  (json_int_t)counter->limit_tokens, "window_end_us",
			  (json_int_t)counter->window_end_us, "reached",
			  counter->reached ? policy_action_name(counter->reached->action) : ""));
}

static void add_gate(void *arg, const struct enforcer_gate *gate)
{
	json_t *array = arg, *row;
	char rate[MONEY_LEN];

	if (json_array_size(array) >= OBSERVERS_MAX)
		return;
	row = json_pack("{s:s, s:o, s:o, s:o, s:I}", "action", gate->action, "budget",
			text_json(gate->budget), "key", text_json(gate->key), "target",
			text_json(gate->target), "until_us", (json_int_t)gate->until_us);
	if (row && gate->pace_per_hour) {
		if (gate->in_money)
			json_object_set_new(row, "to_usd_per_hour",
					    json_string(money_format(gate->pace_per_hour, rate)));
		else
			json_object_set_new(row, "to_tokens_per_hour",
					    json_integer(gate->pace_per_hour));
		json_object_set_new(row, "let_go", json_integer((json_int_t)gate->admitted));
		json_object_set_new(row, "held", json_integer((json_int_t)gate->held));
	}
	json_array_append_new(array, row);
}

/* Both directions as an object. */
static json_t *bytes(const uint64_t bytes[2])
{
	return json_pack("{s:I, s:I}", "out", (json_int_t)bytes[EV_OUT], "in",
			 (json_int_t)bytes[EV_IN]);
}

static void add_coverage(void *arg, const struct reconcile_row *row)
{
	json_t *array = arg;

	if (json_array_size(array) < OBSERVERS_MAX)
		json_array_append_new(
			array,
			json_pack(
				"{s:I, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:s, s:o, s:o, s:o, s:I, s:o}",
				"pid", (json_int_t)row->tgid, "command", text_json(row->comm),
				"host", text_json(row->host), "flows", (json_int_t)row->flows,
				"open", (json_int_t)row->open, "quic", (json_int_t)row->quic,
				"older", (json_int_t)row->adopted, "other_requests",
				(json_int_t)row->others, "why", unmetered_why_name(row->why),
				"flow_bytes", bytes(row->flow_bytes), "read_bytes",
				bytes(row->read_bytes), "estimated_bytes", bytes(row->charged_bytes),
				"lost_bytes", (json_int_t)row->lost_bytes, "doubtful_bytes",
				bytes(row->doubtful_bytes)));
}

/* How far an estimate may be off, by what measured calls taught; null: by the constants alone. */
static void add_estimate(void *arg, const struct calibration_row *row)
{
	static const char *const of[CALIBRATED_COUNT][2] = {
		[CALIBRATED_TEXT_INPUT] = { "text", "input" },
		[CALIBRATED_JSON_INPUT] = { "json", "input" },
		[CALIBRATED_JSON_OUTPUT] = { "json", "output" },
		[CALIBRATED_STREAM_INPUT] = { "stream", "input" },
		[CALIBRATED_STREAM_OUTPUT] = { "stream", "output" },
	};
	json_t *array = arg, *error = row->has_error ? json_integer(row->error) : json_null();

	if (json_array_size(array) < OBSERVERS_MAX)
		json_array_append_new(
			array, json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:O}", "host",
					 row->key.host, "model", row->key.model, "from",
					 of[row->key.what][0], "tokens", of[row->key.what][1],
					 "calls", (json_int_t)row->samples, "factor_permille",
					 (json_int_t)row->factor, "error_permille", error));
	json_decref(error);
}

static void add_webhook(void *arg, const struct webhook_state *state)
{
	json_array_append_new(arg, json_pack("{s:s, s:I, s:I, s:I, s:s}", "name", state->name,
					     "waiting", (json_int_t)state->waiting, "sent",
					     (json_int_t)state->sent, "given_up",
					     (json_int_t)state->dead, "error", state->error));
}

static json_t *sharing(const struct snapshot *snapshot)
{
	struct shared_state state;

	if (!snapshot->shared)
		return NULL;
	shared_state(snapshot->shared, &state);
	return json_pack("{s:s, s:I, s:I, s:I, s:s}", "server", state.is_up ? "up" : "away",
			 "nodes", (json_int_t)state.nodes, "counters", (json_int_t)state.counters,
			 "dropped", (json_int_t)state.dropped, "error", state.error);
}

static json_t *health(const struct snapshot *snapshot)
{
	uint64_t counters[CTL_COUNTERS] = { 0 };
	struct pipeline_stats stats;
	json_t *kernel = json_object();

	pipeline_stats(snapshot->pipeline, &stats);
	(void)tap_counters(snapshot->tap, counters);
	for (size_t i = 0; kernel && i < CTL_COUNTERS; i++)
		if (tap_counter_name(i))
			json_object_set_new(kernel, tap_counter_name(i),
					    json_integer((json_int_t)counters[i]));
	return json_pack("{s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}, s:{s:I, s:I}}",
			 "kernel", kernel, "parsers", "bad_events", (json_int_t)stats.bad_events,
			 "gaps", (json_int_t)stats.connections.gaps, "gap_bytes",
			 (json_int_t)stats.connections.gap_bytes, "resyncs",
			 (json_int_t)stats.connections.resyncs, "bad_encodings",
			 (json_int_t)stats.connections.bad_encodings, "connections_dropped",
			 (json_int_t)stats.connections.connections_dropped, "calls_dropped",
			 (json_int_t)stats.connections.calls_dropped, "accounts_dropped",
			 (json_int_t)stats.reconcile.accounts_dropped, "ledger", "pending",
			 (json_int_t)ledger_pending(snapshot->ledger), "lost",
			 (json_int_t)ledger_lost(snapshot->ledger));
}

static void add_source(void *arg, const char *name, bool works, const char *why)
{
	json_t *array = arg;

	json_array_append_new(
		array, json_pack("{s:s, s:b, s:s}", "source", name, "works", works, "why", why));
}

static void add_annotation(void *arg, const char *subject, const struct who_wish *wish,
			   const char *state)
{
	json_t *array = arg;

	/* What a tenant wrote may be anything: shown as it is once it was understood, else its state. */
	if (json_array_size(array) < OBSERVERS_MAX)
		json_array_append_new(
			array, json_pack("{s:s, s:o, s:o, s:s}", "subject", subject, "budget",
					 json_string(wish->budget) ?: json_null(), "mode",
					 json_string(wish->mode) ?: json_null(), "state", state));
}

static void fill_budgets(const struct snapshot *snapshot, int64_t now_us, json_t *array)
{
	policy_counters(snapshot->policy, now_us, add_counter, array);
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

/* Each is an array, which is filled, or an object, which is made; NULL: there is nothing to tell. */
static const struct {
	const char *key;
	void (*fill)(const struct snapshot *snapshot, int64_t now_us, json_t *array);
	json_t *(*make)(const struct snapshot *snapshot);
} parts[] = {
	{ "budgets", .fill = fill_budgets },
	{ "gates", .fill = fill_gates },
	{ "coverage", .fill = fill_coverage },
	{ "estimates", .fill = fill_estimates },
	{ "webhooks", .fill = fill_webhooks },
	{ "shared", .make = sharing },
	{ "health", .make = health },
	{ "names", .fill = fill_names },
	{ "annotations", .fill = fill_annotations },
};

int snapshot_put(const struct snapshot *snapshot, size_t which, int64_t now_us)
{
	json_t *value;

	if (which >= ARRAY_SIZE(parts))
		return -ENOENT;
	value = parts[which].make ? parts[which].make(snapshot) : json_array();
	if (value && parts[which].fill)
		parts[which].fill(snapshot, now_us, value);
	return value && put(snapshot->ledger, parts[which].key, value) > 0;
}
