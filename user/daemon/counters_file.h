/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The budgets' sums in a small file beside the ledger, for a start that finds the ledger damaged. Each minute, and at the
 * end; with a checksum, so that it is believed whole or not at all.
 */
#ifndef DAEMON_COUNTERS_FILE_H
#define DAEMON_COUNTERS_FILE_H

#include <stdint.h>

struct policy;

#define COUNTERS_FILE "counters"

/* Replaces the file. Does not wait for the disk: what a power failure cuts is not believed. 0 or -errno. */
int counters_file_save(const char *dir, struct policy *policy, int64_t now_us);
/*
 * Raises the policy's sums to what the file says (policy_at_least()). How many were raised, and *ret_at_us: when it was
 * written; -ENOENT: none, -EBADMSG: damaged, or another -errno.
 */
int counters_file_load(const char *dir, struct policy *policy, int64_t now_us, int64_t *ret_at_us);

#endif
