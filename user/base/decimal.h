/* SPDX-License-Identifier: Apache-2.0 */
/* Decimals as written, to integers: money and tokens never pass through floating point. */
#ifndef BASE_DECIMAL_H
#define BASE_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A decimal ("2.5e-06", "0.0000025", "7") times 10^scale as an integer, exactly, halves up beyond
 * that. False: not a decimal, negative, or over UINT64_MAX.
 */
bool decimal_read(const char *text, int scale, uint64_t *ret);
/* A count: a whole number (also "12.0"), at most 2^53, up to which all JSON readers agree. */
bool decimal_count(const char *text, uint64_t *ret);
/*
 * Plain digits with at most `places` behind the point, times 10^places, into ret. Returns what follows the
 * number; NULL: there is none, or it is beyond int64_t.
 */
const char *decimal_prefix(const char *text, unsigned places, int64_t *ret);

#endif
