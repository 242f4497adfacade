/* SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_bytes(struct exposition *out, const char *bytes, size_t len)
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

static void write_text(struct exposition *out, const char *text)
{
	write_bytes(out, text, strlen(text));
}

static void write_format(struct exposition *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void write_format(struct exposition *out, const char *format, ...)
{
	char text[1024];	/* names, help and numbers of this program's own */
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		write_bytes(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* What the samples of a family are called; the old format has it in the head, too. */
static const char *suffix_of(const struct exposition_family *family)
{
	return family->type == EXPOSITION_COUNTER ? "_total" :
	       family->type == EXPOSITION_INFO	  ? "_info" : "";
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
	write_format(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", family->name, suffix, family->help,
		     family->name, suffix, type);
	if (is_open && family->unit)
		write_format(out, "# UNIT %s %s\n", family->name, family->unit);
}

void exposition_begin(struct exposition *out, const struct exposition_family *family)
{
	out->family = family;
	out->is_headed = false;
}

/* `name_suffix{common,labels,more="value"} `: the value follows. */
static void write_name(struct exposition *out, const char *suffix, const char *labels,
		       const char *name, const char *value)
{
	const char *separator = "{";

	write_head(out);
	write_text(out, out->family->name);
	write_text(out, suffix);
	if (*out->common) {
		write_text(out, separator);
		write_text(out, out->common);
		separator = ",";
	}
	if (*labels) {
		write_text(out, separator);
		write_text(out, labels);
		separator = ",";
	}
	if (name) {
		write_text(out, separator);
		write_text(out, name);
		write_text(out, "=\"");
		write_text(out, value);
		write_text(out, "\"");
		separator = ",";
	}
	write_text(out, *separator == ',' ? "} " : " ");
}

static void write_nanos(struct exposition *out, int64_t nanos)
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	uint64_t part = amount % 1000000000;
	int width = 9;

	while (part && part % 10 == 0) {
		part /= 10;
		width--;
	}
	if (part)
		write_format(out, "%s%" PRIu64 ".%0*" PRIu64 "\n", nanos < 0 ? "-" : "",
			     amount / 1000000000, width, part);
	else
		write_format(out, "%s%" PRIu64 "\n", nanos < 0 ? "-" : "", amount / 1000000000);
}

void exposition_count(struct exposition *out, const char *labels, const char *name,
		      const char *value, uint64_t n)
{
	write_name(out, suffix_of(out->family), labels, name, value);
	write_format(out, "%" PRIu64 "\n", n);
}

void exposition_nanos(struct exposition *out, const char *labels, const char *name,
		      const char *value, int64_t nanos)
{
	write_name(out, suffix_of(out->family), labels, name, value);
	write_nanos(out, nanos);
}

void exposition_ratio(struct exposition *out, const char *labels, double ratio)
{
	write_name(out, suffix_of(out->family), labels, NULL, NULL);
	write_format(out, "%.6g\n", ratio);
}

void exposition_histogram(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			  size_t n, const uint64_t *buckets, uint64_t sum_ns)
{
	uint64_t count = 0;
	char bound[32];

	for (size_t i = 0; i <= n; i++) {
		count += buckets[i];
		if (i < n)	/* OpenMetrics: a float's canonical form, with its point */
			snprintf(bound, sizeof(bound), "%.*f",
				 bounds_ms[i] % 10 ? 3 : bounds_ms[i] % 100 ? 2 : 1,
				 (double)bounds_ms[i] / 1000);
		else
			snprintf(bound, sizeof(bound), "+Inf");
		write_name(out, "_bucket", labels, "le", bound);
		write_format(out, "%" PRIu64 "\n", count);
	}
	write_name(out, "_count", labels, NULL, NULL);
	write_format(out, "%" PRIu64 "\n", count);
	write_name(out, "_sum", labels, NULL, NULL);
	write_nanos(out, sum_ns > INT64_MAX ? INT64_MAX : (int64_t)sum_ns);
}

void exposition_end(struct exposition *out)
{
	if (out->format == EXPOSITION_OPEN)
		write_text(out, "# EOF\n");
}
