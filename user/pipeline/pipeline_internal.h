/* SPDX-License-Identifier: Apache-2.0 */
/* What pipeline.c and pipeline_flows.c share; nobody else includes it. */
#ifndef PIPELINE_PIPELINE_INTERNAL_H
#define PIPELINE_PIPELINE_INTERNAL_H

#include "flow/addresses.h"
#include "flow/flow_table.h"
#include "flow/pairs.h"
#include "flow/quic_flows.h"
#include "flow/relays.h"
#include "flow/unsent.h"
#include "pipeline/pipeline.h"

struct pipeline {
	struct pipeline_config config;
	struct calibration *calibration;
	struct connections *connections;
	struct flows *flows;
	struct pairs *pairs;
	struct relays *relays;
	struct addresses *addresses;
	struct quic_flows *quic_flows;
	size_t n_quic; /* of the flows */
	struct reconcile *reconcile;
	struct unsent *unsent;
	uint64_t last_ns; /* of the newest event: the end of calls that nothing else ends */
	struct pipeline_stats stats;
};

/*
 * Is a budget of this cgroup and process (NULL: of nobody) spent already, or may be soon if it will call now?
 * Then what follows is done.
 */
void pipeline_judge(struct pipeline *pipeline, uint64_t cgroup, const struct who_process *process,
		    const char *host, bool will_call, uint64_t time_ns);
/* Into the ledger, and to the policy. */
void pipeline_charge(struct pipeline *pipeline, const struct connections_caller *caller,
		     const struct charge *charge);

/* pipeline_flows.c: what the kernel tells of flows. */
void pipeline_flow(struct pipeline *pipeline, const struct ev_flow *event);
void pipeline_flow_end(struct pipeline *pipeline, const struct ev_flow *event);
void pipeline_quic(struct pipeline *pipeline, const struct ev_quic *event);
/* pairing.c: a socket carries a TLS connection. */
void pipeline_pair(struct pipeline *pipeline, const struct ev_pair *event);
/* A flow that is known to carry TLS connections has ended; it is still in the table. */
void pipeline_pair_end(struct pipeline *pipeline, const struct ev_flow *flow);
/* So much of it was seen above TLS. False: the sockets that carry the connection are not known. */
bool pipeline_explain(struct pipeline *pipeline, uint64_t connection, enum ev_dir dir,
		      uint64_t bytes);
/* Did this call, which is over, never leave? */
bool pipeline_unsent(struct pipeline *pipeline, const struct connections_caller *caller,
		     const struct charge *charge);

#endif
