/* SPDX-License-Identifier: Apache-2.0 */
/* A bill of all fields over November 2026 in UTC, and what its cells must be. */
#ifndef UNIT_BILL_BILLED_H
#define UNIT_BILL_BILLED_H

#include "unit.h"

#include "bill/bill.h"

#define DAY_S  86400
#define NOV_1  1793491200LL /* 2026-11-01T00:00:00Z */
#define DEC_1  (NOV_1 + 30 * DAY_S)
#define DAY(n) (NOV_1 + ((n)-1) * DAY_S) /* of November */
#define USD    1000000000LL

static struct bill bill;

static inline int begin(void **state)
{
	bill_init(&bill, (1u << BILL_FIELDS) - 1, NOV_1, DEC_1);
	return 0;
}

static inline int end(void **state)
{
	bill_done(&bill);
	return 0;
}

/* The cell of this key, which exists; looking for it makes none. */
static inline const struct bill_cell *cell(int64_t day_s, const char *provider, const char *model,
					   const char *tier, const char *account)
{
	struct bill_cell *at;

	for (at = bill.cells; at; at = at->hh.next)
		if (at->key.day_s == day_s && !strcmp(at->key.provider, provider) &&
		    !strcmp(at->key.model, model) && !strcmp(at->key.tier, tier) &&
		    !strcmp(at->key.account, account))
			return at;
	for (at = bill.cells; at; at = at->hh.next)
		print_error("day %lld, %s, %s, %s, %s\n", (long long)at->key.day_s,
			    at->key.provider, at->key.model, at->key.tier, at->key.account);
	fail_msg("no cell of %lld, %s, %s, %s, %s", (long long)day_s, provider, model, tier,
		 account);
	return NULL;
}

static inline void assert_nanos(__int128 is, __int128 expected)
{
	if (is != expected)
		fail_msg("%lld nano-dollars, not %lld", (long long)is, (long long)expected);
}

#endif
