/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS connections whose plaintext comes up, each with its calls in progress: events in, charges
 * out. A call is charged once: when both its messages have ended, at its stream's terminator, or
 * with its connection.
 */
#ifndef PIPELINE_CONNECTIONS_H
#define PIPELINE_CONNECTIONS_H

#include <sys/types.h>

#include "control.h"
#include "event.h"
#include "http/conn.h"
#include "meter/call.h"

struct connections;

/*
 * Limits. A connection at rest is a struct link and a struct conn; beyond CONNECTIONS_MAX the oldest one
 * goes, its calls charged as what is known of them. HTTP/1.1 pipelines seldom hold more than 6
 * calls, HTTP/2 servers allow 100 to 250 streams.
 */
#define CONNECTIONS_MAX       16384
#define CONNECTIONS_CALLS_MAX 256
/* An estimate is some microseconds; of a stream at 100 tokens a second, 5 tokens. Closely: one. */
#define CONNECTIONS_RUNNING_NS 50000000ULL
#define CONNECTIONS_CLOSELY_NS 10000000ULL

/* Whose call it is, as the kernel half told. */
struct connections_caller {
	uint64_t cgroup;     /* of the thread that wrote the request */
	uint64_t call;       /* a number of the call's own, from running to charged */
	uint64_t connection; /* the TLS connection's id; 0: none */
	uint64_t next_ns;    /* when the next call began that is in progress on it; 0: none is */
	uint32_t tgid;
	uid_t uid; /* (uid_t)-1: not known */
	const char *comm;
};

enum connections_miss {
	CONNECTIONS_LOST,     /* it, or what it belongs to, got lost on the way */
	CONNECTIONS_UPGRADED, /* what follows a 101, such as WebSocket's frames */
};

/* What comes out. All are called; `arg` goes with each. */
struct connections_out {
	/*
	 * What a call has cost so far: when its request is known, and while its answer flows, at
	 * most each CONNECTIONS_RUNNING_NS, or as connections_running() said. May be NULL.
	 */
	void (*running)(void *arg, const struct connections_caller *caller,
			const struct charge *so_far);
	void (*charged)(void *arg, const struct connections_caller *caller,
			const struct charge *charge);
	/* A connection that the kernel did not know by name was judged. */
	void (*decided)(void *arg, uint64_t connection, enum ctl_verdict verdict);
	/* Plaintext that the parsers read, for the reconciliation with the flows; `connection`: of it. */
	void (*read)(void *arg, uint64_t connection, uint32_t tgid, const char *host,
		     enum ev_dir dir, uint64_t bytes, uint64_t records);
	/* Plaintext of it that no parser made sense of, and why. */
	void (*missed)(void *arg, uint64_t connection, uint32_t tgid, const char *host,
		       enum connections_miss why, const uint64_t bytes[2]);
	/* A POST to an AI host that is no call of a known kind. */
	void (*other)(void *arg, uint32_t tgid, const char *host);
	/* The kernel may forget this connection: its process is gone. */
	void (*forgotten)(void *arg, uint32_t tgid, uint64_t ssl);
	void *arg;
};

/* NULL: no memory. The prices and the calibration must outlive the table. */
struct connections *connections_new(const struct connections_out *out, const struct prices *prices,
				    struct calibration *calibration);
/* Ends every call in progress at now_ns (monotonic). */
struct connections *connections_free(struct connections *connections, uint64_t now_ns);

/* How often connections_out.running is told of one call. */
void connections_running(struct connections *connections, uint64_t period_ns);

/* True if the connection is one to an AI host that was not known before. */
bool connections_open(struct connections *connections, const struct ev_open *event);
void connections_data(struct connections *connections, const struct ev_data *event);
void connections_close(struct connections *connections, const struct ev_close *event);
/* A process ended, or became another program: its connections went with it. */
void connections_gone(struct connections *connections, const struct ev_head *event);
/* What connections_out.read was told of one connection. */
struct connections_told {
	uint32_t tgid;
	const char *host; /* valid until the next call */
	uint64_t bytes[2], records[2];
};
/* Tells it what is new of this one, then gives all that it was told. False: no such connection. */
bool connections_told(struct connections *connections, uint64_t id, struct connections_told *ret);

/* Tells connections_out.read what was read since it was last told. */
void connections_tell(struct connections *connections);

struct connections_stats {
	uint64_t connections, calls; /* now */
	uint64_t gaps, gap_bytes, resyncs, bad_encodings;
	uint64_t connections_dropped, calls_dropped; /* for want of room or memory */
};
void connections_stats(const struct connections *connections, struct connections_stats *ret);

#endif
