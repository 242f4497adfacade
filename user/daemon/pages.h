/* SPDX-License-Identifier: Apache-2.0 */
/* What the status page shows of the ledger: read beside the loop, each through a connection to the ledger of its own. */
#ifndef DAEMON_PAGES_H
#define DAEMON_PAGES_H

#include "web/aside.h"

/*
 * What makes timeline_json(), or caller_json() of `who`, from the ledger in `state`, in a zone (zone_load(); NULL: the
 * host's). All are copied. NULL: no memory.
 */
struct aside_work *pages_timeline(const char *state, const char *zone);
struct aside_work *pages_caller(const char *state, const char *zone, const char *who);

#endif
