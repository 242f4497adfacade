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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_Alignas(8) uint8_t event[UINT16_MAX];
	struct pipeline *pipeline;

	if (pipeline_new(&pipeline, &config) < 0)
		abort();
	while (size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8);

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		memcpy(event, data, len);
		pipeline_event(pipeline, (const struct ev_head *)event, len);
		data += len;
		size -= len;
	}
	pipeline_tick(pipeline, 0);
	pipeline_free(pipeline);
	return 0;
}
