/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's order against the rules, for a time: take no step, refuse, or raise a limit. What one is and
 * which counters it fits; ledger/overrides.h stores them.
 */
#ifndef BUDGET_OVERRIDE_H
#define BUDGET_OVERRIDE_H

#include <stdbool.h>
#include <stdint.h>

enum override_kind {
	OVERRIDE_NONE,
	OVERRIDE_OPEN,  /* no step is taken and what was applied is undone; sums go on */
	OVERRIDE_HOLD,  /* new calls are refused, regardless of spend and of `enforce: false` */
	OVERRIDE_RAISE, /* replaces the limit, if it is higher */
};
/* "open", "hold", ...: stable, they are stored in the ledger. NULL: no such kind. */
const char *override_kind_name(enum override_kind kind);
/* The kind of that name; OVERRIDE_NONE: no such name. */
enum override_kind override_kind_of(const char *name);

#define OVERRIDE_KEY_LEN    256
#define OVERRIDE_TEXT_LEN   200
#define OVERRIDE_LONGEST_US (30 * 86400LL * 1000000)

struct override {
	int64_t id;
	enum override_kind kind;
	/* A glob (fnmatch) over names of budgets and of counters ("cgroup=/agents"); "*": all. */
	char key[OVERRIDE_KEY_LEN];
	int64_t limit_nanos; /* OVERRIDE_RAISE, one of the two */
	uint64_t limit_tokens;
	int64_t made_us, until_us; /* wall clock, microseconds since the epoch */
	char made_by[OVERRIDE_TEXT_LEN], reason[OVERRIDE_TEXT_LEN];
};

/* Does its key match the budget's name or the counter's? */
bool override_fits(const struct override *override, const char *budget, const char *counter);

#endif
