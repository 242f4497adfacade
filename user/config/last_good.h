/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last configuration that was in force, for a start with a broken file: a node that restarts at night with
 * a typing error in its file would otherwise meter and refuse nothing. It is kept in the state directory (mode
 * 0600) with its line numbers, but without comments and without the keys that may contain secrets: webhooks and
 * otlp.
 */
#ifndef CONFIG_LAST_GOOD_H
#define CONFIG_LAST_GOOD_H

#include "config/config.h"

#define LAST_GOOD_FILE "last-good.yaml"

/*
 * Keeps the file at `path`, which was read without an error. Returns 0 or -errno; -EINVAL: without those keys
 * it cannot be read.
 */
int last_good_save(const char *state, const char *path);
/* Reads what was kept, with rules.is_restored. 0 or -errno; -ENOENT: nothing was. */
int last_good_load(struct config *ret, const char *state);

#endif
