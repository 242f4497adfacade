/* SPDX-License-Identifier: Apache-2.0 */
/* Prices that nobody has looked after for long are said to be old, again and again. */
#ifndef DAEMON_PRICE_AGE_H
#define DAEMON_PRICE_AGE_H

#include <stdint.h>

#include "price/price.h"

/* Providers change prices a few times a year; LiteLLM's file several times a week. */
#define PRICE_AGE_DAYS       60
#define PRICE_AGE_AGAIN_DAYS 7

/*
 * Logs a warning if the newest of the files is older than that, and once a week as long as it is. `*again_us` is when
 * it may be logged again, 0 at first.
 */
void price_age_look(const struct prices *prices, int64_t now_us, int64_t *again_us);

#endif
