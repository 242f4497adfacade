/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was done to whom, why, and how it ended: the rows of the ledger's actions, each with those that came of
 * it and with the calls that led to it.
 */
#ifndef CMD_EXPLAIN_STORY_H
#define CMD_EXPLAIN_STORY_H

#include <jansson.h>
#include <stdio.h>

#include "ledger/ledger.h"

/*
 * Newest first, `most` of them (0: all), since since_us. is_over: no daemon runs and no gate is pinned, so nothing is in
 * force (metering_is_over()). Returns how many there are, or -errno.
 */
int story_print(struct ledger *ledger, int64_t since_us, size_t most, bool is_over, FILE *out);
/* One of them. 0, -ENOENT or another -errno. */
int story_print_one(struct ledger *ledger, int64_t id, bool is_over, FILE *out);
/* { actions: [ ... ] }, oldest first; NULL: no memory, or the ledger cannot be read. */
json_t *story_json(struct ledger *ledger);
/* One row; NULL likewise, or there is none: *ret_err is -ENOENT. */
json_t *story_json_one(struct ledger *ledger, int64_t id, int *ret_err);

#endif
