/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections whose beginning was not read. Either the probes came later, or another process has made them and this one, a
 * child, has inherited them. Probes are none of what a child inherits, so the request that it begins with is not read;
 * the kernel holds it back until its answer will be (bpf/defer.h).
 */
#ifndef PIPELINE_JOINED_H
#define PIPELINE_JOINED_H

#include "pipeline/connections_internal.h"

/*
 * Another process than the one that connected has sent on a flow (a socket's cookie) for the first time. It is remembered
 * until HEIRS_MAX others have.
 */
void joined_note(struct pipeline *pipeline, uint32_t tgid, uint64_t cookie);

/*
 * Names a connection that has no name of its own: one that was inherited as what it was before, with its socket; any other
 * as its socket greeted. Without it only the client's word in a head would say whose a call is.
 */
void joined_name(struct connections *connections, struct connection *connection);

/*
 * A request that was not read is answered: it is taken to be like the last one that was read on the connection before it was
 * inherited. What has left the socket by now is explained by it. False: the connection was not inherited.
 */
bool joined_answered(struct connections *connections, const struct connection *connection);

#endif
