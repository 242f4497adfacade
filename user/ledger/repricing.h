/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other prices make of calls that were charged before. The calls stay as they are, since budgets acted on what they
 * cost then; the new figures are kept beside the old ones.
 */
#ifndef LEDGER_REPRICING_H
#define LEDGER_REPRICING_H

#include "ledger/ledger.h"

struct repricing {
	int64_t id; /* set by repricing_begin() */
	int64_t made_us;
	int64_t since_us, until_us; /* calls that started in between */
	const char *prices;         /* the files: "litellm 2026-08-01, aigress 2026-11-30" */
};

/*
 * One transaction of a writer beside the daemon: begin, a row for each call whose figure changes, end. The newest row of a
 * call is the one that counts. 0 or -errno; after an error repricing_end() takes everything back.
 */
int repricing_begin(struct ledger *ledger, struct repricing *repricing);
int repricing_add(struct ledger *ledger, const struct repricing *repricing, int64_t call,
		  int64_t old_nanos, const struct charge *charge);
/* Keeps it if err is 0. Returns err, or why it could not be kept. */
int repricing_end(struct ledger *ledger, int err);

/* The newest figure of a call: price_key, price_origin and cost_nanos of `ret`, and when. 0; -ENOENT: none. */
int repricing_of(struct ledger *ledger, int64_t call, struct charge *ret, int64_t *ret_made_us);

#endif
