/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an exposition, top to bottom: rows by kind of value (exposition.c), the formats
 * (exposition_prometheus.c, exposition_otlp.c), the text (exposition_buffer.c). For these only.
 */
#ifndef METRICS_EXPOSITION_INTERNAL_H
#define METRICS_EXPOSITION_INTERNAL_H

#include "metrics/exposition.h"

/* A format: what a row becomes. `number` is a decimal; is_whole: without a point. */
struct exposition_writer {
	void (*row)(struct exposition *out, const char *labels, const char *name, const char *value,
		    const char *number, bool is_whole);
	void (*histogram)(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			  size_t n, const uint64_t *buckets, const char *sum);
	void (*leave)(struct exposition *out); /* the family, some of whose rows were written; may be NULL */
	void (*end)(struct exposition *out); /* after `leave`; may be NULL */
};
extern const struct exposition_writer exposition_prometheus, exposition_otlp;

void exposition_bytes(struct exposition *out, const char *bytes, size_t len);
void exposition_string(struct exposition *out, const char *text);
/* At most 1023 bytes. */
void exposition_printf(struct exposition *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
