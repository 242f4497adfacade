/* SPDX-License-Identifier: Apache-2.0 */
/* Where a fuzzer cuts its input: what is told in pieces must be what is told as a whole. */
#ifndef FUZZ_CUT_H
#define FUZZ_CUT_H

#include <stddef.h>

/* The length of the next piece of `left` bytes, at least one: up to 40 bytes, one time in 16 up to 3. The seed moves on. */
static inline size_t cut_next(unsigned *seed, size_t left)
{
	size_t n;

	*seed = *seed * 1103515245 + 12345;
	n = 1 + (*seed >> 16) % (*seed >> 28 ? 40 : 3);
	return n < left ? n : left;
}

#endif
