/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an action has made to stand still, in the ledger: written before the deed and taken out
 * after its undoing, so that whoever comes later knows what to let go. Only this boot's count.
 */
#ifndef LEDGER_HALTED_H
#define LEDGER_HALTED_H

#include "ledger/ledger.h"

enum standing_kind { STANDING_PROCESS, STANDING_STOPPED, STANDING_FROZEN };

struct standing {
	enum standing_kind kind;
	uint32_t tgid; /* STANDING_PROCESS, with its start_ticks */
	uint64_t start_ticks;
	char path[WHO_PATH_LEN]; /* of the cgroup, else empty */
};

/* Written at once, not with the next batch. 0 or -errno: then it must not be made to stand. */
int standing_add(struct ledger *ledger, const struct standing *standing);
int standing_drop(struct ledger *ledger, const struct standing *standing);
/* Each one of this boot; fn may drop what it is given. Rows of earlier boots are forgotten. */
int standing_each(struct ledger *ledger, void (*fn)(void *arg, const struct standing *standing),
		  void *arg);

static inline bool standing_is_same(const struct standing *a, const struct standing *b)
{
	return a->kind == b->kind && a->tgid == b->tgid && a->start_ticks == b->start_ticks &&
	       !__builtin_strcmp(a->path, b->path);
}

#endif
