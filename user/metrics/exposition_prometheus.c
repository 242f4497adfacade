/* SPDX-License-Identifier: Apache-2.0 */
/* The two text formats of Prometheus: OpenMetrics 1.0 and the older 0.0.4. */
#include "metrics/exposition_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* What the samples of a family are called; the old format has it in the head, too. */
static const char *suffix_of(const struct exposition_family *family)
{
	return family->type == EXPOSITION_COUNTER ? "_total" :
	       family->type == EXPOSITION_INFO    ? "_info" :
						    "";
}

static void write_head(struct exposition *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram", "info" };
	const struct exposition_family *family = out->family;
	bool is_open = out->format == EXPOSITION_OPEN;
	const char *suffix = is_open ? "" : suffix_of(family);
	const char *type = !is_open && family->type == EXPOSITION_INFO ? "gauge" :
									 types[family->type];

	if (out->is_headed)
		return;
	out->is_headed = true;
	exposition_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix,
			  family->help, family->name, suffix, type);
	if (is_open && family->unit)
		exposition_printf(out, "# UNIT %s %s\n", family->name, family->unit);
}

/* `name_suffix{common,labels,more="value"} `: the value follows. */
static void write_name(struct exposition *out, const char *suffix, const char *labels,
		       const char *name, const char *value)
{
	const char *separator = "{";

	write_head(out);
	exposition_string(out, out->family->name);
	exposition_string(out, suffix);
	if (*out->common) {
		exposition_string(out, separator);
		exposition_string(out, out->common);
		separator = ",";
	}
	if (*labels) {
		exposition_string(out, separator);
		exposition_string(out, labels);
		separator = ",";
	}
	if (name) {
		exposition_string(out, separator);
		exposition_string(out, name);
		exposition_string(out, "=\"");
		exposition_string(out, value);
		exposition_string(out, "\"");
		separator = ",";
	}
	exposition_string(out, *separator == ',' ? "} " : " ");
}

static void write_row(struct exposition *out, const char *labels, const char *name,
		      const char *value, const char *number, bool is_whole)
{
	write_name(out, suffix_of(out->family), labels, name, value);
	exposition_printf(out, "%s\n", number);
}

static void write_histogram(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			    size_t n, const uint64_t *buckets, const char *sum)
{
	uint64_t count = 0;
	char bound[32];

	for (size_t i = 0; i <= n; i++) {
		count += buckets[i];
		if (i < n) /* OpenMetrics: a float's canonical form, with its point */
			snprintf(bound, sizeof(bound), "%.*f",
				 bounds_ms[i] % 10  ? 3 :
				 bounds_ms[i] % 100 ? 2 :
						      1,
				 (double)bounds_ms[i] / 1000);
		else
			snprintf(bound, sizeof(bound), "+Inf");
		write_name(out, "_bucket", labels, "le", bound);
		exposition_printf(out, "%" PRIu64 "\n", count);
	}
	write_name(out, "_count", labels, NULL, NULL);
	exposition_printf(out, "%" PRIu64 "\n", count);
	write_name(out, "_sum", labels, NULL, NULL);
	exposition_printf(out, "%s\n", sum);
}

static void write_end(struct exposition *out)
{
	if (out->format == EXPOSITION_OPEN)
		exposition_string(out, "# EOF\n");
}

const struct exposition_writer exposition_prometheus = { .row = write_row,
							 .histogram = write_histogram,
							 .end = write_end };
