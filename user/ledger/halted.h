/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is stopped or frozen, in the ledger: a row is written before the action and removed after it was undone,
 * so that a later daemon knows what to resume. Only rows of this boot count.
 */
#ifndef LEDGER_HALTED_H
#define LEDGER_HALTED_H

#include "ledger/ledger.h"

enum halted_kind { HALTED_PROCESS, HALTED_STOPPED, HALTED_FROZEN };

struct halted {
	enum halted_kind kind;
	uint32_t tgid; /* HALTED_PROCESS, with its start_ticks */
	uint64_t start_ticks;
	char path[WHO_PATH_LEN]; /* of the cgroup, else empty */
};

/* Written at once, not with the next batch. 0 or -errno: then it must not be stopped or frozen. */
int halted_add(struct ledger *ledger, const struct halted *halted);
int halted_drop(struct ledger *ledger, const struct halted *halted);
/* Each one of this boot; fn may drop what it is given. Rows of earlier boots are forgotten. */
int halted_each(struct ledger *ledger, void (*fn)(void *arg, const struct halted *halted),
		void *arg);

static inline bool halted_is_same(const struct halted *a, const struct halted *b)
{
	return a->kind == b->kind && a->tgid == b->tgid && a->start_ticks == b->start_ticks &&
	       !__builtin_strcmp(a->path, b->path);
}

#endif
