/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes rows of metrics: the two text formats of Prometheus, OpenMetrics 1.0 and the older 0.0.4, and the
 * JSON of OTLP 1.x (exposition_otlp.c). A family's head is written with its first row, so one without
 * rows leaves nothing.
 */
#ifndef METRICS_EXPOSITION_H
#define METRICS_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPEN, EXPOSITION_OTLP };
enum exposition_type {
	EXPOSITION_COUNTER,
	EXPOSITION_GAUGE,
	EXPOSITION_HISTOGRAM,
	EXPOSITION_INFO
};

struct exposition_family {
	const char *name; /* without "_total", "_info" */
	const char *unit; /* that the name ends with; NULL: none */
	const char *help;
	enum exposition_type type;
};

struct exposition {
	enum exposition_format format;
	const char *common; /* labels of every row; "" for none */
	/* For OTLP alone. */
	const char *resource;     /* labels of who reports, by their names in the conventions */
	const char *version;      /* this program's */
	int64_t start_us, now_us; /* wall clock: since when rows that follow count, and until when */

	char *text; /* not ended by a NUL */
	size_t len, room;
	bool failed; /* no memory: what is here is not whole */
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
/*
 * The end of a document. OpenMetrics wants it said. In OTLP each of many requests is a document: rows of
 * the same family may follow in the next one, which begins when the owner has set `len` to 0.
 */
void exposition_end(struct exposition *out);

#endif
