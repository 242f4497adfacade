/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live TCP connections to AI hosts, as the flow look reports them: what `refuse` must reset,
 * and what the tap's view is reconciled with.
 */
#ifndef FLOW_FLOW_TABLE_H
#define FLOW_FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "event.h"

struct flows;

/* More live AI connections than this on one host are not kept; FLOWS_MAX * 400 bytes are 25 MiB. */
#define FLOWS_MAX 65536

/* NULL: no memory. */
struct flows *flow_table_new(void);
struct flows *flow_table_free(struct flows *flows);

/* A flow was seen, or more is known of it. 0, -ENOMEM or -ENOSPC. */
int flow_table_put(struct flows *flows, const struct ev_flow *flow);
const struct ev_flow *flow_table_get(const struct flows *flows, __u64 cookie);
void flow_table_drop(struct flows *flows, __u64 cookie);
/* A flow that relays another one of this host: gated like any, not charged. */
void flow_table_set_relayed(struct flows *flows, __u64 cookie);
bool flow_table_is_relayed(const struct flows *flows, __u64 cookie);
/* Whose TLS connections it carries; EV_CARRIES_OWN until something else is known. */
void flow_table_set_carries(struct flows *flows, __u64 cookie, enum ev_carries carries);
enum ev_carries flow_table_carries(const struct flows *flows, __u64 cookie);
/* It carries this TLS connection; after a fork, or a relay's, more than one: the newest are kept. */
#define FLOWS_PAIRED_MAX 4
void flow_table_set_paired(struct flows *flows, __u64 cookie, uint64_t connection);
/* Those that it carries; how many. */
size_t flow_table_paired(const struct flows *flows, __u64 cookie,
			 uint64_t ret_connections[FLOWS_PAIRED_MAX]);
bool flow_table_is_paired(const struct flows *flows, __u64 cookie);
/* So much plaintext of the connections that it carries was read; gives the sum by enum ev_dir. */
void flow_table_explain(struct flows *flows, __u64 cookie, enum ev_dir dir, uint64_t bytes);
void flow_table_explained(const struct flows *flows, __u64 cookie, uint64_t ret_bytes[2]);
/* It is being reset. False: it was before, or is not known; its end is still to come. */
bool flow_table_set_reset(struct flows *flows, __u64 cookie);
size_t flow_table_count(const struct flows *flows);

/* Calls fn for each; fn may drop the flow it is given. */
void flow_table_each(struct flows *flows, void (*fn)(void *arg, const struct ev_flow *flow),
		     void *arg);

#endif
