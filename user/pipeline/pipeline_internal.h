/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share; for them alone. The walk of a measured call: an event comes in
 * (pipeline.c), its connection makes a call of it (connections.c), which when it is over (settle.c) may be
 * a part of another (legs.c); its charge goes to the ledger, the policy and the enforcer (charge.c), and
 * its bytes explain what flowed (plaintext.c). A call that is cut short may wait for its flow's end before
 * it is charged (cuts.c). Of what is not read: pipeline.c, flows.c, charge.c. None of these is called back
 * by one that it calls.
 */
#ifndef PIPELINE_PIPELINE_INTERNAL_H
#define PIPELINE_PIPELINE_INTERNAL_H

#include "flow/addresses.h"
#include "flow/flow_table.h"
#include "flow/pairs.h"
#include "flow/quic_flows.h"
#include "flow/relays.h"
#include "flow/resolved.h"
#include "flow/unsent.h"
#include "pipeline/clients.h"
#include "pipeline/cuts.h"
#include "pipeline/jobs.h"
#include "pipeline/legs.h"
#include "pipeline/mix.h"
#include "pipeline/pipeline.h"

struct pipeline {
	struct pipeline_config config;
	struct calibration *calibration;
	struct mix *mix;
	struct clients *clients, *api_keys;
	struct connections *connections;
	struct flows *flows;
	struct pairs *pairs;
	struct relays *relays;
	struct addresses *addresses;
	struct resolved *resolved;
	struct quic_flows *quic_flows;
	size_t n_quic; /* of the flows */
	struct reconcile *reconcile;
	struct unsent *unsent;
	struct cuts *cuts;
	struct legs *legs;
	struct jobs jobs;
	uint64_t last_ns; /* of the newest event: the end of calls that nothing else ends */
	struct pipeline_stats stats;
};

/* ---- flows.c: what the kernel reports of flows, and what of them was not read ---- */

void pipeline_flow(struct pipeline *pipeline, const struct ev_flow *event);
void pipeline_flow_end(struct pipeline *pipeline, const struct ev_flow *event);
void pipeline_quic(struct pipeline *pipeline, const struct ev_quic *event);

/* ---- plain.c: connections of plain HTTP ---- */

void pipeline_plain(struct pipeline *pipeline, const struct ev_flow *event);
void pipeline_segment(struct pipeline *pipeline, const struct ev_segment *event);
/* A flow has ended, with its final counts: if it is of plain HTTP, so has its connection. */
void pipeline_plain_end(struct pipeline *pipeline, const struct ev_flow *event);

/* ---- pairing.c: sockets that carry known TLS connections ---- */

/* A socket carries a TLS connection. */
void pipeline_pair(struct pipeline *pipeline, const struct ev_pair *event);
/* A flow that is known to carry TLS connections has ended; it is still in the table. */
void pipeline_pair_end(struct pipeline *pipeline, const struct ev_flow *flow);

/* ---- destination.c: who vouches for where something goes (docs/design/050) ---- */

/* Where a flow to this host goes; its address is judged now and, if it is not known by then, once more. */
struct pairs_peer pipeline_peer(const struct pipeline *pipeline, const struct ev_flow *flow,
				const char *host);
/* A program was told which addresses an AI host has: they are its provider's, where it was told so. */
void pipeline_answer(struct pipeline *pipeline, const struct ev_answer *event);
/* Asks the node's resolver about a flow that begins, unless its address is known. */
void pipeline_ask_name(struct pipeline *pipeline, const struct ev_flow *flow);
/* The mark of a call to this host on a connection that these sockets carry; NULL: none is known. */
const char *pipeline_destination(const struct pipeline *pipeline,
				 const struct pairs_sockets *sockets, const char *host);
/* Notes for its estimate by size, if there will be one, whether this flow's destination is confirmed. */
void pipeline_note_destination(struct pipeline *pipeline, const struct ev_flow *flow);

/* ---- plaintext.c: what was read above TLS, for the reconciliation ---- */

/* Plaintext of a connection that the parsers read, in `records` TLS records. */
void pipeline_read(struct pipeline *pipeline, uint64_t connection, uint32_t tgid, const char *host,
		   enum ev_dir dir, uint64_t bytes, uint64_t records);
/* Plaintext of it that no parser made sense of, and why: UNMETERED_LOST or _UPGRADED. */
void pipeline_missed(struct pipeline *pipeline, uint64_t connection, uint32_t tgid,
		     const char *host, enum unmetered_why why, const uint64_t bytes[2]);

/* ---- assume.c: calls without a price ---- */

/* Sets what budgets count of a call without a price, if something is known beyond its provider. False: not. */
bool pipeline_assume(struct pipeline *pipeline, const struct policy_subject *subject,
		     struct charge *charge);
/* A call was measured: its program's calls that are not will be taken to be of that model. */
void pipeline_assume_learn(struct pipeline *pipeline, const struct policy_subject *subject,
			   const struct charge *charge);

/* ---- charge.c ---- */

/*
 * A cgroup or a process (NULL: none in particular) has appeared: is one of its budgets spent
 * already, or may be soon if it will call now? Then what follows is applied.
 */
void pipeline_judge(struct pipeline *pipeline, uint64_t cgroup, const struct who_process *process,
		    const char *host, bool will_call, uint64_t time_ns);
/* What a call has cost so far is reserved in its budgets, and may cross a line by itself. */
void pipeline_call_running(struct pipeline *pipeline, const struct connections_caller *caller,
			   const struct charge *so_far);
/* Into the ledger, to the observer and the policy; what follows is applied. */
void pipeline_charge(struct pipeline *pipeline, const struct connections_caller *caller,
		     const struct charge *charge);

/* ---- settle.c ---- */

/* Did this call, which is over, never leave the host? To be asked once: see unsent_explains(). */
bool pipeline_call_is_unsent(struct pipeline *pipeline, const struct connections_caller *caller,
			     const struct reading *reading);
/* A call is over: to pipeline_charge(), for nothing if it never left the host. */
void pipeline_call_over(struct pipeline *pipeline, const struct connections_caller *caller,
			const struct charge *charge);
/*
 * The same of a call without a charge yet, of which that was asked; what it used teaches the
 * estimates.
 */
void pipeline_call_settle(struct pipeline *pipeline, const struct connections_caller *caller,
			  const struct reading *reading, bool is_unsent);

#endif
