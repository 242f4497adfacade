/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USAGE_BOUND_H
#define USAGE_BOUND_H

#include <stdint.h>

#include "usage/usage.h"

/* Tokens of the images and videos of one call: ten minutes of video are about 2,000,000. */
#define BOUND_DRAWN 10000000
/* Of texts that are embedded or ranked together, many in one call: Voyage takes 1,000,000, OpenAI 300,000. */
#define BOUND_TEXTS 1000000

/* What one call can have used. */
struct bound {
	uint64_t input, output; /* tokens: prices_limits() */
};

/* Cuts usage down to it. Returns how many tokens and pieces were beyond. */
uint64_t usage_bound(struct usage *usage, const struct bound *bound);

#endif
