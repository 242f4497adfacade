/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pipeline's half above TLS: the connections whose plaintext comes up, each with its calls in
 * progress. Events in, charges out. A call is charged once: when both its messages have ended, at its stream's terminator, or
 * with its connection.
 */
#ifndef PIPELINE_CONNECTIONS_H
#define PIPELINE_CONNECTIONS_H

#include <sys/types.h>

#include "control.h"
#include "event.h"
#include "flow/pairs.h"
#include "reader/message.h"

struct connections;

/*
 * Limits. A connection at rest is a struct connection and the reader's struct conn; beyond CONNECTIONS_MAX the oldest one
 * of the cgroup that has most goes, its calls charged as what is known of them. HTTP/1.1 pipelines seldom hold more than 6
 * calls, HTTP/2 servers allow 100 to 250 streams.
 */
#define CONNECTIONS_MAX 16384
/* Of a cgroup, the calls in progress that may go to a gateway and are asked after by name: more than a gateway has from one pod. */
#define CONNECTIONS_HOPS_MAX 1024
/* An estimate is some microseconds; of a stream at 100 tokens a second, 5 tokens. Closely: one. */
#define CONNECTIONS_RUNNING_NS 50000000ULL
#define CONNECTIONS_CLOSELY_NS 10000000ULL

/* Whose call it is, as the kernel half reported. */
struct connections_caller {
	uint64_t cgroup;     /* of the thread that wrote the request */
	uint64_t call;       /* a number of the call's own, from running to charged */
	uint64_t connection; /* the TLS connection's id; 0: none */
	uint64_t next_ns;    /* when the next call began that is in progress on it; 0: none is */
	uint32_t tgid;
	uid_t uid; /* (uid_t)-1: not known */
	const char *comm;
	struct pairs_sockets sockets; /* what carried it, where `connection` is over; n 0: ask flow/pairs */
};

struct pipeline;

/*
 * NULL: no memory. Of the pipeline it uses the hooks, the prices, the calibration and the
 * reconciliation, which must be there; its calls go to charge.c, what was read of them to plaintext.c.
 */
struct connections *connections_new(struct pipeline *pipeline);
/* Ends every call in progress at now_ns (monotonic). */
struct connections *connections_free(struct connections *connections, uint64_t now_ns);

/* How often a call in progress is reported: CONNECTIONS_RUNNING_NS at first. */
void connections_running(struct connections *connections, uint64_t period_ns);

/* True if the connection is one to an AI host that was not known before. */
bool connections_open(struct connections *connections, const struct ev_open *event);
void connections_data(struct connections *connections, const struct ev_data *event);
void connections_close(struct connections *connections, const struct ev_close *event);
/* A process ended, or became another program: its connections went with it. */
void connections_gone(struct connections *connections, const struct ev_head *event);
/* What was reported of one connection. */
struct connections_reported {
	uint32_t tgid;
	uint64_t cgroup;  /* that it began in */
	const char *host; /* valid until the next call */
	uint64_t bytes[2], records[2];
};
/* Reports what is new of this one, then gives all that was reported. False: no such connection. */
bool connections_reported(struct connections *connections, uint64_t id,
			  struct connections_reported *ret);

/* Reports to the reconciliation what was read since the last time, and who has calls in progress. */
void connections_report(struct connections *connections);
/*
 * A socket that carried this connection has ended, and held so much plaintext of its answers:
 * should a call be cut short, it is the call's, but for what is read from now on. False: no call is
 * in progress.
 */
bool connections_add_unread(struct connections *connections, uint64_t id, uint64_t bytes);

/*
 * What the reader says of the connection that it was just told something about; at any other time it is not heard. What cannot be
 * true ends the reading of that connection, with what is known of its calls.
 */
void connections_hear(struct connections *connections, const struct message *message);

/* A socket is known now to carry this connection (flow/pairs.h). */
void connections_paired(struct connections *connections, uint64_t id);
/*
 * May a call that ended be what another process's call in progress was passed on as? That one began before it, and goes to
 * a host of the operator's own, or through a tunnel to the same host; and what came of its answer bears no other ids.
 */
bool connections_may_be_passed_on(const struct connections *connections, uint32_t tgid,
				  const struct charge *charge);

struct connections_stats {
	uint64_t connections, calls; /* now */
	uint64_t gaps, gap_bytes, resyncs, bad_encodings;
	uint64_t connections_dropped, calls_dropped; /* for want of room or memory */
	uint64_t refused; /* connections of which the reader said what cannot be true */
};
void connections_stats(const struct connections *connections, struct connections_stats *ret);

#endif
