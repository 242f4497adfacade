/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/price_age.h"

#include "base/clock.h"
#include "base/log.h"

#define DAY_S 86400

void price_age_look(const struct prices *prices, int64_t now_us, int64_t *again_us)
{
	const char *origin, *newest = NULL;
	int64_t day_s, newest_s = 0, days;

	for (size_t i = 0; (origin = prices_origin(prices, i)); i++)
		if (prices_day(origin, &day_s) && (!newest || day_s > newest_s)) {
			newest = origin;
			newest_s = day_s;
		}
	days = (now_us / US_PER_S - newest_s) / DAY_S;
	if (!newest || days <= PRICE_AGE_DAYS || now_us < *again_us)
		return;
	*again_us = now_us + PRICE_AGE_AGAIN_DAYS * DAY_S * US_PER_S;
	log_warn("the newest prices (%s) are %lld days old: models since then have no price, and what "
		 "became cheaper or dearer is charged as before; name a newer file with `prices:`",
		 newest, (long long)days);
}
