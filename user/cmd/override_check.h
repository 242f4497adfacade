/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an order would do, by what the daemon says of its budgets and counters (the ledger's facts "rules"
 * and "budgets"): whether its key names anything, whether a raise raises anything, and which of several
 * orders counts where they meet. Without those facts, as before a daemon's first start, nothing is
 * known and every order passes.
 */
#ifndef CMD_OVERRIDE_CHECK_H
#define CMD_OVERRIDE_CHECK_H

#include <stdbool.h>
#include <stdio.h>

#include "budget/override.h"
#include "ledger/ledger.h"

struct override_scene;

/* NULL: no memory. Freed by override_scene_free(). */
struct override_scene *override_scene_new(struct ledger *ledger);
struct override_scene *override_scene_free(struct override_scene *scene);

/*
 * Is it worth writing? False: an error on `err`, with what to do. What it does not change, and that it
 * does although its key names nothing (is_forced), is noted on `err`, too.
 */
bool override_check(const struct override_scene *scene, const struct override *override,
		    bool is_forced, FILE *err);

/*
 * The later of two orders counts. Of list[at]: " (overruled everywhere by hold \"agents-*\")", " (overruled in
 * part by ...)", or "" if it counts wherever it fits. List: oldest first. Returns `ret`.
 */
#define OVERRIDE_RANK_LEN (OVERRIDE_KEY_LEN * 4 + 64)
char *override_rank(const struct override_scene *scene, const struct override *list, size_t n,
		    size_t at, char ret[OVERRIDE_RANK_LEN]);

#endif
