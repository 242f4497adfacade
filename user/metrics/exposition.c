/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exposition_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void exposition_bytes(struct exposition *out, const char *bytes, size_t len)
{
	if (out->len + len > out->room) {
		size_t room = out->room ? out->room * 2 : 16384;
		char *text;

		while (room < out->len + len)
			room *= 2;
		text = realloc(out->text, room);
		if (!text) {
			out->failed = true;
			return;
		}
		out->text = text;
		out->room = room;
	}
	memcpy(out->text + out->len, bytes, len);
	out->len += len;
}

void exposition_string(struct exposition *out, const char *text)
{
	exposition_bytes(out, text, strlen(text));
}

void exposition_printf(struct exposition *out, const char *format, ...)
{
	char text[1024]; /* names, help and numbers of this program's own */
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		exposition_bytes(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

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

static const struct exposition_writer prometheus = { .row = write_row,
						     .histogram = write_histogram,
						     .end = write_end };

static const struct exposition_writer *writer_of(const struct exposition *out)
{
	return out->format == EXPOSITION_OTLP ? &exposition_otlp : &prometheus;
}

#define NANOS_LEN 32

/* "-1.5": no more digits than it takes. */
static const char *decimal_of(int64_t nanos, char *buf)
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	uint64_t part = amount % 1000000000;
	int width = 9;

	while (part && part % 10 == 0) {
		part /= 10;
		width--;
	}
	if (part)
		snprintf(buf, NANOS_LEN, "%s%" PRIu64 ".%0*" PRIu64, nanos < 0 ? "-" : "",
			 amount / 1000000000, width, part);
	else
		snprintf(buf, NANOS_LEN, "%s%" PRIu64, nanos < 0 ? "-" : "", amount / 1000000000);
	return buf;
}

/* Rows of the family, some of which were written, end here. */
static void leave(struct exposition *out)
{
	if (out->is_headed && writer_of(out)->leave)
		writer_of(out)->leave(out);
	out->is_headed = false;
}

void exposition_begin(struct exposition *out, const struct exposition_family *family)
{
	leave(out);
	out->family = family;
}

void exposition_count(struct exposition *out, const char *labels, const char *name,
		      const char *value, uint64_t n)
{
	char number[24];

	snprintf(number, sizeof(number), "%" PRIu64, n);
	writer_of(out)->row(out, labels, name, value, number, true);
}

void exposition_nanos(struct exposition *out, const char *labels, const char *name,
		      const char *value, int64_t nanos)
{
	char number[NANOS_LEN];

	writer_of(out)->row(out, labels, name, value, decimal_of(nanos, number), false);
}

void exposition_ratio(struct exposition *out, const char *labels, double ratio)
{
	char number[32];

	snprintf(number, sizeof(number), "%.6g", ratio);
	writer_of(out)->row(out, labels, NULL, NULL, number, false);
}

void exposition_histogram(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			  size_t n, const uint64_t *buckets, uint64_t sum_ns)
{
	char sum[NANOS_LEN];

	decimal_of(sum_ns > INT64_MAX ? INT64_MAX : (int64_t)sum_ns, sum);
	writer_of(out)->histogram(out, labels, bounds_ms, n, buckets, sum);
}

void exposition_end(struct exposition *out)
{
	leave(out);
	if (writer_of(out)->end)
		writer_of(out)->end(out);
}
