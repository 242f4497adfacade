/* SPDX-License-Identifier: Apache-2.0 */
/* Resumes what a daemon that is gone has left stopped. */
#ifndef ENFORCE_RELEASE_HALTED_H
#define ENFORCE_RELEASE_HALTED_H

#include <stddef.h>

#include "ledger/ledger.h"

/*
 * Resumes each process and cgroup that the ledger lists as halted (ledger/halted.h); for when no
 * daemon runs. `command` begins the sentences on standard error about those that cannot be resumed.
 * 0 or -errno: then the list cannot be read.
 */
int release_halted(struct ledger *ledger, const char *command, size_t *ret_done, size_t *ret_failed);

#endif
