/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event bytes of any kind through the whole pipeline. The input is a list of (size: 2 bytes, event):
 * the fuzzer finds its way into the parsers behind EV_DATA by itself and by the corpus.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/pipeline.h"

static struct pipeline_config config;

static int64_t wall_us(uint64_t mono_ns)
{
	return (int64_t)(mono_ns / 1000);
}

static void called(void *arg, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;

	if (charge->cost_nanos < 0 || charge->budget_nanos < 0 ||
	    charge->usage.reasoning > charge->usage.output)
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (who_new(&config.who, NULL) < 0 || prices_new(&config.prices) < 0 ||
	    prices_load_builtin(config.prices, NULL) < 0)
		abort();
	config.hooks.observer.called = called;
	config.wall_us = wall_us;
	return 0;
}

/* More bytes than any connection has: the kernel counts none such, and a reader that does is not believed. */
static bool is_absurd(const struct ev_head *event, size_t size)
{
	const struct ev_data *data = (const struct ev_data *)event;
	const struct ev_segment *segment = (const struct ev_segment *)event;
	const struct ev_close *end = (const struct ev_close *)event;
	const struct ev_flow *flow = (const struct ev_flow *)event;
	const uint64_t most = 1ULL << 38;

	switch (size < sizeof(*event) ? 0 : event->type) {
	case EV_DATA:
		return size >= sizeof(*data) && data->offset > most;
	case EV_SEGMENT:
		return size >= sizeof(*segment) && segment->offset > most;
	case EV_CLOSE:
		return size >= sizeof(*end) && (end->bytes[0] > most || end->bytes[1] > most);
	case EV_FLOW_END:
		return size >= sizeof(*flow) && (flow->bytes[0] > most || flow->bytes[1] > most);
	default:
		return false;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(8) uint8_t event[UINT16_MAX];
	struct pipeline_stats stats;
	struct pipeline *pipeline;
	bool may_refuse = false;

	if (pipeline_new(&pipeline, &config) < 0)
		abort();
	while (size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8);

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		memcpy(event, data, len);
		may_refuse |= is_absurd((const struct ev_head *)event, len);
		pipeline_event(pipeline, (const struct ev_head *)event, len);
		data += len;
		size -= len;
	}
	pipeline_tick(pipeline, 0);
	/* Whatever a tenant sends, its reader says what can be true. */
	pipeline_stats(pipeline, &stats);
	if (stats.connections.refused && !may_refuse)
		abort();
	pipeline_free(pipeline);
	return 0;
}
