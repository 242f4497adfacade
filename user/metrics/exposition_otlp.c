/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OTLP's metrics in JSON (opentelemetry.io/docs/specs/otlp, 1.9: the proto3 mapping, 64-bit integers as
 * strings), each document an ExportMetricsServiceRequest. What is escaped for a label of Prometheus is
 * escaped for JSON as well: metrics_label() lets no control character through, and a quote and a
 * backslash are written alike in both.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "metrics/exposition_internal.h"

#define CUMULATIVE 2 /* enum AggregationTemporality */

struct renamed {
	const char *ours, *theirs;
};

/* What the semantic conventions have a name for; docs/METRICS.md has the same table. */
static const struct renamed metrics[] = {
	{ "aigress_call_duration_seconds", "gen_ai.client.operation.duration" },
	{ "aigress_call_first_token_seconds", "gen_ai.server.time_to_first_token" },
	{ NULL },
};

static const struct renamed attributes[] = {
	{ "namespace", "k8s.namespace.name" },
	{ "pod", "k8s.pod.name" },
	{ "container", "k8s.container.name" },
	{ "provider", "gen_ai.provider.name" },
	{ "model", "gen_ai.response.model" },
	{ "host", "server.address" },
	{ "user", "user.name" },
	{ "client", "user_agent.name" },
	{ NULL },
};

static const struct renamed units[] = {
	/* to UCUM's */
	{ "seconds", "s" }, { "bytes", "By" }, { "tokens", "{token}" },
	{ "usd", "{USD}" }, { "ratio", "1" },  { NULL },
};

/* NULL: they have none. */
static const char *theirs(const struct renamed *names, const char *name, size_t len)
{
	for (; names->ours; names++)
		if (strlen(names->ours) == len && !memcmp(names->ours, name, len))
			return names->theirs;
	return NULL;
}

/* A comma unless a list begins here. */
static void next(struct exposition *out)
{
	if (!out->failed && out->len && out->text[out->len - 1] != '[')
		exposition_string(out, ",");
}

static void write_key(struct exposition *out, const char *label, size_t len)
{
	const char *name = theirs(attributes, label, len);

	next(out);
	exposition_string(out, "{\"key\":\"");
	exposition_bytes(out, name ?: label, name ? strlen(name) : len);
	exposition_string(out, "\",\"value\":{\"stringValue\":\"");
}

/* `name="value",...` */
static void write_attributes(struct exposition *out, const char *labels)
{
	while (*labels) {
		const char *value = strchr(labels, '=') + 2;
		const char *end = value;

		while (*end != '"')
			end += *end == '\\' ? 2 : 1;
		write_key(out, labels, (size_t)(value - 2 - labels));
		exposition_bytes(out, value, (size_t)(end - value));
		exposition_string(out, "\"}}");
		labels = end + 1 + (end[1] == ',');
	}
}

static void write_document_head(struct exposition *out)
{
	exposition_string(out, "{\"resourceMetrics\":[{\"resource\":{\"attributes\":[");
	write_attributes(out, out->resource);
	exposition_printf(out,
			  "]},\"scopeMetrics\":[{\"scope\":{\"name\":\"aigress\",\"version\":\"%s\"},"
			  "\"metrics\":[",
			  out->version);
}

static void write_head(struct exposition *out)
{
	const struct exposition_family *family = out->family;
	const char *name = theirs(metrics, family->name, strlen(family->name));
	const char *unit = family->unit ? theirs(units, family->unit, strlen(family->unit)) : "";

	if (out->is_headed)
		return;
	out->is_headed = true;
	if (!out->len)
		write_document_head(out);
	next(out);
	exposition_printf(out, "{\"name\":\"%s%s\",\"description\":\"%s\",\"unit\":\"%s\",",
			  name ?: family->name, family->type == EXPOSITION_INFO ? "_info" : "",
			  family->help, unit ?: "");
	if (family->type == EXPOSITION_COUNTER)
		exposition_printf(out,
				  "\"sum\":{\"aggregationTemporality\":%d,\"isMonotonic\":true,",
				  CUMULATIVE);
	else if (family->type == EXPOSITION_HISTOGRAM)
		exposition_printf(out, "\"histogram\":{\"aggregationTemporality\":%d,", CUMULATIVE);
	else
		exposition_string(out, "\"gauge\":{");
	exposition_string(out, "\"dataPoints\":[");
}

/* As far as every kind of point has it. */
static void write_point(struct exposition *out, const char *labels, const char *name,
			const char *value)
{
	write_head(out);
	next(out);
	exposition_string(out, "{\"attributes\":[");
	write_attributes(out, labels);
	if (name) {
		write_key(out, name, strlen(name));
		exposition_string(out, value);
		exposition_string(out, "\"}}");
	}
	exposition_string(out, "],");
	if (out->family->type == EXPOSITION_COUNTER || out->family->type == EXPOSITION_HISTOGRAM)
		exposition_printf(out, "\"startTimeUnixNano\":\"%" PRId64 "000\",", out->start_us);
	exposition_printf(out, "\"timeUnixNano\":\"%" PRId64 "000\",", out->now_us);
}

static void write_row(struct exposition *out, const char *labels, const char *name,
		      const char *value, const char *number, bool is_whole)
{
	write_point(out, labels, name, value);
	exposition_printf(out, is_whole ? "\"asInt\":\"%s\"}" : "\"asDouble\":%s}", number);
}

static void write_histogram(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			    size_t n, const uint64_t *buckets, const char *sum)
{
	uint64_t count = 0;

	write_point(out, labels, NULL, NULL);
	exposition_string(out, "\"explicitBounds\":[");
	for (size_t i = 0; i < n; i++) {
		next(out);
		exposition_printf(out, "%.3f", (double)bounds_ms[i] / 1000);
	}
	exposition_string(out, "],\"bucketCounts\":[");
	for (size_t i = 0; i <= n; i++) {
		next(out);
		exposition_printf(out, "\"%" PRIu64 "\"", buckets[i]);
		count += buckets[i];
	}
	exposition_printf(out, "],\"count\":\"%" PRIu64 "\",\"sum\":%s}", count, sum);
}

static void leave(struct exposition *out)
{
	exposition_string(out, "]}}");
}

static void write_end(struct exposition *out)
{
	if (out->len)
		exposition_string(out, "]}]}]}");
}

const struct exposition_writer exposition_otlp = { .row = write_row,
						   .histogram = write_histogram,
						   .leave = leave,
						   .end = write_end };
