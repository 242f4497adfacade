/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Billed tokens in disjoint classes (but for `reasoning`, which is inside `output`), whatever the
 * provider calls them and whichever of them it adds up: the conversion happens once, where the
 * provider's answer is read. docs/facts/wire.md, "Token classes".
 */
#ifndef METER_USAGE_H
#define METER_USAGE_H

#include <stdbool.h>
#include <stdint.h>

struct usage {
	uint64_t input; /* text and images, neither read from nor written to a cache */
	uint64_t cache_read;
	uint64_t cache_write_5m; /* written to a cache for the default time */
	uint64_t cache_write_1h;
	uint64_t output;    /* all billed output, reasoning included */
	uint64_t reasoning; /* the part of output that was not shown */
	uint64_t audio_input;
	uint64_t audio_output;
	uint64_t web_searches; /* paid server-side calls */
};

#endif
