/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pushes the metrics to an OpenTelemetry Collector, or whatever else speaks OTLP over HTTP, in JSON. One
 * request at a time, of OTLP_DOCUMENT_BYTES and the rest of a family; a push is as many as it takes. Nothing
 * is queued: sums are cumulative, so one that fails is made up for by the next, which is OTLP_BACKOFF_MAX_NS away
 * at most.
 */
#ifndef METRICS_OTLP_H
#define METRICS_OTLP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fetch.h"
#include "metrics/scrape.h"

#define OTLP_DOCUMENT_BYTES  (256u << 10)
#define OTLP_INTERVAL_NS     60000000000ULL /* by default, as OTEL_METRIC_EXPORT_INTERVAL */
#define OTLP_INTERVAL_MIN_NS 10000000000ULL /* above SERIES_BIRTH_NS */
#define OTLP_INTERVAL_MAX_NS 3600000000000ULL
#define OTLP_TIMEOUT_MS      10000           /* of one request, as OTEL_EXPORTER_OTLP_TIMEOUT */
#define OTLP_BACKOFF_MAX_NS  600000000000ULL /* or the interval, if that is longer */

struct otlp_config {
	char *endpoint; /* the whole URL; NULL: nothing is pushed */
	char *bearer_file, *header_file, *ca_file, *proxy;
	uint64_t interval_ns; /* 0: the default */
};
void otlp_config_done(struct otlp_config *config);
bool otlp_config_is_same(const struct otlp_config *a, const struct otlp_config *b);

struct loop;
struct otlp;

/*
 * `config` stays the caller's and must outlive it. `scrape` begins a walk in EXPOSITION_OTLP (NULL: no
 * memory), which is freed here. The first push comes within an interval, at random, so that nodes
 * that start together do not push together. 0 or -errno.
 */
int otlp_new(struct otlp **ret, struct loop *loop, struct fetcher *fetcher,
	     const struct otlp_config *config,
	     struct scrape *(*scrape)(void *arg, enum exposition_format format), void *arg);
struct otlp *otlp_free(struct otlp *otlp);

#endif
