/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the two text formats of Prometheus: OpenMetrics 1.0 and the older 0.0.4. A family's head
 * is written with its first row, so one without rows leaves nothing.
 */
#ifndef EXPOSITION_H
#define EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPEN };
enum exposition_type { EXPOSITION_COUNTER, EXPOSITION_GAUGE, EXPOSITION_HISTOGRAM, EXPOSITION_INFO };

struct exposition_family {
	const char *name;	/* without "_total", "_info" */
	const char *unit;	/* that the name ends with; NULL: none */
	const char *help;
	enum exposition_type type;
};

struct exposition {
	enum exposition_format format;
	const char *common;	/* labels of every row; "" for none */
	char *text;		/* not ended by a NUL */
	size_t len, room;
	bool failed;		/* no memory: what is here is not whole */
	const struct exposition_family *family;
	bool is_headed;
};

/* Rows follow of this family. It must outlive them. */
void exposition_begin(struct exposition *out, const struct exposition_family *family);
/* One row: labels as metrics_label() makes them, then up to one more pair (NULL: none). */
void exposition_count(struct exposition *out, const char *labels, const char *name,
		      const char *value, uint64_t n);
/* A thousand-millionth of n: nanoseconds as seconds, nano-dollars as dollars. Exact. */
void exposition_nanos(struct exposition *out, const char *labels, const char *name,
		      const char *value, int64_t nanos);
void exposition_ratio(struct exposition *out, const char *labels, double ratio);
/* A histogram: n bounds in milliseconds, n + 1 buckets that are not cumulative, a sum in ns. */
void exposition_histogram(struct exposition *out, const char *labels, const uint64_t *bounds_ms,
			  size_t n, const uint64_t *buckets, uint64_t sum_ns);
/* The end of all: OpenMetrics wants it said. */
void exposition_end(struct exposition *out);

#endif
