/* SPDX-License-Identifier: Apache-2.0 */
/* Families of what the modules know at this moment, and of what was lost. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "metrics/scrape_internal.h"

static void count(struct scrape *scrape, const char *name, const char *value, uint64_t n)
{
	exposition_count(&scrape->out, "", name, value, n);
}

/* Budgets. */

static const char *fullest_budget_labels(const struct fullest_budget *fullest_budget, char *labels,
					 size_t size)
{
	labels[0] = '\0';
	metrics_label(labels, size, "budget", fullest_budget->budget);
	metrics_label(labels, size, "counter", fullest_budget->key);
	metrics_label(labels, size, "window", fullest_budget->window);
	return labels;
}

enum amount { AMOUNT_LIMIT, AMOUNT_USED, AMOUNT_REMAINING };

static void write_money(struct scrape *scrape, enum amount amount)
{
	char labels[METRICS_LABELS_LEN];

	for (size_t i = 0; i < scrape->fullest_budgets.n; i++) {
		const struct fullest_budget *fullest_budget = &scrape->fullest_budgets.rows[i];
		int64_t left = fullest_budget->limit_nanos - fullest_budget->spent_nanos;

		if (fullest_budget->in_money &&
		    (fullest_budget->limit_nanos || amount == AMOUNT_USED))
			exposition_nanos(
				&scrape->out,
				fullest_budget_labels(fullest_budget, labels, sizeof(labels)), NULL,
				NULL,
				amount == AMOUNT_LIMIT ? fullest_budget->limit_nanos :
				amount == AMOUNT_USED  ? fullest_budget->spent_nanos :
				left > 0               ? left :
							 0);
	}
	if (scrape->fullest_budgets.n_more && amount == AMOUNT_USED)
		exposition_nanos(&scrape->out, "budget=\"other\",counter=\"other\"", NULL, NULL,
				 scrape->fullest_budgets.more_nanos);
}

static void write_budget_tokens(struct scrape *scrape, enum amount amount)
{
	char labels[METRICS_LABELS_LEN];

	for (size_t i = 0; i < scrape->fullest_budgets.n; i++) {
		const struct fullest_budget *fullest_budget = &scrape->fullest_budgets.rows[i];
		uint64_t left = fullest_budget->limit_tokens > fullest_budget->spent_tokens ?
					fullest_budget->limit_tokens - fullest_budget->spent_tokens :
					0;

		if (!fullest_budget->in_money)
			exposition_count(
				&scrape->out,
				fullest_budget_labels(fullest_budget, labels, sizeof(labels)), NULL,
				NULL,
				amount == AMOUNT_LIMIT ? fullest_budget->limit_tokens :
				amount == AMOUNT_USED  ? fullest_budget->spent_tokens :
							 left);
	}
	if (scrape->fullest_budgets.more_tokens && amount == AMOUNT_USED)
		exposition_count(&scrape->out, "budget=\"other\",counter=\"other\"", NULL, NULL,
				 scrape->fullest_budgets.more_tokens);
}

static void write_limit(struct scrape *scrape)
{
	write_money(scrape, AMOUNT_LIMIT);
}

static void write_used(struct scrape *scrape)
{
	write_money(scrape, AMOUNT_USED);
}

static void write_remaining(struct scrape *scrape)
{
	write_money(scrape, AMOUNT_REMAINING);
}

static void write_limit_tokens(struct scrape *scrape)
{
	write_budget_tokens(scrape, AMOUNT_LIMIT);
}

static void write_used_tokens(struct scrape *scrape)
{
	write_budget_tokens(scrape, AMOUNT_USED);
}

static void write_remaining_tokens(struct scrape *scrape)
{
	write_budget_tokens(scrape, AMOUNT_REMAINING);
}

static void write_used_ratio(struct scrape *scrape)
{
	char labels[METRICS_LABELS_LEN];

	for (size_t i = 0; i < scrape->fullest_budgets.n; i++)
		if (scrape->fullest_budgets.rows[i].limit_nanos ||
		    scrape->fullest_budgets.rows[i].limit_tokens)
			exposition_ratio(&scrape->out,
					 fullest_budget_labels(&scrape->fullest_budgets.rows[i],
							       labels, sizeof(labels)),
					 scrape->fullest_budgets.rows[i].used);
}

static void write_window_end(struct scrape *scrape)
{
	char labels[METRICS_LABELS_LEN];

	for (size_t i = 0; i < scrape->fullest_budgets.n; i++) {
		const struct fullest_budget *fullest_budget = &scrape->fullest_budgets.rows[i];

		if (strcmp(fullest_budget->window, "rolling") &&
		    strcmp(fullest_budget->window, "spike"))
			exposition_count(
				&scrape->out,
				fullest_budget_labels(fullest_budget, labels, sizeof(labels)), NULL,
				NULL, (uint64_t)(fullest_budget->window_end_us / US_PER_S));
	}
}

static void write_full(struct scrape *scrape)
{
	char labels[METRICS_LABELS_LEN];

	for (size_t i = 0; i < scrape->fullest_budgets.n; i++) {
		const struct fullest_budget *fullest_budget = &scrape->fullest_budgets.rows[i];

		if (fullest_budget->trend.reached_us)
			exposition_count(
				&scrape->out,
				fullest_budget_labels(fullest_budget, labels, sizeof(labels)), NULL,
				NULL, (uint64_t)(fullest_budget->trend.reached_us / US_PER_S));
	}
}

static void write_shown_counters(struct scrape *scrape)
{
	count(scrape, "shown", "yes", scrape->fullest_budgets.n);
	count(scrape, "shown", "no", scrape->fullest_budgets.n_more);
}

static void write_enforce(struct scrape *scrape)
{
	if (scrape->sources.policy)
		count(scrape, NULL, NULL, scrape->sources.enforce);
}

/* Gates. */

static void count_gate(void *arg, const struct enforcer_gate *gate)
{
	uint64_t *n = arg;

	for (size_t i = 0; i < POLICY_ACTIONS; i++)
		n[i] += !strcmp(gate->action, policy_action_name(i));
}

static void write_gates(struct scrape *scrape)
{
	uint64_t n[POLICY_ACTIONS] = { 0 };

	if (!scrape->sources.enforcer)
		return;
	enforcer_gates(scrape->sources.enforcer, count_gate, n);
	for (size_t i = 0; i < POLICY_ACTIONS; i++)
		if (i != POLICY_NOTE && i != POLICY_KILL)
			count(scrape, "action", policy_action_name(i), n[i]);
}

static void count_around(void *arg, const struct enforcer_gate *gate)
{
	uint64_t *n = arg;

	*n += gate->is_around;
}

static void write_gates_around(struct scrape *scrape)
{
	uint64_t n = 0;

	if (!scrape->sources.enforcer)
		return;
	enforcer_gates(scrape->sources.enforcer, count_around, &n);
	count(scrape, NULL, NULL, n);
}

struct gates_job {
	struct scrape *scrape;
	size_t left;
};

static void write_gate(void *arg, const struct enforcer_gate *gate)
{
	struct gates_job *job = arg;
	char labels[METRICS_LABELS_LEN] = "";

	if (!job->left)
		return;
	job->left--;
	metrics_label(labels, sizeof(labels), "action", gate->action);
	metrics_label(labels, sizeof(labels), "budget", gate->budget);
	metrics_label(labels, sizeof(labels), "counter", gate->key);
	metrics_label(labels, sizeof(labels), "target", gate->target);
	exposition_count(&job->scrape->out, labels, NULL, NULL,
			 gate->until_us > 0 && gate->until_us < INT64_MAX ?
				 (uint64_t)(gate->until_us / US_PER_S) :
				 0);
}

static void write_gate_ends(struct scrape *scrape)
{
	struct gates_job job = { .scrape = scrape, .left = scrape->sources.max_series };

	if (scrape->sources.enforcer)
		enforcer_gates(scrape->sources.enforcer, write_gate, &job);
}

/* Losses. */

static bool is_of_bytes(const char *name)
{
	size_t len = strlen(name);

	return len > 6 && !strcmp(name + len - 6, "_bytes");
}

static void write_kernel(struct scrape *scrape, bool of_bytes)
{
	for (unsigned i = 0; scrape->sources.tap && i < CTL_COUNTERS; i++) {
		const char *name = tap_counter_name(i);

		if (name && is_of_bytes(name) == of_bytes)
			count(scrape, "kind", name, scrape->counters[i]);
	}
}

static void write_kernel_events(struct scrape *scrape)
{
	write_kernel(scrape, false);
}

static void write_kernel_bytes(struct scrape *scrape)
{
	write_kernel(scrape, true);
}

static void write_parser(struct scrape *scrape)
{
	const struct pipeline_stats *stats = &scrape->pipeline;

	if (!scrape->sources.pipeline)
		return;
	count(scrape, "kind", "bad_events", stats->bad_events);
	count(scrape, "kind", "gaps", stats->connections.gaps);
	count(scrape, "kind", "resyncs", stats->connections.resyncs);
	count(scrape, "kind", "bad_encodings", stats->connections.bad_encodings);
	count(scrape, "kind", "connections_dropped", stats->connections.connections_dropped);
	count(scrape, "kind", "calls_dropped", stats->connections.calls_dropped);
	count(scrape, "kind", "reader_refused", stats->connections.refused);
	count(scrape, "kind", "flows_dropped", stats->flows_dropped);
	count(scrape, "kind", "accounts_dropped", stats->reconcile.accounts_dropped);
	count(scrape, "kind", "lessons_dropped", stats->calibration.evicted + stats->mix.evicted);
}

static void write_search(struct scrape *scrape)
{
	const struct scrape_sources *search = &scrape->sources;

	count(scrape, "kind", "looks_given_up", search->looks_given_up);
	count(scrape, "kind", "looks_refused", search->looks_refused);
	count(scrape, "kind", "files_refused", search->files_refused);
	count(scrape, "kind", "files_set_aside", search->files_set_aside);
	count(scrape, "kind", "processes_refused", search->processes_refused);
	count(scrape, "kind", "greetings_crowded", search->greetings_crowded);
	count(scrape, "kind", "attach_failures", search->attach_failures);
}

static void write_gap_bytes(struct scrape *scrape)
{
	if (scrape->sources.pipeline)
		count(scrape, NULL, NULL, scrape->pipeline.connections.gap_bytes);
}

static void write_events(struct scrape *scrape)
{
	if (scrape->sources.pipeline)
		count(scrape, NULL, NULL, scrape->pipeline.events);
}

/* The daemon itself. */

static void write_run_time(void *arg, const struct tap_run_time *run_time)
{
	struct scrape *scrape = arg;

	exposition_nanos(&scrape->out, "", "program", run_time->program, (int64_t)run_time->run_ns);
}

static void write_run_times(struct scrape *scrape)
{
	if (scrape->sources.tap)
		tap_run_times(scrape->sources.tap, write_run_time, scrape);
}

static void write_runs_of(void *arg, const struct tap_run_time *run_time)
{
	count(arg, "program", run_time->program, run_time->runs);
}

static void write_runs(struct scrape *scrape)
{
	if (scrape->sources.tap)
		tap_run_times(scrape->sources.tap, write_runs_of, scrape);
}

static void write_build(struct scrape *scrape)
{
	count(scrape, "version", scrape->sources.version, 1);
}

static void write_start(struct scrape *scrape)
{
	count(scrape, NULL, NULL, (uint64_t)(scrape->sources.started_us / US_PER_S));
}

static void write_cpu(struct scrape *scrape)
{
	exposition_nanos(&scrape->out, "", NULL, NULL, (int64_t)clock_ns(CLOCK_PROCESS_CPUTIME_ID));
}

static void write_memory(struct scrape *scrape)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	unsigned long pages;

	if (file && fscanf(file, "%*u %lu", &pages) == 1)
		count(scrape, NULL, NULL, pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

#define COUNTER EXPOSITION_COUNTER
#define GAUGE   EXPOSITION_GAUGE

const struct scrape_family scrape_state[] = {
	{ { "aigress_budget_limit_usd", "usd", "The limit in force, an operator's raise included.",
	    GAUGE },
	  .all = write_limit },
	{ { "aigress_budget_used_usd", "usd", "Spent in the present window.", GAUGE },
	  .all = write_used },
	{ { "aigress_budget_remaining_usd", "usd", "Left in the present window.", GAUGE },
	  .all = write_remaining },
	{ { "aigress_budget_limit_tokens", "tokens", "The limit in force.", GAUGE },
	  .all = write_limit_tokens },
	{ { "aigress_budget_used_tokens", "tokens", "Used in the present window.", GAUGE },
	  .all = write_used_tokens },
	{ { "aigress_budget_remaining_tokens", "tokens", "Left in the present window.", GAUGE },
	  .all = write_remaining_tokens },
	{ { "aigress_budget_used_ratio", "ratio", "Used of the limit, whatever its unit.", GAUGE },
	  .all = write_used_ratio },
	{ { "aigress_budget_window_end_timestamp_seconds", "seconds",
	    "When a calendar window ends.", GAUGE },
	  .all = write_window_end },
	{ { "aigress_budget_full_timestamp_seconds", "seconds",
	    "When the limit is reached at the rate of the last minutes, if that is before the window ends.",
	    GAUGE },
	  .all = write_full },
	{ { "aigress_budget_counters", NULL, "Counters of all budgets, those shown here or not.",
	    GAUGE },
	  .all = write_shown_counters },
	{ { "aigress_spend_per_hour_usd", "usd", "Spent in the last 60 minutes.", GAUGE },
	  .all = scrape_write_spend_rate },
	{ { "aigress_period_spend_usd", "usd", "Spent in the present calendar day and month.",
	    GAUGE },
	  .all = scrape_write_period },
	{ { "aigress_forecast_usd", "usd",
	    "What the present day and month will have cost: expected, and four times of five between low "
	    "and high.",
	    GAUGE },
	  .all = scrape_write_forecast },
	{ { "aigress_enforcing", NULL, "1 if actions are done, 0 if they are rehearsed.", GAUGE },
	  .all = write_enforce },
	{ { "aigress_config_last_reload_successful", NULL,
	    "0 while the configuration file is broken and an earlier one is in force.", GAUGE },
	  .all = scrape_write_config },
	{ { "aigress_gates", NULL,
	    "Gates, stops and freezes in force; rehearsed ones have no effect.", GAUGE },
	  .all = write_gates },
	{ { "aigress_gates_not_enforceable", NULL,
	    "Of the gates in force, those that a call got around.", GAUGE },
	  .all = write_gates_around },
	{ { "aigress_gate_end_timestamp_seconds", "seconds",
	    "When a gate in force ends by itself; 0: not by the clock.", GAUGE },
	  .all = write_gate_ends },
	{ { "aigress_traffic_bytes", "bytes", "TCP payload to and from AI hosts.", COUNTER },
	  .all = scrape_write_traffic },
	{ { "aigress_measured_bytes", "bytes", "Of the traffic, plaintext that was read.", COUNTER },
	  .all = scrape_write_measured },
	{ { "aigress_estimated_bytes", "bytes", "Of the traffic, what was charged by its size.",
	    COUNTER },
	  .all = scrape_write_estimated },
	{ { "aigress_unmetered_bytes", "bytes",
	    "Of the traffic, what neither look explains yet; TLS framing is in it.", GAUGE },
	  .all = scrape_write_unmetered },
	{ { "aigress_connections", NULL,
	    "Live connections to AI hosts, by the look that sees them.", GAUGE },
	  .all = scrape_write_connections },
	{ { "aigress_paired_sockets", NULL,
	    "Sockets that were seen to carry a TLS connection, by how that is known.", COUNTER },
	  .all = scrape_write_paired },
	{ { "aigress_calls_in_flight", NULL, "Calls that are not over.", GAUGE },
	  .all = scrape_write_in_flight },
	{ { "aigress_gateway_calls", NULL,
	    "Calls through gateways: two that were seen to be one, or a gateway's whose own was not recognised.",
	    COUNTER },
	  .all = scrape_write_legs },
	{ { "aigress_events", NULL, "Events from the kernel half.", COUNTER }, .all = write_events },
	{ { "aigress_kernel_events", NULL, "What the kernel half refused, or had no room for.",
	    COUNTER },
	  .all = write_kernel_events },
	{ { "aigress_kernel_lost_bytes", "bytes", "Plaintext that could not be copied, by reason.",
	    COUNTER },
	  .all = write_kernel_bytes },
	{ { "aigress_parser_events", NULL, "What the parsers could not follow.", COUNTER },
	  .all = write_parser },
	{ { "aigress_search_events", NULL,
	    "Programs whose TLS code could not be looked for in time.", COUNTER },
	  .all = write_search },
	{ { "aigress_parser_gap_bytes", "bytes", "Bytes missing in streams that were parsed.",
	    COUNTER },
	  .all = write_gap_bytes },
	{ { "aigress_ledger_writable", NULL, "0 while the ledger's last commit failed.", GAUGE },
	  .all = scrape_write_writable },
	{ { "aigress_ledger_pending_calls", NULL, "Calls that wait for the disk.", GAUGE },
	  .all = scrape_write_pending },
	{ { "aigress_ledger_lost_calls", NULL, "Calls that the ledger could not take.", COUNTER },
	  .all = scrape_write_lost },
	{ { "aigress_meter_gap_seconds", "seconds",
	    "Of the last 24 hours, when no aigress measured this node.", GAUGE },
	  .all = scrape_write_gaps },
	{ { "aigress_prices", NULL, "Models with a price.", GAUGE }, .all = scrape_write_prices },
	{ { "aigress_prices_timestamp_seconds", "seconds", "The day of a price file.", GAUGE },
	  .all = scrape_write_prices_day },
	{ { "aigress_reconciled_usd", "usd",
	    "Sums of the last `aigress reconcile --keep`: billed, seen, billed and never seen, seen and not billed.",
	    GAUGE },
	  .all = scrape_write_reconciled },
	{ { "aigress_reconciled_timestamp_seconds", "seconds", "When that was.", GAUGE },
	  .all = scrape_write_reconciled_day },
	{ { "aigress_reconciled_drift_ratio", "ratio",
	    "By how much more was seen than was billed, where most was known by a source.", GAUGE },
	  .all = scrape_write_drift },
	{ { "aigress_bpf_run_seconds", "seconds",
	    "Time in a program of the kernel half, while kernel.bpf_stats_enabled is on.", COUNTER },
	  .all = write_run_times },
	{ { "aigress_bpf_runs", NULL, "Runs of a program, likewise.", COUNTER }, .all = write_runs },
	{ { "aigress_build", NULL, "Which aigress this is.", EXPOSITION_INFO }, .all = write_build },
	{ { "process_cpu_seconds", "seconds", "CPU time of the daemon.", COUNTER },
	  .all = write_cpu },
	{ { "process_resident_memory_bytes", "bytes",
	    "Resident memory of the daemon; the event ring counts twice.", GAUGE },
	  .all = write_memory },
	{ { "process_start_time_seconds", "seconds", "When the daemon started.", GAUGE },
	  .all = write_start },
	{ .head.name = NULL },
};
