/* SPDX-License-Identifier: Apache-2.0 */
#include "base/money.h"

#include <stdio.h>

const char *money_format(int64_t nanos, char *buf)
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	int len = snprintf(buf, MONEY_LEN, "%s%llu.%09llu", nanos < 0 ? "-" : "",
			   amount / NANOS_PER_USD, amount % NANOS_PER_USD);

	/* Six decimals always stand, the last three only where they say something. */
	for (int kept = 9; kept > 6 && buf[len - 1] == '0'; kept--)
		buf[--len] = '\0';
	return buf;
}
