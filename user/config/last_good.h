/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration that was in force last, for a start with a file that is broken: a node that restarts at
 * night with a wrong letter in its file would otherwise meter nothing and refuse nobody. Kept in the state
 * directory (mode 0600), with its line numbers, without comments and without what may hold secrets:
 * webhooks and otlp.
 */
#ifndef CONFIG_LAST_GOOD_H
#define CONFIG_LAST_GOOD_H

#include "config/config.h"

#define LAST_GOOD_FILE "last-good.yaml"

/* Keeps the file at `path`, which was read without an error. 0 or -errno; -EINVAL: it cannot be cut so. */
int last_good_save(const char *state, const char *path);
/* Reads what was kept, with rules.is_restored. 0 or -errno; -ENOENT: nothing was. */
int last_good_load(struct config *ret, const char *state);

#endif
