/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors of 16 bytes: what every x86-64 and arm64 has. The compiler's own, so that searches are written once. */
#ifndef FIND_ANCHOR_LANES_H
#define FIND_ANCHOR_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define LANES 16
typedef uint8_t lanes __attribute__((vector_size(LANES)));

static inline lanes load(const uint8_t *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline lanes splat(uint8_t byte)
{
	return (lanes){} + byte;
}

static inline bool any(lanes v)
{
	uint64_t halves[2];

	memcpy(halves, &v, sizeof(halves));
	return halves[0] | halves[1];
}

/* Takes the lowest lane that is set out of `v`, which is not empty, and says which it was. */
static inline size_t take_lane(lanes *v)
{
	uint64_t halves[2];
	size_t half, lane;

	memcpy(halves, v, sizeof(halves));
	half = halves[0] ? 0 : 1;
	lane = (size_t)__builtin_ctzll(halves[half]) / 8;
	halves[half] &= ~(0xffULL << lane * 8);
	memcpy(v, halves, sizeof(halves));
	return half * 8 + lane;
}

#endif
