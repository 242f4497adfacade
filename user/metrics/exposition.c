/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/exposition_internal.h"

#include <inttypes.h>
#include <stdio.h>

static const struct exposition_writer *writer_of(const struct exposition *out)
{
	return out->format == EXPOSITION_OTLP ? &exposition_otlp : &exposition_prometheus;
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
