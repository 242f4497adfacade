/* SPDX-License-Identifier: Apache-2.0 */
/* Money is counted in nano-dollars (docs/design/008). */
#ifndef BASE_MONEY_H
#define BASE_MONEY_H

#include <stdint.h>

#define NANOS_PER_USD 1000000000LL

/* "0.001234" and up to nine decimals where they are not zero; buf of at least MONEY_LEN. */
#define MONEY_LEN 32
const char *money_format(int64_t nanos, char *buf);

#endif
