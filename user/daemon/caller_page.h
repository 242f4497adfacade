/* SPDX-License-Identifier: Apache-2.0 */
/* The status page of one caller: read beside the loop, through a connection to the ledger of its own. */
#ifndef DAEMON_CALLER_PAGE_H
#define DAEMON_CALLER_PAGE_H

#include "web/aside.h"

/*
 * What makes caller_json() of `who` from the ledger in `state`, in a zone (zone_load(); NULL: the host's). Copies all three.
 * NULL: no memory.
 */
struct aside_work *caller_page(const char *state, const char *zone, const char *who);

#endif
