/* SPDX-License-Identifier: Apache-2.0 */
/* Amounts as people write them: "50 USD", "0.50 usd", "2000000 tokens", "2M tokens", "1.5k tokens". */
#ifndef BASE_AMOUNT_H
#define BASE_AMOUNT_H

#include <stdint.h>

/* One of the two is above 0. */
struct amount {
	int64_t nanos; /* of a USD */
	int64_t tokens;
};

/* Returns what follows the amount, as "/hour"; NULL: it is none, is 0, or is not a whole number of these. */
const char *amount_read(const char *text, struct amount *ret);

#endif
