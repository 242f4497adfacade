/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

const uint64_t metrics_duration_ms[METRICS_DURATIONS] = { 10,    20,    40,    80,   160,
							  320,   640,   1280,  2560, 5120,
							  10240, 20480, 40960, 81920 };
const uint64_t metrics_first_ms[METRICS_FIRSTS] = { 1,   5,   10,  20,   40,   60,   80,   100,
						    250, 500, 750, 1000, 2500, 5000, 7500, 10000 };

struct metrics_caller {
	UT_hash_handle hh;
	size_t refs; /* its rows, and one while a call is counted */
	char labels[];
};

/* Each row of calls refers to its caller, which is gone with the last reference. */

static void caller_unref(struct metrics *metrics, struct metrics_caller *caller)
{
	if (!caller || --caller->refs)
		return;
	HASH_DEL(metrics->callers, caller);
	free(caller);
}

/* The caller of these labels, made if it is new; a reference. NULL: no memory. */
static struct metrics_caller *caller_ref(struct metrics *metrics, const char *labels)
{
	struct metrics_caller *caller;
	size_t len = strlen(labels);

	HASH_FIND_STR(metrics->callers, labels, caller);
	if (!caller) {
		caller = calloc(1, sizeof(*caller) + len + 1);
		if (!caller)
			return NULL;
		memcpy(caller->labels, labels, len + 1);
		HASH_ADD_STR(metrics->callers, labels, caller);
		if (!caller->hh.tbl) {
			free(caller);
			return NULL;
		}
	}
	caller->refs++;
	return caller;
}

static void on_dropped(void *arg, struct series_row *row)
{
	caller_unref(arg, ((struct metrics_call_row *)row)->caller);
}

struct metrics *metrics_new(size_t max_series, const char *node)
{
	static char other[] = "namespace=\"other\",pod=\"other\",container=\"other\","
			      "workload=\"other\",provider=\"other\",model=\"other\",host=\"other\","
			      "client=\"other\"";
	static char other_timing[] = "namespace=\"other\",workload=\"other\",provider=\"other\","
				     "model=\"other\"";
	static char other_action[] = "budget=\"other\",action=\"other\"";
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return NULL;
	snprintf(metrics->node, sizeof(metrics->node), "%s", node);
	metrics->other_calls.row.labels = other;
	metrics->other_timing.row.labels = other_timing;
	metrics->other_action.row.labels = other_action;
	metrics->calls = series_new(sizeof(struct metrics_call_row), max_series, on_dropped,
				    metrics);
	metrics->timings = series_new(sizeof(struct metrics_timing_row),
				      METRICS_TIMING_ROWS(max_series), NULL, NULL);
	metrics->actions = series_new(sizeof(struct metrics_action_row), METRICS_ACTION_ROWS, NULL,
				      NULL);
	if (!metrics->calls || !metrics->timings || !metrics->actions)
		return metrics_free(metrics);
	return metrics;
}

struct metrics *metrics_free(struct metrics *metrics)
{
	if (!metrics)
		return NULL;
	series_free(metrics->calls); /* the callers go with their rows */
	series_free(metrics->timings);
	series_free(metrics->actions);
	free(metrics);
	return NULL;
}

bool metrics_label(char *labels, size_t size, const char *name, const char *value)
{
	char plain[TEXT_LEN(WHO_PATH_LEN)];
	size_t begin = strlen(labels), at;
	int n;

	if (!*value)
		return true;
	text_plain(value, plain, sizeof(plain));
	n = snprintf(labels + begin, size - begin, "%s%s=\"", begin ? "," : "", name);
	at = begin + (size_t)n;
	/* text_plain() left no line end: two characters need an escape. */
	for (const char *c = plain; *c && at + 4 < size; c++) {
		if (*c == '\\' || *c == '"')
			labels[at++] = '\\';
		labels[at++] = *c;
	}
	if (at + 4 >= size) {
		labels[begin] = '\0';
		return false;
	}
	labels[at++] = '"';
	labels[at] = '\0';
	return true;
}

/*
 * Whose call: a pod by the names that kube-state-metrics joins on; anything else by its cgroup,
 * unit, container and user.
 */
static void caller_labels(const struct ledger_call *call, char *labels, size_t size)
{
	const struct who_group *group = call->group;
	const char *container = group->container_name[0] ? group->container_name : group->container;

	labels[0] = '\0';
	metrics_label(labels, size, "namespace", group->namespace);
	metrics_label(labels, size, "pod", group->pod);
	metrics_label(labels, size, "container", container);
	metrics_label(labels, size, "workload", group->workload);
	if (group->pod[0])
		return;
	metrics_label(labels, size, "cgroup", group->path);
	metrics_label(labels, size, "unit", group->unit);
	metrics_label(labels, size, "user", call->process->user);
}

static void model_labels(const char *provider, const char *model, const char *host,
			 const char *client, char *labels, size_t size)
{
	metrics_label(labels, size, "provider", provider);
	metrics_label(labels, size, "model", model);
	metrics_label(labels, size, "host", host);
	metrics_label(labels, size, "client", client);
}

/* The row that a call belongs to. */
static struct metrics_call_row *call_row(struct metrics *metrics, const struct ledger_call *call,
					 uint64_t now_ns)
{
	const struct charge *charge = call->charge;
	char labels[METRICS_LABELS_LEN], client[CHARGE_CLIENT_LEN];
	struct metrics_caller *caller;
	struct metrics_call_row *row;
	size_t len;

	caller_labels(call, labels, sizeof(labels));
	/* Held until the end: making room for the new row may drop the caller's only other one. */
	caller = caller_ref(metrics, labels);
	len = strlen(labels);
	/* Without its version: an update would end all of its series. */
	charge_client_name(charge, client);
	model_labels(charge->provider, charge->model, charge->host, client, labels, sizeof(labels));
	row = (struct metrics_call_row *)series_find(metrics->calls, labels, now_ns);
	if (!row && caller) {
		if (caller->refs >= METRICS_MODELS) {
			labels[len] = '\0';
			model_labels("other", "other", "other", "other", labels, sizeof(labels));
		}
		row = (struct metrics_call_row *)series_get(metrics->calls, labels, now_ns);
	}
	if (row && !row->caller)
		row->caller = caller; /* with the reference */
	else
		caller_unref(metrics, caller);
	if (row)
		return row;
	metrics->overflowed++;
	return &metrics->other_calls;
}

static void sums_add(struct metrics_sums *sums, const struct charge *charge)
{
	usage_add(&sums->usage, &charge->usage);
	if (charge->is_priced)
		sums->spend_nanos += charge->cost_nanos, sums->error_nanos += charge->error_nanos;
	else if (charge->source != CHARGE_FREE)
		sums->unpriced += charge_count(charge);
	if (charge_is_unconfirmed(charge)) {
		sums->unconfirmed += charge_count(charge);
		sums->unconfirmed_nanos += charge->is_priced ? charge->cost_nanos : 0;
	}
	sums->calls[charge->source][charge->outcome] += charge_count(charge);
}

static void histogram_add(struct metrics_histogram *histogram, const uint64_t *bounds_ms, size_t n,
			  uint64_t ns)
{
	size_t i = 0;

	while (i < n && ns > bounds_ms[i] * NS_PER_MS)
		i++;
	histogram->buckets[i]++;
	histogram->sum_ns += ns;
}

static void timing_add(struct metrics *metrics, const struct ledger_call *call, uint64_t now_ns)
{
	const struct charge *charge = call->charge;
	const struct who_group *group = call->group;
	struct metrics_timing_row *timing;
	char labels[METRICS_LABELS_LEN] = "";

	if (!charge->status) /* not a call that was seen to be answered */
		return;
	metrics_label(labels, sizeof(labels), "namespace", group->namespace);
	metrics_label(labels, sizeof(labels), "workload", group->workload);
	if (!group->pod[0])
		metrics_label(labels, sizeof(labels), "unit", group->unit);
	metrics_label(labels, sizeof(labels), "provider", charge->provider);
	metrics_label(labels, sizeof(labels), "model", charge->model);
	timing = (struct metrics_timing_row *)series_get(metrics->timings, labels, now_ns);
	if (!timing)
		timing = &metrics->other_timing;
	histogram_add(&timing->duration, metrics_duration_ms, METRICS_DURATIONS,
		      charge->duration_ns);
	if (charge->first_token_ns)
		histogram_add(&timing->first_token, metrics_first_ms, METRICS_FIRSTS,
			      charge->first_token_ns);
}

void metrics_call(struct metrics *metrics, const struct ledger_call *call, uint64_t now_ns)
{
	sums_add(&metrics->total, call->charge);
	sums_add(&call_row(metrics, call, now_ns)->sums, call->charge);
	timing_add(metrics, call, now_ns);
}

void metrics_action(struct metrics *metrics, const struct ledger_action *action, uint64_t now_ns)
{
	struct metrics_action_row *count;
	char labels[METRICS_LABELS_LEN] = "";

	metrics_label(labels, sizeof(labels), "budget", action->budget);
	metrics_label(labels, sizeof(labels), "action", action->action);
	metrics_label(labels, sizeof(labels), "mode", action->is_rehearsed ? "rehearsed" : "real");
	metrics_label(labels, sizeof(labels), "result", action_result_word(action->outcome));
	count = (struct metrics_action_row *)series_get(metrics->actions, labels, now_ns);
	if (!count)
		count = &metrics->other_action;
	count->n++;
}

void metrics_expire(struct metrics *metrics, uint64_t now_ns)
{
	series_expire(metrics->calls, now_ns);
	series_expire(metrics->timings, now_ns);
	series_expire(metrics->actions, now_ns);
}

void metrics_pin(struct metrics *metrics, bool pinned)
{
	series_pin(metrics->calls, pinned);
	series_pin(metrics->timings, pinned);
	series_pin(metrics->actions, pinned);
}
